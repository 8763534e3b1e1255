#include "compiler/sema/tune.h"

#include "compiler/sema/literals.h"

namespace ks::sema {
namespace {

// Whether everything that the tuned limit lets through, the rule's own does, too.
bool Narrows(const Limit& tuned, const Limit& own) {
  if (tuned.count > own.count || tuned.per_ns < own.per_ns) return false;
  // Alerts that shared a key and its limit would get limits of their own.
  for (const FieldRef& field : tuned.by) {
    bool there = false;
    for (const FieldRef& of : own.by) there = there || of.SameAs(field);
    if (!there) return false;
  }
  return true;
}

}  // namespace

void TuneChecker::ReportUnknownRule(const syntax::Tune& tune, const Scope& scope) {
  // By its name in this package, or with another package in front.
  std::vector<std::string> ids;
  std::string home = PackageOf(*scope.module);
  for (const Library::Package* package : names_.library().Packages()) {
    if (package->embedded) continue;
    for (const auto& [name, rule] : package->rules) {
      ids.push_back(package->name == home ? name : IdOf(package->name, name));
    }
  }
  Diagnostic& d = scope.Report<Diag::TuneOfNothing>(tune.rule_span, Shorten(tune.rule.Dotted()));
  std::vector<std::string_view> candidates(ids.begin(), ids.end());
  std::string_view near = DidYouMean(tune.rule.Dotted(), candidates);
  // The right name without its package.
  for (const std::string& candidate : ids) {
    if (tune.rule.parts.size() == 1 && candidate.ends_with("." + tune.rule.parts[0].text)) near = candidate;
  }
  if (!near.empty()) {
    d.help = fmt::format("did you mean `{}`?", near);
    scope.Fix(d, tune.rule_span, std::string(near));
  } else {
    d.help = "a rule of another package is named with its package, as in `tune std.rules.reverse_shell`";
  }
}

void TuneChecker::Check(const syntax::Tune& tune, const Scope& scope) {
  std::string id = RuleIdOf(tune.rule, PackageOf(*scope.module));
  if (tune.environment.value.find_first_not_of(" \t") == std::string::npos) {
    scope.Report<Diag::TuneWithoutEnvironment>(tune.environment.span, Shorten(tune.rule.Dotted())).help =
        "as in `tune r in \"prod-eu\" { … }`; what holds everywhere stands in the rule";
  }
  for (const Library::TuneAt& at : names_.library().TunesOf(id)) {
    if (at.tune == &tune) break;
    if (at.tune->environment.value != tune.environment.value) continue;
    Diagnostic& d =
        scope.Report<Diag::TuneTwice>(tune.rule_span, Shorten(tune.rule.Dotted()), Shorten(tune.environment.value));
    d.related.push_back({at.tune->rule_span, "the first one"});
    d.help = "let one tune say it all: the order of files never matters";
    break;
  }
  const syntax::Rule* rule = names_.library().FindRule(id);
  const syntax::Module* home = nullptr;
  size_t dot = id.rfind('.');
  if (const Library::Package* package = names_.library().Find(dot == std::string::npos ? "" : id.substr(0, dot))) {
    for (const syntax::Module* module : package->modules) {
      for (const syntax::Rule& of : module->rules) home = &of == rule ? module : home;
    }
  }
  if (rule == nullptr || home == nullptr) return ReportUnknownRule(tune, scope);

  auto twice = [&](Span second, Span first, std::string_view clause) {
    scope.Report<Diag::ClauseTwice>(second, "tune of " + rule->name.text, clause).related.push_back({first, "the first one"});
  };
  for (size_t i = 1; i < tune.severities.size(); ++i) twice(tune.severities[i].span, tune.severities[0].span, "severity");
  for (size_t i = 1; i < tune.disables.size(); ++i) twice(tune.disables[i], tune.disables[0], "disable");
  for (size_t i = 1; i < tune.limits.size(); ++i) twice(tune.limits[i].span, tune.limits[0].span, "limit");
  for (size_t i = 1; i < tune.max_keys.size(); ++i) twice(tune.max_keys[i].span, tune.max_keys[0].span, "max keys");
  bool other = !tune.severities.empty() || !tune.exceptions.empty() || !tune.limits.empty() || !tune.max_keys.empty();
  if (!other && tune.disables.empty()) {
    scope.Report<Diag::TuneWithoutEffect>(tune.rule_span, Shorten(tune.rule.Dotted()), "it says nothing").help =
        "a tune may have severity, except, limit, max keys and disable";
  } else if (other && !tune.disables.empty()) {
    scope.Report<Diag::TuneWithoutEffect>(tune.disables[0], Shorten(tune.rule.Dotted()),
                                          "beside `disable` nothing else matters")
        .help = "remove `disable`, or the rest";
  }
  // The rule's own mistakes are its module's.
  Diagnostics aside;
  Scope of_rule;
  of_rule.module = home;
  of_rule.diagnostics = &aside;
  Rule checked = rules_.Check(*rule, of_rule);
  if (aside.errors() > 0) return;
  Change(tune, scope, &checked);
}

void TuneChecker::Change(const syntax::Tune& tune, const Scope& module_scope, Rule* rule) {
  RuleScope scope(*rule, module_scope);
  rule->tune = &tune;
  rule->disabled = !tune.disables.empty();
  if (!tune.severities.empty()) {
    if (auto severity = rules_.CheckSeverity(tune.severities[0], module_scope)) rule->severity = *severity;
  }
  for (const syntax::Exception& exception : tune.exceptions) {
    rule->exceptions.push_back(rules_.CheckException(exception, scope));
  }
  if (!tune.limits.empty()) {
    std::optional<Limit> limit = rules_.CheckLimit(tune.limits[0], scope);
    if (limit && rule->limit && !Narrows(*limit, *rule->limit)) {
      Diagnostic& d = module_scope.Report<Diag::TuneWidens>(tune.limits[0].span, Shorten(tune.rule.Dotted()));
      d.related.push_back({rule->syntax->limits[0].span, "the rule's own limit"});
      d.help = "fewer alerts, in a longer time, by no other fields: else let the rule itself say less";
    } else if (limit) {
      rule->limit = std::move(limit);
    }
  }
  if (!tune.max_keys.empty()) {
    if (auto keys = rules_.CheckMaxKeys(tune.max_keys[0], *rule, module_scope)) rule->max_keys = keys;
  }
}

void TuneChecker::Apply(Rule* rule, const Scope& scope) {
  if (options_.environment.empty()) return;
  for (const Library::TuneAt& at : names_.library().TunesOf(rule->id)) {
    if (at.tune->environment.value != options_.environment) continue;
    Diagnostics aside;
    Scope of_tune = scope;
    of_tune.module = at.module;
    of_tune.diagnostics = &aside;
    return Change(*at.tune, of_tune, rule);
  }
}

}  // namespace ks::sema

#include "compiler/sema/rules.h"

#include <algorithm>
#include <set>

#include "compiler/sema/literals.h"

namespace ks::sema {
namespace {

constexpr std::array<std::string_view, 5> kSeverities = {"info", "low", "medium", "high", "critical"};

// T1059, T1059.004, TA0002
bool IsAttackId(std::string_view id) {
  auto digits = [&](size_t at, size_t count) {
    return id.size() >= at + count &&
           std::all_of(id.begin() + static_cast<ptrdiff_t>(at), id.begin() + static_cast<ptrdiff_t>(at + count),
                       [](char c) { return c >= '0' && c <= '9'; });
  };
  if (id.starts_with("TA")) return id.size() == 6 && digits(2, 4);
  if (!id.starts_with('T') || !digits(1, 4)) return false;
  return id.size() == 5 || (id.size() == 9 && id[5] == '.' && digits(6, 3));
}

}  // namespace

void RuleChecker::CheckAttack(const syntax::Rule& rule, const Scope& scope) {
  std::set<std::string_view> seen;
  for (const syntax::Name& id : rule.attack) {
    if (!IsAttackId(id.text)) {
      scope.Report<Diag::AttackId>(id.span, Shorten(id.text)).help = "an id is like T1059, T1059.004 or TA0002";
    } else if (!seen.insert(id.text).second) {
      Diagnostic& d = scope.Report<Diag::Repeated>(id.span, id.text);
      d.help = "remove one of the two";
      scope.FixByRemovingBehind(d, (&id - 1)->span, id.span);
    }
  }
}

void RuleChecker::CheckStatus(const syntax::Rule& rule, const Scope& scope) {
  if (rule.statuses.empty()) return;
  const syntax::Name& status = rule.statuses[0];
  constexpr std::array<std::string_view, 3> kStatuses = {"experimental", "stable", "deprecated"};
  if (std::find(kStatuses.begin(), kStatuses.end(), status.text) != kStatuses.end()) return;
  Diagnostic& d = scope.Report<Diag::UnknownStatus>(status.span, Shorten(status.text));
  d.help = fmt::format("it is one of {}", fmt::join(kStatuses, ", "));
  if (std::string_view near = DidYouMean(status.text, {kStatuses.begin(), kStatuses.end()}); !near.empty()) {
    d.help = fmt::format("did you mean `{}`?", near);
    scope.Fix(d, status.span, std::string(near));
  }
}

void RuleChecker::CheckClauses(const syntax::Rule& rule, const Scope& scope) {
  auto missing = [&](std::string_view clause, std::string_view example) {
    scope.Report<Diag::ClauseMissing>(rule.name.span, rule.name.text, clause).help = fmt::format("add `{}`", example);
  };
  auto twice = [&](const auto& clauses, std::string_view clause, auto span) {
    for (size_t i = 1; i < clauses.size(); ++i) {
      scope.Report<Diag::ClauseTwice>(span(clauses[i]), rule.name.text, clause)
          .related.push_back({span(clauses[0]), "the first one"});
    }
  };
  auto whole = [](const auto& clause) { return clause.span; };
  auto head = [](const syntax::Sequence& sequence) { return sequence.head; };
  if (rule.severities.empty()) missing("severity", "severity medium");
  if (rule.ons.empty() && rule.sequences.empty()) missing("on", "on exec where …");
  // The title serves as the alert.
  if (rule.alerts.empty() && !rule.title) missing("alert", "alert \"…\"");
  twice(rule.severities, "severity", whole);
  twice(rule.ons, "on", whole);
  twice(rule.sequences, "sequence", head);
  twice(rule.whens, "when", whole);
  twice(rule.limits, "limit", whole);
  twice(rule.max_keys, "max keys", whole);
  twice(rule.owners, "owner", whole);
  twice(rule.statuses, "status", whole);
  twice(rule.alerts, "alert", whole);
  if (rule.sequences.empty()) return;
  Span span = rule.sequences[0].head;
  if (!rule.ons.empty()) {
    Diagnostic& d = scope.Report<Diag::ClauseConflict>(span, rule.name.text, "on", "sequence");
    d.related.push_back({rule.ons[0].span, "the other one"});
    d.help = "write what `on` asks for as a step of the sequence, or make two rules";
  } else if (!rule.whens.empty()) {
    Diagnostic& d = scope.Report<Diag::ClauseConflict>(rule.whens[0].span, rule.name.text, "sequence", "when");
    d.related.push_back({span, "the other one"});
    d.help = "`when` counts the events of an `on`; in a sequence a step can be repeated: `fail: connect repeat 10`";
  }
}

std::optional<RuleSeverity> RuleChecker::CheckSeverity(const syntax::Name& severity, const Scope& scope) {
  auto it = std::find(kSeverities.begin(), kSeverities.end(), severity.text);
  if (it != kSeverities.end()) return static_cast<RuleSeverity>(it - kSeverities.begin());
  Diagnostic& d = scope.Report<Diag::UnknownSeverity>(severity.span, Shorten(severity.text));
  d.help = fmt::format("it is one of {}", fmt::join(kSeverities, ", "));
  std::string_view near = DidYouMean(severity.text, {kSeverities.begin(), kSeverities.end()});
  if (!near.empty()) {
    d.help = fmt::format("did you mean `{}`?", near);
    scope.Fix(d, severity.span, std::string(near));
  }
  return std::nullopt;
}

std::vector<EventKind> RuleChecker::CheckKinds(const std::vector<syntax::Name>& of, const Scope& scope) {
  std::vector<EventKind> kinds;
  for (const syntax::Name& name : of) {
    auto kind = schema::FindEvent(name.text);
    if (!kind) {
      std::vector<std::string_view> names;
      for (const schema::EventRow& row : schema::Events()) names.push_back(row.name);
      Diagnostic& d = scope.Report<Diag::UnknownKind>(name.span, name.text);
      if (std::string_view near = DidYouMean(name.text, names); !near.empty()) {
        d.help = fmt::format("did you mean `{}`?", near);
        scope.Fix(d, name.span, std::string(near));
      } else if (schema::EnumeratorValue("syscall", name.text)) {
        d.help = fmt::format("as a system call it is `on syscall where syscall == {}`", name.text);
      } else {
        d.help = fmt::format("kinds: {}", fmt::join(names, ", "));
      }
    } else if (std::find(kinds.begin(), kinds.end(), *kind) != kinds.end()) {
      Diagnostic& d = scope.Report<Diag::Repeated>(name.span, name.text);
      d.help = "remove one of the two";
      scope.FixByRemovingBehind(d, (&name - 1)->span, name.span);
    } else {
      kinds.push_back(*kind);
    }
  }
  return kinds;
}

Exception RuleChecker::CheckException(const syntax::Exception& exception, const RuleScope& rule) {
  const Scope& scope = rule.scope;
  Exception checked;
  checked.syntax = &exception;
  if (exception.condition) {
    checked.condition = expander_.Expand(*exception.condition, scope);
    if (!expander_.TakeFailed()) CheckGuards(checked.condition, rule.given, *scope.diagnostics, scope.steps);
  }
  std::string why = Shorten(exception.why);
  if (!exception.owner || exception.owner->text.empty()) {
    Diagnostic& d = scope.Report<Diag::ExceptionOwner>(exception.why_span, why);
    d.help = "say who answers for it: `owner \"…\"`";
  }
  if (exception.expires) {
    const syntax::Name& date = *exception.expires;
    ParsedText parsed = ParseText(date.text, One(TypeId::Time));
    if (!parsed.value) {
      scope.Report<Diag::ExceptionDate>(date.span, Shorten(date.text)).help =
          parsed.out_of_range.empty() ? "a date is like 2027-01-31" : "it must lie in " + parsed.out_of_range;
    } else {
      checked.expires_ns = std::get<int64_t>(*parsed.value);
      if (*checked.expires_ns <= options_.now_ns) {
        scope.Report<Diag::ExceptionExpired>(date.span, why, date.text).help =
            "it has no effect any more: remove it, or decide anew";
      }
    }
  }
  return checked;
}

void RuleChecker::ReportUntested(const syntax::Rule& rule, const Scope& scope, const Rule& checked) {
  Tested tested = names_.library().TestsOf(checked.id);
  if (tested.alert && tested.quiet) return;
  std::string_view what = "";
  if (tested.quiet) {
    what = "that expects an alert";
  } else if (tested.alert) {
    what = "that expects quiet";
  } else {
    what = "yet";
  }
  scope.Report<Diag::RuleUntested>(rule.name.span, rule.name.text, what).help =
      "one case that must raise it, and one that must not, keep a rule honest";
}

RuleScope::RuleScope(const Rule& rule, const Scope& module_scope) : scope(module_scope) {
  scope.kinds = &rule.kinds;
  if (!rule.sequence) {
    given = FactsOf(rule.where);
    return;
  }
  steps_ = StepsOf(*rule.sequence);
  steps_.known = steps_.matching.size();
  steps_.own = false;
  steps_.shared = &rule.sequence->by;
  scope.steps = &steps_;
  uint8_t number = 0;
  for (const Step& step : rule.sequence->steps) {
    if (step.syntax == nullptr || step.syntax->role != syntax::Step::Role::Match) continue;
    if (++number > kMaxMatchingSteps) break;
    given |= FactsOf(step.where).AsStep(number);
  }
  ShareFacts(rule.sequence->by, number, &given);
}

void RuleChecker::CheckOn(const syntax::On& on, const Scope& module_scope, Rule* out, bool* failed) {
  out->kinds = CheckKinds(on.kinds, module_scope);
  if (!on.where) return;
  Scope scope = module_scope;
  scope.kinds = &out->kinds;
  out->where = expander_.Expand(*on.where, scope);
  *failed = expander_.TakeFailed();
  if (!*failed) CheckGuards(out->where, {}, *scope.diagnostics);
}

Rule RuleChecker::Check(const syntax::Rule& rule, const Scope& module_scope) {
  Rule out;
  out.syntax = &rule;
  out.id = IdOf(PackageOf(*module_scope.module), rule.name.text);
  CheckClauses(rule, module_scope);
  if (!rule.severities.empty()) {
    out.severity = CheckSeverity(rule.severities[0], module_scope).value_or(RuleSeverity::medium);
  }
  CheckAttack(rule, module_scope);
  CheckStatus(rule, module_scope);
  expander_.StartRule();
  expander_.TakeFailed();
  bool failed = false;
  if (!rule.sequences.empty()) {
    CheckSequence(rule.sequences[0], module_scope, &out, &failed);
  } else if (!rule.ons.empty()) {
    CheckOn(rule.ons[0], module_scope, &out, &failed);
  }
  RuleScope scope(out, module_scope);
  // After a mistake we do not know what was asked for; then nothing is said to be missing.
  if (failed) {
    scope.given = Facts::All();
    scope.guessed = true;
  }
  if (!rule.whens.empty() && rule.sequences.empty()) CheckAggregate(rule.whens[0], scope.scope, scope.given, &out);
  if (!rule.limits.empty()) out.limit = CheckLimit(rule.limits[0], scope);
  if (!rule.max_keys.empty()) out.max_keys = CheckMaxKeys(rule.max_keys[0], out, module_scope);
  for (const syntax::Exception& exception : rule.exceptions) {
    out.exceptions.push_back(CheckException(exception, scope));
  }
  CheckDisclosures(rule, scope, &out);
  if (!rule.alerts.empty()) CheckAlert(rule, rule.alerts[0], scope, &out);
  ReportUntested(rule, module_scope, out);
  return out;
}

}  // namespace ks::sema

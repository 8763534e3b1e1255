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

// Puts a clause in front of the alert, on its own line if the alert stands on one.
void FixWithDisclose(Diagnostic& d, const syntax::Text& alert, const std::string& field) {
  std::string_view source = alert.span.file->text();
  size_t at = alert.span.begin;
  auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (at > 0 && (blank(source[at - 1]) || source[at - 1] == '\n')) --at;
  constexpr std::string_view kKeyword = "alert";
  if (!source.substr(0, at).ends_with(kKeyword)) return;
  at -= kKeyword.size();
  size_t line = at;
  while (line > 0 && blank(source[line - 1])) --line;
  bool alone = line == 0 || source[line - 1] == '\n';
  std::string indent = alone ? "\n" + std::string(source.substr(line, at - line)) : " ";
  uint32_t offset = static_cast<uint32_t>(at);
  d.fixes.push_back(
      {{alert.span.file, offset, offset}, fmt::format("disclose {} \"why it is needed\"{}", field, indent)});
}

}  // namespace

void RuleChecker::CheckAttack(const syntax::Rule& rule, const Scope& scope) {
  std::set<std::string_view> seen;
  for (const syntax::Name& id : rule.attack) {
    if (!IsAttackId(id.text)) {
      scope.Report<Diag::AttackId>(id.span, Shorten(id.text)).help = "an id is like T1059, T1059.004 or TA0002";
    } else if (!seen.insert(id.text).second) {
      scope.Report<Diag::Repeated>(id.span, id.text).help = "remove one of the two";
    }
  }
}

void RuleChecker::CheckHead(const syntax::Rule& rule, const Scope& scope, Rule* out) {
  auto missing = [&](std::string_view clause, std::string_view example) {
    scope.Report<Diag::ClauseMissing>(rule.name.span, rule.name.text, clause).help = fmt::format("add `{}`", example);
  };
  auto twice = [&](Span second, Span first, std::string_view clause) {
    scope.Report<Diag::ClauseTwice>(second, rule.name.text, clause).related.push_back({first, "the first one"});
  };
  if (rule.severities.empty()) missing("severity", "severity medium");
  if (rule.ons.empty()) missing("on", "on exec where …");
  if (rule.alerts.empty()) missing("alert", "alert \"…\"");
  for (size_t i = 1; i < rule.severities.size(); ++i)
    twice(rule.severities[i].span, rule.severities[0].span, "severity");
  for (size_t i = 1; i < rule.ons.size(); ++i) twice(rule.ons[i].span, rule.ons[0].span, "on");
  for (size_t i = 1; i < rule.alerts.size(); ++i) twice(rule.alerts[i].span, rule.alerts[0].span, "alert");

  if (!rule.severities.empty()) {
    const syntax::Name& severity = rule.severities[0];
    auto it = std::find(kSeverities.begin(), kSeverities.end(), severity.text);
    if (it != kSeverities.end()) {
      out->severity = static_cast<RuleSeverity>(it - kSeverities.begin());
    } else {
      Diagnostic& d = scope.Report<Diag::UnknownSeverity>(severity.span, Shorten(severity.text));
      d.help = fmt::format("it is one of {}", fmt::join(kSeverities, ", "));
      std::string_view near = DidYouMean(severity.text, {kSeverities.begin(), kSeverities.end()});
      if (!near.empty()) {
        d.help = fmt::format("did you mean `{}`?", near);
        scope.Fix(d, severity.span, std::string(near));
      }
    }
  }
  CheckAttack(rule, scope);
}

void RuleChecker::CheckKinds(const syntax::On& on, const Scope& scope, Rule* out) {
  for (const syntax::Name& name : on.kinds) {
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
    } else if (std::find(out->kinds.begin(), out->kinds.end(), *kind) != out->kinds.end()) {
      scope.Report<Diag::Repeated>(name.span, name.text).help = "remove one of the two";
    } else {
      out->kinds.push_back(*kind);
    }
  }
}

void RuleChecker::CheckException(const syntax::Exception& exception, const Scope& scope, Rule* out, Facts given) {
  Exception checked;
  checked.syntax = &exception;
  if (exception.condition) {
    checked.condition = expander_.Expand(*exception.condition, scope);
    if (!expander_.TakeFailed()) CheckGuards(checked.condition, given, *scope.diagnostics);
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
  out->exceptions.push_back(std::move(checked));
}

void RuleChecker::CheckDisclosures(const syntax::Rule& rule, const Scope& scope, Rule* out) {
  for (const syntax::Disclose& disclose : rule.disclosures) {
    if (disclose.reason.find_first_not_of(" \t") == std::string::npos) {
      scope.Report<Diag::DiscloseReason>(disclose.span).help = "say what the reader of the alert needs it for";
    }
    for (const syntax::Path& path : disclose.fields) {
      Span span = SpanOf(path);
      Resolved resolved = names_.Find(path, scope);
      if (resolved.what == Resolved::What::Nothing) {
        names_.ReportUnknown(path, scope);
        continue;
      }
      if (resolved.what == Resolved::What::Error) continue;
      if (resolved.what != Resolved::What::Field) {
        scope.Report<Diag::NotAValue>(span, Shorten(path.Dotted()),
                                      resolved.what == Resolved::What::Record ? "a record" : "no field", "a field");
        continue;
      }
      if (!expander_.CheckKinds(resolved.field, scope, span)) continue;
      bool match_only = schema::Row(resolved.field.field).data_class == schema::DataClass::MatchOnly;
      bool again = std::any_of(out->disclosures.begin(), out->disclosures.end(),
                               [&](const Disclosure& d) { return d.field == resolved.field.field; });
      if (!match_only || again) {
        scope.Report<Diag::DiscloseNeedless>(
            span, Shorten(path.Dotted()),
            again ? "it is disclosed already" : "it is metadata, which any alert may carry");
      } else {
        out->disclosures.push_back({resolved.field.field, disclose.reason});
      }
    }
  }
}

void RuleChecker::CheckAlert(const syntax::Rule& rule, const syntax::Text& text, const Scope& scope, Facts given,
                             Rule* out) {
  for (TemplatePiece& piece : ParseTemplate(text, scope)) {
    if (!piece.path) {
      out->alert.push_back({std::move(piece.text), std::nullopt});
      continue;
    }
    Span span = SpanOf(*piece.path);
    std::string dotted = Shorten(piece.path->Dotted());
    Resolved resolved = names_.Find(*piece.path, scope);
    if (resolved.what == Resolved::What::Nothing) names_.ReportUnknown(*piece.path, scope);
    if (resolved.what == Resolved::What::Nothing || resolved.what == Resolved::What::Error) continue;
    if (resolved.what != Resolved::What::Field) {
      scope.Report<Diag::NotAValue>(span, dotted, resolved.what == Resolved::What::Record ? "a record" : "no field",
                                    "a field");
      continue;
    }
    const FieldRef& field = resolved.field;
    if (!expander_.CheckKinds(field, scope, span)) continue;
    CheckGuard(field, given, rule.ons.empty() ? nullptr : rule.ons[0].where.get(), *scope.diagnostics);
    bool match_only = schema::Row(field.field).data_class == schema::DataClass::MatchOnly;
    bool disclosed = std::any_of(out->disclosures.begin(), out->disclosures.end(),
                                 [&](const Disclosure& d) { return d.field == field.field; });
    if (match_only && !disclosed) {
      Diagnostic& d = scope.Report<Diag::NeedsDisclose>(span, dotted);
      d.label = "may be compared on the node, and stays there";
      d.help = "disclose it in this rule, and say why";
      FixWithDisclose(d, text, dotted);
    }
    out->alert.push_back({"", field});
  }
}

void RuleChecker::ReportUntested(const syntax::Rule& rule, const Scope& scope, const Rule& checked) {
  Library::Tested tested = names_.library().TestsOf(checked.id);
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

Rule RuleChecker::Check(const syntax::Rule& rule, const Scope& module_scope) {
  Rule out;
  out.syntax = &rule;
  out.id = IdOf(PackageOf(*module_scope.module), rule.name.text);
  Scope scope = module_scope;
  CheckHead(rule, scope, &out);
  if (!rule.ons.empty()) CheckKinds(rule.ons[0], scope, &out);
  scope.kinds = &out.kinds;
  expander_.StartRule();
  expander_.TakeFailed();
  Facts given = 0;
  if (!rule.ons.empty() && rule.ons[0].where) {
    out.where = expander_.Expand(*rule.ons[0].where, scope);
    bool failed = expander_.TakeFailed();
    if (!failed) CheckGuards(out.where, 0, *scope.diagnostics);
    // After a mistake we do not know what was asked for; then nothing is said to be missing.
    given = failed ? ~Facts{0} : FactsOf(out.where);
  }
  for (const syntax::Exception& exception : rule.exceptions) CheckException(exception, scope, &out, given);
  CheckDisclosures(rule, scope, &out);
  if (!rule.alerts.empty()) CheckAlert(rule, rule.alerts[0], scope, given, &out);
  ReportUntested(rule, scope, out);
  LintBypass(out, *scope.diagnostics);
  return out;
}

}  // namespace ks::sema

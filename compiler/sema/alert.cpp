// What an alert says: fields, what was counted, and what may leave the node.
#include <algorithm>

#include "compiler/sema/literals.h"
#include "compiler/sema/rules.h"

namespace ks::sema {
namespace {

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

// The measure of this name; nothing if it is none.
bool IsMeasure(const syntax::Path& path) {
  const std::string& name = path.parts[0].text;
  return path.parts.size() == 1 && (name == "count" || name == "distinct" || name == "sum");
}

std::string_view NameOf(Aggregate::Function function) {
  constexpr std::array<std::string_view, 4> kNames = {"count", "distinct", "sum", "first"};
  return kNames[static_cast<size_t>(function)];
}

bool CheckMeasure(const syntax::Path& path, const Rule& rule, const Scope& scope) {
  const std::string& name = path.parts[0].text;
  if (!rule.syntax->whens.empty() && !rule.aggregate) return false;  // reported
  if (rule.aggregate && NameOf(rule.aggregate->function) == name) return true;
  if (!rule.aggregate) {
    Diagnostic& d = scope.Report<Diag::NotMeasured>(SpanOf(path), name, "this rule counts nothing");
    d.help = fmt::format("`when {}… by … within …` counts", name);
    return false;
  }
  std::string_view function = NameOf(rule.aggregate->function);
  Diagnostic& d = scope.Report<Diag::NotMeasured>(SpanOf(path), name, fmt::format("the rule asks for `{}`", function));
  if (rule.aggregate->function == Aggregate::Function::First) {
    d.help = "`first` has no number to show";
  } else {
    d.help = fmt::format("did you mean `{}`?", function);
    scope.Fix(d, SpanOf(path), std::string(function));
  }
  return false;
}

// Whether its last step that decides is `without`.
bool EndsInAbsence(const Sequence& sequence) {
  bool absence = false;
  for (const Step& step : sequence.steps) {
    if (step.syntax == nullptr || step.syntax->role == syntax::Step::Role::Until) continue;
    absence = step.syntax->role == syntax::Step::Role::Without;
  }
  return absence;
}

// The condition that is asked of the event that the field is of; null if there is none.
const syntax::Expr* WhereOf(const FieldRef& field, const Rule& rule) {
  if (!rule.sequence) return rule.syntax->ons.empty() ? nullptr : rule.syntax->ons[0].where.get();
  uint8_t number = 0;
  for (const Step& step : rule.sequence->steps) {
    if (step.syntax == nullptr || step.syntax->role != syntax::Step::Role::Match) continue;
    if (++number == field.step) return step.syntax->where.get();
  }
  return nullptr;
}

// Of the first step whose events all have the field; else of all steps, which then lack it.
std::vector<EventKind> KindsToDisclose(FieldId field, const Steps& steps) {
  std::vector<EventKind> all;
  for (const Steps::Step& step : steps.matching) {
    bool has = std::all_of(step.kinds.begin(), step.kinds.end(), [&](EventKind k) { return schema::Has(k, field); });
    if (has) return step.kinds;
    for (EventKind kind : step.kinds) {
      if (std::find(all.begin(), all.end(), kind) == all.end()) all.push_back(kind);
    }
  }
  return all;
}

}  // namespace

void RuleChecker::CheckDisclosures(const syntax::Rule& rule, const RuleScope& of, Rule* out) {
  // A field of all steps that have it.
  Scope scope = of.scope;
  scope.steps = nullptr;
  std::vector<EventKind> kinds;
  for (const syntax::Disclose& disclose : rule.disclosures) {
    if (disclose.reason.find_first_not_of(" \t") == std::string::npos) {
      scope.Report<Diag::DiscloseReason>(disclose.span).help = "say what the reader of the alert needs it for";
    }
    for (const syntax::Path& path : disclose.fields) {
      Span span = SpanOf(path);
      if (of.scope.steps != nullptr && path.parts.size() > 1 && of.scope.steps->Find(path.parts[0].text) != 0) {
        Diagnostic& d = scope.Report<Diag::DiscloseStep>(span);
        d.help = "leave out the step";
        scope.Fix(d, {span.file, span.begin, path.parts[1].span.begin}, "");
        continue;
      }
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
      if (of.scope.steps != nullptr) {
        kinds = KindsToDisclose(resolved.field.field, *of.scope.steps);
        scope.kinds = &kinds;
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

void RuleChecker::CheckAlert(const syntax::Rule& rule, const syntax::Text& text, const RuleScope& of, Rule* out) {
  const Scope& scope = of.scope;
  bool shows = false;
  for (TemplatePiece& piece : ParseTemplate(text, scope)) {
    TemplatePart part;
    if (!piece.path) {
      part.text = std::move(piece.text);
      out->alert.push_back(std::move(part));
      continue;
    }
    shows = true;
    if (IsMeasure(*piece.path)) {
      part.measure = CheckMeasure(*piece.path, *out, scope);
      if (part.measure && piece.fallback)
        scope.Report<Diag::DefaultIdle>(SpanOf(*piece.path), piece.path->Dotted(), Shorten(*piece.fallback)).help =
            "remove the `??`";
      if (part.measure) out->alert.push_back(std::move(part));
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
    if (!piece.fallback) {
      std::string otherwise = fmt::format(", or say what to show instead: {{{} ?? 'none'}}", dotted);
      CheckGuard(field, of.given, WhereOf(field, *out), otherwise, *scope.diagnostics);
    } else if (!of.guessed && !MayBeAbsent(field, of.given)) {
      scope.Report<Diag::DefaultIdle>(span, dotted, Shorten(*piece.fallback)).help = "remove the `??`";
    }
    bool match_only = schema::Row(field.field).data_class == schema::DataClass::MatchOnly;
    bool disclosed = std::any_of(out->disclosures.begin(), out->disclosures.end(),
                                 [&](const Disclosure& d) { return d.field == field.field; });
    if (match_only && !disclosed) {
      Diagnostic& d = scope.Report<Diag::NeedsDisclose>(span, dotted);
      d.label = "may be compared on the node, and stays there";
      d.help = "disclose it in this rule, and say why";
      FixWithDisclose(d, text, sema::NameOf(field));
    }
    part.field = field;
    part.fallback = std::move(piece.fallback);
    out->alert.push_back(std::move(part));
  }
  if (!out->sequence || !EndsInAbsence(*out->sequence) || shows) return;
  Diagnostic& d = scope.Report<Diag::AbsenceWithoutContext>(text.span);
  d.label = rule.sequences[0].by ? "the key alone tells nobody who failed to act" : "";
  for (const Steps::Step& step : scope.steps->matching) {
    if (!step.name.empty()) d.help = fmt::format("say what did happen, as in {{{}.process.name}}", step.name);
  }
  if (d.help.empty()) d.help = "give a step a name, and say what did happen, as in {start.process.name}";
}

}  // namespace ks::sema

// Names of steps: which may be used where, and of which event a field is.
#include <algorithm>

#include "compiler/sema/expand.h"
#include "compiler/sema/literals.h"

namespace ks::sema {

size_t Steps::Find(std::string_view name) const {
  for (size_t i = 0; i < matching.size(); ++i) {
    if (matching[i].name == name && !name.empty()) return i + 1;
  }
  return 0;
}

std::string Steps::Prefix(size_t number) const {
  if (number == 0 || number > matching.size()) return "";
  const Step& step = matching[number - 1];
  return (step.name.empty() ? fmt::format("step {}", number) : std::string(step.name)) + ".";
}

bool CheckEvent(uint8_t step, std::string_view name, const Scope& scope, Span span) {
  if (step != 0 || scope.steps == nullptr || scope.steps->own) return true;
  const Steps& steps = *scope.steps;
  Diagnostic& d = scope.Report<Diag::WhichStep>(span, Shorten(name));
  std::vector<std::string> named;
  for (size_t i = 0; i < steps.matching.size(); ++i) {
    const Steps::Step& of = steps.matching[i];
    auto field = schema::FindField(name);
    bool has = std::all_of(of.kinds.begin(), of.kinds.end(),
                           [&](EventKind kind) { return !field || schema::Has(kind, *field); });
    if (has && !of.name.empty()) named.push_back(fmt::format("`{}{}`", steps.Prefix(i + 1), name));
  }
  if (named.empty()) {
    d.help = "give the step a name, as in `drop: open`, and ask for a field of it, as in `drop.file.path`";
    return false;
  }
  d.help = fmt::format("name the step: {}", fmt::join(named, " or "));
  if (named.size() == 1) scope.Fix(d, span, named[0].substr(1, named[0].size() - 2));
  return false;
}

bool Expander::CheckKinds(const FieldRef& field, const Scope& scope, Span span, Span step) {
  if (scope.kinds == nullptr) return true;
  if (!CheckEvent(field.step, NameOf(field), scope, span)) return false;
  bool other = field.step != 0 && scope.steps != nullptr && field.step <= scope.steps->matching.size();
  const std::vector<EventKind>& kinds = other ? scope.steps->matching[field.step - 1U].kinds : *scope.kinds;
  std::string lacking;
  for (EventKind kind : kinds) {
    if (schema::Has(kind, field.field)) continue;
    if (!lacking.empty()) lacking += "` and `";
    lacking += schema::Row(kind).name;
  }
  if (lacking.empty()) return true;
  std::vector<std::string_view> having;
  for (const schema::EventRow& row : schema::Events()) {
    if (schema::Has(row.kind, field.field)) having.push_back(row.name);
  }
  Diagnostic& d = scope.Report<Diag::FieldNotInKind>(span, lacking, NameOf(field));
  d.help = fmt::format("events that have it: {}", fmt::join(having, ", "));
  if (other) step = scope.steps->matching[field.step - 1U].span;
  if (step.file != nullptr) d.related.push_back({step, "of this step"});
  return false;
}

Diagnostic* Names::ReportStep(const syntax::Path& path, const Scope& scope) {
  const Steps* steps = scope.NamedSteps();
  const syntax::Name& name = path.parts[0];
  size_t number = steps == nullptr ? 0 : steps->Find(name.text);
  if (number == 0) return nullptr;
  Span span = SpanOf(path);
  if (number > steps->known) {
    bool itself = number == steps->current;
    Diagnostic& d = scope.Report<Diag::StepOutOfReach>(
        span, Shorten(path.Dotted()),
        itself ? "it is the step at hand" : fmt::format("step `{}` comes later", name.text));
    if (itself && path.parts.size() > 1) {
      d.help = "fields of its own event stand without a name";
      scope.Fix(d, {span.file, span.begin, path.parts[1].span.begin}, "");
    } else if (!itself) {
      d.help = fmt::format("compare in step `{}`, which sees the events before it", name.text);
      d.related.push_back({steps->matching[number - 1].span, "the step"});
    }
    return &d;
  }
  if (path.parts.size() == 1) {
    Diagnostic& d = scope.Report<Diag::NotAValue>(span, name.text, "a step", "a value");
    d.help = fmt::format("name something of its event, as in `{}.process.name`", name.text);
    return &d;
  }
  syntax::Path rest;
  rest.parts.assign(path.parts.begin() + 1, path.parts.end());
  if (rest.parts.size() > 1) {
    Scope bare = scope;
    bare.steps = nullptr;
    return &ReportUnknown(rest, bare);
  }
  std::vector<std::string_view> having;
  for (const schema::FieldRow& row : schema::Fields()) {
    bool direct = row.dotted.find('.') == std::string_view::npos;
    bool all = true;
    for (EventKind kind : steps->matching[number - 1].kinds) all = all && schema::Has(kind, row.id);
    if (direct && all) having.push_back(row.dotted);
  }
  for (const schema::ObjectRow& row : schema::Objects()) {
    if (!row.dotted.empty()) having.push_back(row.dotted);
  }
  Diagnostic& d = scope.Report<Diag::UnknownField>(rest.parts[0].span, name.text, Shorten(rest.parts[0].text));
  if (std::string_view near = DidYouMean(rest.parts[0].text, having); !near.empty()) {
    d.help = fmt::format("did you mean `{}`?", near);
    scope.Fix(d, rest.parts[0].span, std::string(near));
    d.machine_applicable = IsOnlyMeaning(rest.parts[0].text, near, having);
  } else {
    d.help = fmt::format("it has {}", fmt::join(having, ", "));
  }
  return &d;
}

void Names::CheckStepName(const syntax::Name& name, const Steps& before, const Scope& scope) {
  if (ReportSecondMeaning(name, scope)) return;
  if (size_t twin = before.Find(name.text); twin != 0) {
    scope.Report<Diag::DuplicateName>(name.span, "a step", name.text)
        .related.push_back({before.matching[twin - 1].span, "the first one"});
    return;
  }
  const Imports& imports = ImportsOf(*scope.module);
  const Library::Package* package = library_.Find(PackageOf(*scope.module));
  const syntax::Name* other = nullptr;
  if (package != nullptr) {
    if (auto it = package->names.find(name.text); it != package->names.end()) other = &it->second.name();
  }
  if (auto it = imports.names.find(name.text); other == nullptr && it != imports.names.end()) other = it->second.second;
  if (auto it = imports.packages.find(name.text); other == nullptr && it != imports.packages.end()) {
    other = &it->second->package.parts.back();
  }
  if (other == nullptr) return;
  Diagnostic& d = scope.Report<Diag::DuplicateName>(name.span, "a let, a def or an import", name.text);
  d.related.push_back({other->span, "defined here"});
  d.help = "choose another name for the step";
}

}  // namespace ks::sema

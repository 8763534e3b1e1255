#include "compiler/sema/names.h"

#include <algorithm>

#include "compiler/sema/literals.h"

namespace ks::sema {
namespace {

constexpr size_t kMaxCandidates = 2'000;  // a suggestion is not worth looking through more

// A field, a part of an endpoint, or a record, by its dotted name.
Resolved FromTable(const std::string& dotted) {
  Resolved out;
  if (auto field = schema::FindField(dotted)) {
    out.what = Resolved::What::Field;
    out.field.field = *field;
    return out;
  }
  size_t dot = dotted.rfind('.');
  if (dot != std::string::npos) {
    std::string_view last = std::string_view(dotted).substr(dot + 1);
    auto field = schema::FindField(std::string_view(dotted).substr(0, dot));
    if (field && schema::Row(*field).type == TypeId::Endpoint && (last == "ip" || last == "port")) {
      out.what = Resolved::What::Field;
      out.field.field = *field;
      out.field.part = last == "ip" ? Part::Ip : Part::Port;
      return out;
    }
  }
  if (auto object = schema::FindObject(dotted); object && !dotted.empty()) {
    out.what = Resolved::What::Record;
    out.object = *object;
    return out;
  }
  out.what = Resolved::What::Nothing;
  return out;
}

// Where there is no event at hand, a field of the key may do without a step: it is the same in all of them.
uint8_t StepOfShared(const FieldRef& field, const Scope& scope) {
  if (scope.steps == nullptr || scope.steps->own || scope.steps->shared == nullptr) return 0;
  const Key& key = *scope.steps->shared;
  return std::any_of(key.begin(), key.end(), [&](const FieldRef& of) { return of.SameAs(field); }) ? 1 : 0;
}

std::string Rest(const syntax::Path& path) {
  std::string rest;
  for (size_t i = 1; i < path.parts.size(); ++i) rest += "." + path.parts[i].text;
  return rest;
}

// Names of the fields and records directly below a record: for a suggestion.
std::vector<std::string_view> FieldsBelow(std::string_view dotted) {
  std::vector<std::string_view> names;
  auto add = [&](std::string_view name) {
    if (name.size() <= dotted.size() || !name.starts_with(dotted) || name[dotted.size()] != '.') return;
    name.remove_prefix(dotted.size() + 1);
    bool direct = name.find('.') == std::string_view::npos;
    if (direct && std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  for (const schema::FieldRow& row : schema::Fields()) add(row.dotted);
  for (const schema::ObjectRow& row : schema::Objects()) add(row.dotted);
  return names;
}

}  // namespace

const Names::Imports& Names::ImportsOf(const syntax::Module& module) {
  auto [it, fresh] = imports_.try_emplace(&module);
  if (fresh) {
    for (const syntax::Import& import : module.imports) {
      if (import.names.empty() && !import.package.parts.empty()) {
        it->second.packages.try_emplace(import.package.parts.back().text, &import);
      }
      for (const syntax::Name& name : import.names) it->second.names.try_emplace(name.text, &import, &name);
    }
  }
  return it->second;
}

std::vector<std::string_view> Names::NamesIn(const Library::Package& package, const Scope& scope) {
  std::vector<std::string_view> names;
  if (scope.diagnostics->all().size() >= kMaxDiagnostics) return names;
  for (const auto& [name, declaration] : package.names) {
    if (names.size() < kMaxCandidates) names.push_back(name);
  }
  return names;
}

Resolved Names::Declared(const Library::Package* package, std::string_view name) const {
  Resolved out;  // Error: what is wrong was said at the import
  if (package == nullptr) return out;
  auto it = package->names.find(name);
  if (it == package->names.end()) return out;
  out.what = Resolved::What::Declared;
  out.declaration = &it->second;
  return out;
}

Resolved Names::Find(const syntax::Path& path, const Scope& scope) {
  Resolved out;
  if (path.parts.empty()) return out;
  const std::string& first = path.parts[0].text;
  if (scope.parameters != nullptr) {
    for (const Binding& binding : *scope.parameters) {
      if (binding.name != first) continue;
      const Operand& bound = binding.operand;
      if (bound.what == Operand::What::Error) return out;
      if (path.parts.size() == 1) {
        out.what = Resolved::What::Parameter;
        out.parameter = &binding;
        return out;
      }
      std::string prefix;
      if (bound.what == Operand::What::Record) prefix = schema::Row(bound.type.object).dotted;
      if (bound.what == Operand::What::Field) prefix = NameOf(bound.field);
      if (bound.what == Operand::What::Parameter && bound.type == One(TypeId::Endpoint)) {
        // Of a def by itself: some endpoint stands for it.
        prefix = schema::Row(FieldId::event_dst).dotted;
      }
      out = FromTable(prefix + Rest(path));
      out.field.step = bound.field.step;
      break;
    }
  }
  const Steps* steps = scope.NamedSteps();
  if (size_t number = steps == nullptr ? 0 : steps->Find(first); number != 0) {
    out.what = Resolved::What::Nothing;
    // ReportUnknown says why not.
    if (number > steps->known || path.parts.size() == 1) return out;
    out = FromTable(Rest(path).substr(1));
    out.field.step = static_cast<uint8_t>(number);
    if (out.what == Resolved::What::Nothing) return out;
  }
  if (out.what == Resolved::What::Error) out = FromTable(path.Dotted());
  if (out.what == Resolved::What::Field && out.field.step == 0) out.field.step = StepOfShared(out.field, scope);
  if (out.what == Resolved::What::Field) {
    size_t record = path.parts.size() - 1 - (out.field.part == Part::Whole ? 0 : 1);
    out.field.record = scope.Place(SpanOf(path, 0, record == 0 ? 1 : record));
    ReportDeprecated(path, out.field, scope);
  }
  if (out.what != Resolved::What::Nothing) return out;

  const Imports& imports = ImportsOf(*scope.module);
  bool own = scope.module == &checked_;
  if (path.parts.size() == 1) {
    const Library::Package* package = library_.Find(PackageOf(*scope.module));
    if (package != nullptr && package->names.contains(first)) return Declared(package, first);
    if (auto it = imports.names.find(first); it != imports.names.end()) {
      if (own) used_.insert(it->second.second);
      return Declared(library_.Find(it->second.first->package.Dotted()), first);
    }
  }
  if (auto it = imports.packages.find(first); it != imports.packages.end() && path.parts.size() == 2) {
    if (own) used_.insert(it->second);
    const Library::Package* package = library_.Find(it->second->package.Dotted());
    if (package == nullptr || package->names.contains(path.parts[1].text)) return Declared(package, path.parts[1].text);
  }
  return out;
}

void Names::ReportDeprecated(const syntax::Path& path, const FieldRef& field, const Scope& scope) {
  std::optional<schema::Deprecation> deprecation = options_.deprecation(field.field);
  // A def is told by itself, not where it is used.
  if (!deprecation || scope.module != &checked_ || scope.InCall()) return;
  Span span = SpanOf(path);
  if (span.file == nullptr || !deprecated_.insert(span.begin).second) return;
  const schema::FieldRow &old = schema::Row(field.field), &successor = schema::Row(deprecation->successor);
  Diagnostic& d = scope.Report<Diag::FieldDeprecated>(span, old.dotted, deprecation->since);
  d.help = fmt::format("use `{}`", successor.dotted);
  // The end of the path is the field's name, unless a parameter stands for the record.
  std::string_view written = span.text();
  std::string tail = NameOf(field);
  if (!written.ends_with(tail) || successor.type != old.type) return;
  uint32_t begin = span.end - static_cast<uint32_t>(tail.size());
  scope.Fix(d, {span.file, begin, begin + static_cast<uint32_t>(old.dotted.size())}, std::string(successor.dotted));
  d.machine_applicable = true;
}

std::vector<std::string_view> Names::Visible(const Scope& scope) {
  std::vector<std::string_view> names;
  if (const Library::Package* package = library_.Find(PackageOf(*scope.module))) names = NamesIn(*package, scope);
  if (scope.parameters != nullptr) {
    for (const Binding& binding : *scope.parameters) names.push_back(binding.name);
  }
  if (const Steps* steps = scope.NamedSteps()) {
    for (size_t i = 0; i < steps->known; ++i) {
      if (!steps->matching[i].name.empty()) names.push_back(steps->matching[i].name);
    }
  }
  const Imports& imports = ImportsOf(*scope.module);
  for (const auto& [name, import] : imports.names) names.push_back(name);
  for (const auto& [name, import] : imports.packages) names.push_back(name);
  for (const schema::FieldRow& row : schema::Fields()) {
    if (row.dotted.find('.') == std::string_view::npos) names.push_back(row.dotted);
  }
  for (const schema::ObjectRow& row : schema::Objects()) {
    if (!row.dotted.empty()) names.push_back(row.dotted);
  }
  if (names.size() > kMaxCandidates) names.resize(kMaxCandidates);
  return names;
}

Diagnostic& Names::ReportUnknown(const syntax::Path& path, const Scope& scope) {
  const std::string& first = path.parts[0].text;
  if (Diagnostic* d = ReportStep(path, scope)) return *d;
  // A record, a parameter or a package in front: what comes after it is wrong.
  size_t known = 0;
  std::string prefix;
  std::string shown;
  std::vector<std::string_view> below;
  constexpr size_t kLongestName = 8;  // components; the table's own are shorter
  for (size_t n = std::min(path.parts.size() - 1, kLongestName); n > 0 && known == 0; --n) {
    syntax::Path head;
    head.parts.assign(path.parts.begin(), path.parts.begin() + static_cast<ptrdiff_t>(n));
    Scope quiet = scope;
    Resolved resolved = Find(head, quiet);
    if (resolved.what == Resolved::What::Parameter) {
      const Type& type = resolved.parameter->operand.type;
      if (type.shape == Type::Shape::Record) prefix = schema::Row(type.object).dotted;
      if (type == One(TypeId::Endpoint)) below = {"ip", "port"};
      known = n;
    }
    if (resolved.what == Resolved::What::Record) {
      prefix = schema::Row(resolved.object).dotted;
      known = n;
    }
    if (resolved.what == Resolved::What::Field) {
      prefix = NameOf(resolved.field);
      known = n;
      if (TypeOf(resolved.field) == One(TypeId::Endpoint)) below = {"ip", "port"};
    }
    if (known != 0) shown = head.Dotted();
  }
  if (known != 0) {
    std::string rest;
    for (size_t i = known; i < path.parts.size(); ++i) rest += (i > known ? "." : "") + path.parts[i].text;
    if (!prefix.empty() && below.empty()) below = FieldsBelow(prefix);
    Span span = SpanOf(path, known);
    Diagnostic& d = scope.Report<Diag::UnknownField>(span, Shorten(shown), Shorten(rest));
    if (std::string_view near = DidYouMean(rest, below); !near.empty()) {
      d.help = fmt::format("did you mean `{}`?", near);
      scope.Fix(d, span, std::string(near));
      d.machine_applicable = IsOnlyMeaning(rest, near, below);
    } else if (below.empty()) {
      d.help = fmt::format("`{}` is a value, it has no fields", shown);
    } else {
      d.help = fmt::format("it has {}", fmt::join(below, ", "));
    }
    return d;
  }
  const Imports& imports = ImportsOf(*scope.module);
  if (auto it = imports.packages.find(first); it != imports.packages.end() && path.parts.size() > 1) {
    const Library::Package* package = library_.Find(it->second->package.Dotted());
    Span span = SpanOf(path, 1);
    std::vector<std::string_view> names;
    if (package != nullptr) names = NamesIn(*package, scope);
    Diagnostic& d = scope.Report<Diag::NotInPackage>(span, it->second->package.Dotted(), path.parts[1].text);
    if (std::string_view near = DidYouMean(path.parts[1].text, names); !near.empty()) {
      d.help = fmt::format("did you mean `{}`?", near);
      scope.Fix(d, span, std::string(near));
    }
    return d;
  }

  Span span = SpanOf(path);
  Diagnostic& d = scope.Report<Diag::UnknownName>(span, Shorten(path.Dotted()));
  if (path.parts.size() > 1) {
    std::vector<std::string_view> fields;
    for (const schema::FieldRow& row : schema::Fields()) fields.push_back(row.dotted);
    if (std::string_view near = DidYouMean(path.Dotted(), fields); !near.empty()) {
      d.help = fmt::format("did you mean `{}`?", near);
      scope.Fix(d, span, std::string(near));
      return d;
    }
    span = path.parts[0].span;
  }
  for (const Library::Package* package : library_.Packages()) {
    if (path.parts.size() > 1 || !package->names.contains(first) || package->name.empty()) continue;
    std::string line = fmt::format("import {}.{{{}}}", package->name, first);
    d.help = fmt::format("package `{}` has it: `{}`", package->name, line);
    const syntax::Module& module = *scope.module;
    if (!module.imports.empty()) {
      uint32_t end = module.imports.back().span.end;
      scope.Fix(d, {module.file, end, end}, "\n" + line);
    } else if (module.package) {
      uint32_t end = module.package_span.end;
      scope.Fix(d, {module.file, end, end}, "\n" + line);
    }
    return d;
  }
  if (std::string_view near = DidYouMean(first, Visible(scope)); !near.empty()) {
    d.help = fmt::format("did you mean `{}`?", near);
    scope.Fix(d, span, std::string(near));
  }
  return d;
}

}  // namespace ks::sema

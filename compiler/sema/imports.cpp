// The checked module's own names: imports that lead nowhere or in a circle, names with two meanings, names that nothing
// uses.
#include <algorithm>
#include <deque>

#include "compiler/sema/names.h"

namespace ks::sema {

void Names::CheckCycle(const syntax::Import& import, const Scope& scope) {
  // The shortest way from the imported package back to this one. Reported once: in the first package of the cycle, by
  // name, that the user gave.
  std::string home = PackageOf(checked_);
  std::string start = import.package.Dotted();
  std::map<std::string, std::string> came_from{{start, ""}};
  std::deque<std::string> queue{start};
  bool found = start == home;
  while (!queue.empty() && !found) {
    std::string at = queue.front();
    queue.pop_front();
    const Library::Package* package = library_.Find(at);
    if (package == nullptr) continue;
    for (const syntax::Module* module : package->modules) {
      for (const syntax::Import& next : module->imports) {
        std::string name = next.package.Dotted();
        if (!came_from.emplace(name, at).second) continue;
        found = found || name == home;
        queue.push_back(std::move(name));
      }
    }
  }
  if (!found) return;
  std::vector<std::string> cycle{home};
  for (std::string at = home == start ? "" : came_from[home]; !at.empty(); at = came_from[at]) cycle.push_back(at);
  cycle.push_back(home);
  for (const std::string& name : cycle) {
    const Library::Package* package = library_.Find(name);
    if (name < home && package != nullptr && !package->embedded) return;
  }
  std::string shown;
  for (auto it = cycle.rbegin(); it != cycle.rend(); ++it) shown += (shown.empty() ? "" : " → ") + *it;
  Diagnostic& d = scope.Report<Diag::ImportCycle>(import.span, shown);
  d.help = home == start ? "the files of a package see each other's names without an import"
                         : "move what both need into a third package";
}

void Names::CheckImports(const Scope& scope) {
  std::set<std::string> seen;
  for (const syntax::Import& import : checked_.imports) {
    std::string name = import.package.Dotted();
    const Library::Package* package = library_.Find(name);
    if (package == nullptr) {
      std::vector<std::string_view> names;
      for (const Library::Package* known : library_.Packages()) names.push_back(known->name);
      Span span = SpanOf(import.package);
      Diagnostic& d = scope.Report<Diag::UnknownPackage>(span, name);
      if (std::string_view near = DidYouMean(name, names); !near.empty()) {
        d.help = fmt::format("did you mean `{}`?", near);
        scope.Fix(d, span, std::string(near));
      } else {
        d.help = "give its files on the command line, too";
        std::string embedded;
        for (const Library::Package* known : library_.Packages()) {
          if (known->embedded) embedded += (embedded.empty() ? "" : ", ") + known->name;
        }
        if (name.starts_with("std.") && !embedded.empty()) d.help = "the standard library has " + embedded;
      }
      continue;
    }
    if (seen.insert(name).second) CheckCycle(import, scope);
    for (const syntax::Name& imported : import.names) {
      if (package->names.contains(imported.text)) continue;
      std::vector<std::string_view> names = NamesIn(*package, scope);
      Diagnostic& d = scope.Report<Diag::NotInPackage>(imported.span, name, imported.text);
      if (package->rules.contains(imported.text)) {
        d.help = "that is a rule; only lets and defs are imported";
      } else if (std::string_view near = DidYouMean(imported.text, names); !near.empty()) {
        d.help = fmt::format("did you mean `{}`?", near);
        scope.Fix(d, imported.span, std::string(near));
      }
    }
  }
}

bool Names::ReportSecondMeaning(const syntax::Name& name, const Scope& scope) {
  std::string what;
  if (auto field = schema::FindField(name.text)) {
    what = "a field";
  } else if (schema::FindObject(name.text)) {
    what = "a record";
  } else {
    return false;
  }
  scope.Report<Diag::ShadowsField>(name.span, name.text, what).help = "choose another name";
  return true;
}

void Names::CheckDefinitions(const Scope& scope) {
  const Imports& imports = ImportsOf(checked_);
  const Library::Package* package = library_.Find(PackageOf(checked_));
  auto check = [&](const syntax::Name& name, const syntax::Name& first, std::string_view what) {
    if (ReportSecondMeaning(name, scope)) return;
    if (&first != &name) {
      scope.Report<Diag::DuplicateName>(name.span, what, name.text)
          .related.push_back({first.span, "first defined here"});
    } else if (auto it = imports.names.find(name.text); it != imports.names.end() && it->second.second != &name) {
      scope.Report<Diag::DuplicateName>(name.span, "an imported", name.text)
          .related.push_back({it->second.second->span, "imported here"});
    }
  };
  auto first = [&](const syntax::Name& name) -> const syntax::Name& {
    auto it = package == nullptr ? std::map<std::string, Library::Declaration>::const_iterator()
                                 : package->names.find(name.text);
    return package == nullptr || it == package->names.end() ? name : it->second.name();
  };
  for (const syntax::Let& let : checked_.lets) check(let.name, first(let.name), "a let or def");
  for (const syntax::Def& def : checked_.defs) {
    check(def.name, first(def.name), "a let or def");
    std::map<std::string_view, const syntax::Name*> seen;
    for (const syntax::Parameter& parameter : def.parameters) {
      auto [it, fresh] = seen.emplace(parameter.name.text, &parameter.name);
      check(parameter.name, *it->second, "a parameter");
    }
  }
  for (const syntax::Rule& rule : checked_.rules) {
    auto it = package == nullptr ? decltype(package->rules.end())() : package->rules.find(rule.name.text);
    if (package == nullptr || it == package->rules.end() || it->second == &rule) continue;
    scope.Report<Diag::DuplicateName>(rule.name.span, "a rule", rule.name.text)
        .related.push_back({it->second->name.span, "first defined here"});
  }
  std::map<std::string_view, const syntax::Name*> imported;
  for (const syntax::Import& import : checked_.imports) {
    for (const syntax::Name& name : import.names) {
      auto [it, fresh] = imported.emplace(name.text, &name);
      check(name, *it->second, "an import");
    }
  }
}

void Names::ReportUnused(const Scope& scope) {
  // Of an expression with a mistake, not all names were looked up.
  const std::vector<Diagnostic>& all = scope.diagnostics->all();
  bool broken = std::any_of(all.begin(), all.end(), [&](const Diagnostic& d) {
    return d.severity == Severity::Error && d.span.file == checked_.file;
  });
  for (const syntax::Import& import : checked_.imports) {
    std::string name = import.package.Dotted();
    const Library::Package* package = library_.Find(name);
    if (package == nullptr || name == PackageOf(checked_)) continue;
    bool named = broken && library_.IsNamedIn(checked_, name, "");
    if (import.names.empty() && !used_.contains(&import) && !named) {
      Diagnostic& d = scope.Report<Diag::UnusedImport>(SpanOf(import.package), name);
      d.help = "remove the import";
      scope.FixByRemoving(d, import.span);
    }
    auto stays = [&](const syntax::Name& one) {
      return used_.contains(&one) || !package->names.contains(one.text) ||
             (broken && library_.IsNamedIn(checked_, name, one.text));
    };
    auto first = std::find_if(import.names.begin(), import.names.end(), stays);
    for (auto it = import.names.begin(); it != import.names.end(); ++it) {
      if (stays(*it)) continue;
      Diagnostic& d = scope.Report<Diag::UnusedImport>(it->span, it->text);
      d.help = first == import.names.end() ? "remove the import" : "remove it from the import";
      if (first == import.names.end()) {
        // Nothing of it is used: the whole goes, once.
        if (it == import.names.begin()) scope.FixByRemoving(d, import.span);
      } else if (it < first) {
        scope.FixByRemoving(d, {it->span.file, it->span.begin, (it + 1)->span.begin});
      } else {
        scope.FixByRemovingBehind(d, (it - 1)->span, it->span);
      }
    }
  }
  // A file without rules is there for others, who may not have been given.
  if (checked_.rules.empty()) return;
  std::string home = PackageOf(checked_);
  auto unused = [&](const syntax::Name& name) {
    if (library_.IsUsed(home, name.text)) return;
    scope.Report<Diag::UnusedName>(name.span, name.text).help = "remove it, or use it";
  };
  for (const syntax::Let& let : checked_.lets) unused(let.name);
  for (const syntax::Def& def : checked_.defs) unused(def.name);
}

}  // namespace ks::sema

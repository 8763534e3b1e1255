#include "compiler/driver/workspace.h"

#include <algorithm>

#include "compiler/driver/stdlib.h"
#include "compiler/lint/lint.h"
#include "compiler/lower/lower.h"
#include "compiler/syntax/parser.h"

namespace ks::driver {
namespace {

// What other modules can see of one: if this stays the same, they need not be looked at again. Expressions of rules are
// not in it; whom they use is compared apart.
std::string Surface(const syntax::Module& module) {
  std::string out = sema::PackageOf(module) + "\n";
  auto add = [&out](std::string_view word, std::string_view text) { out += fmt::format("{} {}\n", word, text); };
  for (const syntax::Import& import : module.imports) add("import", import.span.text());
  for (const syntax::Let& let : module.lets) add("let", let.span.text());
  for (const syntax::Def& def : module.defs) add("def", def.span.text());
  for (const syntax::Rule& rule : module.rules) add("rule", rule.name.text);
  for (const syntax::Tune& tune : module.tunes) add("tune", tune.span.text());
  return out;
}

std::set<std::string> Targets(const syntax::Module& module) {
  std::set<std::string> ids;
  std::string package = sema::PackageOf(module);
  auto add = [&](const syntax::Path& path) {
    ids.insert(path.parts.size() == 1 ? sema::IdOf(package, path.parts[0].text) : path.Dotted());
  };
  auto steps = [&](const auto& self, const std::vector<syntax::TestStep>& list) -> void {
    for (const syntax::TestStep& step : list) {
      if (auto* expect = std::get_if<syntax::Expect>(&step.node); expect && expect->from) add(*expect->from);
      if (auto* repeat = std::get_if<syntax::Repeat>(&step.node)) self(self, repeat->steps);
    }
  };
  for (const syntax::Test& test : module.tests) {
    add(test.rule);
    for (const syntax::TestCase& test_case : test.cases) steps(steps, test_case.steps);
  }
  for (const syntax::Tune& tune : module.tunes) add(tune.rule);
  return ids;
}

std::set<std::string> RuleIds(const syntax::Module& module) {
  std::set<std::string> ids;
  for (const syntax::Rule& rule : module.rules) ids.insert(sema::IdOf(sema::PackageOf(module), rule.name.text));
  return ids;
}

bool Meet(const std::set<std::string>& a, const std::set<std::string>& b) {
  return std::any_of(a.begin(), a.end(), [&](const std::string& id) { return b.contains(id); });
}

bool Speculates(const Diagnostics& diagnostics) {
  return std::any_of(diagnostics.all().begin(), diagnostics.all().end(), [](const Diagnostic& d) {
    return d.id == Diag::UnknownName || d.id == Diag::UnknownPackage || d.id == Diag::NotInPackage ||
           d.id == Diag::UnknownField;
  });
}

}  // namespace

Parsed::Parsed(std::string name, std::string text) : file(std::move(name), std::move(text)) {
  if (file.text().size() > kMaxSourceBytes) {
    module.file = &file;
    diagnostics.Report<Diag::SourceTooLarge>(Span{&file, 0, 0}, file.text().size(), kMaxSourceBytes);
  } else {
    module = syntax::Parse(file, diagnostics);
  }
  mentions = sema::MentionsOf(module);
  targets = Targets(module);
}

std::vector<Diagnostic> Document::Everything() const {
  std::vector<Diagnostic> all = now->diagnostics.all();
  all.insert(all.end(), meaning.all().begin(), meaning.all().end());
  std::stable_sort(all.begin(), all.end(),
                   [](const Diagnostic& a, const Diagnostic& b) { return a.span.begin < b.span.begin; });
  return all;
}

Workspace::Workspace(sema::Options options) : options_(std::move(options)) {
  for (const EmbeddedFile& file : EmbeddedFiles()) {
    auto document = std::make_unique<Document>();
    document->name = std::string(file.name);
    document->embedded = true;
    document->now = document->seen = std::make_shared<Parsed>(document->name, std::string(file.text));
    embedded_.emplace(document->name, std::move(document));
  }
  library_ = std::make_unique<sema::Library>();
  for (auto& [name, document] : embedded_) library_->AddEmbedded(document->seen->module, document->seen->mentions);
  for (auto& [name, document] : embedded_) Check(*document);
}

void Workspace::Set(const std::string& name, std::string text) {
  removed_.erase(name);
  pending_[name] = std::move(text);
}

void Workspace::Remove(const std::string& name) {
  pending_.erase(name);
  removed_.insert(name);
}

void Workspace::Invalidate() { all_ = true; }

const Document* Workspace::Find(const std::string& name) const {
  if (auto it = user_.find(name); it != user_.end()) return it->second.get();
  if (auto it = embedded_.find(name); it != embedded_.end()) return it->second.get();
  return nullptr;
}

std::vector<const Document*> Workspace::Documents() const {
  std::vector<const Document*> out;
  for (const auto& [name, document] : user_) out.push_back(document.get());
  return out;
}

std::vector<const Document*> Workspace::All() const {
  std::vector<const Document*> out = Documents();
  for (const auto& [name, document] : embedded_) out.push_back(document.get());
  return out;
}

const Document* Workspace::Of(const SourceFile* file) const {
  const Document* document = file ? Find(file->name()) : nullptr;
  return document && (&document->now->file == file || &document->seen->file == file) ? document : nullptr;
}

// These packages, and those that see them, directly or through others.
std::set<std::string> Workspace::ImportersOf(std::set<std::string> packages) const {
  for (bool grown = true; grown;) {
    grown = false;
    for (const auto& [name, document] : user_) {
      std::string package = sema::PackageOf(document->module());
      if (packages.contains(package)) continue;
      for (const syntax::Import& import : document->module().imports) {
        if (!packages.contains(import.package.Dotted())) continue;
        packages.insert(package);
        grown = true;
        break;
      }
    }
  }
  return packages;
}

// A file that never was whole lacks declarations: whoever sees its package would be told that they do not exist.
bool Workspace::DependsOnBroken(const Document& document) const {
  std::set<std::string> broken;
  for (const auto& [name, other] : user_) {
    if (!other->seen->ok()) broken.insert(sema::PackageOf(other->module()));
  }
  return !broken.empty() && ImportersOf(std::move(broken)).contains(sema::PackageOf(document.module()));
}

void Workspace::Check(Document& document) {
  document.meaning = {};
  document.refers.clear();
  // Of a text with mistakes the tree that others see is older: what it means is kept for hover, its mistakes are not
  // shown.
  Diagnostics found;
  if (!document.embedded) lint::ReadAllows(document.module(), found);
  document.checked = sema::Check(document.module(), *library_, options_, found);
  if (document.now != document.seen || !document.now->ok() || DependsOnBroken(document)) return;
  document.meaning = std::move(found);
}

// A let or def with a mistake stands for nothing: conditions that use it, in whatever file, are not what they seem.
std::set<std::string> Workspace::Unsound() const {
  std::set<std::string> packages;
  for (const auto& [name, document] : user_) {
    const syntax::Module& module = document->module();
    auto holds = [](const Span& span, const Diagnostic& d) {
      return d.severity == Severity::Error && d.span.begin >= span.begin && d.span.begin < span.end;
    };
    const auto& all = document->meaning.all();
    bool broken = !document->seen->ok() || std::any_of(all.begin(), all.end(), [&](const Diagnostic& d) {
      return std::any_of(module.lets.begin(), module.lets.end(), [&](auto& let) { return holds(let.span, d); }) ||
             std::any_of(module.defs.begin(), module.defs.end(), [&](auto& def) { return holds(def.span, d); });
    });
    if (broken) packages.insert(sema::PackageOf(module));
  }
  return packages.empty() ? packages : ImportersOf(std::move(packages));
}

// What one file shows by itself. Rules of different files against each other are for `ksc check`: they would make every
// keystroke as dear as the whole policy.
void Workspace::Lint(Document& document, const std::set<std::string>& unsound) {
  bool shown = document.now == document.seen && document.now->ok() && document.meaning.errors() == 0;
  if (shown && !unsound.contains(sema::PackageOf(document.module()))) {
    lint::LintModules({&document.checked, 1}, document.meaning);
    lower::Lowered lowered = lower::Lower({&document.checked, 1});
    lint::LintRules({&document.checked, 1}, lowered.rules, document.meaning);
    lint::LintBypass({&document.checked, 1}, lowered.rules, document.meaning);
  }
  for (const Diagnostic& diagnostic : document.meaning.all()) {
    for (const Label& label : diagnostic.related) {
      if (label.span.file && label.span.file != &document.now->file) document.refers.insert(label.span.file);
    }
  }
}

std::vector<std::string> Workspace::Update() {
  std::set<std::string> changed = removed_;  // names whose diagnostics are new
  std::set<std::string> recheck;             // names
  std::set<std::string> packages, rules;     // whose surface is another; whose text may be another
  std::set<const SourceFile*> gone;
  std::vector<std::shared_ptr<Parsed>> old;  // alive until all that points into it is replaced
  bool surface = false;
  auto leaves = [&](const syntax::Module& module) {
    gone.insert(module.file);
    rules.merge(RuleIds(module));
  };
  for (const std::string& name : removed_) {
    auto it = user_.find(name);
    if (it == user_.end()) continue;
    leaves(it->second->module());
    packages.insert(sema::PackageOf(it->second->module()));
    surface = true;
    old.push_back(it->second->seen);
    user_.erase(it);
  }
  for (auto& [name, text] : pending_) {
    auto& slot = user_[name];
    bool fresh = slot == nullptr;
    if (fresh) {
      slot = std::make_unique<Document>();
      slot->name = name;
    }
    Document& document = *slot;
    recheck.insert(name);
    document.now = std::make_shared<Parsed>(name, std::move(text));
    if (!fresh && !document.now->ok() && document.seen->ok()) continue;  // others go on seeing the last whole text
    std::string before, after = Surface(document.now->module);
    if (!fresh) {
      before = Surface(document.module());
      leaves(document.module());
      old.push_back(document.seen);
      if (before != after || document.seen->ok() != document.now->ok()) {
        packages.insert(sema::PackageOf(document.module()));
      }
    }
    document.seen = document.now;
    rules.merge(RuleIds(document.module()));
    if (fresh || before != after) packages.insert(sema::PackageOf(document.module()));
  }
  surface = surface || !packages.empty();
  pending_.clear();
  removed_.clear();

  std::unique_ptr<sema::Library> before = std::move(library_);
  library_ = std::make_unique<sema::Library>();
  for (const auto& [name, document] : user_) library_->AddUser(document->module(), document->seen->mentions);
  for (const auto& [name, document] : embedded_) library_->AddEmbedded(document->module(), document->seen->mentions);

  std::set<std::string> affected = packages.empty() ? packages : ImportersOf(packages);
  for (const auto& [name, document] : user_) {
    const syntax::Module& module = document->module();
    std::string package = sema::PackageOf(module);
    auto use_changed = [&](const syntax::Name& declared) {
      return before->IsUsed(package, declared.text) != library_->IsUsed(package, declared.text);
    };
    auto tests_changed = [&](const syntax::Rule& rule) {
      std::string id = sema::IdOf(package, rule.name.text);
      auto was = before->TestsOf(id), is = library_->TestsOf(id);
      return was.alert != is.alert || was.quiet != is.quiet;
    };
    bool touched =
        all_ || affected.contains(package) || (surface && Speculates(document->meaning)) ||
        std::any_of(document->refers.begin(), document->refers.end(), [&](auto* f) { return gone.contains(f); }) ||
        Meet(document->seen->targets, rules) ||
        std::any_of(module.lets.begin(), module.lets.end(), [&](const auto& let) { return use_changed(let.name); }) ||
        std::any_of(module.defs.begin(), module.defs.end(), [&](const auto& def) { return use_changed(def.name); }) ||
        std::any_of(module.rules.begin(), module.rules.end(), tests_changed);
    if (touched) recheck.insert(name);
  }
  for (const std::string& name : recheck) Check(*user_[name]);
  std::set<std::string> unsound = Unsound();
  for (const std::string& name : recheck) Lint(*user_[name], unsound);
  changed.insert(recheck.begin(), recheck.end());
  if (surface) {  // a user's package may stand in an embedded one's place
    for (auto& [name, document] : embedded_) Check(*document);
  }
  all_ = false;
  return {changed.begin(), changed.end()};
}

}  // namespace ks::driver

// Sources that change while they are looked at, as an editor's do: a change is parsed and checked anew, and of the rest
// only what depends on it.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "compiler/sema/sema.h"
#include "compiler/support/diagnostics.h"

namespace ks::driver {

// A text and its tree, which points into it.
struct Parsed {
  explicit Parsed(std::string name, std::string text);
  SourceFile file;
  Diagnostics diagnostics;
  syntax::Module module;
  std::shared_ptr<const sema::Mentions> mentions;
  std::set<std::string> targets;  // ids of the rules that its tests and tunes speak of
  bool ok() const { return diagnostics.errors() == 0; }
};

struct Document {
  std::string name;
  bool embedded = false;
  std::shared_ptr<Parsed> now;   // the text as it is
  std::shared_ptr<Parsed> seen;  // what other files see: the last text without syntax errors; if there was none, `now`
  Diagnostics meaning;           // what sema and lint say of `now`; empty while there are syntax errors
  sema::CheckedModule checked;   // of `seen`
  std::set<const SourceFile*> refers;  // other files that `meaning` points into

  const SourceFile& file() const { return now->file; }
  const syntax::Module& module() const { return seen->module; }
  std::vector<Diagnostic> Everything() const;  // of both steps, in the order of the text
};

class Workspace {
 public:
  explicit Workspace(sema::Options options);

  // Adds or replaces a file. Nothing is computed before Update.
  void Set(const std::string& name, std::string text);
  void Remove(const std::string& name);
  // The names of the files whose diagnostics may have changed, the removed ones among them; in order.
  std::vector<std::string> Update();
  // All files as if they had just been read: after a file of data has changed.
  void Invalidate();

  // Of the user and embedded ones; null if there is none of that name.
  const Document* Find(const std::string& name) const;
  std::vector<const Document*> Documents() const;  // of the user, by name
  std::vector<const Document*> All() const;        // and the embedded ones behind them
  const Document* Of(const SourceFile* file) const;
  const sema::Library& library() const { return *library_; }
  const sema::Options& options() const { return options_; }

 private:
  using Documents_ = std::map<std::string, std::unique_ptr<Document>>;
  bool DependsOnBroken(const Document& document) const;
  std::set<std::string> ImportersOf(std::set<std::string> packages) const;
  void Check(Document& document);
  std::set<std::string> Unsound() const;
  void Lint(Document& document, const std::set<std::string>& unsound);

  sema::Options options_;
  Documents_ user_, embedded_;
  std::unique_ptr<sema::Library> library_;
  std::map<std::string, std::string> pending_;  // name → new text
  std::set<std::string> removed_;
  bool all_ = false;
};

}  // namespace ks::driver

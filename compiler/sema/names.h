// Names → what they stand for.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/sema/scope.h"

namespace ks::sema {

struct Resolved {
  enum class What : uint8_t { Error, Nothing, Field, Record, Declared, Parameter };
  What what = What::Error;  // Error: reported already
  FieldRef field;           // of a Record: its step
  ObjectId object{};
  const Library::Declaration* declaration = nullptr;
  const Binding* parameter = nullptr;
};

class Names {
 public:
  Names(const syntax::Module& module, const Library& library, const Options& options)
      : checked_(module), library_(library), options_(options) {}

  // What a path stands for, seen from the scope's module. Nothing: not known, and not reported.
  Resolved Find(const syntax::Path& path, const Scope& scope);
  // Reports an unknown name: what is near, what is not imported yet.
  Diagnostic& ReportUnknown(const syntax::Path& path, const Scope& scope);

  // Steps: a name twice, or one that means something else already.
  void CheckStepName(const syntax::Name& name, const Steps& before, const Scope& scope);

  // Of the checked module: packages and names that are not there, cycles, names that get a second meaning.
  void CheckImports(const Scope& scope);
  void CheckDefinitions(const Scope& scope);
  // After every expression was looked at.
  void ReportUnused(const Scope& scope);

  const Library& library() const { return library_; }
  const syntax::Module& checked() const { return checked_; }

 private:
  struct Imports {  // of one module
    std::map<std::string_view, std::pair<const syntax::Import*, const syntax::Name*>> names;
    std::map<std::string_view, const syntax::Import*> packages;
  };
  const Imports& ImportsOf(const syntax::Module& module);
  Resolved Declared(const Library::Package* package, std::string_view name) const;
  Diagnostic* ReportStep(const syntax::Path& path, const Scope& scope);
  void ReportDeprecated(const syntax::Path& path, const FieldRef& field, const Scope& scope);
  bool ReportSecondMeaning(const syntax::Name& name, const Scope& scope);
  void CheckCycle(const syntax::Import& import, const Scope& scope);
  // Candidates for a suggestion.
  static std::vector<std::string_view> NamesIn(const Library::Package& package, const Scope& scope);
  std::vector<std::string_view> Visible(const Scope& scope);

  const syntax::Module& checked_;
  const Library& library_;
  const Options& options_;
  std::set<uint32_t> deprecated_;  // where one was reported: a path may be looked at twice
  std::map<const syntax::Module*, Imports> imports_;
  std::set<const void*> used_;  // Import or Name of the checked module
};

}  // namespace ks::sema

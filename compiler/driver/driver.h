// The compiler's steps in order: files → modules → checked modules → rules, split and planned → object.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "compiler/codegen/codegen.h"
#include "compiler/ir/ir.h"
#include "compiler/lower/lower.h"
#include "compiler/sema/sema.h"
#include "compiler/support/diagnostics.h"
#include "compiler/support/result.h"

namespace ks::driver {

// Everything known of a policy. Spans in it point into `files`.
struct Analysis {
  std::vector<std::unique_ptr<SourceFile>> files;  // what the user gave, sorted by name
  std::vector<std::unique_ptr<SourceFile>> embedded_files;
  std::vector<syntax::Module> modules, embedded_modules;
  Diagnostics diagnostics;
  std::string environment;  // whose tunes hold; "": none
  // Filled only if there is no error:
  std::vector<sema::CheckedModule> checked;
  lower::Lowered lowered;
  ir::Program program;
  ir::Plan plan;
  bool ok() const { return diagnostics.errors() == 0; }
};

struct Options {
  int64_t now_ns = 0;       // since 1970: which exceptions have expired
  std::string environment;  // whose `tune` blocks hold; "": none
  bool lint = false;        // also what is legal and hardly meant
  bool cost = false;        // with it: notes of what userspace decides
};

// Reads the files and, below folders, every *.ksp (symbolic links to folders are not followed). Mistakes in the policy
// are in the result's diagnostics; what the world refuses is the Error.
Result<std::unique_ptr<Analysis>> Analyze(const std::vector<std::string>& paths, const Options& options);

// The same of texts that an editor holds, instead of files.
struct Source {
  std::string name, text, logical;  // as of SourceFile
};
Result<std::unique_ptr<Analysis>> Analyze(std::vector<Source> sources, const Options& options);

// Every *.ksp below the folder, in order of name; none is fine.
std::vector<std::string> PolicyFilesBelow(const std::string& folder);

// The kernel half. Only for an analysis that is ok.
Result<codegen::BpfObject> Generate(const Analysis& analysis, const codegen::EmitOptions& options);

}  // namespace ks::driver

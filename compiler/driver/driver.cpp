#include "compiler/driver/driver.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>
#include <system_error>

#include "compiler/driver/stdlib.h"
#include "compiler/ir/passes.h"
#include "compiler/lint/lint.h"
#include "compiler/syntax/parser.h"

namespace ks::driver {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxFiles = 20'000;

Error CannotRead(const std::string& path, const std::string& cause, const char* code) {
  return {"read", path, cause, "give .ksp files, or folders that hold them", code};
}

struct Input {
  std::string path;
  std::string logical;  // "rules/shell.ksp": the same wherever the folder is
};

// Every *.ksp below the folder, in order of name.
Status ListFolder(const std::string& folder, std::vector<Input>* out) {
  std::error_code error;
  fs::recursive_directory_iterator it(folder, error), end;
  std::vector<std::string> found;
  for (; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (it->path().extension() == ".ksp" && it->is_regular_file(ignored)) found.push_back(it->path().string());
    if (found.size() > kMaxFiles)
      return CannotRead(folder, "it holds more than 20000 policy files", "folder-too-large");
  }
  if (error) return CannotRead(folder, error.message(), "folder-read");
  if (found.empty()) return CannotRead(folder, "there is no .ksp file in it", "folder-empty");
  std::sort(found.begin(), found.end());
  fs::path absolute = fs::absolute(folder, error).lexically_normal();
  fs::path base = absolute.has_filename() ? absolute.filename() : absolute.parent_path().filename();
  for (const std::string& file : found) {
    out->push_back({file, (base / fs::path(file).lexically_relative(folder)).lexically_normal().string()});
  }
  return Ok();
}

Result<std::vector<Input>> ListFiles(const std::vector<std::string>& paths) {
  std::vector<Input> files;
  for (const std::string& path : paths) {
    std::error_code error;
    fs::file_status status = fs::status(path, error);
    if (status.type() == fs::file_type::not_found || error) {
      return CannotRead(path, error ? error.message() : "there is no such file or folder", "file-open");
    }
    if (fs::is_directory(status)) {
      if (Status listed = ListFolder(path, &files); !listed) return listed.error();
    } else {
      files.push_back({path, fs::path(path).filename().string()});
    }
  }
  // A file named twice, also by another spelling, is one file.
  std::set<std::string> seen;
  std::erase_if(files, [&seen](const Input& file) {
    std::error_code error;
    fs::path canonical = fs::weakly_canonical(file.path, error);
    return !seen.insert(error ? file.path : canonical.string()).second;
  });
  return files;
}

Status ReadSources(const std::vector<std::string>& paths, Analysis* analysis) {
  Result<std::vector<Input>> inputs = ListFiles(paths);
  if (!inputs) return inputs.error();
  for (const auto& [name, logical] : *inputs) {
    std::error_code error;
    uintmax_t size = fs::is_regular_file(name, error) ? fs::file_size(name, error) : 0;
    if (!error && size > kMaxSourceBytes) {
      analysis->files.push_back(std::make_unique<SourceFile>(name, ""));
      analysis->diagnostics.Report<Diag::SourceTooLarge>(Span{analysis->files.back().get(), 0, 0}, size,
                                                         kMaxSourceBytes);
      continue;
    }
    Result<std::string> text = ReadFile(name, kMaxSourceBytes);
    if (!text) return text.error();
    analysis->files.push_back(std::make_unique<SourceFile>(name, std::move(*text), logical));
  }
  return Ok();
}

// A file that could not be parsed hides no mistake of the others. But what it declares, uses and tests is not known:
// that something is missing is not said.
void CheckBesideBroken(const syntax::Module& module, const sema::Library& library, const sema::Options& options,
                       Diagnostics* diagnostics) {
  Diagnostics found;
  sema::Check(module, library, options, found);
  for (const Diagnostic& diagnostic : found.all()) {
    switch (diagnostic.id) {
      case Diag::UnknownName:
      case Diag::UnknownPackage:
      case Diag::NotInPackage:
      case Diag::UnusedName:
      case Diag::UnusedImport:
      case Diag::TestOfNothing:
      case Diag::RuleUntested:
      case Diag::ExpectFromNothing:
      case Diag::TuneOfNothing:
      case Diag::UnknownEnvironment:
        break;
      default:
        diagnostics->Add(diagnostic);
    }
  }
}

void Lint(Analysis* analysis, const Options& options) {
  lint::LintModules(analysis->checked, analysis->diagnostics);
  lint::LintRules(analysis->checked, analysis->lowered.rules, analysis->diagnostics);
  lint::LintBypass(analysis->checked, analysis->lowered.rules, analysis->diagnostics);
  if (options.cost) lint::LintCost(analysis->checked, analysis->program, analysis->diagnostics);
  lint::ReportUnusedAllows(analysis->diagnostics);
}

Result<std::unique_ptr<Analysis>> AnalyzeFiles(std::unique_ptr<Analysis> analysis, const Options& options) {
  for (const auto& file : analysis->files) {
    analysis->modules.push_back(syntax::Parse(*file, analysis->diagnostics));
  }
  for (const EmbeddedFile& file : EmbeddedFiles()) {
    analysis->embedded_files.push_back(std::make_unique<SourceFile>(std::string(file.name), std::string(file.text)));
    analysis->embedded_modules.push_back(syntax::Parse(*analysis->embedded_files.back(), analysis->diagnostics));
  }
  std::set<const SourceFile*> broken;
  for (const Diagnostic& diagnostic : analysis->diagnostics.all()) broken.insert(diagnostic.span.file);
  if (analysis->diagnostics.suppressed() > 0) {  // and we do not know in which files
    analysis->diagnostics.Sort();
    return analysis;
  }
  sema::Library library;
  for (const syntax::Module& module : analysis->modules) {
    if (!broken.contains(module.file)) lint::ReadAllows(module, analysis->diagnostics);
    library.AddUser(module);
  }
  for (const syntax::Module& module : analysis->embedded_modules) library.AddEmbedded(module);
  sema::Options sema_options;
  sema_options.now_ns = options.now_ns;
  sema_options.environment = analysis->environment = options.environment;
  if (!options.environment.empty() && !library.HasTunesFor(options.environment)) {
    std::string known = fmt::format("{}", fmt::join(library.Environments(), ", "));
    return Error{"find the tunes of the environment", options.environment, "no tune in these files is for it",
                 known.empty() ? "there is no tune for any environment" : "there are tunes for " + known,
                 "unknown-environment"};
  }
  for (const syntax::Module& module : analysis->modules) {
    if (broken.empty()) {
      analysis->checked.push_back(sema::Check(module, library, sema_options, analysis->diagnostics));
    } else if (!broken.contains(module.file)) {
      CheckBesideBroken(module, library, sema_options, &analysis->diagnostics);
    }
  }
  if (!analysis->ok()) {
    analysis->diagnostics.Sort();
    return analysis;
  }

  analysis->lowered = lower::Lower(analysis->checked);
  analysis->program = ir::MakeProgram(analysis->lowered.rules);
  if (options.lint) Lint(analysis.get(), options);
  analysis->diagnostics.Sort();
  Result<ir::Plan> plan = ir::MakePlan(analysis->program);
  if (!plan) return plan.error();
  analysis->plan = std::move(*plan);
  return analysis;
}

}  // namespace

Result<std::unique_ptr<Analysis>> Analyze(const std::vector<std::string>& paths, const Options& options) {
  auto analysis = std::make_unique<Analysis>();
  if (Status read = ReadSources(paths, analysis.get()); !read) return read.error();
  return AnalyzeFiles(std::move(analysis), options);
}

Result<std::unique_ptr<Analysis>> Analyze(std::vector<Source> sources, const Options& options) {
  auto analysis = std::make_unique<Analysis>();
  for (Source& source : sources) {
    analysis->files.push_back(
        std::make_unique<SourceFile>(std::move(source.name), std::move(source.text), std::move(source.logical)));
  }
  return AnalyzeFiles(std::move(analysis), options);
}

std::vector<std::string> PolicyFilesBelow(const std::string& folder) {
  std::vector<Input> inputs;
  std::vector<std::string> names;
  if (!ListFolder(folder, &inputs)) return names;
  for (Input& input : inputs) names.push_back(std::move(input.path));
  return names;
}

Result<codegen::BpfObject> Generate(const Analysis& analysis, const codegen::EmitOptions& options) {
  KS_CHECK(analysis.ok(), "code is generated only for a policy without errors");
  codegen::EmitOptions all = options;
  all.limits = ir::LimitsInKernel(analysis.program, analysis.plan).limits;
  return codegen::Emit(analysis.plan, all);
}

}  // namespace ks::driver

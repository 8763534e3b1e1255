#include <fmt/format.h>

#include "compiler/syntax/parser.h"
#include "tools/ksc/commands.h"

namespace ks::ksc {

int Check(const Words& words) {
  const cli::Command command = {
      "ksc check",
      "FILES-OR-FOLDERS",
      1,
      10'000,
      "Finds mistakes in policies: syntax, names, types, guards, rules without tests, blind spots.",
      "  ksc check rules/\n  ksc check --strict --format json rules/shell.ksp",
      {FormatOption(),
       {"--strict", "", "warnings are findings, too", false, {}},
       {"--cost", "", "note what of each rule userspace decides, and why", false, {}},
       {"--dump", "STAGE", "print what the step made of it: ast, types", false, {"ast", "types"}}}};
  int code = cli::kFine;
  auto arguments = cli::Parse(command, words, &code);
  if (!arguments) return code;
  bool json = WantsJson(*arguments);
  driver::Options options;
  options.lint = true;
  options.cost = arguments->Has("--cost");
  auto analysis = AnalyzePaths(arguments->positionals(), json, &code, options);
  if (!analysis) return code;
  std::string dump = arguments->Get("--dump");
  if (dump == "ast") {
    for (const syntax::Module& module : analysis->modules) fmt::print("{}", syntax::Dump(module));
  } else if (dump == "types") {
    for (const sema::CheckedModule& module : analysis->checked) fmt::print("{}", sema::Dump(module));
  }
  code = Report(*analysis, {json, true, arguments->Has("--strict")});
  if (code == cli::kFine && !json && dump.empty()) {
    fmt::print("{} in {}: fine\n", Count(analysis->lowered.rules.size(), "rule"),
               Count(analysis->files.size(), "file"));
  }
  return code;
}

}  // namespace ks::ksc

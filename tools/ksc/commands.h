// The subcommands of ksc: each gets the words behind its name and gives an exit code.
#pragma once

#include <string>
#include <vector>

#include "compiler/driver/driver.h"
#include "compiler/support/json.h"
#include "tools/cli/args.h"

namespace ks::ksc {

using Words = std::vector<std::string>;

int Check(const Words& words);
int Fmt(const Words& words);
int Compile(const Words& words);
int Verify(const Words& words);
int Test(const Words& words);
int Replay(const Words& words);
int ReplayMerge(const Words& words);
int Schema(const Words& words);
int Explain(const Words& words);
int Diff(const Words& words);
int Why(const Words& words);
int TraceImport(const Words& words);
int TraceInfo(const Words& words);
int TraceCat(const Words& words);
int TraceCut(const Words& words);
int TraceMerge(const Words& words);
int TraceRedact(const Words& words);
int BenchRules(const Words& words);
int Doc(const Words& words);
int Lsp(const Words& words);
int BundleKeygen(const Words& words);
int BundleSign(const Words& words);
int BundleVerify(const Words& words);
int BundleShow(const Words& words);

// ---- What several of them do
// ---------------------------------------------------------------------------------------------

inline cli::Option FormatOption() {
  return {"--format", "human|json", "how to print; json: one object per line on stdout", false, {"human", "json"}};
}
inline cli::Option EnvironmentOption() {
  return {"--env", "NAME", "with the tunes of this environment", false, {}};
}
inline bool WantsJson(const cli::Arguments& arguments) { return arguments.Get("--format", "human") == "json"; }

// Seconds since 1970: SOURCE_DATE_EPOCH if it is set, else the clock.
int64_t Now();

inline driver::Options OptionsOf(const cli::Arguments& arguments) {
  driver::Options options;
  options.environment = arguments.Get("--env");
  return options;
}

// Analyses the paths. A failure of the world is printed and gives nothing.
std::unique_ptr<driver::Analysis> AnalyzePaths(const std::vector<std::string>& paths, bool json, int* exit_code,
                                               driver::Options options = {});
// Of one text, as `ksc check -`.
std::unique_ptr<driver::Analysis> AnalyzeStandardInput(bool json, int* exit_code, driver::Options options = {});
// Nothing: errno says why.
std::optional<std::string> ReadStandardInput();

struct ReportOptions {
  bool json = false;
  bool notes = false;   // else they are only counted
  bool strict = false;  // warnings are findings
};
// Prints the diagnostics (human: stderr, json: stdout) and a closing count; kFine or kFindings.
int Report(const driver::Analysis& analysis, const ReportOptions& options);
// How the emitted kernel half decides each test, and why: a few lines each, or an object each (explain_plan.cpp).
void ExplainPlan(const driver::Analysis& analysis, const codegen::BpfObject& object, bool json);

// "the rule `p.loud` is disabled in "prod" by the tune at t.ksp:7", if the environment turns it off; else "".
std::string DisabledBy(const driver::Analysis& analysis, const std::string& name_or_id);

// "1 rule", "2 rules"
std::string Count(uint64_t n, std::string_view noun);

}  // namespace ks::ksc

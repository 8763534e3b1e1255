#include <fmt/format.h>

#include <algorithm>

#include "compiler/syntax/parser.h"
#include "tools/ksc/commands.h"
#include "tools/ksc/fix.h"

namespace ks::ksc {
namespace {

// What --deny names: a code, or all rows of a severity. False if it is none of these.
bool Deny(const std::string& what, Diagnostics* diagnostics) {
  bool found = false;
  for (const DiagRow& row : kDiagRows) {
    bool named = row.code == what || (what == "warnings" && row.severity == Severity::Warning) ||
                 (what == "notes" && row.severity == Severity::Note);
    if (named) diagnostics->Deny(row.id);
    found = found || named;
  }
  return found;
}

std::vector<std::string> Split(const std::string& list) {
  std::vector<std::string> items;
  for (size_t at = 0; at <= list.size();) {
    size_t comma = std::min(list.find(',', at), list.size());
    items.push_back(list.substr(at, comma - at));
    at = comma + 1;
  }
  return items;
}

constexpr int kMaxFixRounds = 8;

void PrintFixTotal(const driver::Analysis& analysis, size_t applied, bool dry_run) {
  size_t remain = 0;
  for (const Diagnostic& d : analysis.diagnostics.all()) remain += d.severity != Severity::Note ? 1 : 0;
  if (dry_run) {
    fmt::print(stderr, "would fix {} of {}; nothing was changed\n", applied, Count(remain, "finding"));
  } else if (applied > 0) {
    fmt::print(stderr, "fixed {}; {} remain{}\n", Count(applied, "finding"), remain, remain == 1 ? "s" : "");
  } else if (remain > 0) {
    fmt::print(stderr, "fixed nothing: {} a change for which there is more than one way, see each `help:`\n",
               remain == 1 ? "the finding needs" : fmt::format("the {} findings need", remain));
  } else {
    fmt::print(stderr, "fixed nothing: there are no findings\n");
  }
}

}  // namespace

int Check(const Words& words) {
  const cli::Command command = {
      "ksc check",
      "FILES-OR-FOLDERS",
      1,
      10'000,
      "Finds mistakes in policies: syntax, names, types, guards, conditions that cannot hold or change nothing, rules "
      "that\n"
      "cover each other, rules without tests, blind spots. `-` checks standard input.",
      "  ksc check rules/\n  ksc check --strict --format sarif rules/ > findings.sarif\n  ksc check --fix rules/",
      {{"--format",
        "FORMAT",
        "how to print; all but human go to stdout: plain is one line per finding, json one object, junit, sarif and "
        "tap one document, github commands of its workflows",
        false,
        {"human", "plain", "json", "junit", "sarif", "tap", "github"}},
       EnvironmentOption(),
       {"--strict", "", "warnings are findings, too; so a rule without tests is", false, {}},
       {"--deny", "CODES", "these are errors: codes, `warnings`, `notes`, with commas between", false, {}},
       {"--cost", "", "note what of each rule userspace decides, and why", false, {}},
       {"--fix", "", "apply the fixes that keep what the policy means, and check again", false, {}},
       {"--dry-run", "", "with --fix: show what would change, and change nothing", false, {}},
       {"--dump", "STAGE", "print what the step made of it: ast, types", false, {"ast", "types"}}}};
  int code = cli::kFine;
  auto arguments = cli::Parse(command, words, &code);
  if (!arguments) return code;
  std::string format = arguments->Get("--format", "human");
  bool human = format == "human";
  if (arguments->Has("--dry-run") && !arguments->Has("--fix")) {
    fmt::print(stderr,
               "ksc check: --dry-run goes with --fix\n  help: ksc check --help shows the options and an example\n");
    return cli::kUsage;
  }
  driver::Options options;
  options.lint = true;
  options.environment = arguments->Get("--env");
  options.cost = arguments->Has("--cost");
  const Words& paths = arguments->positionals();
  bool piped = std::find(paths.begin(), paths.end(), "-") != paths.end();
  if (piped && paths.size() > 1) return cli::Usage(command, "`-` stands alone");
  if (piped && arguments->Has("--fix")) return cli::Usage(command, "--fix writes files, and `-` is none");
  auto analysis = piped ? AnalyzeStandardInput(!human, &code, options) : AnalyzePaths(paths, !human, &code, options);
  if (!analysis) return code;
  if (arguments->Has("--fix")) {
    bool dry_run = arguments->Has("--dry-run");
    size_t applied = 0;
    // A fix that touches another one's place comes in the next round.
    for (int round = 0; round < kMaxFixRounds; ++round) {
      options.now_ns = Now() * 1'000'000'000;
      FixOutcome outcome = ApplyFixes(*analysis, options, dry_run, &code);
      if (code != cli::kFine) return code;
      applied += outcome.applied;
      if (outcome.applied == 0 || dry_run) break;
      analysis = AnalyzePaths(arguments->positionals(), !human, &code, options);
      if (!analysis) return code;
    }
    PrintFixTotal(*analysis, applied, dry_run);
  }
  for (const std::string& what : Split(arguments->Get("--deny"))) {
    if (what.empty() || Deny(what, &analysis->diagnostics)) continue;
    fmt::print(stderr, "ksc check: --deny has no `{}`\n  help: it takes codes as K0705, `warnings` and `notes`\n",
               what);
    return cli::kUsage;
  }
  std::string dump = arguments->Get("--dump");
  if (dump == "ast") {
    for (const syntax::Module& module : analysis->modules) fmt::print("{}", syntax::Dump(module));
  } else if (dump == "types") {
    for (const sema::CheckedModule& module : analysis->checked) fmt::print("{}", sema::Dump(module));
  }
  ReportOptions report{format == "json", true, arguments->Has("--strict")};
  if (human || format == "json") {
    code = Report(*analysis, report);
  } else {
    code = ReportAs(*analysis, format, report.strict);
  }
  if (code == cli::kFine && human && dump.empty()) {
    size_t warnings = analysis->diagnostics.warnings();
    fmt::print("{} in {}: {}\n", Count(analysis->lowered.rules.size(), "rule"),
               Count(analysis->files.size(), "file"),
               warnings == 0 ? "fine" : fmt::format("no error, {}", Count(warnings, "warning")));
  }
  return code;
}

}  // namespace ks::ksc

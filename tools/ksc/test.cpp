// ksc test: the test blocks of policies. Those of an environment run with its tunes, the others without any.
#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <set>

#include "tools/ksc/commands.h"
#include "tools/ksc/fix.h"
#include "tools/ksc/progress_line.h"
#include "tools/ksc/results.h"
#include "tools/ksc/test_quality.h"
#include "tools/ksc/test_runner.h"

namespace ks::ksc {
namespace {

std::string Title(const sema::TestCase& test) {
  std::string in = test.environment.empty() ? "" : fmt::format(" in \"{}\"", test.environment);
  return fmt::format("{}{}: {}", test.rule, in, test.syntax->name.value);
}

void PrintJson(const TestOutcome& outcome) {
  const sema::TestCase& test = *outcome.test;
  std::string in = test.environment.empty() ? "" : fmt::format(R"("environment":{},)", JsonString(test.environment));
  fmt::print(R"({{"rule":{},{}"case":{},"at":{},"result":"{}","why":{}}})"
             "\n",
             JsonString(test.rule), in, JsonString(test.syntax->name.value),
             JsonString(ToString(PlaceOf(outcome.passed ? test.syntax->name.span : outcome.span))), outcome.passed ? "passed" : "failed",
             JsonString(outcome.why));
}

// One suite per rule.
Finding FindingOf(const TestOutcome& outcome) {
  const sema::TestCase& test = *outcome.test;
  Finding finding;
  finding.suite = test.rule;
  finding.name = test.syntax->name.value;
  if (!test.environment.empty()) finding.name += fmt::format(" [{}]", test.environment);
  finding.code = "test-failed";
  finding.place = PlaceOf(outcome.passed ? test.syntax->name.span : outcome.span);
  if (outcome.passed) return finding;
  finding.level = Level::Error;
  const size_t line = std::min(outcome.why.find('\n'), outcome.why.size());
  finding.message = outcome.why.substr(0, line);
  finding.message.erase(0, finding.message.find_first_not_of(' '));
  finding.details = outcome.why.substr(std::min(line + 1, outcome.why.size()));
  return finding;
}

// Of the rules as the first analysis has them: without tunes, or with those of --env.
std::vector<Quality> AssessAll(const driver::Analysis& analysis, const std::string& only,
                               const QualityOptions& options) {
  ProgressLine progress;
  std::mutex one_at_a_time;
  size_t done = 0;
  return Assess(
      analysis, [&](const std::string& rule) { return only.empty() || rule == only || rule.ends_with("." + only); },
      options, [&] {
        const std::lock_guard lock(one_at_a_time);
        ++done;
        progress.Show([&](double) { return fmt::format("{} rules looked at", done); });
      });
}

}  // namespace

int Test(const Words& words) {
  cli::Command command = {
      "ksc test",
      "FILES-OR-FOLDERS",
      1,
      10'000,
      "Runs the test blocks of policies; those of an environment with its tunes.",
      "  ksc test rules/\n  ksc test rules/ --rule reverse_shell\n  ksc test rules/ --format junit > results.xml\n"
      "  ksc test rules/ --coverage --coverage-min 90 --mutate --mutate-min 85",
      {{"--format",
        "FORMAT",
        "how to print: human, json (an object per line), junit, sarif, tap, github (workflow commands)",
        false,
        {"human", "json", "junit", "sarif", "tap", "github"}},
       {"--rule", "NAME", "only tests of this rule", false, {}},
       {"--case", "TEXT", "only cases whose name holds this", false, {}},
       EnvironmentOption(),
       {"--quiet", "", "only failures and the closing line", false, {}}}};
  for (const cli::Option& option : QualityOptionRows()) command.options.push_back(option);
  int code = cli::kFine;
  auto arguments = cli::Parse(command, words, &code);
  if (!arguments) return code;
  const QualityWish wish = QualityWishOf(*arguments);
  if (!wish.mistake.empty()) return cli::Usage(command, wish.mistake);
  std::string format = arguments->Get("--format", "human");
  bool human = format == "human", json = format == "json";
  std::string environment = arguments->Get("--env");
  std::string only = arguments->Get("--rule"), part = arguments->Get("--case");

  std::vector<std::unique_ptr<driver::Analysis>> analyses;  // outcomes point into them
  std::vector<TestOutcome> outcomes;
  auto wanted = [&](const sema::TestCase& test) {
    bool named = only.empty() || test.rule == only || test.rule.ends_with("." + only);
    return named && test.syntax->name.value.find(part) != std::string::npos;
  };
  std::vector<std::string> environments = {environment};
  for (size_t i = 0; i < environments.size(); ++i) {
    driver::Options options;
    options.environment = environments[i];
    auto analysis = AnalyzePaths(arguments->positionals(), json, &code, options);
    if (!analysis) return code;
    if (!analysis->ok() && IsForMachines(format)) return ReportAs(*analysis, format, false);
    if (i == 0) Report(*analysis, {json, false, false});
    if (!analysis->ok()) return cli::kFindings;
    for (TestOutcome& outcome : RunTests(*analysis, wanted, wish.options.jobs)) outcomes.push_back(std::move(outcome));
    if (i == 0 && environment.empty()) {
      std::set<std::string> others;
      for (const sema::CheckedModule& module : analysis->checked) {
        for (const sema::TestCase& test : module.tests) {
          if (!test.environment.empty() && wanted(test)) others.insert(test.environment);
        }
      }
      environments.insert(environments.end(), others.begin(), others.end());
    }
    analyses.push_back(std::move(analysis));
  }

  size_t failed = 0;
  for (const TestOutcome& outcome : outcomes) {
    failed += outcome.passed ? 0 : 1;
    if (json) PrintJson(outcome);
    if (human && !outcome.passed) {
      fmt::print("FAIL  {}\n  at {}\n{}", Title(*outcome.test), ToString(PlaceOf(outcome.span)), outcome.why);
    } else if (human && !arguments->Has("--quiet")) {
      fmt::print("ok    {}\n", Title(*outcome.test));
    }
  }
  std::vector<Finding> findings;
  if (IsForMachines(format)) {
    for (const TestOutcome& outcome : outcomes) findings.push_back(FindingOf(outcome));
  }
  if (outcomes.empty()) {
    fmt::print("{}", IsForMachines(format) ? Render(format, findings) : "");
    fmt::print(stderr, "error: there is no test{}{}{} in these files\n",
               only.empty() ? "" : fmt::format(" of a rule `{}`", only),
               part.empty() ? "" : fmt::format(" with a case \"{}\"", part),
               environment.empty() ? "" : fmt::format(" for the environment `{}`", environment));
    return cli::kFindings;
  }
  if (human) fmt::print("{} passed, {} failed\n", outcomes.size() - failed, failed);
  bool enough = true;
  if (wish.options.coverage || wish.options.mutants) {
    enough = ReportQuality(AssessAll(*analyses[0], only, wish.options), wish, format, &findings);
  }
  if (IsForMachines(format)) fmt::print("{}", Render(format, findings));
  return failed > 0 || !enough ? cli::kFindings : cli::kFine;
}

}  // namespace ks::ksc

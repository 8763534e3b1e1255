// ksc test: the test blocks of policies. Those of an environment run with its tunes, the others without any.
#include <fmt/format.h>

#include <set>

#include "tools/ksc/commands.h"
#include "tools/ksc/test_runner.h"

namespace ks::ksc {
namespace {

std::string Place(const Span& span) {
  return span.file ? fmt::format("{}:{}", span.file->name(), span.file->At(span.begin).line) : std::string();
}

std::string Title(const lower::TestCase& test) {
  std::string in = test.environment.empty() ? "" : fmt::format(" in \"{}\"", test.environment);
  return fmt::format("{}{}: {}", test.rule, in, test.name);
}

std::string Xml(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '&') out += "&amp;";
    else if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else if (c == '"') out += "&quot;";
    else if (static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t') out += c;
    else out += '?';
  }
  return out;
}

void PrintJson(const TestOutcome& outcome) {
  const lower::TestCase& test = *outcome.test;
  std::string in = test.environment.empty() ? "" : fmt::format(R"("environment":{},)", JsonString(test.environment));
  fmt::print(R"({{"rule":{},{}"case":{},"at":{},"result":"{}","why":{}}})"
             "\n",
             JsonString(test.rule), in, JsonString(test.name),
             JsonString(Place(outcome.passed ? test.span : outcome.span)), outcome.passed ? "passed" : "failed",
             JsonString(outcome.why));
}

// One suite per rule, as CI systems read it.
void PrintJunit(const std::vector<TestOutcome>& outcomes, size_t failed) {
  fmt::print("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"{}\" failures=\"{}\">\n", outcomes.size(),
             failed);
  std::vector<std::string> suites;
  std::set<std::string> seen;
  for (const TestOutcome& outcome : outcomes) {
    if (seen.insert(outcome.test->rule).second) suites.push_back(outcome.test->rule);
  }
  for (const std::string& suite : suites) {
    size_t tests = 0, failures = 0;
    std::string cases;
    for (const TestOutcome& outcome : outcomes) {
      const lower::TestCase& test = *outcome.test;
      if (test.rule != suite) continue;
      ++tests;
      std::string name = test.environment.empty() ? test.name : fmt::format("{} [{}]", test.name, test.environment);
      std::string file = test.span.file ? test.span.file->name() : "";
      cases += fmt::format("    <testcase classname=\"{}\" name=\"{}\" file=\"{}\"", Xml(suite), Xml(name), Xml(file));
      if (outcome.passed) {
        cases += "/>\n";
        continue;
      }
      ++failures;
      std::string first = outcome.why.substr(0, outcome.why.find('\n'));
      first.erase(0, first.find_first_not_of(' '));
      cases += fmt::format(">\n      <failure message=\"{}\">at {}\n{}</failure>\n    </testcase>\n", Xml(first),
                           Xml(Place(outcome.span)), Xml(outcome.why));
    }
    fmt::print("  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\">\n{}  </testsuite>\n", Xml(suite), tests, failures,
               cases);
  }
  fmt::print("</testsuites>\n");
}

}  // namespace

int Test(const Words& words) {
  const cli::Command command = {
      "ksc test",
      "FILES-OR-FOLDERS",
      1,
      10'000,
      "Runs the test blocks of policies; those of an environment with its tunes.",
      "  ksc test rules/\n  ksc test rules/ --rule reverse_shell\n  ksc test rules/ --format junit > results.xml",
      {{"--format", "human|json|junit", "how to print; json: one object per line", false, {"human", "json", "junit"}},
       {"--rule", "NAME", "only tests of this rule", false, {}},
       {"--case", "TEXT", "only cases whose name holds this", false, {}},
       EnvironmentOption(),
       {"--quiet", "", "only failures and the closing line", false, {}}}};
  int code = cli::kFine;
  auto arguments = cli::Parse(command, words, &code);
  if (!arguments) return code;
  std::string format = arguments->Get("--format", "human");
  bool human = format == "human", json = format == "json";
  std::string environment = arguments->Get("--env");
  std::string only = arguments->Get("--rule"), part = arguments->Get("--case");

  std::vector<std::unique_ptr<driver::Analysis>> analyses;  // outcomes point into them
  std::vector<TestOutcome> outcomes;
  auto wanted = [&](const lower::TestCase& test) {
    bool named = only.empty() || test.rule == only || test.rule.ends_with("." + only);
    return named && test.name.find(part) != std::string::npos;
  };
  std::vector<std::string> environments = {environment};
  for (size_t i = 0; i < environments.size(); ++i) {
    driver::Options options;
    options.environment = environments[i];
    auto analysis = AnalyzePaths(arguments->positionals(), json, &code, options);
    if (!analysis) return code;
    if (i == 0) Report(*analysis, {json, false, false});
    if (!analysis->ok()) return cli::kFindings;
    for (TestOutcome& outcome : RunTests(*analysis, wanted)) outcomes.push_back(std::move(outcome));
    if (i == 0 && environment.empty()) {
      std::set<std::string> others;
      for (const lower::TestCase& test : analysis->lowered.tests) {
        if (!test.environment.empty() && wanted(test)) others.insert(test.environment);
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
      fmt::print("FAIL  {}\n  at {}\n{}", Title(*outcome.test), Place(outcome.span), outcome.why);
    } else if (human && !arguments->Has("--quiet")) {
      fmt::print("ok    {}\n", Title(*outcome.test));
    }
  }
  if (format == "junit") PrintJunit(outcomes, failed);
  if (outcomes.empty()) {
    fmt::print(stderr, "error: there is no test{}{}{} in these files\n",
               only.empty() ? "" : fmt::format(" of a rule `{}`", only),
               part.empty() ? "" : fmt::format(" with a case \"{}\"", part),
               environment.empty() ? "" : fmt::format(" for the environment `{}`", environment));
    return cli::kFindings;
  }
  if (human) fmt::print("{} passed, {} failed\n", outcomes.size() - failed, failed);
  return failed > 0 ? cli::kFindings : cli::kFine;
}

}  // namespace ks::ksc

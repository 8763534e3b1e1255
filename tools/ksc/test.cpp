// ksc test: the test blocks of policies.
#include <fmt/format.h>

#include "tools/ksc/commands.h"
#include "tools/ksc/test_runner.h"

namespace ks::ksc {

int Test(const Words& words) {
  const cli::Command command = {"ksc test",
                                "FILES-OR-FOLDERS",
                                1,
                                10'000,
                                "Runs the test blocks of policies.",
                                "  ksc test rules/\n  ksc test rules/ --rule reverse_shell",
                                {FormatOption(),
                                 {"--rule", "NAME", "only tests of this rule", false, {}},
                                 {"--quiet", "", "only failures and the closing line", false, {}}}};
  int code = cli::kFine;
  auto arguments = cli::Parse(command, words, &code);
  if (!arguments) return code;
  bool json = WantsJson(*arguments);
  auto analysis = AnalyzePaths(arguments->positionals(), json, &code);
  if (!analysis) return code;
  if (Report(*analysis, {json, false, false}); !analysis->ok()) return cli::kFindings;

  std::string only = arguments->Get("--rule");
  size_t passed = 0, failed = 0;
  auto wanted = [&](const lower::TestCase& test) {
    return only.empty() || test.rule == only || test.rule.ends_with("." + only);
  };
  for (const TestOutcome& outcome : RunTests(*analysis, wanted)) {
    const lower::TestCase& test = *outcome.test;
    (outcome.passed ? passed : failed)++;
    auto place = [](const Span& span) {
      return span.file ? fmt::format("{}:{}", span.file->name(), span.file->At(span.begin).line) : std::string();
    };
    if (json) {
      fmt::print(R"({{"rule":{},"case":{},"at":{},"result":"{}","why":{}}})"
                 "\n",
                 JsonString(test.rule), JsonString(test.name),
                 JsonString(place(outcome.passed ? test.span : outcome.span)), outcome.passed ? "passed" : "failed",
                 JsonString(outcome.why));
    } else if (!outcome.passed) {
      fmt::print("FAIL  {}: {}\n  at {}\n{}", test.rule, test.name, place(outcome.span), outcome.why);
    } else if (!arguments->Has("--quiet")) {
      fmt::print("ok    {}: {}\n", test.rule, test.name);
    }
  }
  if (passed + failed == 0) {
    fmt::print(stderr, "error: there is no test{} in these files\n",
               only.empty() ? "" : fmt::format(" of a rule `{}`", only));
    return cli::kFindings;
  }
  if (!json) fmt::print("{} passed, {} failed\n", passed, failed);
  return failed > 0 ? cli::kFindings : cli::kFine;
}

}  // namespace ks::ksc

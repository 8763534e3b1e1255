// ksc test: the test blocks of policies. Each case is fed to the same engine that replay and the agent use.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/ir/eval.h"
#include "compiler/ir/text.h"
#include "runtime/engine/engine.h"
#include "tools/ksc/commands.h"

namespace ks::ksc {
namespace {

struct Outcome {
  bool passed = true;
  std::string why;  // many lines
  Span span;        // of the expectation that failed
};

// What each part of a rule's condition was for an event: the reason why it did or did not match.
std::string PowerAssert(const ir::Pred& when, const schema::Record& record) {
  std::string out;
  auto line = [&](const ir::Pred& part) {
    ir::Truth truth = ir::Eval(part, record);
    out += fmt::format("    {:<8} {}\n",
                       truth == ir::Truth::True    ? "true"
                       : truth == ir::Truth::False ? "FALSE"
                                                   : "unknown",
                       ir::Print(part));
    for (schema::FieldId field : ir::FieldsOf(part)) {
      const schema::FieldRow& row = schema::Row(field);
      const schema::FieldValue& value = record[field];
      out += fmt::format(
          "    {:<8}   {} = {}\n", "", row.dotted,
          value.status == schema::Status::Absent ? "absent" : schema::ToString(value.value, row.type, row.enumeration));
    }
  };
  if (when.op == ir::Pred::Op::And) {
    for (const ir::Pred& part : when.operands) line(part);
  } else {
    line(when);
  }
  return out;
}

class Runner {
 public:
  explicit Runner(const driver::Analysis& analysis) : analysis_(analysis), engine_(analysis.program) {}

  Outcome Run(const lower::TestCase& test) const {
    std::vector<std::string> alerts;
    const lower::Feed* last = nullptr;
    for (const auto& step : test.steps) {
      if (const auto* feed = std::get_if<lower::Feed>(&step)) {
        last = feed;
        event::Event event;
        event.kind = feed->kind;
        event.time_ns = static_cast<uint64_t>(feed->offset_ns);
        event.record = feed->record;
        for (const event::Match& match : engine_.DecideAll(event)) {
          if (match.rule->id == test.rule) alerts.push_back(match.message);
        }
        continue;
      }
      const auto& expect = std::get<lower::Expect>(step);
      if (Outcome outcome = Judge(expect, alerts, test, last); !outcome.passed) return outcome;
      alerts.clear();
    }
    return {};
  }

 private:
  Outcome Judge(const lower::Expect& expect, const std::vector<std::string>& alerts, const lower::TestCase& test,
                const lower::Feed* last) const {
    bool met = false;
    std::string wanted;
    switch (expect.what) {
      case lower::Expect::What::Quiet:
        met = alerts.empty();
        wanted = "no alert";
        break;
      case lower::Expect::What::Count:
        met = alerts.size() == expect.count;
        wanted = Count(expect.count, "alert");
        break;
      case lower::Expect::What::Text:
        met = alerts.size() == 1 && alerts[0] == expect.text;
        wanted = "one alert \"" + expect.text + "\"";
        break;
    }
    if (met) return {};
    std::string why =
        fmt::format("  expected {}, got {}\n", wanted, alerts.empty() ? "none" : Count(alerts.size(), "alert"));
    for (const std::string& alert : alerts) why += fmt::format("    alert \"{}\"\n", alert);
    if (last) why += Why(test.rule, *last);
    return {false, why, expect.span};
  }

  std::string Why(const std::string& rule, const lower::Feed& feed) const {
    for (const ir::SplitRule& split : analysis_.program.rules) {
      if (split.rule.id != rule) continue;
      const auto& kinds = split.rule.kinds;
      std::string_view kind = schema::Row(feed.kind).name;
      if (std::find(kinds.begin(), kinds.end(), feed.kind) == kinds.end()) {
        return fmt::format("  the rule does not look at `{}` events\n", kind);
      }
      return fmt::format("  the rule's condition, for the last event ({}):\n", kind) +
             PowerAssert(split.rule.when, feed.record);
    }
    return "";
  }

  const driver::Analysis& analysis_;
  engine::Engine engine_;
};

}  // namespace

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

  Runner runner(*analysis);
  std::string only = arguments->Get("--rule");
  size_t passed = 0, failed = 0;
  for (const lower::TestCase& test : analysis->lowered.tests) {
    if (!only.empty() && test.rule != only && !test.rule.ends_with("." + only)) continue;
    Outcome outcome = runner.Run(test);
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

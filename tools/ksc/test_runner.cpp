#include "tools/ksc/test_runner.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/ir/eval.h"
#include "compiler/ir/text.h"
#include "runtime/engine/engine.h"
#include "tools/ksc/commands.h"

namespace ks::ksc {
namespace {

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

  TestOutcome Run(const lower::TestCase& test) const {
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
      if (TestOutcome outcome = Judge(expect, alerts, test, last); !outcome.passed) return outcome;
      alerts.clear();
    }
    return {};
  }

 private:
  TestOutcome Judge(const lower::Expect& expect, const std::vector<std::string>& alerts, const lower::TestCase& test,
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

std::vector<TestOutcome> RunTests(const driver::Analysis& analysis,
                                  const std::function<bool(const lower::TestCase&)>& wanted) {
  Runner runner(analysis);
  std::vector<TestOutcome> out;
  for (const lower::TestCase& test : analysis.lowered.tests) {
    if (!wanted(test)) continue;
    out.push_back(runner.Run(test));
    out.back().test = &test;
  }
  return out;
}

}  // namespace ks::ksc

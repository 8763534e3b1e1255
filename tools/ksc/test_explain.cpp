#include "tools/ksc/test_explain.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/ir/eval.h"
#include "tools/ksc/commands.h"
#include "tools/ksc/power_assert.h"
#include "tools/ksc/why_state.h"

namespace ks::ksc {
namespace {

size_t FailedParts(const ir::Pred& when, const ir::Frame& frame) { return Failed(Judge(when, frame)); }

bool Takes(const std::vector<ir::EventKind>& kinds, const event::Event& event) {
  return std::find(kinds.begin(), kinds.end(), event.kind) != kinds.end();
}

std::string NameOf(const std::vector<Fed>& fed, size_t at) {
  const Fed& one = fed[at];
  return fmt::format("event {} ({}, {})", at + 1, schema::Row(one.event.kind).name, one.place);
}

using Steps = std::vector<const schema::Record*>;

// The event that fails the fewest parts, the last of those; nothing if none is of these kinds.
struct Nearest {
  size_t at = 0, failed = 0;
};
std::optional<Nearest> FindNearest(const std::vector<ir::EventKind>& kinds, const ir::Pred& when,
                                   const std::vector<Fed>& fed, size_t from, const Steps& steps) {
  std::optional<Nearest> best;
  for (size_t i = from; i < fed.size(); ++i) {
    if (!Takes(kinds, fed[i].event)) continue;
    size_t failed = FailedParts(when, ir::Frame(&fed[i].event.record, steps));
    if (!best || failed <= best->failed) best = Nearest{i, failed};
  }
  return best;
}

// Of a step: its own condition, and what ties it to the steps before.
ir::Pred WholeOf(const ir::Step& step) {
  std::vector<ir::Pred> parts;
  parts.push_back(step.when);
  parts.push_back(TiesOf(step));
  return ir::MakeAnd(std::move(parts));
}

std::string PowerAssert(const ir::Pred& when, const ir::Frame& frame, const std::vector<std::string>& names = {}) {
  if (when.op == ir::Pred::Op::True) return "    ok      every event of its kinds\n";
  return Table(Judge(when, frame, names), "    ");
}

std::string Seconds(uint64_t ns) { return fmt::format("+{}s", static_cast<double>(ns) / 1e9); }

// Which step of which alert an event was: it is not that again.
bool IsConsumed(const std::vector<Raised>& raised, const std::string& rule, size_t step, size_t number) {
  return std::any_of(raised.begin(), raised.end(), [&](const Raised& alert) {
    return alert.rule == rule && step < alert.steps.size() && alert.steps[step].number == number;
  });
}

// How far the steps came: of each the first event that goes on from the one before, or the one that nearly did.
std::string OfSequence(const ir::Rule& rule, const std::vector<Fed>& fed, const std::vector<Raised>& raised) {
  const ir::Sequence& sequence = *rule.sequence;
  const std::vector<std::string> names = StepNames(rule);
  std::string after = std::any_of(raised.begin(), raised.end(), [&](const Raised& one) { return one.rule == rule.id; })
                          ? ", after the alerts so far"
                          : "";
  std::string out = fmt::format("  the steps of the sequence{}{}:\n", sequence.unordered ? ", in any order" : "", after);
  Steps records;
  size_t from = 0, number = 0;
  bool complete = true;
  for (const ir::Step& step : sequence.steps) {
    if (step.role != ir::Step::Role::Match) continue;
    ++number;
    std::string name = step.name.empty() ? fmt::format("step {}", number) : step.name;
    ir::Pred whole = WholeOf(step);
    const schema::Record* found = nullptr;
    uint32_t left = step.repeat;
    for (size_t i = sequence.unordered ? 0 : from; i < fed.size() && found == nullptr; ++i) {
      const event::Event& event = fed[i].event;
      if (IsConsumed(raised, rule.id, number - 1, i + 1)) continue;
      if (!Takes(step.kinds, event) || FailedParts(whole, ir::Frame(&event.record, records)) > 0) continue;
      if (--left > 0) continue;
      found = &event.record;
      from = i + 1;
      std::string key = KeyText(sequence.by, event.record);
      out += fmt::format("    {:<10} {} at {}{}{}\n", name, NameOf(fed, i), Seconds(fed[i].since_start_ns),
                         key.empty() ? "" : ", ", key);
    }
    records.push_back(found);
    if (found != nullptr) continue;
    complete = false;
    if (left < step.repeat) {
      out += fmt::format("    {:<10} {} of {} events\n", name, step.repeat - left, step.repeat);
      break;
    }
    records.pop_back();
    auto nearest = FindNearest(step.kinds, whole, fed, sequence.unordered ? 0 : from, records);
    if (!nearest) {
      out += fmt::format("    {:<10} no event of its kind{}\n", name, number > 1 ? " after the step before" : "");
    } else {
      out += fmt::format("    {:<10} nearest: {}, failed {}\n", name, NameOf(fed, nearest->at),
                         Count(nearest->failed, "condition"));
      out += PowerAssert(whole, ir::Frame(&fed[nearest->at].event.record, records), names);
    }
    break;
  }
  if (complete) {
    out += fmt::format("  all steps have an event; they must share the key and lie within {}s, and no `without` or `until` "
                       "may come between\n",
                       static_cast<double>(sequence.within_ns) / 1e9);
  }
  return out;
}

std::string OfCondition(const ir::Rule& rule, const std::vector<Fed>& fed) {
  if (fed.empty()) return "";
  std::string out;
  const Fed& last = fed.back();
  std::string_view kind = schema::Row(last.event.kind).name;
  auto nearest = FindNearest(rule.kinds, rule.when, fed, 0, {});
  if (!Takes(rule.kinds, last.event)) {
    out += fmt::format("  the rule does not look at `{}` events\n", kind);
  } else {
    out += fmt::format("  the rule's condition, for the last event ({}):\n", kind);
    out += PowerAssert(rule.when, last.event.record);
  }
  bool another = nearest && nearest->at + 1 != fed.size();
  if (another && (!Takes(rule.kinds, last.event) || nearest->failed < FailedParts(rule.when, last.event.record))) {
    out += fmt::format("  nearest: {}, failed {}:\n", NameOf(fed, nearest->at), Count(nearest->failed, "condition"));
    out += PowerAssert(rule.when, fed[nearest->at].event.record);
  }
  return out;
}

std::string OfState(const ir::Rule& rule, const std::vector<Fed>& fed) {
  size_t passed = 0;
  std::string last;
  for (const Fed& one : fed) {
    if (!Takes(rule.kinds, one.event) || FailedParts(rule.when, one.event.record) > 0) continue;
    ++passed;
    if (rule.aggregate) last = KeyText(rule.aggregate->by, one.event.record);
  }
  std::string out = fmt::format("  {} of {} passed the rule's condition", passed, Count(fed.size(), "event"));
  if (rule.aggregate && rule.aggregate->function != ir::Aggregate::Function::First) {
    out += fmt::format("; the measure must reach {} within {}s", rule.aggregate->at_least,
                       static_cast<double>(rule.aggregate->within_ns) / 1e9);
  }
  if (!last.empty()) out += fmt::format("; the key of the last: {}", last);
  if (rule.limit) {
    out += fmt::format("; at most {} in {}s", Count(rule.limit->count, "alert"),
                       static_cast<double>(rule.limit->per_ns) / 1e9);
  }
  return out + "\n";
}

}  // namespace

std::string EventsOf(const Raised& alert, const std::vector<Fed>& fed) {
  std::string out;
  for (const Raised::Step& step : alert.steps) {
    if (step.number == 0 || step.number > fed.size()) continue;
    std::string times = step.events > 1 ? fmt::format(", the last of {}", step.events) : "";
    out += fmt::format("      {}{} at {}{}\n", step.name.empty() ? "" : step.name + ": ", NameOf(fed, step.number - 1),
                       Seconds(fed[step.number - 1].since_start_ns), times);
  }
  return out;
}

std::string WhyNot(const ir::Program& program, const std::string& rule, const std::vector<Fed>& fed,
                   const std::vector<Raised>& raised) {
  for (const ir::Machine& machine : program.machines) {
    if (machine.rule.id != rule) continue;
    if (machine.rule.sequence) return OfSequence(machine.rule, fed, raised);
    return OfState(machine.rule, fed) + OfCondition(machine.rule, fed);
  }
  for (const ir::SplitRule& split : program.rules) {
    if (split.rule.id == rule) return OfCondition(split.rule, fed);
  }
  return "  the rule is turned off by a tune of this environment, or is not in these files\n";
}

}  // namespace ks::ksc

#include "tools/ksc/why_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compiler/ir/eval.h"
#include "runtime/state/value.h"
#include "tools/ksc/power_assert.h"

namespace ks::ksc {
namespace {

bool HasKind(const std::vector<ir::EventKind>& kinds, ir::EventKind kind) {
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

std::string Seconds(uint64_t ns) { return fmt::format("{:.3f} s", static_cast<double>(ns) / 1e9); }

}  // namespace

std::string KeyText(const ir::Key& key, const schema::Record& record) {
  std::string out;
  for (const ir::Operand& operand : key) {
    schema::FieldValue value = ir::ReadOperand(operand, record);
    bool whole = operand.part == ir::Part::Whole;
    std::string text =
        value.status == schema::Status::Ok || value.status == schema::Status::Truncated
            ? schema::ToString(value.value, ir::TypeOf(operand), whole ? schema::Row(operand.field).enumeration : "")
        : value.status == schema::Status::Absent ? "host"
                                                 : "unknown";
    out += fmt::format("{}{} = {}", out.empty() ? "" : ", ", Spelled(operand), event::Printable(text));
  }
  return out;
}

bool KeyState::Passes(const ir::Step& step, const event::Event& event) const {
  return HasKind(step.kinds, event.kind) && ir::Eval(step.when, event.record) != ir::Truth::False;
}

bool KeyState::Holds(const ir::Step& step, const event::Event& event, const Chain& chain) const {
  Records steps;
  for (const auto& one : chain.events) steps.push_back(&one->record);
  return Holds(step, event.record, steps);
}

bool KeyState::Holds(const ir::Step& step, const schema::Record& own, const Records& steps) const {
  const ir::Pred ties = TiesOf(step);
  for (size_t i = 0; i < steps.size(); ++i) {
    if (steps[i] == nullptr && !state::FieldsOfStep(ties, static_cast<uint8_t>(i + 1)).empty()) return false;
  }
  return ir::Eval(ties, ir::Frame(&own, steps)) != ir::Truth::False;
}

void KeyState::TakeStep(uint64_t number, const event::Event& event) {
  const ir::Sequence& sequence = *machine_.rule.sequence;
  const std::vector<const ir::Step*> matching = MatchingSteps(sequence);
  chains_.resize(matching.size());
  for (Chain& chain : chains_) {
    const uint64_t end = chain.begin_ns + static_cast<uint64_t>(sequence.within_ns);
    if (!chain.events.empty() && event.time_ns > end) End(&chain, "its window was over " + Seconds(event.time_ns - end) + " before");
  }
  size_t before = 0;
  for (const ir::Step& step : sequence.steps) {
    if (step.role == ir::Step::Role::Match) {
      ++before;
      continue;
    }
    if (!Passes(step, event)) continue;
    for (size_t i = 0; i < chains_.size(); ++i) {
      bool ends = step.role == ir::Step::Role::Until || i + 1 == before;
      if (!ends || chains_[i].events.empty() || !Holds(step, event, chains_[i])) continue;
      End(&chains_[i], fmt::format("{} #{} ended it", step.role == ir::Step::Role::Until ? "until" : "without", number));
    }
  }
  auto copy = std::make_shared<const event::Event>(event);
  for (size_t i = matching.size(); i-- > 0;) {
    if (!Passes(*matching[i], event)) continue;
    Chain& here = chains_[i];
    if (matching[i]->repeat > here.count && here.count > 0 && Holds(*matching[i], event, here)) {
      here.events.back() = copy;
      here.numbers.back() = number;
      ++here.count;
      continue;
    }
    Chain longer;
    if (i > 0) {
      const Chain& shorter = chains_[i - 1];
      bool complete = !shorter.events.empty() && shorter.count >= matching[i - 1]->repeat;
      if (!complete || !Holds(*matching[i], event, shorter)) {
        Refuse(i, *matching[i], event, shorter);
        continue;
      }
      longer = shorter;
    }
    longer.events.push_back(copy);
    longer.numbers.push_back(number);
    if (i == 0) longer.begin_ns = event.time_ns;
    longer.count = 1;
    here = std::move(longer);
  }
}

std::string KeyState::Named(const Chain& chain) const {
  const std::vector<std::string> names = StepNames(machine_.rule);
  std::string out;
  for (size_t i = 0; i < chain.numbers.size(); ++i) out += fmt::format("{}{} (#{})", i == 0 ? "" : " ", names[i], chain.numbers[i]);
  return out;
}

void KeyState::End(Chain* chain, const std::string& why) {
  ended_ = fmt::format("the last partial match, {}, is gone: {}", Named(*chain), why);
  *chain = {};
}

void KeyState::Refuse(size_t place, const ir::Step& step, const event::Event& event, const Chain& shorter) {
  const std::vector<std::string> names = StepNames(machine_.rule);
  if (shorter.events.empty()) {
    refused_.push_back(fmt::format("this event would be {}, which comes after {}: that did not happen, or no longer counts", names[place],
                                   names[place - 1]));
    return;
  }
  const ir::Step& before = *MatchingSteps(*machine_.rule.sequence)[place - 1];
  if (shorter.count < before.repeat) {
    refused_.push_back(fmt::format("this event would be {}, but {} was seen {} of {} times", names[place], names[place - 1], shorter.count,
                                   before.repeat));
    return;
  }
  refused_.push_back(fmt::format("this event does not go on from {}:", Named(shorter)));
  Records steps;
  for (const auto& one : shorter.events) steps.push_back(&one->record);
  for (std::string& line : Lines(Judge(TiesOf(step), ir::Frame(&event.record, steps), names), "  ")) refused_.push_back(std::move(line));
}

void KeyState::TakeCounted(uint64_t number, const event::Event& event) {
  const ir::Rule& rule = machine_.rule;
  if (!HasKind(rule.kinds, event.kind) || ir::Eval(rule.when, event.record) == ir::Truth::False) return;
  counted_ = true;
  const ir::Aggregate& aggregate = *rule.aggregate;
  auto window = static_cast<uint64_t>(aggregate.within_ns);
  std::erase_if(entries_, [&](const Entry& entry) { return event.time_ns > entry.time_ns + window; });
  Entry entry{number, event.time_ns, 1, KeyText(aggregate.of, event.record)};
  if (aggregate.function == ir::Aggregate::Function::Sum) {
    schema::FieldValue value = ir::ReadOperand(aggregate.of[0], event.record);
    const auto* amount = std::get_if<int64_t>(&value.value);
    if (value.status != schema::Status::Ok || amount == nullptr || *amount < 0) return;
    entry.amount = static_cast<uint64_t>(*amount);
  }
  if (aggregate.function != ir::Aggregate::Function::Count && aggregate.function != ir::Aggregate::Function::Sum) {
    was_new_ = std::none_of(entries_.begin(), entries_.end(),
                            [&](const Entry& old) { return old.value == entry.value; });
    std::erase_if(entries_, [&](const Entry& old) { return old.value == entry.value; });
  }
  entries_.push_back(std::move(entry));
  if (aggregate.function == ir::Aggregate::Function::First) return;
  uint64_t measure = 0;
  for (const Entry& one : entries_) measure += one.amount;
  if (measure < aggregate.at_least) return;
  fired_ = {number, measure, ""};
  entries_.clear();  // an alert consumes what it counted
}

void KeyState::Take(uint64_t number, const event::Event& event) {
  newest_ = number;
  was_new_ = counted_ = false;
  refused_.clear();
  if (machine_.rule.sequence && machine_.rule.sequence->unordered) TakeUnordered(number, event);
  if (machine_.rule.sequence && !machine_.rule.sequence->unordered) TakeStep(number, event);
  if (machine_.rule.aggregate) TakeCounted(number, event);
}

std::vector<std::string> KeyState::Describe(uint64_t now_ns) const {
  std::vector<std::string> lines;
  const ir::Rule& rule = machine_.rule;
  if (rule.sequence) {
    if (rule.sequence->unordered) return DescribeUnordered(now_ns);
    std::vector<std::string> names = StepNames(rule);
    lines = refused_;
    const size_t own = lines.size();
    for (size_t i = chains_.size(); i-- > 0;) {
      const Chain& chain = chains_[i];
      if (chain.events.empty()) continue;
      std::string line = "partial match: " + Named(chain);
      if (i + 1 < chains_.size()) line += fmt::format(", waits for {}", names[i + 1]);
      if (i + 1 == chains_.size()) line += ", complete";
      uint64_t end = chain.begin_ns + static_cast<uint64_t>(rule.sequence->within_ns);
      line += end >= now_ns ? fmt::format("; its window ends {} later", Seconds(end - now_ns)) : "; its window is over";
      lines.push_back(std::move(line));
      if (i + 1 < chains_.size() || rule.when.op == ir::Pred::Op::True) continue;
      Records steps;
      for (const auto& one : chain.events) steps.push_back(&one->record);
      if (ir::Eval(rule.when, ir::Frame(steps.back(), steps)) == ir::Truth::False) {
        lines.push_back("  yet no alert came of it, for an exception holds: " + Spelled(rule.when, names));
      }
    }
    if (lines.size() == own) lines.push_back("no partial match is live for this key" + (ended_.empty() ? "" : "; " + ended_));
    return lines;
  }
  if (!rule.aggregate) return lines;
  if (rule.aggregate->function == ir::Aggregate::Function::First) {
    auto size = entries_.size();
    lines.push_back(fmt::format("{} {} seen in the window{}", size, size == 1 ? "value was" : "values were",
                                was_new_   ? "; that of this event is new: an alert"
                                : counted_ ? "; that of this event is not new"
                                           : ""));
    return lines;
  }
  if (fired_.number != 0 && fired_.number == newest_) {
    lines.push_back(fmt::format("came to {} of {} in the window at this event: an alert, which consumes what it counted",
                                fired_.measure, rule.aggregate->at_least));
    return lines;
  }
  uint64_t measure = 0;
  for (const Entry& entry : entries_) {
    if (entry.time_ns + static_cast<uint64_t>(rule.aggregate->within_ns) >= now_ns) measure += entry.amount;
  }
  lines.push_back(fmt::format("came to {} of {} in the window{}", measure, rule.aggregate->at_least,
                              fired_.number == 0 ? std::string()
                                                 : fmt::format(", without what the alert at #{} consumed", fired_.number)));
  return lines;
}

}  // namespace ks::ksc

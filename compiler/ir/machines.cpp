// Rules with state: what of them is asked of single events, and what is kept.
#include <algorithm>
#include <utility>

#include "compiler/ir/eval.h"
#include "compiler/ir/passes.h"

namespace ks::ir {
namespace {

void Add(Operand operand, std::vector<Operand>* needs) {
  operand.step = kThisEvent;
  if (std::find(needs->begin(), needs->end(), operand) == needs->end()) needs->push_back(operand);
}

void AddAll(const Key& key, std::vector<Operand>* needs) {
  for (const Operand& operand : key) Add(operand, needs);
}

// What the predicate reads of one step's event.
void AddOfStep(const Pred& pred, uint8_t step, std::vector<Operand>* needs) {
  if (pred.atom) {
    if (pred.atom->operand.step == step) Add(pred.atom->operand, needs);
    if (pred.atom->other && pred.atom->other->step == step) Add(*pred.atom->other, needs);
  }
  for (const Pred& operand : pred.operands) AddOfStep(operand, step, needs);
}

// The rule without its state, and with what only its machine says left out.
Rule HeadOf(const Rule& rule) {
  Rule head = rule;
  head.sequence.reset();
  head.aggregate.reset();
  head.limit.reset();
  head.max_keys = kDefaultMaxKeys;
  return head;
}

// Of the sequence's step `index`; `number` is its number among those that match, or 0.
std::vector<Operand> NeedsOfStep(const Rule& rule, size_t index, uint8_t number) {
  const Sequence& sequence = *rule.sequence;
  const Step& step = sequence.steps[index];
  std::vector<Operand> needs;
  AddAll(sequence.by, &needs);
  for (const Join& join : step.joins) Add(join.own, &needs);
  AddOfStep(step.cross, kThisEvent, &needs);
  if (number == 0) return needs;
  for (const Step& other : sequence.steps) {
    for (const Join& join : other.joins) {
      if (join.other.step == number) Add(join.other, &needs);
    }
    AddOfStep(other.cross, number, &needs);
  }
  // What the whole sequence says of "this event" is the last one that matched, which any of them can be.
  for (uint8_t said : {number, kThisEvent}) {
    AddOfStep(rule.when, said, &needs);
    for (const TemplatePart& part : rule.alert) {
      if (part.operand && part.operand->step == said) Add(*part.operand, &needs);
    }
    for (const Operand& operand : rule.limit ? rule.limit->by : Key{}) {
      if (operand.step == said) Add(operand, &needs);
    }
  }
  return needs;
}

}  // namespace

std::vector<SplitRule> ProbesOf(const Rule& rule) {
  std::vector<SplitRule> probes;
  if (!rule.sequence) {
    SplitRule probe;
    probe.rule = HeadOf(rule);
    if (rule.aggregate) {
      AddAll(rule.aggregate->by, &probe.needs);
      AddAll(rule.aggregate->of, &probe.needs);
    }
    if (rule.limit) AddAll(rule.limit->by, &probe.needs);
    probes.push_back(std::move(probe));
    return probes;
  }
  uint8_t matching = 0;
  for (size_t i = 0; i < rule.sequence->steps.size(); ++i) {
    const Step& step = rule.sequence->steps[i];
    bool matches = step.role == Step::Role::Match;
    if (matches) ++matching;
    SplitRule probe;
    probe.rule = HeadOf(rule);
    probe.rule.kinds = step.kinds;
    probe.rule.when = step.when;
    probe.rule.alert.clear();  // over several events: the machine's
    probe.step = static_cast<uint32_t>(i);
    probe.needs = NeedsOfStep(rule, i, matches ? matching : kThisEvent);
    probe.shown = matches;
    probes.push_back(std::move(probe));
  }
  return probes;
}

Program MakeProgram(std::vector<Rule> rules) {
  Program program;
  for (Rule& rule : rules) {
    rule.when = Simplify(rule.when);
    if (rule.sequence) {
      for (Step& step : rule.sequence->steps) {
        step.when = Simplify(step.when);
        step.cross = Simplify(step.cross);
      }
    }
    Machine machine;
    for (SplitRule& probe : ProbesOf(rule)) {
      SplitRule split = Split(std::move(probe.rule));
      split.step = probe.step;
      split.needs = std::move(probe.needs);
      split.shown = probe.shown;
      if (rule.IsStateful()) split.machine = static_cast<uint32_t>(program.machines.size());
      machine.probes.push_back(static_cast<uint32_t>(program.rules.size()));
      program.rules.push_back(std::move(split));
    }
    if (!rule.IsStateful()) continue;
    machine.rule = std::move(rule);
    program.machines.push_back(std::move(machine));
  }
  return program;
}

namespace {

// Parts of what runtime/state keeps; generous, as allocators are.
constexpr uint64_t kEntryBytes = 128;  // hash table, recency list, times
constexpr uint64_t kTimeBytes = 16;
constexpr uint64_t kEventBytes = 48;
constexpr uint64_t kSumSlices = 64;

uint64_t BytesOf(const Operand& operand) {
  const schema::FieldRow& row = schema::Row(operand.field);
  switch (schema::Row(TypeOf(operand)).slot) {
    case schema::Slot::Int:
      return 8;
    case schema::Slot::Ip:
      return 16;
    case schema::Slot::Endpoint:
      return 18;
    case schema::Slot::Text:
      return row.capture;
    case schema::Slot::None:
      break;
  }
  return 0;
}

uint64_t BytesOf(const std::vector<Operand>& operands) {
  uint64_t bytes = 0;
  for (const Operand& operand : operands) bytes += 1 + BytesOf(operand);
  return bytes;
}

uint64_t Times(uint64_t a, uint64_t b) { return a != 0 && b > UINT64_MAX / a ? UINT64_MAX : a * b; }
uint64_t Plus(uint64_t a, uint64_t b) { return a > UINT64_MAX - b ? UINT64_MAX : a + b; }

// What a step's event leaves in a partial: what is needed of it later, and what the alert shows of it.
uint64_t BytesOfEvent(const SplitRule& probe) {
  std::vector<Operand> kept = probe.needs;
  for (FieldId field : CarriedFields(probe)) {
    const std::vector<EventKind>& kinds = probe.rule.kinds;
    if (std::any_of(kinds.begin(), kinds.end(), [&](EventKind kind) { return schema::Has(kind, field); })) {
      Add({field}, &kept);
    }
  }
  return kEventBytes + BytesOf(kept);
}

}  // namespace

StateSize SizeOfState(const Rule& rule) {
  StateSize size;
  if (rule.sequence) {
    size.bytes_each = kEntryBytes + BytesOf(rule.sequence->by);
    for (const SplitRule& probe : ProbesOf(rule)) {
      const Step& step = rule.sequence->steps[probe.step];
      if (step.role != Step::Role::Match) continue;
      size.bytes_each = Plus(size.bytes_each, BytesOfEvent(probe));
      size.bytes_each = Plus(size.bytes_each, Times(step.repeat - 1, kTimeBytes));
    }
  } else if (rule.aggregate) {
    const Aggregate& aggregate = *rule.aggregate;
    size.bytes_each = kEntryBytes + BytesOf(aggregate.by);
    bool values = aggregate.function == Aggregate::Function::Distinct;
    uint64_t entry = kTimeBytes + (values ? BytesOf(aggregate.of) : 8);
    // Of a sum so many slices of the window are told apart, whatever it must come to.
    uint64_t entries = aggregate.function == Aggregate::Function::Sum ? kSumSlices : aggregate.at_least;
    // Of `first` each value is an entry of its own.
    size.bytes_each = aggregate.function == Aggregate::Function::First
                          ? size.bytes_each + kTimeBytes + BytesOf(aggregate.of)
                          : Plus(size.bytes_each, Times(entries, entry));
  }
  size.bytes_most = Times(size.bytes_each, rule.max_keys);
  if (!rule.limit) return size;
  uint64_t limit = kEntryBytes + BytesOf(rule.limit->by) + Times(rule.limit->count, kTimeBytes);
  if (size.bytes_each == 0) size.bytes_each = limit;
  size.bytes_most = Plus(size.bytes_most, Times(limit, rule.max_keys));
  return size;
}

}  // namespace ks::ir

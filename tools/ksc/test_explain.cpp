#include "tools/ksc/test_explain.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/ir/eval.h"
#include "compiler/ir/text.h"
#include "tools/ksc/commands.h"

namespace ks::ksc {
namespace {

std::vector<const ir::Pred*> Parts(const ir::Pred& when) {
  std::vector<const ir::Pred*> parts;
  if (when.op != ir::Pred::Op::And) return {&when};
  for (const ir::Pred& part : when.operands) parts.push_back(&part);
  return parts;
}

std::string_view Word(ir::Truth truth) {
  if (truth == ir::Truth::Unknown) return "unknown";
  return truth == ir::Truth::True ? "true" : "FALSE";
}

std::string Shown(schema::FieldId field, const schema::Record& record) {
  const schema::FieldRow& row = schema::Row(field);
  const schema::FieldValue& value = record[field];
  if (value.status == schema::Status::Absent) return fmt::format("{} is absent", row.dotted);
  if (value.status != schema::Status::Ok && value.status != schema::Status::Truncated) {
    return fmt::format("{} is unknown", row.dotted);
  }
  return fmt::format("{} = {}{}", row.dotted, schema::ToString(value.value, row.type, row.enumeration),
                     value.status == schema::Status::Truncated ? " (cut)" : "");
}

// What each part of a condition was, with the values of its fields.
std::string PowerAssert(const ir::Pred& when, const ir::Frame& frame) {
  std::string out;
  for (const ir::Pred* part : Parts(when)) {
    out += fmt::format("    {:<8} {}\n", Word(ir::Eval(*part, frame)), ir::Print(*part));
    for (schema::FieldId field : ir::FieldsOf(*part)) {
      out += fmt::format("    {:<8}   {}\n", "", Shown(field, *frame.event));
    }
  }
  return out;
}

size_t Failed(const ir::Pred& when, const ir::Frame& frame) {
  size_t failed = 0;
  for (const ir::Pred* part : Parts(when)) failed += ir::Eval(*part, frame) == ir::Truth::False ? 1 : 0;
  return failed;
}

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
    size_t failed = Failed(when, ir::Frame(&fed[i].event.record, steps));
    if (!best || failed <= best->failed) best = Nearest{i, failed};
  }
  return best;
}

// Of a step: its own condition, and what ties it to the steps before.
ir::Pred WholeOf(const ir::Step& step) {
  std::vector<ir::Pred> parts = {step.when};
  for (const ir::Join& join : step.joins) {
    ir::Atom atom;
    atom.operand = join.own;
    atom.test = ir::Test::EqualField;
    atom.other = join.other;
    parts.push_back(ir::MakeAtom(std::move(atom)));
  }
  parts.push_back(step.cross);
  return ir::MakeAnd(std::move(parts));
}

std::string KeyOf(const ir::Key& key, const schema::Record& record) {
  std::string out;
  for (const ir::Operand& operand : key) out += fmt::format("{}{}", out.empty() ? "" : ", ", Shown(operand.field, record));
  return out;
}

std::string Seconds(uint64_t ns) { return fmt::format("+{}s", static_cast<double>(ns) / 1e9); }

// How far the steps came: of each the first event that goes on from the one before, or the one that nearly did.
std::string OfSequence(const ir::Sequence& sequence, const std::vector<Fed>& fed) {
  std::string out = fmt::format("  the steps of the sequence{}:\n", sequence.unordered ? ", in any order" : "");
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
      if (!Takes(step.kinds, event) || Failed(whole, ir::Frame(&event.record, records)) > 0) continue;
      if (--left > 0) continue;
      found = &event.record;
      from = i + 1;
      std::string key = KeyOf(sequence.by, event.record);
      out += fmt::format("    {:<10} {} at {}{}{}\n", name, NameOf(fed, i), Seconds(event.time_ns),
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
      out += PowerAssert(whole, ir::Frame(&fed[nearest->at].event.record, records));
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
  if (another && (!Takes(rule.kinds, last.event) || nearest->failed < Failed(rule.when, last.event.record))) {
    out += fmt::format("  nearest: {}, failed {}:\n", NameOf(fed, nearest->at), Count(nearest->failed, "condition"));
    out += PowerAssert(rule.when, fed[nearest->at].event.record);
  }
  return out;
}

std::string OfState(const ir::Rule& rule, const std::vector<Fed>& fed) {
  size_t passed = 0;
  std::string last;
  for (const Fed& one : fed) {
    if (!Takes(rule.kinds, one.event) || Failed(rule.when, one.event.record) > 0) continue;
    ++passed;
    if (rule.aggregate) last = KeyOf(rule.aggregate->by, one.event.record);
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

std::string WhyNot(const ir::Program& program, const std::string& rule, const std::vector<Fed>& fed) {
  for (const ir::Machine& machine : program.machines) {
    if (machine.rule.id != rule) continue;
    if (machine.rule.sequence) return OfSequence(*machine.rule.sequence, fed);
    return OfState(machine.rule, fed) + OfCondition(machine.rule, fed);
  }
  for (const ir::SplitRule& split : program.rules) {
    if (split.rule.id == rule) return OfCondition(split.rule, fed);
  }
  return "  the rule is turned off by a tune of this environment, or is not in these files\n";
}

}  // namespace ks::ksc

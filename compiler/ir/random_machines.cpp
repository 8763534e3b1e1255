// Random rules with state.
#include "compiler/ir/random_ir.h"

namespace ks::ir {

using schema::TypeId;

Operand RandomIr::RandomOperand(EventKind kind, uint8_t step) {
  std::vector<FieldId> fields = FieldsOfKind(kind);
  Operand operand{fields[Below(fields.size())]};
  const schema::FieldRow& row = schema::Row(operand.field);
  if (row.type == TypeId::StringList) operand.element = static_cast<int16_t>(Below(3));
  if (schema::Row(row.type).slot == schema::Slot::Text && Chance(20)) operand.lower = true;
  operand.step = step;
  return operand;
}

Key RandomIr::RandomKey(EventKind kind, size_t most) {
  Key key;
  for (size_t i = Below(most + 1); i > 0; --i) key.push_back(RandomOperand(kind, kThisEvent));
  return key;
}

Sequence RandomIr::RandomSequence(EventKind kind) {
  Sequence sequence;
  sequence.unordered = Chance(30);
  sequence.by = RandomKey(kind, 3);
  sequence.within_ns = 1 + static_cast<int64_t>(Below(1'000'000'000'000));
  uint8_t matching = 0;
  for (size_t i = 1 + Below(5); i > 0; --i) {
    Step step;
    if (matching > 0) step.role = static_cast<Step::Role>(Below(3));
    if (sequence.unordered && step.role == Step::Role::Without) step.role = Step::Role::Until;
    step.name = Chance(50) ? "s" + std::to_string(i) : "";
    step.kinds = {kind};
    step.when = RandomPred(kind, 2);
    for (size_t n = matching > 0 ? Below(3) : 0; n > 0; --n) {
      Operand own = RandomOperand(kind, kThisEvent), other = own;
      other.step = static_cast<uint8_t>(1 + Below(matching));
      Atom less;
      less.operand = other;
      less.test = ir::Test::EqualField;
      less.other = own;
      step.joins.push_back({own, other});
      if (Chance(50)) step.cross = MakeAnd({step.cross, MakeNot(MakeAtom(less))});
    }
    if (step.role == Step::Role::Match) {
      if (Chance(30)) step.repeat = static_cast<uint32_t>(2 + Below(9));
      ++matching;
    }
    sequence.steps.push_back(std::move(step));
  }
  return sequence;
}

Aggregate RandomIr::RandomAggregate(EventKind kind) {
  using Function = Aggregate::Function;
  Aggregate aggregate;
  aggregate.function = static_cast<Function>(Below(4));
  if (aggregate.function == Function::Sum) {
    aggregate.of = {{FieldId::process_pid}};
  } else if (aggregate.function != Function::Count) {
    aggregate.of = RandomKey(kind, 2);
    aggregate.of.push_back(RandomOperand(kind, kThisEvent));
  }
  aggregate.at_least = 1 + Below(1000);
  aggregate.by = RandomKey(kind, 3);
  aggregate.within_ns = 1 + static_cast<int64_t>(Below(1'000'000'000'000));
  return aggregate;
}

Rule RandomIr::RandomStatefulRule(EventKind kind) {
  Rule rule = RandomRule(kind);
  size_t shape = Below(3);
  if (shape == 0) {
    rule.sequence = RandomSequence(kind);
    rule.kinds.clear();
    Atom atom;
    atom.operand = RandomOperand(kind, 1);
    rule.when = MakeNot(MakeAtom(atom));
    rule.alert.push_back({"", RandomOperand(kind, 1), false, HostileText()});
  } else if (shape == 1) {
    rule.aggregate = RandomAggregate(kind);
    rule.alert.push_back({"", std::nullopt, true, std::nullopt});
  }
  if (shape == 2 || Chance(50))
    rule.limit = Limit{1 + Below(9), 1 + static_cast<int64_t>(Below(999)), RandomKey(kind, 2)};
  rule.max_keys = 1 + Below(100'000);
  return rule;
}

}  // namespace ks::ir

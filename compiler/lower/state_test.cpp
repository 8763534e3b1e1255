#include "compiler/lower/state.h"

#include <gtest/gtest.h>

#include <array>
#include <random>

#include "compiler/ir/eval.h"
#include "compiler/lower/lower.h"
#include "compiler/syntax/parser.h"

namespace ks::lower {
namespace {

using schema::EventKind;
using schema::FieldId;

std::vector<ir::Rule> RulesOf(const std::string& text) {
  SourceFile file("test.ksp", "ksp 1\npackage p\n" + text);
  Diagnostics diagnostics;
  syntax::Module module = syntax::Parse(file, diagnostics);
  sema::Library library;
  library.AddUser(module);
  std::vector<sema::CheckedModule> checked;
  checked.push_back(sema::Check(module, library, {}, diagnostics));
  for (const Diagnostic& d : diagnostics.all()) {
    if (d.severity == Severity::Error) ADD_FAILURE() << RenderHuman(d, false);
  }
  return diagnostics.errors() == 0 ? Lower(checked).rules : std::vector<ir::Rule>();
}

ir::Rule Rule(const std::string& clauses, const std::string& alert = "x") {
  std::vector<ir::Rule> rules = RulesOf("rule r \"r\" { severity low " + clauses + " alert \"" + alert + "\" }\n");
  return rules.empty() ? ir::Rule() : std::move(rules[0]);
}

TEST(LowerState, JoinsAreEqualitiesWithEarlierSteps) {
  ir::Rule rule = Rule(
      "sequence by container.id within 30s { a: open b: chmod where file.path == a.file.path and mode has 0o100 "
      "without unlink where a.file.path == file.path c: exec where process.exe == b.file.path and process.uid != "
      "a.process.uid and a.process.gid == b.process.gid }");
  ASSERT_TRUE(rule.sequence);
  const ir::Sequence& sequence = *rule.sequence;
  EXPECT_EQ(sequence.within_ns, 30'000'000'000);
  EXPECT_EQ(sequence.by, ir::Key{ir::Operand{FieldId::container_id}});
  ASSERT_EQ(sequence.steps.size(), 4u);
  const ir::Step &a = sequence.steps[0], &b = sequence.steps[1], &gone = sequence.steps[2], &c = sequence.steps[3];
  EXPECT_EQ(a.name, "a");
  EXPECT_TRUE(a.joins.empty());
  EXPECT_EQ(a.cross, ir::True());
  ir::Operand path{FieldId::file_path}, path_of_a = path;
  path_of_a.step = 1;
  ASSERT_EQ(b.joins.size(), 1u);
  EXPECT_EQ(b.joins[0], (ir::Join{path, path_of_a}));
  EXPECT_EQ(b.when.op, ir::Pred::Op::Atom);
  EXPECT_EQ(b.cross, ir::True());
  // The other way round it is the same join.
  EXPECT_EQ(gone.role, ir::Step::Role::Without);
  EXPECT_EQ(gone.joins, b.joins);
  EXPECT_EQ(gone.when, ir::True());
  ASSERT_EQ(c.joins.size(), 1u);
  EXPECT_EQ(c.joins[0].other.step, 2);
  // An inequality, and what compares two steps before it.
  EXPECT_EQ(c.cross.op, ir::Pred::Op::And);
  EXPECT_EQ(c.cross.operands.size(), 2u);
  EXPECT_TRUE(rule.kinds.empty());
}

TEST(LowerState, ProcessesAreJoinedByPidAndStart) {
  ir::Rule rule = Rule("sequence within 1m { a: exec b: connect where process == a.process and dst.port == 22 }");
  ASSERT_TRUE(rule.sequence);
  const ir::Step& step = rule.sequence->steps.at(1);
  ASSERT_EQ(step.joins.size(), 2u);
  EXPECT_EQ(step.joins[0].own.field, FieldId::process_pid);
  EXPECT_EQ(step.joins[1].own.field, FieldId::process_start_time);
  EXPECT_EQ(step.cross, ir::True());
}

TEST(LowerState, ExitEndsWhatIsKeyedByTheProcess) {
  auto last = [](const std::string& steps, const std::string& by) {
    ir::Rule rule = Rule("sequence by " + by + " within 1m { " + steps + " }");
    return rule.sequence ? rule.sequence->steps.back() : ir::Step();
  };
  ir::Step implied = last("exec connect", "process");
  EXPECT_EQ(implied.role, ir::Step::Role::Until);
  EXPECT_EQ(implied.kinds, std::vector<EventKind>{EventKind::exit_});
  EXPECT_EQ(implied.when, ir::True());
  EXPECT_TRUE(implied.joins.empty());
  // Other keys, keys that exits do not have, and steps that ask for exits themselves.
  EXPECT_EQ(last("exec connect", "container.id").role, ir::Step::Role::Match);
  EXPECT_EQ(last("exec connect", "process.pid").role, ir::Step::Role::Match);
  EXPECT_EQ(last("open unlink", "process, file.path").role, ir::Step::Role::Match);
  EXPECT_EQ(last("exec exit", "process").role, ir::Step::Role::Match);
}

TEST(LowerState, StepsOfExceptionsAndAlerts) {
  ir::Rule rule = Rule(
      "sequence by container.id within 1m { a: exec where container exists b: open } except \"e\" where "
      "b.process.uid == 0 limit 2 per 5m by container.id, b.process.uid max keys 77",
      "{container.id} {b.process.name} {a.pod.uid ?? 'no pod'}");
  ASSERT_EQ(rule.alert.size(), 5u);
  EXPECT_EQ(rule.alert[0].operand->step, 1);
  EXPECT_EQ(rule.alert[2].operand->step, 2);
  EXPECT_EQ(rule.alert[4].fallback, "no pod");
  ASSERT_TRUE(rule.limit);
  EXPECT_EQ(rule.limit->count, 2u);
  EXPECT_EQ(rule.limit->per_ns, 300'000'000'000);
  ASSERT_EQ(rule.limit->by.size(), 2u);
  EXPECT_EQ(rule.limit->by[0].step, 1);
  EXPECT_EQ(rule.limit->by[1].step, 2);
  EXPECT_EQ(rule.max_keys, 77u);
  ASSERT_EQ(rule.when.op, ir::Pred::Op::Not);
  EXPECT_EQ(rule.when.operands[0].atom->operand.step, 2);
}

TEST(LowerState, Aggregates) {
  ir::Rule rule = Rule("on connect when distinct(dst.ip, process.name) > 24 by process within 60s", "{distinct}");
  ASSERT_TRUE(rule.aggregate);
  EXPECT_EQ(rule.aggregate->function, ir::Aggregate::Function::Distinct);
  EXPECT_EQ(rule.aggregate->at_least, 25u);
  EXPECT_EQ(rule.aggregate->of.size(), 2u);
  EXPECT_EQ(rule.aggregate->by.size(), 2u);
  EXPECT_EQ(rule.aggregate->within_ns, 60'000'000'000);
  EXPECT_TRUE(rule.alert[0].measure);
  EXPECT_EQ(rule.max_keys, ir::kDefaultMaxKeys);
  rule = Rule("on connect when count >= 1 by process within 60s");
  EXPECT_EQ(rule.aggregate->at_least, 1u);
  rule = Rule("on exec when sum(process.start_time) >= 2s by process within 60s");
  EXPECT_EQ(rule.aggregate->at_least, 2'000'000'000u);
  rule = Rule("on exec when first(process) by container within 5d");
  EXPECT_EQ(rule.aggregate->of.size(), 2u);
}

// ---- where ≡ when ∧ joins ∧ cross, on random predicates and records ------------------------------------------------

ir::Pred RandomPred(std::mt19937& random, int depth) {
  uint32_t choice = random() % (depth > 0 ? 8 : 4);
  if (choice >= 4) {
    std::vector<ir::Pred> operands;
    for (int i = 0; i < 3; ++i) operands.push_back(RandomPred(random, depth - 1));
    if (choice == 4) return ir::MakeNot(std::move(operands[0]));
    return choice == 5 ? ir::MakeOr(std::move(operands)) : ir::MakeAnd(std::move(operands));
  }
  constexpr std::array kFields = {FieldId::process_uid, FieldId::process_euid, FieldId::process_gid};
  ir::Atom atom;
  atom.operand.field = kFields[random() % 3];
  atom.operand.step = static_cast<uint8_t>(random() % 3);
  if (choice == 0) {
    atom.test = ir::Test::In;
    atom.literals = {static_cast<int64_t>(random() % 3)};
  } else {
    atom.test = choice == 1 ? ir::Test::LessField : ir::Test::EqualField;
    atom.other = ir::Operand{kFields[random() % 3]};
    atom.other->step = static_cast<uint8_t>(random() % 3);
  }
  return ir::MakeAtom(std::move(atom));
}

schema::Record RandomRecord(std::mt19937& random) {
  schema::Record record;
  for (FieldId field : {FieldId::process_uid, FieldId::process_euid, FieldId::process_gid}) {
    constexpr std::array kStatuses = {schema::Status::Ok, schema::Status::Ok, schema::Status::Absent,
                                      schema::Status::Unknown};
    record.Set(field, static_cast<int64_t>(random() % 3), kStatuses[random() % 4]);
  }
  return record;
}

TEST(LowerState, SplitIsExact) {
  std::mt19937 random(21);
  size_t joined = 0, truths = 0;
  for (int i = 0; i < 20'000; ++i) {
    ir::Pred where = RandomPred(random, 3);
    ir::Step step;
    SplitStep(where, &step);
    joined += step.joins.size();
    std::vector<ir::Pred> parts;
    parts.push_back(step.when);
    for (const ir::Join& join : step.joins) {
      EXPECT_EQ(join.own.step, ir::kThisEvent);
      EXPECT_NE(join.other.step, ir::kThisEvent);
      ir::Atom atom;
      atom.operand = join.own;
      atom.test = ir::Test::EqualField;
      atom.other = join.other;
      parts.push_back(ir::MakeAtom(std::move(atom)));
    }
    parts.push_back(step.cross);
    ir::Pred together = ir::MakeAnd(std::move(parts));
    for (int j = 0; j < 10; ++j) {
      schema::Record own = RandomRecord(random), first = RandomRecord(random), second = RandomRecord(random);
      std::array<const schema::Record*, 2> steps = {&first, &second};
      ir::Frame frame(&own, steps), alone(&own, {});
      ir::Truth truth = ir::Eval(where, frame);
      truths += truth == ir::Truth::True;
      ASSERT_EQ(truth, ir::Eval(together, frame));
      // `when` needs no step to be decided.
      ASSERT_EQ(ir::Eval(step.when, alone), ir::Eval(step.when, frame));
    }
  }
  EXPECT_GT(joined, 1'000u);
  EXPECT_GT(truths, 10'000u);
}

}  // namespace
}  // namespace ks::lower

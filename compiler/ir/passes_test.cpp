#include "compiler/ir/passes.h"

#include <gtest/gtest.h>

#include <ctime>

#include "compiler/ir/eval.h"
#include "compiler/ir/random_ir.h"
#include "compiler/ir/text.h"

namespace ks::ir {
namespace {

using namespace std::string_literals;

Pred In(FieldId field, std::vector<Value> literals, std::string label = "") {
  Atom atom;
  atom.operand.field = field;
  atom.test = ir::Test::In;
  atom.literals = std::move(literals);
  atom.label = std::move(label);
  return MakeAtom(std::move(atom));
}
Pred Pid(int64_t pid) { return In(FieldId::process_pid, {pid}); }
Pred Uid(int64_t uid) { return In(FieldId::process_uid, {uid}); }
Pred Container() { return In(FieldId::container_id, {"c1"s}); }
Pred Pod() { return In(FieldId::pod_uid, {"p1"s}); }

Rule MakeRule(Pred when, std::vector<EventKind> kinds = {EventKind::exec_}) {
  Rule rule;
  rule.id = "test.rule";
  rule.package = "test";
  rule.name = "rule";
  rule.kinds = std::move(kinds);
  rule.when = std::move(when);
  return rule;
}

// ---- Constructors
// ----------------------------------------------------------------------------------------------------------

TEST(Make, FoldsFlattensAndDropsRepeats) {
  EXPECT_EQ(MakeAnd({}), True());
  EXPECT_EQ(MakeOr({}), False());
  EXPECT_EQ(MakeAnd({Pid(1)}), Pid(1));
  EXPECT_EQ(MakeAnd({Pid(1), True(), Pid(1)}), Pid(1));
  EXPECT_EQ(MakeAnd({Pid(1), False(), Pid(2)}), False());
  EXPECT_EQ(MakeOr({Pid(1), True()}), True());
  EXPECT_EQ(MakeOr({False(), Pid(1)}), Pid(1));
  EXPECT_EQ(MakeNot(MakeNot(Pid(1))), Pid(1));
  EXPECT_EQ(MakeNot(True()), False());
  EXPECT_EQ(Print(MakeAnd({MakeAnd({Pid(1), Uid(2)}), MakeAnd({Uid(2), Uid(3)})})),
            "(and (in process.pid 1) (in process.uid 2) (in process.uid 3))");
}

TEST(Make, TheLabelIsNoPartOfAnAtom) {
  EXPECT_EQ(In(FieldId::process_name, {"sh"s}, "shells"), In(FieldId::process_name, {"sh"s}));
  EXPECT_FALSE(In(FieldId::process_name, {"sh"s}) == In(FieldId::process_name, {"bash"s}));
  EXPECT_FALSE(Pid(1) == Uid(1));
}

TEST(Make, ManyOperandsAreNoProblem) {
  const std::clock_t begin = std::clock();  // of this process: other load does not count
  std::vector<Pred> operands;
  for (int64_t i = 0; i < 100'000; ++i) operands.push_back(i % 2 == 0 ? Pid(i / 4) : MakeNot(Uid(i / 4)));
  Pred pred = Simplify(MakeOr(std::move(operands)));
  EXPECT_GT(pred.operands.size(), 2u);
  EXPECT_LT(std::clock() - begin, 10 * CLOCKS_PER_SEC);
}

// ---- Nnf and Simplify
// ------------------------------------------------------------------------------------------------------

TEST(Nnf, PushesNotDownToAtoms) {
  EXPECT_EQ(Print(Nnf(MakeNot(MakeAnd({Pid(1), MakeOr({Uid(2), MakeNot(Uid(3))})})))),
            "(or (not (in process.pid 1)) (and (not (in process.uid 2)) (in process.uid 3)))");
}

TEST(Simplify, JoinsSetsOfOneOperand) {
  EXPECT_EQ(Print(Simplify(MakeOr({Pid(1), Uid(7), Pid(2)}))), "(or (in process.pid 1 2) (in process.uid 7))");
  EXPECT_EQ(Print(Simplify(MakeAnd({MakeNot(Pid(1)), MakeNot(Pid(2))}))), "(not (in process.pid 1 2))");
  EXPECT_EQ(Print(Simplify(MakeAnd({Pid(1), Pid(2)}))), "(and (in process.pid 1) (in process.pid 2))")
      << "False only if the pid is known";
}

TEST(Simplify, LeavesLabelledSetsApart) {
  Pred pred = MakeOr({In(FieldId::process_name, {"sh"s}, "shells"), In(FieldId::process_name, {"vi"s})});
  EXPECT_EQ(Simplify(pred).operands.size(), 2u);
}

TEST(Simplify, LeavesSetsApartThatTheKernelCouldNotTakeTogether) {
  std::vector<Value> one, two;
  for (int64_t i = 0; i < 3'000; ++i) {
    one.push_back(i);
    two.push_back(i + 10'000);
  }
  Pred pred = MakeOr({In(FieldId::process_pid, one), In(FieldId::process_pid, two)});
  EXPECT_EQ(Simplify(pred).operands.size(), 2u);
}

TEST(Simplify, AbsorbsAndFoldsEmptySets) {
  EXPECT_EQ(Simplify(MakeAnd({Pid(1), MakeOr({Uid(2), Pid(1)})})), Pid(1));
  EXPECT_EQ(Simplify(MakeOr({Pid(1), MakeAnd({Uid(2), Pid(1)})})), Pid(1));
  EXPECT_EQ(Simplify(MakeOr({In(FieldId::process_pid, {}), Uid(1)})), Uid(1));
}

// ---- Split
// -----------------------------------------------------------------------------------------------------------------

TEST(Split, KeepsWhatTheKernelDecides) {
  SplitRule split = Split(MakeRule(MakeAnd({Pid(1), MakeOr({Uid(2), Container()}), Pod()})));
  EXPECT_EQ(Print(split.kernel), "(in process.pid 1)");
  EXPECT_EQ(Print(split.residual), "(and (or (in process.uid 2) (in container.id \"c1\")) (in pod.uid \"p1\"))");
  EXPECT_EQ(split.reasons, (std::vector<std::string>{"container.id is known in userspace only",
                                                     "pod.uid is known in userspace only"}));
}

TEST(Split, NothingIsLeftIfTheKernelDecidesAll) {
  SplitRule split = Split(MakeRule(MakeNot(MakeOr({Pid(1), Uid(2)}))));
  EXPECT_EQ(Print(split.kernel), "(and (not (in process.pid 1)) (not (in process.uid 2)))");
  EXPECT_EQ(split.residual, True());
  EXPECT_TRUE(split.reasons.empty());
}

TEST(Split, PassesAllIfTheKernelDecidesNothing) {
  SplitRule split = Split(MakeRule(MakeNot(Container())));
  EXPECT_EQ(split.kernel, True());
  EXPECT_EQ(split.residual, MakeNot(Container()));
}

TEST(Split, ConjunctionsInADisjunctionNarrow) {
  SplitRule split = Split(MakeRule(MakeOr({MakeAnd({Pid(1), Container()}), MakeAnd({Uid(2), Pod()})})));
  EXPECT_EQ(Print(split.kernel), "(or (in process.pid 1) (in process.uid 2))");
}

TEST(WhyNotInKernel, SaysWhy) {
  auto why = [](FieldId field, ir::Test test, std::vector<Value> literals) {
    Atom atom;
    atom.operand.field = field;
    atom.test = test;
    atom.literals = std::move(literals);
    return WhyNotInKernel(atom);
  };
  EXPECT_EQ(why(FieldId::event_time, ir::Test::Range, {int64_t{0}, int64_t{1}}), "time is known in userspace only");
  EXPECT_EQ(why(FieldId::process_start_time, ir::Test::Range, {int64_t{0}, int64_t{1}}), "");
  EXPECT_EQ(why(FieldId::file_path, ir::Test::Like, {"/*/secrets/*"s}), "");
  EXPECT_NE(why(FieldId::file_path, ir::Test::Like, {"*a" + std::string(40, '?')}), "");
  std::vector<Value> many, prefixes;
  for (int64_t i = 0; i <= 4096; ++i) many.push_back(i);
  EXPECT_EQ(why(FieldId::process_pid, ir::Test::In, many),
            "4097 values are compared with process.pid, and the kernel half takes 4096");
  many.pop_back();
  EXPECT_EQ(why(FieldId::process_pid, ir::Test::In, many), "");
  for (int i = 0; i <= 256; ++i) prefixes.push_back("/" + std::to_string(i));
  EXPECT_NE(why(FieldId::file_path, ir::Test::Under, prefixes), "");
  Atom two;
  two.operand.field = FieldId::process_exe;
  two.test = ir::Test::EqualField;
  two.other = Operand{FieldId::process_parent_exe};
  EXPECT_EQ(WhyNotInKernel(two),
            "process.exe and process.parent.exe are texts, and two texts are compared in userspace only");
  two.operand.field = FieldId::process_uid;
  two.other = Operand{FieldId::process_parent_uid};
  EXPECT_EQ(WhyNotInKernel(two), "");
}

TEST(WhyIllFormed, RefusesWhatNoPolicyMeans) {
  auto why = [](FieldId field, ir::Test test, std::vector<Value> literals, Part part = Part::Whole) {
    Atom atom;
    atom.operand = {field, part};
    atom.test = test;
    atom.literals = std::move(literals);
    return WhyIllFormed(atom);
  };
  EXPECT_EQ(why(FieldId::process_name, ir::Test::In, {std::string(15, 'a')}), "");
  EXPECT_NE(why(FieldId::process_name, ir::Test::In, {std::string(16, 'a')}), "");
  EXPECT_NE(why(FieldId::process_name, ir::Test::In, {int64_t{1}}), "");
  EXPECT_NE(why(FieldId::process_pid, ir::Test::Like, {"*"s}), "");
  EXPECT_NE(why(FieldId::process_pid, ir::Test::Range, {int64_t{1}}), "");
  EXPECT_NE(why(FieldId::process_pid, ir::Test::Present, {int64_t{1}}), "");
  EXPECT_NE(why(FieldId::process_pid, ir::Test::LessField, {}), "");
  EXPECT_NE(why(FieldId::process_pid, ir::Test::In, {int64_t{1}}, Part::Port), "");
  EXPECT_NE(why(static_cast<FieldId>(9999), ir::Test::Present, {}), "");
}

// ---- Properties
// ------------------------------------------------------------------------------------------------------------

TEST(Properties, NnfAndSimplifyKeepTheMeaning) {
  RandomIr random(TestSeed());
  size_t truths[3] = {};
  for (int round = 0; round < 800; ++round) {
    EventKind kind = random.RandomKind();
    Pred pred = random.RandomPred(kind, 3);
    Pred nnf = Nnf(pred), simple = Simplify(pred), both = Simplify(nnf);
    for (int i = 0; i < 6; ++i) {
      schema::Record record = random.RandomRecord(kind, pred);
      Truth truth = Eval(pred, record);
      ++truths[static_cast<size_t>(truth)];
      ASSERT_EQ(Eval(nnf, record), truth) << Print(pred);
      ASSERT_EQ(Eval(simple, record), truth) << Print(pred);
      ASSERT_EQ(Eval(both, record), truth) << Print(pred);
    }
  }
  for (size_t count : truths) EXPECT_GT(count, 300u) << "the records are too far from the predicates";
}

// Split's law, in Kleene's values with False < Unknown < True: when is exactly the lesser of kernel and residual. So
// when ⇒ kernel holds too: whatever is not False passes the kernel half.
TEST(Properties, SplitsLaw) {
  RandomIr random(TestSeed() + 2);
  size_t filtered = 0, left = 0;
  auto rank = [](Truth truth) { return truth == Truth::False ? 0 : truth == Truth::Unknown ? 1 : 2; };
  for (int round = 0; round < 800; ++round) {
    EventKind kind = random.RandomKind();
    SplitRule split = Split(random.RandomRule(kind));
    ASSERT_EQ(split.residual == True(), split.reasons.empty());
    left += split.residual == True() ? 0 : 1;
    for (int i = 0; i < 6; ++i) {
      schema::Record record = random.RandomRecord(kind, split.rule.when);
      int when = rank(Eval(split.rule.when, record));
      int kernel = rank(Eval(split.kernel, record)), residual = rank(Eval(split.residual, record));
      ASSERT_EQ(when, std::min(kernel, residual)) << Print(split);
      ASSERT_TRUE(when == 0 || kernel != 0);
      filtered += kernel == 0 ? 1 : 0;
    }
  }
  EXPECT_GT(filtered, 300u);
  EXPECT_GT(left, 100u);
}

TEST(Properties, KernelHalvesHoldOnlyWhatTheKernelDecides) {
  RandomIr random(TestSeed() + 3);
  std::function<void(const Pred&, bool)> check = [&](const Pred& pred, bool root) {
    if (pred.atom) {
      EXPECT_EQ(WhyNotInKernel(*pred.atom), "");
    }
    if (pred.op == Pred::Op::Not) {
      EXPECT_EQ(pred.operands.front().op, Pred::Op::Atom);
    }
    EXPECT_TRUE(root || (pred.op != Pred::Op::True && pred.op != Pred::Op::False));
    for (const Pred& operand : pred.operands) check(operand, false);
  };
  for (int round = 0; round < 300; ++round) check(Split(random.RandomRule(random.RandomKind())).kernel, true);
}

}  // namespace
}  // namespace ks::ir

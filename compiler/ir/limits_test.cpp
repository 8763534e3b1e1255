#include "compiler/ir/limits.h"

#include <gtest/gtest.h>

#include "compiler/ir/passes.h"

namespace ks::ir {
namespace {

Pred Ask(FieldId field, ir::Test test, std::vector<Value> literals) {
  Atom atom;
  atom.operand.field = field;
  atom.test = test;
  atom.literals = std::move(literals);
  return MakeAtom(std::move(atom));
}
Pred Uid(int64_t uid) { return Ask(FieldId::process_uid, ir::Test::In, {uid}); }
Operand Of(FieldId field) {
  Operand operand;
  operand.field = field;
  return operand;
}

Rule Limited(const std::string& id, Pred when, Key by) {
  Rule rule;
  rule.id = id;
  rule.kinds = {EventKind::open_};
  rule.when = std::move(when);
  rule.limit = {1, 1'000'000'000, std::move(by)};
  return rule;
}

KernelLimits In(std::vector<Rule> rules, Strategy strategy = Strategy::Auto) {
  const Program program = MakeProgram(std::move(rules));
  const Result<Plan> plan = MakePlan(program, strategy);
  EXPECT_TRUE(plan);
  return LimitsInKernel(program, *plan);
}
std::string WhyNot(Rule rule, Strategy strategy = Strategy::Auto) {
  const KernelLimits limits = In({std::move(rule)}, strategy);
  EXPECT_EQ(limits.places.size(), 1u);
  EXPECT_EQ(limits.limits.size(), limits.places[0].why_not.empty() ? 1u : 0u);
  return limits.places[0].why_not;
}

TEST(KernelLimits, AreOfRulesThatTheKernelDecidesAndWhoseKeysItReads) {
  const KernelLimits limits = In({Limited("a", Uid(1), {Of(FieldId::process_pid), Of(FieldId::process_name)})});
  ASSERT_EQ(limits.limits.size(), 1u);
  EXPECT_EQ(limits.limits[0].kind, EventKind::open_);
  EXPECT_EQ(limits.limits[0].tested, std::vector<FieldId>{FieldId::process_uid});
  EXPECT_EQ(limits.limits[0].by.size(), 2u);
  EXPECT_EQ(WhyNot(Limited("a", Uid(1), {Of(FieldId::process_pid)}), Strategy::Rows), "");
}

TEST(KernelLimits, SayWhyTheyAreApplied) {
  EXPECT_EQ(WhyNot(Limited("a", Ask(FieldId::container_id, ir::Test::Present, {}), {})), "userspace decides a part of its condition");
  EXPECT_EQ(WhyNot(Limited("a", Uid(1), {Of(FieldId::container_id)})), "container.id of its key is known in userspace only");
  EXPECT_EQ(WhyNot(Limited("a", Uid(1), {Of(FieldId::event_signal)})), "signal of its key is not of open");
  EXPECT_EQ(WhyNot(Limited("a", Uid(1), {Of(FieldId::process_args)})), "process.args of its key is a list");
  Operand lower = Of(FieldId::process_name);
  lower.lower = true;
  EXPECT_EQ(WhyNot(Limited("a", Uid(1), {lower})), "process.name of its key is made lower in userspace only");
  EXPECT_EQ(WhyNot(Limited("a", Uid(1), Key(5, Of(FieldId::process_pid)))), "its key has 5 parts, and the kernel half takes 4");
  const Pred either = MakeOr({Uid(1), Ask(FieldId::process_pid, ir::Test::In, {int64_t{7}})});
  EXPECT_EQ(WhyNot(Limited("a", either, {})), "");
  EXPECT_EQ(WhyNot(Limited("a", either, {}), Strategy::Rows), "its condition is 2 alternatives in the index");
  Rule counts = Limited("a", Uid(1), {});
  counts.aggregate.emplace();
  counts.aggregate->at_least = 2;
  counts.aggregate->within_ns = 1;
  EXPECT_EQ(WhyNot(counts), "it takes several events to alert");
}

TEST(KernelLimits, OfTwoRulesThatAreOneNoneIsTold) {
  const KernelLimits limits = In({Limited("a", Uid(1), {}), Limited("a", Uid(1), {})});
  EXPECT_TRUE(limits.limits.empty());
  EXPECT_EQ(limits.places[1].why_not, "another rule has the same hash");
}

TEST(KernelLimits, AnIdIsOfWhatARuleMeans) {
  const auto id = [](Rule rule) { return LimitId(MakeProgram({std::move(rule)}).machines[0]); };
  const Rule rule = Limited("a", Uid(1), {Of(FieldId::process_pid)});
  Rule titled = rule, wider = rule, other = rule;
  titled.title = "Another";
  wider.limit->count = 2;
  other.when = Uid(2);
  EXPECT_EQ(id(titled), id(rule));
  EXPECT_NE(id(wider), id(rule));
  EXPECT_NE(id(other), id(rule));
}

}  // namespace
}  // namespace ks::ir

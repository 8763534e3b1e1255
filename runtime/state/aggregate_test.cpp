// docs/language/meaning.md, sentence by sentence: aggregates, limits, time, swaps.
#include "runtime/state/state_testing.h"

namespace ks::state {
namespace {

using enum schema::EventKind;
using Function = ir::Aggregate::Function;

event::Event To(double second, int64_t uid, int64_t pid = 1) {
  event::Event event = Bench::Make(second, connect_, pid);
  event.record.Set(FieldId::process_uid, uid);
  return event;
}

class Aggregates : public BothEngines {};
class Limits : public BothEngines {};
class Times : public BothEngines {};
class Swaps : public BothEngines {};

TEST_P(Aggregates, CountFiresAtTheEventThatReachesIt) {
  Bench bench = Run(AggregateRule(Function::Count, 3, 10));
  bench.At(1, connect_).At(2, connect_).At(2, connect_, 2);
  EXPECT_EQ(bench.alerts, Lines{});
  EXPECT_EQ(bench.At(11, connect_).alerts, Lines{"11s: =3"});
}
TEST_P(Aggregates, WindowSlides) {
  EXPECT_EQ(Run(AggregateRule(Function::Count, 3, 10)).At(1, connect_).At(5, connect_).At(11.001, connect_).alerts, Lines{});
  EXPECT_EQ(Run(AggregateRule(Function::Count, 2, 10)).At(9, connect_).At(11, connect_).alerts, Lines{"11s: =2"});
}
TEST_P(Aggregates, FiringConsumes) {
  Bench bench = Run(AggregateRule(Function::Count, 2, 10));
  bench.At(1, connect_).At(2, connect_).At(3, connect_).At(4, connect_);
  EXPECT_EQ(bench.alerts, (Lines{"2s: =2", "4s: =2"}));
  EXPECT_EQ(bench.Count().live, 0u);
}
TEST_P(Aggregates, DistinctCountsValues) {
  Bench bench = Run(AggregateRule(Function::Distinct, 3, 10, {Of(FieldId::process_uid)}));
  bench.Feed(To(1, 1)).Feed(To(2, 1)).Feed(To(3, 2)).Feed(To(11.001, 3));
  EXPECT_EQ(bench.alerts, Lines{"11.1s: =3"});  // the value 1 was seen again at 2
}
TEST_P(Aggregates, DistinctForgetsOldValues) {
  Bench bench = Run(AggregateRule(Function::Distinct, 3, 10, {Of(FieldId::process_uid)}));
  bench.Feed(To(1, 1)).Feed(To(3, 2)).Feed(To(11.001, 3));
  EXPECT_EQ(bench.alerts, Lines{});
}
TEST_P(Aggregates, SumAddsUp) {
  Bench bench = Run(AggregateRule(Function::Sum, 100, 10, {Of(FieldId::process_uid)}));
  bench.Feed(To(1, 60)).Feed(To(2, -50)).At(3, connect_).Feed(To(5, 40)).Feed(To(6, 70));
  EXPECT_EQ(bench.alerts, Lines{"5s: =100"});  // negative and absent values add nothing
}
TEST_P(Aggregates, SumForgetsWithinASixtyFourth) {
  Bench bench = Run(AggregateRule(Function::Sum, 100, 64, {Of(FieldId::process_uid)}));
  bench.Feed(To(0, 50)).Feed(To(1, 1)).Feed(To(65.001, 50));
  EXPECT_EQ(bench.alerts, Lines{});
  bench = Run(AggregateRule(Function::Sum, 100, 64, {Of(FieldId::process_uid)}));
  bench.Feed(To(0, 50)).Feed(To(64, 50));
  EXPECT_EQ(bench.alerts, Lines{"64s: =100"});
}
TEST_P(Aggregates, FirstFiresForNewValues) {
  Bench bench = Run(AggregateRule(Function::First, 1, 10, {Of(FieldId::process_uid)}));
  bench.Feed(To(1, 1)).Feed(To(9, 1)).Feed(To(19, 1)).Feed(To(20, 2)).Feed(To(30, 1)).Feed(To(30, 2)).Feed(To(30, 1, 2));
  EXPECT_EQ(bench.alerts, (Lines{"1s:", "20s:", "30s:", "30s:"}));  // 1 again after 19 + 10, and for another key
}
TEST_P(Aggregates, LeastRecentlyUsedKeyIsEvicted) {
  ir::Rule rule = AggregateRule(Function::Count, 2, 10);
  rule.max_keys = 2;
  Bench bench = Run(rule);
  bench.At(1, connect_, 1).At(2, connect_, 2).At(3, connect_, 3).At(4, connect_, 1).At(5, connect_, 3);
  EXPECT_EQ(bench.alerts, Lines{"5s: =2"});
  EXPECT_EQ(bench.Count().evicted, 2u);
}
TEST_P(Aggregates, MeasureIsInTheText) {
  ir::Rule rule = AggregateRule(Function::Count, 2, 10);
  ir::TemplatePart part;
  part.text = "times: ";
  part.measure = true;
  rule.alert = {part};
  EXPECT_EQ(Run(rule).At(1, connect_).At(2, connect_).alerts, Lines{"2s: =2 times: 2"});
}

ir::Rule Limited(uint64_t count, uint64_t seconds) {
  ir::Rule rule = MakeRule("limited");
  rule.kinds = {connect_};
  rule.limit = LimitOf(count, seconds);
  return rule;
}
TEST_P(Limits, AtMostSoManyInAnySpan) {
  Bench bench = Run(Limited(2, 10));
  bench.At(1, connect_).At(6, connect_).At(7, connect_).At(11, connect_).At(11.001, connect_).At(12, connect_, 2);
  EXPECT_EQ(bench.alerts, (Lines{"1s:", "6s:", "11.1s: +2", "12s:"}));
}
TEST_P(Limits, SuppressedAreCounted) {
  Bench bench = Run(Limited(1, 10));
  bench.At(1, connect_).At(2, connect_).At(3, connect_).At(40, connect_);
  EXPECT_EQ(bench.alerts, (Lines{"1s:", "40s: +2"}));
  EXPECT_EQ(bench.Count().suppressed, 2u);
}
TEST_P(Limits, ApplyLast) {
  ir::Rule rule = AggregateRule(Function::Count, 2, 10);
  rule.limit = LimitOf(1, 60);
  Bench bench = Run(rule);
  for (int i = 0; i < 6; ++i) bench.At(i, connect_);
  EXPECT_EQ(bench.At(70, connect_).At(71, connect_).alerts, (Lines{"1s: =2", "71s: =2 +2"}));
}
TEST_P(Limits, LeastRecentlyUsedKeyIsEvicted) {
  ir::Rule rule = Limited(1, 100);
  rule.max_keys = 1;
  Bench bench = Run(rule);
  bench.At(1, connect_, 1).At(2, connect_, 2).At(3, connect_, 1);
  EXPECT_EQ(bench.alerts.size(), 3u);
  EXPECT_EQ(bench.Count().evicted, 2u);
}

ir::Rule Pair() { return SequenceRule({Match("a", open_), Match("b", exec_)}, 10); }
TEST_P(Times, LateEventsArePutInOrder) {
  Bench bench = Run(Pair(), kSecond);
  bench.At(2, exec_).At(1.5, open_).Clock(4);
  EXPECT_EQ(bench.alerts, Lines{"2s: 1.500 2"});
  EXPECT_EQ(bench.tracker.counts().late, 0u);
}
TEST_P(Times, WhatIsReadBehindYoungerEventsIsNotLate) {
  Bench bench = Run(Pair(), kSecond);
  // Another ring was read first: up to 4 s this one has been read as well, and 20 s are only that one's.
  bench.tracker.HoldAt(kStart + 4 * kSecond);
  bench.At(20, connect_).At(5, open_).At(6, exec_).Clock(21);
  EXPECT_EQ(bench.alerts, Lines{});
  bench.tracker.HoldAt(kStart + 21 * kSecond);
  bench.Clock(22);
  EXPECT_EQ(bench.alerts, Lines{"6s: 5 6"});
  EXPECT_EQ(bench.tracker.counts().late, 0u);
}
TEST_P(Times, TooLateIsCountedAndHandledAtTheEdge) {
  Bench bench = Run(Pair(), kSecond);
  bench.At(20, connect_).At(5, open_).At(20.5, exec_).Clock(40);
  EXPECT_EQ(bench.alerts, Lines{"20.500s: 5 20.500"});
  EXPECT_EQ(bench.tracker.counts().late, 1u);
}
TEST_P(Times, WindowsAtTheEndStayOpen) {
  Bench bench = Run(SequenceRule({Match("a", open_), Without(exit_)}, 10), kSecond);
  bench.At(1, open_).tracker.Flush(bench.Listener());
  EXPECT_EQ(bench.alerts, Lines{});
  EXPECT_EQ(bench.Count().waiting, 1u);
}
TEST_P(Times, OneTimeIsInTheOrderOfCpuAndSequence) {
  Bench bench = Run(Pair(), kSecond);
  event::Event second = Bench::Make(1, exec_), first = Bench::Make(1, open_);
  second.cpu = 1;
  bench.Feed(second).Feed(first).Clock(9);
  EXPECT_EQ(bench.alerts, Lines{"1s: 1 1"});
}

TEST_P(Swaps, StateOfTheSameRuleGoesOver) {
  Bench old = Run(Pair());
  old.At(1, open_);
  ir::Rule other = MakeRule("other"), same = Pair();
  other.kinds = {open_};
  same.title = "another title";
  same.severity = ir::RuleSeverity::critical;
  Bench next(GetParam(), {other, same});
  EXPECT_EQ(next.tracker.Adopt(old.tracker, old.Listener()), 1u);
  EXPECT_EQ(next.At(2, exec_).alerts, Lines{"2s: 1 2"});
}
TEST_P(Swaps, AnotherConditionIsAnotherRule) {
  Bench old = Run(Pair());
  old.At(1, open_);
  ir::Rule changed = Pair();
  changed.sequence->within_ns += 1;
  Bench next(GetParam(), {changed});
  EXPECT_EQ(next.tracker.Adopt(old.tracker, old.Listener()), 0u);
  EXPECT_EQ(next.At(2, exec_).alerts, Lines{});
}
TEST_P(Swaps, EventsOfTheOldProgramAreTakenAcross) {
  Bench old = Run(Pair());
  ir::Rule other = MakeRule("other");
  other.kinds = {open_};
  Bench next(GetParam(), {other, Pair()});
  next.tracker.Adopt(old.tracker, old.Listener());
  const event::Event open = Bench::Make(1, open_);
  EXPECT_TRUE(next.tracker.TakeOf(old.tracker, open, old.engine->DecideAll(open), next.Listener()).empty());
  EXPECT_EQ(next.At(2, exec_).alerts, Lines{"2s: 1 2"});
}

INSTANTIATE_TEST_SUITE_P(All, Aggregates, testing::Values(Options::Engine::Reference, Options::Engine::Fast));
INSTANTIATE_TEST_SUITE_P(All, Limits, testing::Values(Options::Engine::Reference, Options::Engine::Fast));
INSTANTIATE_TEST_SUITE_P(All, Times, testing::Values(Options::Engine::Reference, Options::Engine::Fast));
INSTANTIATE_TEST_SUITE_P(All, Swaps, testing::Values(Options::Engine::Reference, Options::Engine::Fast));

}  // namespace
}  // namespace ks::state

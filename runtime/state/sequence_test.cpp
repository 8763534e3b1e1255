// docs/language/meaning.md, sentence by sentence: sequences.
#include "runtime/state/state_testing.h"

namespace ks::state {
namespace {

using enum schema::EventKind;

ir::Rule TwoSteps() { return SequenceRule({Match("a", open_), Match("b", exec_)}, 10); }
ir::Rule Chain() {  // open, then chmod of the same file, then exec
  return SequenceRule({Match("drop", open_), Joined(Match("arm", chmod_), FieldId::file_path, 1), Match("run", exec_)}, 30);
}
ir::Rule Absence() { return SequenceRule({Match("a", open_), Match("b", exec_), Without(exit_)}, 10); }

class Sequences : public BothEngines {};

TEST_P(Sequences, AlertListsTheEventsOfItsSteps) {
  EXPECT_EQ(Run(TwoSteps()).At(1, open_).At(3, exec_).alerts, Lines{"3s: 1 3"});
  EXPECT_EQ(Run(TwoSteps()).At(1, exec_).At(3, open_).alerts, Lines{});
}
TEST_P(Sequences, WindowSlidesAndIsInclusive) {
  EXPECT_EQ(Run(TwoSteps()).At(1, open_).At(11, exec_).alerts, Lines{"11s: 1 11"});
  EXPECT_EQ(Run(TwoSteps()).At(1, open_).At(11.001, exec_).alerts, Lines{});
  EXPECT_EQ(Run(TwoSteps()).At(1, open_).At(9, open_).At(19, exec_).alerts, Lines{"19s: 9 19"});
}
TEST_P(Sequences, KeysAreApart) {
  EXPECT_EQ(Run(TwoSteps()).At(1, open_, 7).At(2, exec_, 8).At(3, exec_, 7).alerts, Lines{"3s: 1 3"});
}
TEST_P(Sequences, AbsentKeyIsTheHost) {
  const auto bench = [&] { return Run(SequenceRule({Match("a", open_), Match("b", exec_)}, 10, {Of(FieldId::container_id)})); };
  EXPECT_EQ(bench().At(1, open_).At(2, exec_).alerts, Lines{"2s: 1 2"});
  event::Event inside = Bench::Make(2, exec_);
  inside.record.Set(FieldId::container_id, std::string("host"));
  EXPECT_EQ(bench().At(1, open_).Feed(inside).alerts, Lines{});
}
TEST_P(Sequences, NewestReplacesTheOldest) {
  Bench bench = Run(TwoSteps());
  EXPECT_EQ(bench.At(1, open_).At(2, open_).Count().live, 1u);
  EXPECT_EQ(bench.At(3, exec_).alerts, Lines{"3s: 2 3"});
}
TEST_P(Sequences, JoinedValuesBelongToTheIdentity) {
  Bench bench = Run(Chain());
  bench.At(1, open_, 1, "/real").At(2, open_, 1, "/decoy");
  EXPECT_EQ(bench.Count().live, 2u);
  EXPECT_EQ(bench.At(3, chmod_, 1, "/real").At(4, exec_).alerts, Lines{"4s: 1 3 4"});
}
TEST_P(Sequences, DecoyConsumesNothing) {
  ir::Rule rule = Chain();
  rule.sequence->steps[2].cross = Equal(Of(FieldId::process_exe), Of(FieldId::file_path, 1));
  Bench bench = Run(rule);
  event::Event run = Bench::Make(6, exec_);
  run.record.Set(FieldId::process_exe, std::string("/a"));
  bench.At(1, open_).At(2, chmod_).At(3, exec_).At(4, chmod_);
  EXPECT_EQ(bench.Feed(run).alerts, Lines{"6s: 1 4 6"});
}
TEST_P(Sequences, OneEventAdvancesByOneStep) {
  Bench bench = Run(SequenceRule({Match("a", open_), Match("b", open_)}, 10));
  EXPECT_EQ(bench.At(1, open_).alerts, Lines{});
  EXPECT_EQ(bench.At(2, open_).alerts, Lines{"2s: 1 2"});
}
TEST_P(Sequences, CompletingFiresOnceAndClearsUp) {
  Bench bench = Run(Chain());
  bench.At(1, open_).At(2, chmod_).At(3, exec_).At(4, exec_).At(5, chmod_).At(6, exec_);
  EXPECT_EQ(bench.alerts, Lines{"3s: 1 2 3"});
  EXPECT_EQ(bench.Count().live, 0u);
}
TEST_P(Sequences, WhatWasReplacedSinceStays) {
  Bench bench = Run(Chain());
  bench.At(1, open_).At(2, chmod_).At(3, open_).At(4, exec_).At(5, chmod_).At(6, exec_);
  EXPECT_EQ(bench.alerts, (Lines{"4s: 1 2 4", "6s: 3 5 6"}));
}
TEST_P(Sequences, RepeatOfTheFirstStepSlides) {
  Bench bench = Run(SequenceRule({Repeated(Match("a", open_), 3), Match("b", exec_)}, 10));
  bench.At(1, open_).At(9, open_).At(10, open_).At(11.5, exec_);
  EXPECT_EQ(bench.alerts, Lines{});  // the third last was at 1
  bench.At(12, open_).At(13, exec_);
  EXPECT_EQ(bench.alerts, Lines{"13s: 12x3 13"});
}
TEST_P(Sequences, RepeatOfALaterStepCounts) {
  Bench bench = Run(SequenceRule({Match("a", open_), Repeated(Match("b", exec_), 3)}, 10));
  bench.At(1, open_).At(2, exec_).At(3, exec_);
  EXPECT_EQ(bench.alerts, Lines{});
  EXPECT_EQ(bench.At(4, exec_).alerts, Lines{"4s: 1 4x3"});
}
TEST_P(Sequences, WithoutBetweenStepsRemoves) {
  ir::Rule rule = SequenceRule(
      {Match("a", open_), Joined(Without(unlink_), FieldId::file_path, 1), Match("b", exec_)}, 10);
  EXPECT_EQ(Run(rule).At(1, open_).At(2, unlink_).At(3, exec_).alerts, Lines{});
  EXPECT_EQ(Run(rule).At(1, open_).At(2, unlink_, 1, "/other").At(3, exec_).alerts, Lines{"3s: 1 3"});
  EXPECT_EQ(Run(rule).At(1, open_).At(2, unlink_, 2).At(3, exec_).alerts, Lines{"3s: 1 3"});
}
TEST_P(Sequences, AbsenceWinsOverTheStep) {
  ir::Step both = Without(exec_);
  EXPECT_EQ(Run(SequenceRule({Match("a", open_), both, Match("b", exec_)}, 10)).At(1, open_).At(2, exec_).alerts, Lines{});
}
TEST_P(Sequences, TrailingWithoutFiresWhenTheWindowHasClosed) {
  Bench bench = Run(Absence());
  bench.At(1, open_).At(3, exec_).Clock(11);
  EXPECT_EQ(bench.alerts, Lines{});
  EXPECT_EQ(bench.Count().waiting, 1u);
  EXPECT_EQ(bench.Clock(11.001).alerts, Lines{"11s: 1 3"});
  EXPECT_EQ(bench.Clock(60).alerts.size(), 1u);
}
TEST_P(Sequences, TrailingWithoutAtTheEdgeIsInside) {
  EXPECT_EQ(Run(Absence()).At(1, open_).At(3, exec_).At(11, exit_).Clock(60).alerts, Lines{});
  EXPECT_EQ(Run(Absence()).At(1, open_).At(3, exec_).At(11.001, exit_).Clock(60).alerts, Lines{"11s: 1 3"});
}
TEST_P(Sequences, WaitingIsNotPostponed) {
  Bench bench = Run(SequenceRule({Match("a", open_), Without(exit_)}, 10));
  EXPECT_EQ(bench.At(1, open_).At(8, open_).At(15, exec_).Clock(60).alerts, (Lines{"11s: 1", "18s: 8"}));
}
TEST_P(Sequences, WaitingIsReplacedByItsOwnChainOnly) {
  EXPECT_EQ(Run(Absence()).At(1, open_).At(3, exec_).At(4, exec_).Clock(60).alerts, Lines{"11s: 1 4"});
}
TEST_P(Sequences, TimersFireInOrderOfTime) {
  ir::Rule late = Absence(), early = Absence();
  early.id = "t.early";
  early.sequence->within_ns = static_cast<int64_t>(5 * kSecond);
  Bench bench(GetParam(), {late, early});
  bench.At(1, open_).At(2, exec_).At(3, open_, 2).At(4, exec_, 2).Clock(60);
  EXPECT_EQ(bench.alerts, (Lines{"6s: 1 2", "8s: 3 4", "11s: 1 2", "13s: 3 4"}));
}
TEST_P(Sequences, UntilEndsAtAnyStep) {
  ir::Rule rule = Absence();
  rule.sequence->steps.push_back(Until(fork_));
  EXPECT_EQ(Run(rule).At(1, open_).At(2, fork_).At(3, exec_).Clock(60).alerts, Lines{});
  EXPECT_EQ(Run(rule).At(1, open_).At(2, exec_).At(3, fork_).Clock(60).alerts, Lines{});
  EXPECT_EQ(Run(rule).At(1, open_).At(2, exec_).At(3, fork_, 2).Clock(60).alerts, Lines{"11s: 1 2"});
}
TEST_P(Sequences, UncertainAbsenceRemovesNothing) {
  ir::Rule rule = SequenceRule(
      {Match("a", open_), Joined(Without(unlink_), FieldId::file_path, 1), Match("b", exec_)}, 10);
  event::Event gone = Bench::Make(2, unlink_);
  gone.record.Set(FieldId::file_path, {}, schema::Status::Unknown);
  EXPECT_EQ(Run(rule).At(1, open_).Feed(gone).At(3, exec_).alerts, Lines{"3s: 1 3 ?file.path"});
}
TEST_P(Sequences, UnknownJoinHoldsAndIsSaid) {
  event::Event arm = Bench::Make(2, chmod_);
  arm.record.Set(FieldId::file_path, {}, schema::Status::Unknown);
  EXPECT_EQ(Run(Chain()).At(1, open_).Feed(arm).At(3, exec_).alerts, Lines{"3s: 1 2 3 ?file.path"});
  arm.record.Set(FieldId::file_path, {}, schema::Status::Absent);
  EXPECT_EQ(Run(Chain()).At(1, open_).Feed(arm).At(3, exec_).alerts, Lines{});
}
TEST_P(Sequences, ExceptionIsDecidedAtTheEndAndRemovesNothing) {
  ir::Rule rule = Chain();
  rule.when = ir::MakeNot(Is(Of(FieldId::process_name, 3), std::string("y")));
  event::Event benign = Bench::Make(3, exec_), other = Bench::Make(4, exec_);
  benign.record.Set(FieldId::process_name, std::string("y"));
  other.record.Set(FieldId::process_name, std::string("x"));
  EXPECT_EQ(Run(rule).At(1, open_).At(2, chmod_).Feed(benign).alerts, Lines{});
  EXPECT_EQ(Run(rule).At(1, open_).At(2, chmod_).Feed(benign).Feed(other).alerts, Lines{"4s: 1 2 4"});
}
TEST_P(Sequences, LeastRecentlyUsedIsEvicted) {
  ir::Rule rule = TwoSteps();
  rule.max_keys = 2;
  Bench bench = Run(rule);
  bench.At(1, open_, 1).At(2, open_, 2).At(3, open_, 1).At(4, open_, 3).At(5, exec_, 2).At(6, exec_, 1);
  EXPECT_EQ(bench.alerts, Lines{"6s: 3 6"});
  EXPECT_EQ(bench.Count().evicted, 1u);
}
TEST_P(Sequences, UnorderedTakesAnyOrder) {
  ir::Rule rule = TwoSteps();
  rule.sequence->unordered = true;
  EXPECT_EQ(Run(rule).At(1, exec_).At(2, open_).alerts, Lines{"2s: 2 1"});
  EXPECT_EQ(Run(rule).At(1, exec_).At(11.001, open_).alerts, Lines{});
}
TEST_P(Sequences, UnorderedFillsThenReplaces) {
  ir::Rule rule = SequenceRule({Match("a", open_), Match("b", open_), Match("c", exec_)}, 10);
  rule.sequence->unordered = true;
  EXPECT_EQ(Run(rule).At(1, open_).At(2, open_).At(3, open_).At(4, exec_).alerts, Lines{"4s: 3 2 4"});
}
TEST_P(Sequences, UnorderedComparesTheNewest) {
  ir::Rule rule = SequenceRule({Match("a", open_), Joined(Match("b", chmod_), FieldId::file_path, 1)}, 10);
  rule.sequence->unordered = true;
  Bench bench = Run(rule);
  bench.At(1, chmod_, 1, "/x").At(2, open_, 1, "/y");
  EXPECT_EQ(bench.alerts, Lines{});
  EXPECT_EQ(bench.At(3, open_, 1, "/x").alerts, Lines{"3s: 3 1"});
}
TEST_P(Sequences, UnorderedEndsWithUntil) {
  ir::Rule rule = TwoSteps();
  rule.sequence->unordered = true;
  rule.sequence->steps.push_back(Until(exit_));
  EXPECT_EQ(Run(rule).At(1, exec_).At(2, exit_).At(3, open_).alerts, Lines{});
}
TEST_P(Sequences, TemplatesNameSteps) {
  ir::Rule rule = TwoSteps();
  rule.alert = {{"pid ", Of(FieldId::process_pid, 1)}, {" in ", Of(FieldId::container_id, 2), false, "the host"},
                {" of ", Of(FieldId::file_path, 1)}};
  EXPECT_EQ(Run(rule).At(1, open_).At(2, exec_).alerts, Lines{"2s: 1 2 pid 1 in the host of ?"});
}

INSTANTIATE_TEST_SUITE_P(All, Sequences, testing::Values(Options::Engine::Reference, Options::Engine::Fast));

}  // namespace
}  // namespace ks::state

#include "tools/kubesentryd/gaps.h"

#include <gtest/gtest.h>

namespace ks::agent {
namespace {

void See(GapTracker& tracker, uint16_t cpu, std::initializer_list<uint64_t> sequences) {
  for (uint64_t sequence : sequences) tracker.Saw(cpu, sequence);
}

TEST(Gaps, NoneWhenEveryNumberComes) {
  GapTracker tracker;
  See(tracker, 0, {0, 1, 2});
  See(tracker, 7, {0, 1});
  EXPECT_TRUE(tracker.Settle().empty());
  EXPECT_EQ(tracker.lost(), 0u);
}

TEST(Gaps, CountsWhatWasSkippedFromTheFirstRecordOn) {
  GapTracker tracker;
  See(tracker, 1, {2, 3, 7});
  const auto gaps = tracker.Settle();
  ASSERT_EQ(gaps.size(), 1u);
  EXPECT_EQ(gaps[0].cpu, 1);
  EXPECT_EQ(gaps[0].records, 5u);
  EXPECT_EQ(tracker.gaps(), 2u);
  EXPECT_EQ(tracker.lost(), 5u);
  EXPECT_TRUE(tracker.Settle().empty()) << "each gap is told once";
}

TEST(Gaps, ALateRecordIsNotLost) {
  GapTracker tracker;
  See(tracker, 0, {0, 4, 2, 1, 3, 5});
  EXPECT_TRUE(tracker.Settle().empty());
  See(tracker, 0, {9, 7});
  const auto gaps = tracker.Settle();
  ASSERT_EQ(gaps.size(), 1u);
  EXPECT_EQ(gaps[0].records, 2u) << "6 and 8";
  EXPECT_EQ(tracker.gaps(), 2u);
}

TEST(Gaps, StreamsAreNumberedByThemselvesAndGapsAreToldByRing) {
  GapTracker tracker;
  const auto of = [](uint64_t hook, uint64_t ring, uint64_t number) {
    return (hook * KS_RINGS + ring) << KS_SEQUENCE_BITS | number;
  };
  See(tracker, 0, {of(3, 0, 0), of(3, 1, 0), of(1, 1, 0), of(3, 1, 4), of(1, 1, 2), of(3, 0, 1)});
  const auto gaps = tracker.Settle();
  ASSERT_EQ(gaps.size(), 1u);
  EXPECT_EQ(gaps[0].ring, kernel::RingId::Context);
  EXPECT_EQ(gaps[0].records, 4u);
  EXPECT_EQ(tracker.gaps(), 2u);
  EXPECT_EQ(tracker.lost(kernel::RingId::Alerts), 0u);
  EXPECT_EQ(tracker.lost(kernel::RingId::Context), 4u);
}

TEST(Gaps, TheEndProvesWhatNoRecordDoes) {
  GapTracker tracker;
  See(tracker, 0, {0, 1, 4});
  tracker.End({{0, 0, 7}, {1, 1, 2}});
  const auto gaps = tracker.Settle();
  ASSERT_EQ(gaps.size(), 2u);
  EXPECT_EQ(gaps[0].records, 4u) << "2, 3, 5 and 6";
  EXPECT_EQ(gaps[1].ring, kernel::RingId::Context);
  EXPECT_EQ(gaps[1].records, 2u) << "a CPU of which nothing came";
  tracker.End({{0, 0, 7}});
  EXPECT_TRUE(tracker.Settle().empty());
}

TEST(Gaps, RepeatsAndVeryLateOnesChangeNothing) {
  GapTracker tracker;
  See(tracker, 0, {0, 1, 1, 0, 3});
  EXPECT_EQ(tracker.Settle().size(), 1u);
  See(tracker, 0, {2, 4});
  EXPECT_TRUE(tracker.Settle().empty());
  EXPECT_EQ(tracker.lost(), 1u);
}

TEST(Gaps, ARestartGoesOnWhereTheOtherStopped) {
  GapTracker before;
  before.Saw(0, 0);
  before.Saw(0, 3);  // 1 and 2 are missing
  EXPECT_EQ(before.Settle().size(), 1u);
  before.Saw(0, 5);  // 4 as well, not yet announced
  kernel::Progress progress;
  before.Save(&progress);
  EXPECT_EQ(progress.lost[0], 3u);
  EXPECT_EQ(progress.lost_before, 1u);
  EXPECT_EQ(progress.gaps, 2u);
  GapTracker after;
  after.Resume(progress);
  after.Saw(0, 6);
  EXPECT_TRUE(after.Settle().empty()) << "nothing is lost between the two";
  after.Saw(0, 9);
  const auto gaps = after.Settle();
  ASSERT_EQ(gaps.size(), 1u);
  EXPECT_EQ(gaps[0].records, 2u);
  EXPECT_EQ(after.lost(), 5u);
  EXPECT_EQ(after.gaps(), 3u);
}

}  // namespace
}  // namespace ks::agent

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

TEST(Gaps, RepeatsAndVeryLateOnesChangeNothing) {
  GapTracker tracker;
  See(tracker, 0, {0, 1, 1, 0, 3});
  EXPECT_EQ(tracker.Settle().size(), 1u);
  See(tracker, 0, {2, 4});
  EXPECT_TRUE(tracker.Settle().empty());
  EXPECT_EQ(tracker.lost(), 1u);
}

}  // namespace
}  // namespace ks::agent

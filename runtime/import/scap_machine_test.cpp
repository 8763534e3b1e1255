#include <gtest/gtest.h>

#include <algorithm>

#include "runtime/import/ancestry.h"
#include "runtime/import/scap/machine.h"

namespace ks::import::scap {
namespace {

TEST(ScapMachineTest, OfEndedAncestorsNoMoreAreKeptThanAreTold) {
  Machine machine;
  constexpr int64_t kFirst = 10, kLast = 1000;
  machine.At(kFirst);
  uint64_t most = 0;
  // Each makes the next one, and ends.
  for (int64_t tid = kFirst; tid < kLast; ++tid) {
    machine.Make(tid + 1, tid + 1, machine.Find(tid), false, static_cast<uint64_t>(tid));
    EXPECT_TRUE(machine.End(tid));
    most = std::max(most, machine.kept());
  }
  // And the maker, and whom it made.
  EXPECT_EQ(most, kKeptAncestors + 2);
}

}  // namespace
}  // namespace ks::import::scap

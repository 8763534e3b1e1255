#include "runtime/kernel/limits.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "runtime/kernel/fd.h"
#include "runtime/kernel/libbpf.h"

namespace ks::kernel {
namespace {

class LimitHoldsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    bpf_map_create_opts mapped{.sz = sizeof(mapped), .map_flags = BPF_F_MMAPABLE};
    limits_ = Fd(bpf_map_create(BPF_MAP_TYPE_HASH, "ks_limits", sizeof(ks_limit_key), sizeof(uint32_t), KS_LIMIT_HOLDS, nullptr));
    if (!limits_) GTEST_SKIP() << "no BPF here";
    holds_ = Fd(bpf_map_create(BPF_MAP_TYPE_ARRAY, "ks_limit_holds", sizeof(uint32_t), sizeof(ks_limit_hold), KS_LIMIT_HOLDS, &mapped));
    secret_ = Fd(bpf_map_create(BPF_MAP_TYPE_ARRAY, "ks_limit_secret", sizeof(uint32_t), 16, 1, nullptr));
    ASSERT_TRUE(holds_ && secret_);
  }
  LimitHolds Open() {
    Result<LimitHolds> holds = LimitHolds::Open(limits_.get(), holds_.get(), secret_.get());
    KS_CHECK(bool(holds), holds.error().ToString());
    return std::move(*holds);
  }
  // As the kernel half counts.
  void Count(uint32_t place, uint64_t held) {
    ks_limit_hold hold{};
    ASSERT_EQ(bpf_map_lookup_elem(holds_.get(), &place, &hold), 0);
    hold.held += held;
    ASSERT_EQ(bpf_map_update_elem(holds_.get(), &place, &hold, BPF_ANY), 0);
  }
  Fd limits_, holds_, secret_;
};

constexpr uint64_t kWords[] = {1, 7}, kOther[] = {1, 8};

TEST_F(LimitHoldsTest, AKeyHasAPlace) {
  LimitHolds holds = Open();
  const std::optional<uint32_t> one = holds.Place(1, kWords), other = holds.Place(1, kOther), of_other = holds.Place(2, kWords);
  ASSERT_TRUE(one && other && of_other);
  EXPECT_EQ(holds.used(), 3u);
  EXPECT_NE(*one, *other);
  EXPECT_EQ(holds.Place(1, kWords), one);
  holds.Hold(*one, 5, 9);
  EXPECT_EQ(holds.until_ns(*one), 9u);
  EXPECT_EQ(holds.until_ns(*other), 0u);
  Count(*one, 3);
  EXPECT_EQ(holds.held(*one), 3u);
  holds.Free(*one);
  EXPECT_EQ(holds.used(), 2u);
  EXPECT_EQ(holds.until_ns(*one), 0u);
}

TEST_F(LimitHoldsTest, AFreedPlaceIsGivenAgainOnlyWhenNoProgramCanUseIt) {
  LimitHolds holds = Open();
  for (uint64_t i = 0; i < KS_LIMIT_HOLDS; ++i) ASSERT_TRUE(holds.Place(i, kWords));
  EXPECT_FALSE(holds.Place(KS_LIMIT_HOLDS, kWords));
  const std::optional<uint32_t> place = holds.Place(77, kWords);
  Count(*place, 4);
  holds.Free(*place);
  EXPECT_TRUE(holds.settles());
  EXPECT_FALSE(holds.Place(KS_LIMIT_HOLDS, kWords));
  holds.Settle();
  EXPECT_EQ(holds.Place(KS_LIMIT_HOLDS, kWords), place);
  EXPECT_EQ(holds.held(*place) - holds.told(*place), 0u);  // what was counted before is another key's
}

TEST_F(LimitHoldsTest, TheNextAgentFindsWhatIsThere) {
  std::optional<uint32_t> place;
  {
    LimitHolds holds = Open();
    place = holds.Place(1, kWords);
    holds.Hold(*place, 5, 9);
    Count(*place, 3);
  }
  ks_limit_key wrong{2, {3, 4}};
  uint32_t beyond = KS_LIMIT_HOLDS;
  ASSERT_EQ(bpf_map_update_elem(limits_.get(), &wrong, &beyond, BPF_ANY), 0);
  LimitHolds holds = Open();
  EXPECT_EQ(holds.used(), 1u);  // what cannot be is taken away
  uint32_t found = 0;
  EXPECT_NE(bpf_map_lookup_elem(limits_.get(), &wrong, &found), 0);
  EXPECT_EQ(holds.Place(1, kWords), place);
  EXPECT_EQ(holds.until_ns(*place), 0u);  // the alerts that it followed from may not have been told
  EXPECT_EQ(holds.held(*place) - holds.told(*place), 3u);
  holds.Keep({1});
  EXPECT_EQ(holds.used(), 1u);
  holds.Keep({2});
  EXPECT_EQ(holds.used(), 0u);
  EXPECT_EQ(holds.until_ns(*place), 0u);
}

TEST_F(LimitHoldsTest, WhatNobodyAsksForAgainMakesRoom) {
  std::optional<uint32_t> place;
  {
    LimitHolds holds = Open();
    place = holds.Place(1, kWords);
    holds.Place(1, kOther);
  }
  LimitHolds holds = Open();
  EXPECT_EQ(holds.Place(1, kWords), place);
  EXPECT_TRUE(holds.Place(2, kOther));
  holds.FreeUnclaimed();
  EXPECT_EQ(holds.used(), 2u);
  EXPECT_EQ(holds.Place(1, kWords), place);
  EXPECT_TRUE(holds.settles());
  holds.FreeUnclaimed();
  EXPECT_EQ(holds.used(), 2u);
}

}  // namespace
}  // namespace ks::kernel

#include "runtime/kernel/figures.h"

#include <gtest/gtest.h>

namespace ks::kernel {
namespace {

TEST(Figures, AreTheVerifiersStatistics) {
  const VerifierStatistics read = ParseStatistics(
      "verification time 1243 usec\n"
      "stack depth 8+16\n"
      "processed 52 insns (limit 1000000) max_states_per_insn 3 total_states 5 peak_states 4 mark_read 1\n");
  EXPECT_EQ(read.instructions, 52u);
  EXPECT_EQ(read.states, 5u);
  EXPECT_EQ(read.microseconds, 1243u);
}

TEST(Figures, WhatIsNotSaidIsNothing) {
  for (const char* log : {"", "processed", "processed many insns", "verification time  usec"}) {
    const VerifierStatistics read = ParseStatistics(log);
    EXPECT_EQ(read.instructions + read.states + read.microseconds, 0u) << log;
  }
}

}  // namespace
}  // namespace ks::kernel

#include "runtime/import/ancestry.h"

#include <gtest/gtest.h>

namespace ks::import {
namespace {

TEST(AncestryTest, LongLinesAreCutWhereNobodyElseDescends) {
  Processes processes;
  const auto length = [](const Process& process) {
    int count = 0;
    for (const Process* one = process.parent.get(); one; one = one->parent.get()) ++count;
    return count;
  };
  std::shared_ptr<Process> last = processes.Make("0", 0, 1, true);
  for (int i = 1; i <= 1000; ++i) {
    const std::shared_ptr<Process> child = processes.Make(std::to_string(i), i, 1, true);
    SetParent(*child, last);
    processes.End(std::to_string(i - 1));
    last = child;
  }
  EXPECT_LE(length(*last), 66);
  EXPECT_GE(length(*last), 64);
  // One whose other child is alive keeps its own ancestors.
  const std::shared_ptr<Process> other = processes.Make("other", 5000, 1, true);
  SetParent(*other, last);
  for (int i = 1001; i <= 1040; ++i) {
    const std::shared_ptr<Process> child = processes.Make(std::to_string(i), i, 1, true);
    SetParent(*child, last);
    processes.End(std::to_string(i - 1));
    last = child;
  }
  EXPECT_GE(length(*other), 64);
  EXPECT_EQ(length(*last), length(*other) + 39);
}

TEST(AncestryTest, EndedAncestorsCountAmongTheProcesses) {
  Processes processes;
  std::weak_ptr<Process> first;
  {
    // Lines of ended ones, each kept by its last one.
    for (int i = 0; i < (1 << 18) / 8 + 1; ++i) {
      std::shared_ptr<Process> above;
      for (int j = 0; j < 8; ++j) {
        const std::string key = std::to_string(i) + "/" + std::to_string(j);
        const std::shared_ptr<Process> made = processes.Make(key, j, 1, true);
        if (above) SetParent(*made, std::move(above));
        if (j < 7) processes.End(key);
        above = made;
      }
      if (i == 0) first = above;
      EXPECT_EQ(processes.TakeExceeded(), i == (1 << 18) / 8) << i;
    }
  }
  EXPECT_TRUE(first.expired());
}

}  // namespace
}  // namespace ks::import

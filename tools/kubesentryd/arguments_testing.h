// For tests: a reader of arguments that answers what it is told to.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/kernel/arguments.h"

namespace ks::agent {

struct FakeArguments : kernel::ArgumentReader {
  std::optional<kernel::Arguments> answer;             // of every process
  std::vector<std::pair<uint64_t, uint16_t>> asked;  // time and CPU of records
  std::string why;

  std::optional<kernel::Arguments> Read(uint64_t boot_ns, uint16_t cpu) override {
    asked.emplace_back(boot_ns, cpu);
    return answer;
  }
  kernel::ArgumentCounts counts() const override { return {.asked = asked.size(), .gone = asked.size()}; }
  std::string why_not() const override { return why; }
};

}  // namespace ks::agent

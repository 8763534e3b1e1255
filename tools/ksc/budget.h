// What a hook's program may cost, and what it does.
#pragma once

#include <string>
#include <vector>

#include "compiler/driver/driver.h"

namespace ks::ksc {

// Of one hook's program.
struct Budget {
  uint64_t instructions = 250'000;  // the verifier walks each at least once, of a million
  uint64_t stack = 512;             // the kernel's own (MAX_BPF_STACK), with callees
  uint64_t maps = 32 << 20;         // bytes of the object's own maps that it reads
};

// "instructions=20000,stack=256,maps=1048576", each at most once. What is wrong with it; "" if nothing.
std::string ReadBudget(const std::string& text, Budget* budget);

// A table for people, or as JSON the value of "hooks".
std::string BudgetTable(const codegen::BpfObject& object, const Budget& budget);
std::string BudgetJson(const codegen::BpfObject& object, const Budget& budget);

// For each hook that is over: by what, and the rule that costs most of it.
std::vector<Error> OverBudget(const driver::Analysis& analysis, const codegen::BpfObject& object, const Budget& budget);

}  // namespace ks::ksc

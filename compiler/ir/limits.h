// Which limits the kernel half applies, and how both halves know that a rule is the same.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compiler/ir/ir.h"

namespace ks::ir {

// What must be equal for one rule's state to be another's: its id, conditions, keys and windows. No texts, no severity.
std::string Fingerprint(const Machine& machine);
// A hash of it.
uint64_t LimitId(const Machine& machine);

// A rule whose limit the kernel half applies to events of one kind: one that alerts by a single event, whose condition the kernel half
// decides wholly, and whose key is made of values that it reads. Of an event whose values are all certain both halves then say
// the same.
struct KernelLimit {
  EventKind kind{};
  uint32_t rule = 0;            // position in KindPlan::rules
  uint64_t id = 0;              // LimitId
  std::vector<FieldId> tested;  // fields that its condition reads
  Key by;
};
// Of each limited rule and kind: why its limit is applied in userspace only, or "".
struct LimitPlace {
  uint32_t machine = 0;  // index in Program::machines
  EventKind kind{};
  std::string why_not;
};
struct KernelLimits {
  std::vector<KernelLimit> limits;  // by kind and rule
  std::vector<LimitPlace> places;
};
KernelLimits LimitsInKernel(const Program& program, const Plan& plan);

}  // namespace ks::ir

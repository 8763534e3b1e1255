// What the parts of `ksc why` share: a rule that was asked about, and how events fare with it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "compiler/driver/driver.h"
#include "compiler/ir/ir.h"
#include "runtime/event/event.h"
#include "tools/ksc/power_assert.h"

namespace ks::ksc {

struct Asked {
  const ir::Rule* rule = nullptr;  // whole, with its state
  const ir::Machine* machine = nullptr;
  std::vector<const ir::SplitRule*> probes;
};

inline bool Looks(const ir::SplitRule& probe, ir::EventKind kind) {
  return std::find(probe.rule.kinds.begin(), probe.rule.kinds.end(), kind) != probe.rule.kinds.end();
}

// "step run", "without"; "" of a rule that has no steps.
std::string StepOf(const Asked& asked, const ir::SplitRule& probe);

// Calls back with the number of each event, from 1, and the event, which is valid during the call.
using EachEvent = std::function<Status(const std::function<void(uint64_t, const event::Event&)>&)>;

// Prints how many events of a trace each part of the rule's conditions let through. Gives the number of the event that says most:
// the last one that fits the last step that any fits, else one at which the fewest parts failed. 0: the trace has no event of the
// rule's kinds.
Result<uint64_t> WhyOfTrace(const driver::Analysis& analysis, const Asked& asked, const std::string& trace, const EachEvent& each, bool json);

}  // namespace ks::ksc

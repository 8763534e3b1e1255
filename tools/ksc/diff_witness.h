// Events that tell two rules apart, as a test block that was run.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/prove/relation.h"

namespace ks::ksc {

struct Witness {
  std::string test;                // a whole test block, as it may be put beside the new rule; it passes there
  uint64_t before = 0, after = 0;  // alerts of the rules on its events
};

// The events, said as a test of `after`, with no field that is not needed: parsed again, fed to the engine by both
// rules, one alone of which fires: with `lost` the old one. Nothing if it does not come to that.
std::optional<Witness> MakeWitness(const ir::Rule& before, const ir::Rule& after, const std::vector<prove::Fed>& events,
                                   bool lost);

// "exec with process.exe unknown, process.uid 0": of an event that no test can feed.
std::string Describe(const prove::Fed& event);

}  // namespace ks::ksc

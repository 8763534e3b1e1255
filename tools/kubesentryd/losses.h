// What a loss may have cost: the kinds of events that were dropped, and the rules that ask for them.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "runtime/engine/engine.h"
#include "runtime/kernel/kernel.h"

namespace ks::agent {

std::string_view Name(kernel::RingId ring);  // "alerts", "context"

// A gap says that records are missing, the kernel's counters say of which kinds.
class LostKinds {
 public:
  // Those of which more was dropped from the ring than when it was asked last; if of none, what it said then: a gap may
  // show long after the counters. Empty: nobody knows.
  std::vector<schema::EventKind> Of(kernel::RingId ring, const std::vector<kernel::KindCounters>& counters);

 private:
  struct Ring {
    std::map<schema::EventKind, uint64_t> dropped;
    std::vector<schema::EventKind> last;
  };
  std::array<Ring, kernel::kRings> rings_;
};

// Ids of the rules that may have missed an alert, in the order of the program, each once. No kinds: any kind.
std::vector<std::string> MayHaveMissed(const engine::Engine& engine, const std::vector<schema::EventKind>& kinds,
                                       kernel::RingId ring);

}  // namespace ks::agent

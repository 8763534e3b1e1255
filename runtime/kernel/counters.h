// What the programs count, out of their maps (bpf/schema/record.h).
#pragma once

#include <vector>

#include "runtime/kernel/kernel.h"

namespace ks::kernel {

// `map`: ks_scratch. Sums over CPUs and hooks, by kind.
std::vector<KindCounters> ReadCounters(int map);
// `map`: ks_sequence.
std::vector<StreamEnd> ReadStreams(int map);

}  // namespace ks::kernel

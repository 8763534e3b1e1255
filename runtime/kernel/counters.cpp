#include "runtime/kernel/counters.h"

#include "bpf/hooks/hooks.h"
#include "bpf/schema/record.h"
#include "runtime/kernel/libbpf.h"

namespace ks::kernel {

namespace {

#define KS_ONE(hook) +1
constexpr uint32_t kHooks = KS_HOOKS(KS_ONE) KS_EXIT_HOOKS(KS_ONE);
#undef KS_ONE

}  // namespace

std::vector<KindCounters> ReadCounters(int map) {
  std::vector<KindCounters> sums(schema::kKindCount);
  for (uint32_t kind = 0; kind < schema::kKindCount; ++kind) sums[kind].kind = static_cast<schema::EventKind>(kind);
  const int cpus = libbpf_num_possible_cpus();
  if (cpus <= 0) return sums;
  // As the kernel gives them: each at a multiple of 8 bytes.
  static_assert(sizeof(ks_scratch) % sizeof(uint64_t) == 0);
  std::vector<ks_scratch> per_cpu(static_cast<size_t>(cpus));
  // A look at each hook is one call: those of kind `bpf` are events as well.
  for (uint32_t hook = 0; hook < kHooks && bpf_map_lookup_elem(map, &hook, per_cpu.data()) == 0; ++hook) {
    for (const ks_scratch& cpu : per_cpu) {
      for (KindCounters& sum : sums) {
        const auto kind = static_cast<size_t>(sum.kind);
        sum.seen += cpu.counted[kind].seen;
        sum.filtered += cpu.counted[kind].filtered;
        const ks_passed_counters& passed = cpu.passed[kind];
        sum.limited += passed.limited;
        for (size_t ring = 0; ring < kRings; ++ring) {
          sum.submitted += passed.submitted[ring];
          sum.dropped += passed.dropped[ring];
          sum.submitted_to[ring] += passed.submitted[ring];
          sum.dropped_from[ring] += passed.dropped[ring];
        }
      }
    }
  }
  return sums;
}

std::vector<StreamEnd> ReadStreams(int map) {
  std::vector<StreamEnd> ends;
  const int cpus = libbpf_num_possible_cpus();
  if (cpus <= 0) return ends;
  std::vector<uint64_t> next(static_cast<size_t>(cpus));
  for (uint32_t stream = 0; bpf_map_lookup_elem(map, &stream, next.data()) == 0; ++stream) {
    for (size_t cpu = 0; cpu < next.size(); ++cpu) {
      if (next[cpu] > 0) ends.push_back({static_cast<uint16_t>(cpu), stream, next[cpu]});
    }
  }
  return ends;
}

}  // namespace ks::kernel

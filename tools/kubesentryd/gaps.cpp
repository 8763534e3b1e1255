#include "tools/kubesentryd/gaps.h"

namespace ks::agent {

void GapTracker::Saw(uint16_t number, uint64_t sequence) {
  Cpu& cpu = cpus_[number];
  if (sequence == cpu.next) {
    cpu.next++;
    return;
  }
  if (sequence > cpu.next) {
    cpu.missing.emplace(cpu.next, sequence);
    cpu.next = sequence + 1;
    return;
  }
  // Late: it is no longer missing. What Settle has given up stays lost.
  auto after = cpu.missing.upper_bound(sequence);
  if (after == cpu.missing.begin()) return;
  auto range = std::prev(after);
  const auto [first, end] = *range;
  if (sequence >= end) return;
  cpu.missing.erase(range);
  if (first < sequence) cpu.missing.emplace(first, sequence);
  if (sequence + 1 < end) cpu.missing.emplace(sequence + 1, end);
}

std::vector<Gap> GapTracker::Settle() {
  std::vector<Gap> out;
  for (auto& [number, cpu] : cpus_) {
    if (cpu.missing.empty()) continue;
    uint64_t records = 0;
    for (const auto& [first, end] : cpu.missing) records += end - first;
    gaps_ += cpu.missing.size();
    lost_ += records;
    out.push_back({number, records});
    cpu.missing.clear();
  }
  return out;
}

}  // namespace ks::agent

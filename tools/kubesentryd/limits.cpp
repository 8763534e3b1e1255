#include "tools/kubesentryd/limits.h"

#include <cstdlib>

#include "compiler/ir/limits.h"

namespace ks::agent {

void Limits::set_boot_to_utc_ns(int64_t offset) {
  // Small steps add up to what is too much.
  if (std::abs(offset - boot_to_utc_ns_) <= static_cast<int64_t>(kRoomNs / 2)) return;
  boot_to_utc_ns_ = offset;
  holding_.ReleaseAll();
}

void Limits::Hold(uint32_t place, uint64_t from_ns, uint64_t until_ns) {
  const auto offset = static_cast<uint64_t>(boot_to_utc_ns_);
  const uint64_t from = from_ns + kRoomNs, until = until_ns - kRoomNs;
  if (until_ns < kRoomNs || from >= until || from < offset) {
    Release(place);
  } else {
    holds_.Hold(place, from - offset, until - offset);
  }
}

void Limits::Collect(uint64_t edge_ns) {
  holding_.Collect(edge_ns);
  // What has not come within a span since the start is over no limit any more.
  if (claim_until_ns_ == 0) claim_until_ns_ = edge_ns + holding_.longest_ns();
  if (edge_ns > claim_until_ns_) holds_.FreeUnclaimed();
  if (!holds_.settles()) return;
  kernel_.WaitForPrograms();
  holds_.Settle();
}

std::map<uint64_t, state::Holding::Rule> LimitedRules(const engine::Engine& engine) {
  std::map<uint64_t, state::Holding::Rule> rules;
  if (!engine.plan_status()) return rules;
  for (const ir::LimitPlace& place : ir::LimitsInKernel(engine.program(), engine.plan()).places) {
    if (!place.why_not.empty()) continue;
    const ir::Machine& machine = engine.program().machines[place.machine];
    rules[ir::LimitId(machine)] = {*machine.rule.limit, machine.rule.max_keys};
  }
  return rules;
}

}  // namespace ks::agent

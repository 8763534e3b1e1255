#include "tools/kubesentryd/losses.h"

#include <algorithm>
#include <set>

namespace ks::agent {

std::string_view Name(kernel::RingId ring) { return ring == kernel::RingId::Alerts ? "alerts" : "context"; }

std::vector<schema::EventKind> LostKinds::Of(kernel::RingId ring, const std::vector<kernel::KindCounters>& counters) {
  Ring& known = rings_[static_cast<size_t>(ring)];
  std::vector<schema::EventKind> kinds;
  for (const kernel::KindCounters& one : counters) {
    uint64_t& before = known.dropped[one.kind];
    const uint64_t now = one.dropped_from[static_cast<size_t>(ring)];
    if (now > before) kinds.push_back(one.kind);
    before = now;
  }
  if (!kinds.empty()) known.last = std::move(kinds);
  return known.last;
}

std::vector<std::string> MayHaveMissed(const engine::Engine& engine, const std::vector<schema::EventKind>& kinds,
                                       kernel::RingId ring) {
  std::set<uint32_t> probes;
  for (const ir::KindPlan& plan : engine.plan().kinds) {
    if (!kinds.empty() && !std::ranges::count(kinds, plan.kind)) continue;
    for (const ir::RulePlan& rule : plan.rules) {
      // The ring of alerts carries events for rules that wait for others as well; that of context carries nothing else.
      if (ring == kernel::RingId::Alerts || !rule.alerts) probes.insert(rule.rule);
    }
  }
  std::vector<std::string> ids;
  std::set<std::string_view> known;
  for (const uint32_t probe : probes) {
    const std::string& id = engine.info(probe).id;
    if (known.insert(id).second) ids.push_back(id);
  }
  return ids;
}

}  // namespace ks::agent

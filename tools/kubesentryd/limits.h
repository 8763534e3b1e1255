// Limited rules, between the tracker, which knows what will be over a limit, and the kernel half, which holds it back.
#pragma once

#include "runtime/kernel/kernel.h"
#include "runtime/kernel/limits.h"
#include "runtime/loader/loader.h"
#include "runtime/state/holding.h"

namespace ks::agent {

class Limits : private state::Holder {
 public:
  // The kernel outlives it, and has holds.
  explicit Limits(kernel::Kernel& kernel) : kernel_(kernel), holds_(*kernel.limit_holds()), holding_(*this) {}
  Limits(const Limits&) = delete;
  Limits& operator=(const Limits&) = delete;

  state::Holding* holding() { return &holding_; }
  void set_boot_to_utc_ns(int64_t offset);
  // What nobody waits for any more makes room. All events that are older have been decided (time since 1970).
  void Collect(uint64_t edge_ns);

 private:
  // An event's time is the kernel's clock and an offset that is measured again every second: not to the nanosecond.
  static constexpr uint64_t kRoomNs = 1'000'000;

  std::optional<uint32_t> Place(uint64_t rule, std::span<const uint64_t> words) override { return holds_.Place(rule, words); }
  void Free(uint32_t place) override { holds_.Free(place); }
  void Hold(uint32_t place, uint64_t from_ns, uint64_t until_ns) override;
  void Release(uint32_t place) override { holds_.Hold(place, 0, 0); }
  uint64_t Held(uint32_t place) override { return holds_.held(place); }
  uint64_t Told(uint32_t place) override { return holds_.told(place); }
  void Tell(uint32_t place, uint64_t told) override { holds_.Tell(place, told); }
  void Keep(const std::set<uint64_t>& rules) override { holds_.Keep(rules); }

  kernel::Kernel& kernel_;
  kernel::LimitHolds& holds_;
  state::Holding holding_;
  int64_t boot_to_utc_ns_ = 0;
  uint64_t claim_until_ns_ = 0;  // what the agent before left is kept until then
};

// The bundle's rules that the kernel half limits, by ir::LimitId.
std::map<uint64_t, state::Holding::Rule> LimitedRules(const engine::Engine& engine);

}  // namespace ks::agent

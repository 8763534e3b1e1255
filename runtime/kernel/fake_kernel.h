// A kernel for tests of what stands above the seam: remembers what it was asked, fails on demand.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/kernel/kernel.h"

namespace ks::kernel {

class FakeKernel : public Kernel {
 public:
  // What the next call of that name answers instead of succeeding.
  std::optional<Error> refuse_load, refuse_activate, refuse_inodes, refuse_keep, refuse_rolled_back;
  bool pins = false;               // whether it is pinned
  std::vector<KeptBundle> kept;    // by an agent before
  uint32_t last_generation = 0;    // likewise
  Progress progress, resumed;      // as last committed; of an agent before
  std::deque<std::string> ring;    // records that Consume hands out
  // "load 7", "activate 7", "inodes 2", "keep 7", "adopt 7", "reattach 7", "rolled-back 7 1", "forget 7"; numbers are generations,
  // counts, yes and no.
  std::vector<std::string> calls;
  std::vector<NamedInode> inodes;  // as last set
  std::vector<KindCounters> counters;
  std::vector<StreamEnd> streams;
  std::array<uint64_t, kRings> received{};
  uint32_t active = 0;       // generation that is active, 0 before the first
  std::string loaded_elf;    // of the last Load
  size_t objects_alive = 0;  // loaded objects that were not dropped

  Result<std::unique_ptr<LoadedObject>> Load(std::string_view elf, uint32_t generation) override;
  Status Activate(LoadedObject& object) override;
  Status SetInodes(const std::vector<NamedInode>& named) override;
  Result<size_t> Consume(int timeout_ms, const std::function<void(std::string_view)>& on_record) override;
  void Commit(const Progress& done) override { progress = done; }
  bool pinned() const override { return pins; }
  Status Keep(const LoadedObject& object, uint32_t generation, int64_t since, std::string_view bundle) override;
  void Forget(uint32_t generation) override { calls.push_back("forget " + std::to_string(generation)); }
  std::vector<KeptBundle> TakeKept() override { return std::exchange(kept, {}); }
  Status SetRolledBack(uint32_t generation, bool rolled_back) override;
  const Progress& Resumed() const override { return resumed; }
  uint32_t LastGeneration() const override { return last_generation; }
  Status Reattach(LoadedObject& object) override;
  Result<std::unique_ptr<LoadedObject>> Adopt(uint32_t generation, std::string_view elf) override;
  std::vector<std::string> Notices() override { return {}; }
  void Detach() override { calls.push_back("detach"); }
  std::vector<KindCounters> Counters() const override { return counters; }
  std::vector<HookStatus> Hooks() const override;
  std::array<RingStatus, kRings> Rings() const override;
  std::vector<StreamEnd> Streams() const override { return streams; }
  std::vector<KindTier> Tiers() const override {
    return {{schema::EventKind::open_, Tier::Trampoline}, {schema::EventKind::bind_, Tier::Tracepoint}};
  }
  std::string WhyNoTrampolines() const override { return "security_socket_bind: a test's reason"; }
};

}  // namespace ks::kernel

// An event's way through the daemon: record → Event → matches → alert lines. Counts what happens on it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "runtime/alert/alert.h"
#include "runtime/loader/loader.h"
#include "runtime/state/tracker.h"
#include "tools/kubesentryd/enricher.h"
#include "tools/kubesentryd/gaps.h"
#include "tools/kubesentryd/log.h"
#include "tools/kubesentryd/losses.h"
#include "tools/kubesentryd/output.h"
#include "tools/kubesentryd/record_sizes.h"

namespace ks::agent {

struct PipelineCounts {
  uint64_t received = 0;   // records from the ring
  uint64_t malformed = 0;  // that Decode refused
  uint64_t stray = 0;      // of a generation that nobody knows
  uint64_t alerts = 0;
};

class Pipeline {
 public:
  Pipeline(const loader::Loader& loader, std::string node, std::string boot, bool human,
           const state::Options& options = {.late_bound_ns = state::kDefaultLateBoundNs})
      : loader_(loader), node_(std::move(node)), boot_(std::move(boot)), human_(human), options_(options) {}

  void set_boot_to_utc_ns(int64_t offset) { boot_to_utc_ns_ = offset; }
  int64_t boot_to_utc_ns() const { return boot_to_utc_ns_; }

  // Without one, containers have ids only. It outlives the pipeline.
  void set_enricher(Enricher* enricher) { enricher_ = enricher; }

  // Without one, arguments that the kernel half could not read stay unknown. It outlives the pipeline.
  void set_arguments(kernel::ArgumentReader* arguments) { arguments_ = arguments; }
  const kernel::ArgumentReader* arguments() const { return arguments_; }

  // Writes the alerts that a record leads to.
  Status Take(std::string_view record, Output& output);
  // All events up to then (since 1970) have been taken. Records of context come behind alerts that are younger, so that
  // windows must not close by the time of alerts.
  void ReadUpTo(uint64_t time_ns);
  // The clock has reached `now_ns` (since 1970): writes the alerts of windows that have closed, also while nothing happens.
  Status Advance(uint64_t now_ns, Output& output);
  // Nothing comes any more.
  Status Flush(Output& output);
  // Before anything was taken, and with the clock read: goes on where the agent before this one stopped. And what the next one needs for that.
  void Resume(const kernel::Progress& progress);
  kernel::Progress Progress() const;
  // Of the active bundle's rules over several events: what an agent before this one saved, before any event was taken;
  // how many rules go on. And what the next one can load.
  Result<size_t> LoadState(std::string_view saved, uint64_t now_ns, Output& output);
  std::string SaveState() const;
  // After the rings were read: announces what was lost, and which rules may have missed. The next alert carries its number.
  void Settle(const kernel::Kernel& kernel, Log& log);
  // Nothing comes into the rings any more, and they are not read any further: what was lost at the very end shows, too,
  // and what was left unread with it. Before the last Settle.
  void End(const kernel::Kernel& kernel);

  // Rules over several events, of the active bundle.
  state::Counts state_counts() const;
  const PipelineCounts& counts() const { return counts_; }
  const GapTracker& gaps() const { return gaps_; }
  // Records that End found in the rings.
  uint64_t unread() const { return unread_[0] + unread_[1]; }
  uint64_t unread(kernel::RingId ring) const { return unread_[static_cast<size_t>(ring)]; }
  const RecordSizes& record_sizes() const { return record_sizes_; }
  // Ids of rules that a loss was announced for.
  const std::set<std::string>& may_have_missed() const { return may_have_missed_; }

 private:
  // A bundle whose events may still come, with what its rules over several events keep. A rule that a newer bundle has
  // unchanged keeps its state there, and its events go there, whichever bundle decided them.
  struct Generation {
    alert::Origin origin;
    state::Tracker tracker;
  };
  Generation& Of(const loader::ActiveBundle& bundle);
  void Follow(Output& output, Status* written);
  void Forget();
  void Announce(const Gap& gap, const std::vector<kernel::KindCounters>& counters, Log& log);
  state::OnAlert Writer(const Generation& generation, Output& output, Status* written);

  const loader::Loader& loader_;
  const std::string node_, boot_;
  const bool human_;
  Enricher* enricher_ = nullptr;
  kernel::ArgumentReader* arguments_ = nullptr;
  int64_t boot_to_utc_ns_ = 0;
  GapTracker gaps_;
  std::array<uint64_t, kernel::kRings> unread_{};
  LostKinds lost_kinds_;
  std::set<std::string> may_have_missed_;
  std::optional<uint64_t> read_up_to_ns_;
  PipelineCounts counts_;
  RecordSizes record_sizes_;
  uint64_t announced_malformed_ = 0, announced_stray_ = 0;
  std::string malformed_why_;
  uint64_t lost_before_ = 0;
  const state::Options options_;
  std::map<uint32_t, Generation> generations_;
  uint32_t followed_ = 0;  // the generation whose rules have the state; 0: none
};

}  // namespace ks::agent

// An event's way through the daemon: record → Event → matches → alert lines. Counts what happens on it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/alert/alert.h"
#include "runtime/loader/loader.h"
#include "tools/kubesentryd/enricher.h"
#include "tools/kubesentryd/gaps.h"
#include "tools/kubesentryd/log.h"
#include "tools/kubesentryd/output.h"

namespace ks::agent {

struct PipelineCounts {
  uint64_t received = 0;   // records from the ring
  uint64_t malformed = 0;  // that Decode refused
  uint64_t stray = 0;      // of a generation that nobody knows
  uint64_t alerts = 0;
};

class Pipeline {
 public:
  Pipeline(const loader::Loader& loader, std::string node, std::string boot, bool human)
      : loader_(loader), node_(std::move(node)), boot_(std::move(boot)), human_(human) {}

  void set_boot_to_utc_ns(int64_t offset) { boot_to_utc_ns_ = offset; }

  // Without one, containers have ids only. It outlives the pipeline.
  void set_enricher(Enricher* enricher) { enricher_ = enricher; }

  // Writes the alerts that a record leads to.
  Status Take(std::string_view record, Output& output);
  // After the ring was read: announces what was lost. The next alert carries its number.
  void Settle(Log& log);

  const PipelineCounts& counts() const { return counts_; }
  const GapTracker& gaps() const { return gaps_; }

 private:
  void UseOrigin(const loader::ActiveBundle& bundle);

  const loader::Loader& loader_;
  const std::string node_, boot_;
  const bool human_;
  Enricher* enricher_ = nullptr;
  int64_t boot_to_utc_ns_ = 0;
  GapTracker gaps_;
  PipelineCounts counts_;
  uint64_t announced_malformed_ = 0, announced_stray_ = 0;
  std::string malformed_why_;
  uint64_t lost_before_ = 0;
  std::optional<uint32_t> origin_generation_;
  alert::Origin origin_;
};

}  // namespace ks::agent

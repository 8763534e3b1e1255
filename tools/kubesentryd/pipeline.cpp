#include "tools/kubesentryd/pipeline.h"

#include <fmt/format.h>

#include <utility>

#include "runtime/enrich/enrich.h"
#include "runtime/event/event.h"

namespace ks::agent {

void Pipeline::UseOrigin(const loader::ActiveBundle& bundle) {
  if (origin_generation_ == bundle.generation()) return;
  origin_generation_ = bundle.generation();
  origin_ = {.node = node_,
             .boot = boot_,
             .bundle_digest = bundle.bundle().digest(),
             .bundle_version = bundle.bundle().manifest().version,
             .egress_digest = bundle.bundle().egress_digest()};
}

Status Pipeline::Take(std::string_view record, Output& output) {
  counts_.received++;
  auto event = event::Decode(record, boot_to_utc_ns_);
  if (!event) {
    counts_.malformed++;
    malformed_why_ = event.error().cause;
    return Ok();
  }
  gaps_.Saw(event->cpu, event->sequence);
  const loader::ActiveBundle* bundle = loader_.OfGeneration(event->generation);
  if (!bundle) {
    counts_.stray++;
    return Ok();
  }
  if (enricher_ != nullptr) {
    enricher_->Derive(*event);
  } else {
    enrich::Derive(*event, nullptr);
  }
  UseOrigin(*bundle);
  for (const event::Match& match : bundle->engine().DecidePassed(*event)) {
    const uint64_t number = ++counts_.alerts;
    const std::string line = human_ ? alert::FormatHuman(match, output.is_terminal())
                                    : alert::Format(match, origin_, number, std::exchange(lost_before_, 0));
    if (Status written = output.Line(line); !written) return written.error();
  }
  return Ok();
}

void Pipeline::Settle(Log& log) {
  for (const Gap& gap : gaps_.Settle()) {
    lost_before_ += gap.records;
    log.Warn("lost",
             fmt::format("{} records of CPU {} were lost: the ring was full. Any rule may have missed", gap.records,
                         gap.cpu),
             {{"cpu", gap.cpu}, {"records", gap.records}});
  }
  if (const uint64_t more = counts_.malformed - std::exchange(announced_malformed_, counts_.malformed); more > 0) {
    log.Warn("malformed", fmt::format("{} records could not be read: {}", more, malformed_why_),
             {{"records", more}, {"cause", malformed_why_}});
  }
  if (const uint64_t more = counts_.stray - std::exchange(announced_stray_, counts_.stray); more > 0) {
    log.Warn("stray", fmt::format("{} records are of a bundle that is no longer known", more), {{"records", more}});
  }
}

}  // namespace ks::agent

#include "tools/kubesentryd/pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "runtime/enrich/enrich.h"
#include "runtime/event/event.h"
#include "tools/kubesentryd/arguments.h"
#include "tools/kubesentryd/limits.h"

namespace ks::agent {

Pipeline::Generation& Pipeline::Of(const loader::ActiveBundle& bundle) {
  const auto known = generations_.find(bundle.generation());
  if (known != generations_.end()) return known->second;
  Generation generation{{.node = node_,
                         .boot = boot_,
                         .bundle_digest = bundle.bundle().digest(),
                         .bundle_version = bundle.bundle().manifest().version,
                         .egress_digest = bundle.bundle().egress_digest()},
                        state::Tracker(bundle.engine(), options_)};
  if (read_up_to_ns_) generation.tracker.HoldAt(*read_up_to_ns_);
  return generations_.emplace(bundle.generation(), std::move(generation)).first->second;
}

// If another bundle is active now (a newer one, or after a rollback an older one), its rules go on with the state of those that
// are the same.
void Pipeline::Follow(Output& output, Status* written) {
  const loader::ActiveBundle* active = loader_.active();
  if (!active || active->generation() == followed_) return;
  Forget();
  Generation& now = Of(*active);
  const auto before = generations_.find(followed_);
  if (before != generations_.end()) now.tracker.Adopt(before->second.tracker, Writer(before->second, output, written));
  if (options_.holding != nullptr) options_.holding->Retain(LimitedRules(active->engine()));
  followed_ = active->generation();
}

// Engines go with their bundles; what refers to them goes before it is used again.
void Pipeline::Forget() {
  std::erase_if(generations_, [&](const auto& entry) { return loader_.OfGeneration(entry.first) == nullptr; });
}

state::OnAlert Pipeline::Writer(const Generation& generation, Output& output, Status* written) {
  return [this, &generation, &output, written](const event::Match& match) {
    const uint64_t number = ++counts_.alerts;
    const std::string line = human_ ? alert::FormatHuman(match, output.is_terminal())
                                    : alert::Format(match, generation.origin, number, std::exchange(lost_before_, 0));
    if (Status one = output.Line(line); !one && *written) *written = one;
  };
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
  record_sizes_.Saw(event->kind, record.size());
  const loader::ActiveBundle* bundle = loader_.OfGeneration(event->generation);
  if (!bundle) {
    counts_.stray++;
    return Ok();
  }
  ReadUnknownArguments(arguments_, boot_to_utc_ns_, &*event);
  if (enricher_ != nullptr) {
    enricher_->Derive(*event);
  } else {
    enrich::Derive(*event, nullptr);
  }
  Status written = Ok();
  Follow(output, &written);
  Generation& own = Of(*bundle);
  if (RingOf(event->sequence) == kernel::RingId::Context && read_up_to_ns_) {
    ReadUpTo(std::max(*read_up_to_ns_, event->time_ns));
  }
  std::vector<event::Match> matches = bundle->engine().DecidePassed(*event);
  if (bundle != loader_.active() && loader_.active()) {
    Generation& active = Of(*loader_.active());
    matches = active.tracker.TakeOf(own.tracker, *event, std::move(matches), Writer(active, output, &written));
  }
  own.tracker.Take(*event, matches, Writer(own, output, &written));
  return written;
}

void Pipeline::ReadUpTo(uint64_t time_ns) {
  read_up_to_ns_ = time_ns;
  for (auto& [number, generation] : generations_) generation.tracker.HoldAt(time_ns);
}

Status Pipeline::Advance(uint64_t now_ns, Output& output) {
  Forget();
  Status written = Ok();
  Follow(output, &written);
  for (auto& [number, generation] : generations_) {
    generation.tracker.Advance(now_ns, Writer(generation, output, &written));
  }
  return written;
}

Status Pipeline::Flush(Output& output) {
  Forget();
  Status written = Ok();
  for (auto& [number, generation] : generations_) generation.tracker.Flush(Writer(generation, output, &written));
  return written;
}

state::Counts Pipeline::state_counts() const {
  const auto active = loader_.active() ? generations_.find(loader_.active()->generation()) : generations_.end();
  return active != generations_.end() ? active->second.tracker.counts() : state::Counts{};
}

Result<size_t> Pipeline::LoadState(std::string_view saved, uint64_t now_ns, Output& output) {
  KS_CHECK(loader_.active() != nullptr, "a bundle is active before its rules' state is loaded");
  Status written = Ok();
  Follow(output, &written);
  return Of(*loader_.active()).tracker.Load(saved, now_ns);
}

std::string Pipeline::SaveState() const {
  const auto active = loader_.active() ? generations_.find(loader_.active()->generation()) : generations_.end();
  return active != generations_.end() ? active->second.tracker.Save() : std::string();
}

void Pipeline::Resume(const kernel::Progress& progress) {
  counts_ = {progress.received, progress.malformed, progress.stray, progress.alerts};
  announced_malformed_ = counts_.malformed;
  announced_stray_ = counts_.stray;
  lost_before_ = progress.lost_before;
  // Until the clock is read again, so that what is told twice is told with the same times, and thereby ids.
  constexpr int64_t kSameClockNs = 1'000'000;
  if (std::abs(progress.boot_to_utc_ns - boot_to_utc_ns_) < kSameClockNs) boot_to_utc_ns_ = progress.boot_to_utc_ns;
  gaps_.Resume(progress);
}

kernel::Progress Pipeline::Progress() const {
  kernel::Progress progress{.received = counts_.received,
                            .malformed = counts_.malformed,
                            .stray = counts_.stray,
                            .alerts = counts_.alerts,
                            .lost_before = lost_before_,
                            .boot_to_utc_ns = boot_to_utc_ns_,
                            .streams = {}};
  gaps_.Save(&progress);
  return progress;
}

void Pipeline::End(const kernel::Kernel& kernel) {
  const std::vector<kernel::KindCounters> counters = kernel.Counters();
  const std::array<kernel::RingStatus, kernel::kRings> rings = kernel.Rings();
  for (size_t ring = 0; ring < kernel::kRings; ++ring) {
    uint64_t submitted = 0;
    for (const kernel::KindCounters& kind : counters) submitted += kind.submitted_to[ring];
    unread_[ring] = submitted - std::min(submitted, rings[ring].received);
  }
  gaps_.End(kernel.Streams());
}

void Pipeline::Announce(const Gap& gap, const std::vector<kernel::KindCounters>& counters, Log& log) {
  constexpr size_t kNamed = 5, kListed = 100;
  // Of what was not read nobody knows the kind.
  const bool is_unread = unread(gap.ring) > 0;
  const std::vector<schema::EventKind> kinds =
      is_unread ? std::vector<schema::EventKind>{} : lost_kinds_.Of(gap.ring, counters);
  std::vector<std::string> rules;
  if (loader_.active()) rules = MayHaveMissed(loader_.active()->engine(), kinds, gap.ring);
  may_have_missed_.insert(rules.begin(), rules.end());
  std::vector<std::string_view> names;
  for (schema::EventKind kind : kinds) names.push_back(schema::Row(kind).name);
  const size_t named = std::min(rules.size(), kNamed), listed = std::min(rules.size(), kListed);
  std::string text = fmt::format("{} records of CPU {} were lost: the ring of {} was {}", gap.records, gap.cpu,
                                 Name(gap.ring), is_unread ? "not read to its end" : "full");
  if (!names.empty()) text += fmt::format(". Events: {}", fmt::join(names, ", "));
  if (named > 0) text += fmt::format(". Rules that may have missed: {}", fmt::join(rules.begin(), rules.begin() + static_cast<ptrdiff_t>(named), ", "));
  if (rules.size() > named) text += fmt::format(" and {} more", rules.size() - named);
  const size_t total = rules.size();
  rules.resize(listed);
  log.Warn("lost", text,
           {{"cpu", gap.cpu},
            {"records", gap.records},
            {"ring", Name(gap.ring)},
            {"kinds", names},
            {"rules", rules},
            {"rules_in_all", total}});
}

void Pipeline::Settle(const kernel::Kernel& kernel, Log& log) {
  if (const std::vector<Gap> gaps = gaps_.Settle(); !gaps.empty()) {
    const std::vector<kernel::KindCounters> counters = kernel.Counters();
    for (const Gap& gap : gaps) {
      lost_before_ += gap.records;
      Announce(gap, counters, log);
    }
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

#include "tools/kubesentryd/gaps.h"

namespace ks::agent {

void GapTracker::Saw(uint16_t number, uint64_t numbered) {
  Stream& stream = streams_[{number, StreamOf(numbered)}];
  const uint64_t sequence = numbered & ((uint64_t{1} << KS_SEQUENCE_BITS) - 1);
  if (sequence == stream.next) {
    stream.next++;
    return;
  }
  if (sequence > stream.next) {
    stream.missing.emplace(stream.next, sequence);
    stream.next = sequence + 1;
    return;
  }
  // Late: it is no longer missing. What Settle has given up stays lost.
  auto after = stream.missing.upper_bound(sequence);
  if (after == stream.missing.begin()) return;
  auto range = std::prev(after);
  const auto [first, end] = *range;
  if (sequence >= end) return;
  stream.missing.erase(range);
  if (first < sequence) stream.missing.emplace(first, sequence);
  if (sequence + 1 < end) stream.missing.emplace(sequence + 1, end);
}

std::vector<Gap> GapTracker::Settle() {
  std::map<std::pair<uint16_t, kernel::RingId>, uint64_t> found;
  for (auto& [place, stream] : streams_) {
    if (stream.missing.empty()) continue;
    const kernel::RingId ring = RingOf(uint64_t{place.second} << KS_SEQUENCE_BITS);
    for (const auto& [first, end] : stream.missing) {
      found[{place.first, ring}] += end - first;
      lost_[static_cast<size_t>(ring)] += end - first;
    }
    gaps_ += stream.missing.size();
    stream.missing.clear();
  }
  std::vector<Gap> gaps;
  for (const auto& [place, records] : found) gaps.push_back({place.first, place.second, records});
  return gaps;
}

void GapTracker::End(const std::vector<kernel::StreamEnd>& streams) {
  for (const kernel::StreamEnd& end : streams) {
    Stream& stream = streams_[{end.cpu, end.stream}];
    if (end.next <= stream.next) continue;
    stream.missing.emplace(stream.next, end.next);
    stream.next = end.next;
  }
}

void GapTracker::Resume(const kernel::Progress& progress) {
  gaps_ = progress.gaps;
  lost_ = progress.lost;
  for (const kernel::StreamEnd& stream : progress.streams) streams_[{stream.cpu, stream.stream}].next = stream.next;
}

void GapTracker::Save(kernel::Progress* progress) const {
  progress->gaps = gaps_;
  progress->lost = lost_;
  for (const auto& [place, stream] : streams_) {
    progress->streams.push_back({place.first, place.second, stream.next});
    progress->gaps += stream.missing.size();
    for (const auto& [first, end] : stream.missing) {
      progress->lost[static_cast<size_t>(RingOf(uint64_t{place.second} << KS_SEQUENCE_BITS))] += end - first;
      progress->lost_before += end - first;
    }
  }
}

}  // namespace ks::agent

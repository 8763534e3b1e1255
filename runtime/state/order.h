// Late events are put in order: held back until none that belongs before them is expected any more.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <tuple>
#include <utility>

namespace ks::state {

// Released by time; of one time by CPU, then by sequence, then as they came.
template <typename T>
class Order {
 public:
  explicit Order(uint64_t bound_ns) : bound_ns_(bound_ns) {}

  void Put(uint64_t time_ns, uint16_t cpu, uint64_t sequence, T item) {
    if (time_ns < edge()) {
      ++late_;
      time_ns = edge();
    }
    newest_ns_ = std::max(newest_ns_, time_ns);
    waiting_.emplace(Place{time_ns, cpu, sequence, ++arrived_}, std::move(item));
  }
  void Advance(uint64_t now_ns) { newest_ns_ = std::max(newest_ns_, now_ns); }

  // What can no longer be overtaken: older than the edge; at it too, if nothing is waited for.
  template <typename Release>
  void ReleaseReady(const Release& release) {
    while (!waiting_.empty()) {
      auto first = waiting_.begin();
      const uint64_t time_ns = std::get<0>(first->first);
      if (time_ns > edge() || (time_ns == edge() && bound_ns_ > 0)) break;
      ReleaseFirst(release);
    }
  }
  template <typename Release>
  void ReleaseAll(const Release& release) {
    while (!waiting_.empty()) ReleaseFirst(release);
  }

  // What is older counts as late from now on, whatever the bound.
  void Settle(uint64_t time_ns) {
    settled_ns_ = std::max(settled_ns_, time_ns);
    Advance(time_ns);
  }

  // Events up to this time, and no later ones, have all been given: what comes may still be older than what came.
  void HoldAt(uint64_t time_ns) { hold_ns_ = time_ns; }

  uint64_t edge() const {
    const uint64_t newest = std::min(newest_ns_, hold_ns_);
    return std::max(settled_ns_, newest - std::min(newest, bound_ns_));
  }
  uint64_t newest_ns() const { return newest_ns_; }
  uint64_t late() const { return late_; }
  size_t waiting() const { return waiting_.size(); }

 private:
  using Place = std::tuple<uint64_t, uint16_t, uint64_t, uint64_t>;
  template <typename Release>
  void ReleaseFirst(const Release& release) {
    auto node = waiting_.extract(waiting_.begin());
    release(std::get<0>(node.key()), node.mapped());
  }
  uint64_t bound_ns_, hold_ns_ = UINT64_MAX, newest_ns_ = 0, settled_ns_ = 0, late_ = 0, arrived_ = 0;
  std::map<Place, T> waiting_;
};

}  // namespace ks::state

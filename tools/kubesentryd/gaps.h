// Proof of loss: every CPU numbers the records that it sends or drops, by stream (a hook's records for one ring). A number
// that never comes was lost.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "bpf/schema/record.h"
#include "runtime/kernel/kernel.h"

namespace ks::agent {

inline uint32_t StreamOf(uint64_t sequence) { return static_cast<uint32_t>(sequence >> KS_SEQUENCE_BITS); }
inline kernel::RingId RingOf(uint64_t sequence) {
  return StreamOf(sequence) % KS_RINGS == KS_RING_CONTEXT ? kernel::RingId::Context : kernel::RingId::Alerts;
}

struct Gap {
  uint16_t cpu = 0;
  kernel::RingId ring{};
  uint64_t records = 0;
};

class GapTracker {
 public:
  // `sequence`: as the record's head has it, its stream above the number.
  void Saw(uint16_t cpu, uint64_t sequence);
  // Call when the rings have been read: numbers that were skipped by then are lost. (A record may come shortly after its
  // successor.)
  std::vector<Gap> Settle();
  // Once nothing is written any more and all has been read: what no later record has proved lost. Before the last Settle.
  void End(const std::vector<kernel::StreamEnd>& streams);

  // Goes on where another tracker stopped.
  void Resume(const kernel::Progress& progress);
  // What the next one needs. Numbers that are missing count as lost already: nobody else will miss them.
  void Save(kernel::Progress* progress) const;

  uint64_t gaps() const { return gaps_; }  // stretches of numbers that did not come
  uint64_t lost() const { return lost_[0] + lost_[1]; }  // records in them
  uint64_t lost(kernel::RingId ring) const { return lost_[static_cast<size_t>(ring)]; }

 private:
  struct Stream {
    uint64_t next = 0;                     // the maps start at zero
    std::map<uint64_t, uint64_t> missing;  // first → behind the last
  };
  std::map<std::pair<uint16_t, uint32_t>, Stream> streams_;  // by CPU and stream
  uint64_t gaps_ = 0;
  std::array<uint64_t, kernel::kRings> lost_{};
};

}  // namespace ks::agent

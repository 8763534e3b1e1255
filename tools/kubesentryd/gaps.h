// Proof of loss: every CPU numbers the records that it sends or drops. A number that never comes was lost.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

namespace ks::agent {

struct Gap {
  uint16_t cpu = 0;
  uint64_t records = 0;
};

class GapTracker {
 public:
  void Saw(uint16_t cpu, uint64_t sequence);
  // Call when the ring has been read: numbers that were skipped by then are lost. (Two hooks on one CPU may interleave,
  // so that a record comes shortly after its successor.)
  std::vector<Gap> Settle();

  uint64_t gaps() const { return gaps_; }  // stretches of numbers that did not come
  uint64_t lost() const { return lost_; }  // records in them

 private:
  struct Cpu {
    uint64_t next = 0;                     // the agent's maps start at zero with it
    std::map<uint64_t, uint64_t> missing;  // first → behind the last
  };
  std::map<uint16_t, Cpu> cpus_;
  uint64_t gaps_ = 0, lost_ = 0;
};

}  // namespace ks::agent

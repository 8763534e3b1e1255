// What the kernel half holds back of limited rules (bpf/schema/limits.h): the agent's side of the tables.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "bpf/schema/limits.h"
#include "compiler/support/result.h"
#include "runtime/kernel/fd.h"

namespace ks::kernel {

// Of all rules and keys that are held back. Places are numbers of entries. Times are of CLOCK_BOOTTIME. Not safe for several threads.
class LimitHolds {
 public:
  // Of the maps that programs share. They outlive it. Of what an agent before this one left, keys and numbers are taken over, and nothing
  // is held back any more.
  static Result<LimitHolds> Open(int limits, int holds, int secret);

  // The place of a rule's key, made if there is none, with nothing held back. Nothing if there is no room. `words` are what the kernel
  // half hashes.
  std::optional<uint32_t> Place(uint64_t rule, std::span<const uint64_t> words);
  // Takes it away. A program that runs now may still add to it, so nobody gets it before Settle.
  void Free(uint32_t place);
  // Frees the places of all other rules.
  void Keep(const std::set<uint64_t>& rules);
  // Frees what an agent before this one left and nobody has asked Place for since.
  void FreeUnclaimed();
  // No program runs any more that ran at the last Free.
  void Settle();
  bool settles() const { return !freed_.empty(); }

  // From now on all in this span, ends included, is held back and counted; nothing if `until` is 0. In place of the span before.
  void Hold(uint32_t place, uint64_t from_ns, uint64_t until_ns);
  uint64_t until_ns(uint32_t place) const;
  // So many were held back, ever; so many of them the agent has taken.
  uint64_t held(uint32_t place) const;
  uint64_t told(uint32_t place) const;
  void Tell(uint32_t place, uint64_t told);

  size_t used() const { return places_.size(); }

 private:
  using Key = std::tuple<uint64_t, uint64_t, uint64_t>;
  ks_limit_hold& At(uint32_t place) const { return static_cast<ks_limit_hold*>(mapping_.get())[place]; }
  Status Adopt();

  int limits_ = -1;
  Mapping mapping_;
  uint64_t secret_[2] = {};
  std::map<Key, uint32_t> places_;
  std::map<uint32_t, Key> keys_;  // by place
  std::vector<uint32_t> free_, freed_;
  std::set<uint32_t> unclaimed_;  // taken over, and not asked for yet
};

}  // namespace ks::kernel

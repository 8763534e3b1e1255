// What is certain to be over a limit before it comes: the spans of time in which all that a rule and key could raise is suppressed,
// whatever comes yet. Somebody below (the kernel half) holds back what falls into them, and counts it. Deciding stays with the
// tracker: what is not held back, it limits. docs/design-notes.md proves the spans.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "compiler/ir/limits.h"
#include "runtime/event/event.h"

namespace ks::state {

// Who holds back. Times are since 1970, ends included.
class Holder {
 public:
  virtual ~Holder() = default;
  // The place of a rule's key, the same for the same words; nothing if there is no room.
  virtual std::optional<uint32_t> Place(uint64_t rule, std::span<const uint64_t> words) = 0;
  virtual void Free(uint32_t place) = 0;
  // In place of the span before. What cannot be said exactly is held back for a shorter time.
  virtual void Hold(uint32_t place, uint64_t from_ns, uint64_t until_ns) = 0;
  virtual void Release(uint32_t place) = 0;  // nothing is held back from now on
  virtual uint64_t Held(uint32_t place) = 0;  // so many, ever
  virtual uint64_t Told(uint32_t place) = 0;  // of them, those that were taken by Tell
  virtual void Tell(uint32_t place, uint64_t told) = 0;
  // Frees the places of all other rules, those that an agent before this one left among them.
  virtual void Keep(const std::set<uint64_t>& rules) = 0;
};

// The words of a key as the kernel half reads them (bpf/schema/limits.h); nothing if a value is not certain.
std::optional<std::vector<uint64_t>> KeyWords(const ir::Key& key, const schema::Record& record);

// Of one agent, over swaps of bundles: rules are known by their ir::LimitId. The holder outlives it.
class Holding {
 public:
  // Of more keys than `most_keys` nothing is held back.
  explicit Holding(Holder& holder, size_t most_keys = 65'536) : holder_(&holder), most_keys_(most_keys) {}

  struct Rule {
    ir::Limit limit;
    uint64_t max_keys = ir::kDefaultMaxKeys;
  };
  // Rules that are limited below from now on, by ir::LimitId. Of others nothing is held back.
  void Retain(std::map<uint64_t, Rule> rules);

  // An event came that will be decided when its turn is, by `time_ns`. `edge_ns`: all whose turn is before has been decided, and nothing
  // else will have its turn before. `alerts`: the times of the key's alerts so far that may count still, ascending.
  void Came(uint64_t rule, const schema::Record& record, uint64_t time_ns, uint64_t edge_ns, const std::deque<uint64_t>& alerts);
  // Its turn: how many were held back since the one before it.
  uint64_t Turn(uint64_t rule, const schema::Record& record, uint64_t time_ns);
  // It was an alert, the last one of `alerts`.
  void Alerted(uint64_t rule, const schema::Record& record, uint64_t time_ns, const std::deque<uint64_t>& alerts);

  // Nothing is held back until more comes: times are no longer what they were.
  void ReleaseAll();
  // Forgets keys whose spans are over. What they held back is kept for their next alert, of as many as half of all keys: the latest.
  void Collect(uint64_t edge_ns);

  uint64_t Held(uint64_t rule) const;  // by this agent's holder, of all keys
  size_t keys() const { return entries_.size(); }
  uint64_t longest_ns() const;  // of the spans in which its rules' alerts count

 private:
  struct Span {
    uint64_t from_ns = 0, until_ns = 0;
    uint64_t begin = 0;  // the holder's number when it began
  };
  struct Entry {
    std::deque<uint64_t> coming;   // ascending: came, and not decided yet
    std::deque<Span> spans;        // ascending: those that no alert has told of
    std::optional<uint32_t> place;
    uint64_t left = 0;     // held back in spans that are no longer here
    uint64_t last_ns = 0;  // when it came last
    bool counts = false;   // among its rule's keys
  };
  using Name = std::pair<uint64_t, std::vector<uint64_t>>;  // rule, key
  static constexpr size_t kMostSpans = 16;

  Entry* Find(uint64_t rule, const schema::Record& record);
  void Extend(const Name& name, Entry& entry, uint64_t edge_ns, const std::deque<uint64_t>& alerts);
  // What was held back in the first of its spans, which then is no longer there.
  uint64_t TakeSpan(uint64_t rule, Entry& entry);
  void Release(Entry& entry);
  void GiveUp(uint64_t rule, Entry& entry);
  bool IsCrowded(uint64_t rule, uint64_t time_ns);

  struct Known {
    Rule rule;
    uint64_t keys = 0;        // that were used within a span
    uint64_t crowded_ns = 0;  // nothing is held back until then
  };
  Holder* holder_;
  size_t most_keys_;
  std::map<uint64_t, Known> rules_;
  std::map<Name, Entry> entries_;
  std::map<uint64_t, uint64_t> taken_;  // by rule: of spans that are over
};

}  // namespace ks::state

// Rules over several events: single answers in, alerts out. The meaning of sequences, aggregates and limits is written
// in docs/language/meaning.md; two engines decide it, and agree.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/support/result.h"
#include "runtime/engine/engine.h"

namespace ks::state {

class Holding;

// How an alert leaves. The match, and everything it points to, is valid during the call.
using OnAlert = std::function<void(const event::Match&)>;

// Rings are read every 20 ms, and a record can wait in one for as long as its writer is kept from finishing it: events
// of different CPUs come that much out of order. A second is far beyond both, and a trailing absence can wait for it.
inline constexpr int64_t kDefaultLateBoundNs = 1'000'000'000;

struct Options {
  enum class Engine : uint8_t { Fast, Reference };  // Reference: straight from the text, slow; what Fast is held against
  Engine engine = Engine::Fast;
  // Events may come this much later than newer ones, and are put in order. What comes later still is counted as late
  // and handled as if it had happened at the edge of the bound.
  int64_t late_bound_ns = 0;
  Holding* holding = nullptr;  // told what will be over a limit, and asked what was; it outlives the tracker
};

// Of one rule with state.
struct RuleCounts {
  std::string rule;         // id
  uint64_t live = 0;        // partials or keys
  uint64_t bytes = 0;       // that they take
  uint64_t evicted = 0;     // least recently used, because max keys were live
  uint64_t suppressed = 0;  // alerts over the limit, those that were held back before they came here included
  uint64_t waiting = 0;     // of live: complete but for the end of their window (a trailing `without`)
};

struct Counts {
  std::vector<RuleCounts> rules;
  uint64_t late = 0;
};

// Not safe for several threads.
class Tracker {
 public:
  // The engine must outlive the tracker.
  Tracker(const engine::Engine& engine, const Options& options);
  Tracker(Tracker&&) noexcept;
  Tracker& operator=(Tracker&&) noexcept;
  ~Tracker();

  // An event, and what `engine` said of it. Matches of rules without state become alerts at once; the others when they
  // are decided, in the order of time. Copies what it keeps.
  void Take(const event::Event& event, std::span<const event::Match> matches, const OnAlert& on_alert);

  // Of an event that another program's engine decided (its bundle was swapped out while the event was on its way): what
  // it says of rules that are the same here is taken, as if this engine had said it. Returns the rest, for `of`.
  std::vector<event::Match> TakeOf(const Tracker& of, const event::Event& event, std::vector<event::Match> matches,
                                   const OnAlert& on_alert);

  // The clock has reached `now_ns` (since 1970) though no event said so: windows close.
  void Advance(uint64_t now_ns, const OnAlert& on_alert);

  // Events are given ring by ring, not in the order of time: those up to `time_ns` have all been given. Until the next call
  // no time beyond it passes for what waits to be put in order.
  void HoldAt(uint64_t time_ns);

  // No more events: what waits for late ones is handled. Windows that are still open stay open.
  void Flush(const OnAlert& on_alert);

  // Takes over the state of every rule that is the same in `old` (its conditions, keys and windows, not its texts), also
  // where it stands elsewhere in the program. What waits in `old` for late events is handled first. `old` stays usable,
  // for what TakeOf leaves. Returns how many rules.
  size_t Adopt(Tracker& old, const OnAlert& on_alert);

  // All state as bytes, and back; of the fast engine only. What waits for late events is not in it (Flush handles it).
  // Load is for a tracker that has taken nothing yet. It takes the rules that are the same (as Adopt) and returns how
  // many; it refuses what is damaged, of another layout or event table, from the future, or lies about its sizes, and then
  // nothing is changed. The checksum (FNV) is against accidents: whoever can write the bytes can choose what is loaded.
  std::string Save() const;
  Result<size_t> Load(std::string_view saved, uint64_t now_ns);

  Counts counts() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ks::state

// What both engines have in common: what they are given, what they give, and the alert that is made of it. Deciding is
// theirs: reference.cpp, fast.cpp.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compiler/ir/limits.h"
#include "runtime/state/holding.h"
#include "runtime/state/tracker.h"

namespace ks::state {

// What the engine said of an event; the same of most that one rule passes.
struct Said {
  std::vector<std::string> matched;
  std::vector<schema::FieldId> uncertain, shown;
  auto operator<=>(const Said&) const = default;
};

// An event that a probe passed, with what the engine said of it.
struct Kept {
  event::Event event;
  std::shared_ptr<const Said> said;
};
std::shared_ptr<const Said> MakeSaid(const event::Match& match);

// Of one event what stateful rules get, as its engine keeps it while it waits for late ones.
class Taken {
 public:
  virtual ~Taken() = default;
};

struct LoadedState {
  size_t rules = 0;
  uint64_t edge_ns = 0;  // all that is older has been handled
};

// One program's rules with state. Times never go back.
class Machinery {
 public:
  virtual ~Machinery() = default;
  // Of matches: those of rules with state.
  virtual std::unique_ptr<Taken> Keep(const event::Event& event, std::span<const event::Match> matches) = 0;
  // Only after Close(time_ns).
  virtual void Handle(uint64_t time_ns, Taken& taken, const OnAlert& on_alert) = 0;
  // Windows that end before `time_ns` have closed.
  virtual void Close(uint64_t time_ns, const OnAlert& on_alert) = 0;
  virtual size_t Adopt(Machinery& old) = 0;
  virtual std::string Save(uint64_t edge_ns) const = 0;
  virtual Result<LoadedState> Load(std::string_view saved, uint64_t now_ns) = 0;
  virtual std::vector<RuleCounts> counts() const = 0;
  // The event of Keep waits for its turn; no earlier than `edge_ns`.
  virtual void Expect(const event::Event& event, std::span<const event::Match> matches, uint64_t edge_ns) = 0;
};

// `holding` is asked about the limits of rules that alert by one event; it may be null.
std::unique_ptr<Machinery> MakeReference(const engine::Engine& engine, Holding* holding);
std::unique_ptr<Machinery> MakeFast(const engine::Engine& engine, Holding* holding);

// ---- Alerts
// ---------------------------------------------------------------------------------------------------------------

struct Piece {  // one step of a sequence
  const Kept* kept = nullptr;
  uint64_t events = 1;
};

// Something that a rule with state found.
struct Finding {
  uint64_t time_ns = 0;
  const Kept* last = nullptr;  // what "this event" is
  std::vector<Piece> steps;    // of a sequence
  std::vector<schema::FieldId> doubts;
  std::optional<uint64_t> measure;
};

// Whether an exception of the rule takes it away: Rule.when, of a sequence.
bool IsExcepted(const ir::Rule& rule, const Finding& finding);
// Of the rule's limit; empty if it counts all alerts together.
std::string LimitKey(const ir::Rule& rule, const Finding& finding);
void Report(const engine::Engine& engine, const ir::Machine& machine, const Finding& finding, uint64_t suppressed,
            const OnAlert& on_alert);

}  // namespace ks::state

// Who is told of a replay as it goes: alerts are printed, reports are made of them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "runtime/import/import.h"
#include "runtime/state/tracker.h"
#include "runtime/trace/trace.h"

namespace ks::replay {

struct Totals {
  uint64_t events = 0;
  uint64_t lost = 0;                      // records that were lost when the trace was recorded
  std::set<std::string> may_have_missed;  // ids of the rules that ask for what was lost, or lay behind damage
  uint64_t alerts = 0;
  int64_t first_ns = 0, last_ns = 0;
  std::map<std::string, uint64_t> alerts_by_rule;
  uint64_t late = 0;                               // events that came later than the bound
  std::map<std::string, state::RuleCounts> state;  // by rule: what the trace ended with, of all traces together
  uint64_t damaged = 0;                            // traces that could not be read to their end

  void CountEvent(uint64_t time_ns);
  // `program`: whose rules may have missed something by it.
  void CountLost(const trace::Lost& lost, const ir::Program& program);
  void Add(const Totals& other);
};

// How a trace ended.
struct TraceEnd {
  Totals totals;               // of this trace
  Status status = Ok();        // of a damaged one: where and why. What comes before has been replayed
  bool ends_replay = false;    // `status` is no damage: it could not be opened, or an engine gave an Error
  std::map<std::string, uint64_t> unmapped;  // of a recording: what has no counterpart here, by its name

  // Counts what `status` and a cut make of it: every rule may have missed something.
  void SettleDamage(const ir::Program& program, const trace::Info& info);
};

// Calls come one at a time, by one thread, trace after trace in the order in which they were given. What they hand over is valid
// during the call; the info until OnEnd.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void OnTrace(const std::string& path, const trace::Info& info) = 0;
  // Whether OnEvent is called: events of traces that wait for their turn have to be copied for it.
  virtual bool WantsEvents() const { return false; }
  // Before the alerts that it raises.
  virtual void OnEvent(const event::Event&) {}
  virtual void OnLost(const trace::Lost&) {}
  virtual void OnAlert(const event::Match& match) = 0;
  // Of a trace that could not be opened there is no OnTrace before.
  virtual void OnEnd(const std::string& path, const TraceEnd& end) = 0;
};

}  // namespace ks::replay

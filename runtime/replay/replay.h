// Traces × program → alerts, compared with what was expected.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "bpf/schema/schema.h"
#include "runtime/engine/engine.h"
#include "runtime/replay/observer.h"

namespace ks::replay {

// A field that a rule asks for and the trace does not hold: the rule cannot be decided there.
struct MissingColumn {
  std::string rule;   // id
  std::string field;  // dotted
};

// What the program's rules need and the trace's header does not name. Said before a replay starts.
std::vector<MissingColumn> FindMissingColumns(const ir::Program& program, const trace::Info& info);

struct Options {
  state::Options state;
  unsigned jobs = 1;  // traces that are replayed at the same time
  // In place of engine::DecideAll: another engine, whose Error ends the replay. Of several jobs several threads call it.
  std::function<Result<std::vector<event::Match>>(const event::Event&)> decide;
  // Rules over several events are decided by the reference as well; the replay ends where it says another thing ("engines-disagree").
  bool checks_state = false;
};

// So many up to now, of all traces.
using OnProgress = std::function<void(uint64_t events, uint64_t alerts)>;

// One trace's events, decided, become alerts: the part of a replay that has to see them in their order, and begins with each trace
// without state. Windows that are open at its end stay open.
class Run {
 public:
  Run(const engine::Engine& engine, const state::Options& options, state::OnAlert on_alert);
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  // An event, and all that its engine said of it.
  void Take(const event::Event& event, std::span<const event::Match> matches);
  // Events that nothing was said of have come, the newest of them at `time_ns`.
  void Advance(uint64_t time_ns);
  // No more events. What the run counted: alerts, and state.
  Totals Finish();

 private:
  state::Tracker tracker_;
  state::OnAlert on_alert_;
  Totals totals_;
};

// Decides every event of the traces by its whole predicates, and rules over several events by each trace's time. What is damaged is
// replayed up to the damage, and counted; the Error is of a trace that cannot be opened, or of an engine. The observer
// hears the same whatever `jobs` is: who is ahead of his turn keeps a bounded number of calls, and waits.
Result<Totals> ReplayTraces(const engine::Engine& engine, const std::vector<std::string>& paths, const Options& options,
                            Observer& observer, const OnProgress& on_progress);

// Compares alerts as JSON lines, without regard to order or to what differs from run to run (see kVolatile in replay.cpp).
struct Comparison {
  std::vector<std::string> missing;     // expected, not raised: the expected line
  std::vector<std::string> unexpected;  // raised, not expected: the raised line
  bool same() const { return missing.empty() && unexpected.empty(); }
};
// `where` names the file of expectations in errors.
Result<Comparison> Compare(std::string_view expected_lines, const std::vector<std::string>& raised,
                           const std::string& where);

}  // namespace ks::replay

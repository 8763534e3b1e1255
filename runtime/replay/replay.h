// Trace × program → alerts, compared with what was expected.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "bpf/schema/schema.h"
#include "runtime/engine/engine.h"
#include "runtime/state/tracker.h"
#include "runtime/trace/trace.h"

namespace ks::replay {

// A field that a rule asks for and the trace does not hold: the rule cannot be decided there.
struct MissingColumn {
  std::string rule;   // id
  std::string field;  // dotted
};

struct Totals {
  uint64_t events = 0;
  uint64_t lost = 0;    // records that were lost when the trace was recorded
  std::set<std::string> may_have_missed;  // ids of the rules that ask for what was lost
  uint64_t alerts = 0;
  int64_t first_ns = 0, last_ns = 0;
  std::map<std::string, uint64_t> alerts_by_rule;
  uint64_t late = 0;                               // events that came later than the bound
  std::map<std::string, state::RuleCounts> state;  // by rule: what the trace ended with, of all traces together
};

// What the program's rules need and the trace's header does not name. Said before a replay starts.
std::vector<MissingColumn> FindMissingColumns(const ir::Program& program, const trace::Info& info);

// Decides every event of the trace by its whole predicates (engine::DecideAll), and rules over several events by the
// trace's time. Each trace begins without state; windows that are open at its end stay open. Adds to *totals, so that
// several traces can be replayed in one go. `on_event` is called after each event, for progress.
Status Replay(const engine::Engine& engine, trace::Reader& reader, const state::Options& options, Totals* totals,
              const std::function<void(const event::Match&)>& on_match, const std::function<void()>& on_event);

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

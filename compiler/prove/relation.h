// How what one rule fires on relates to what another fires on.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "compiler/prove/prove.h"

namespace ks::prove {

struct Fed {
  schema::EventKind kind{};
  int64_t offset_ns = 0;  // since the first one
  schema::Record record;  // fields that no rule asks for are Unread
};

// Whether there are events on which one rule fires and the other does not. A rule fires unless it is False: uncertain
// alerts are alerts. "More": fires where the other does not, or is certain where the other is not.
struct Beyond {
  enum class Is : uint8_t {
    Excluded,    // proved: there are none
    Proposed,    // `events`, which a test can feed; whoever says so looks first whether they do it
    Untestable,  // `events` is one that no test can feed: with fields that are absent or unknown. ir::Eval has looked
    Undecided,   // `why`
  } is = Is::Undecided;
  std::vector<Fed> events;
  std::string why;
};

struct Relation {
  Beyond lost;    // fires before and not after
  Beyond gained;  // fires after and not before
};

// Of two rules over single events: the predicates of their kinds. Of two with state: a rule fires on a run of events if
// it alerts at least once; docs/diff.md says which of them are compared, and what is left aside. Limits and texts are
// not looked at.
Relation Relate(const ir::Rule& before, const ir::Rule& after, std::chrono::milliseconds timeout);

// For Relate, of what single events are asked.
struct Asked {
  const std::vector<schema::EventKind>* kinds = nullptr;
  const ir::Pred* when = nullptr;
};
Beyond FindBeyond(const Asked& more, const Asked& less, Deadline deadline);
// A testable event on which both are True, or with `less_is_false` only the first.
Beyond FindBoth(const Asked& more, const Asked& less, bool less_is_false, Deadline deadline);
Relation RelateAggregates(const ir::Rule& before, const ir::Rule& after, Deadline deadline);
Relation RelateSequences(const ir::Rule& before, const ir::Rule& after, Deadline deadline);

}  // namespace ks::prove

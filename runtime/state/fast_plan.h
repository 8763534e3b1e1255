// What of an ordered sequence can be known before any event.
#pragma once

#include <optional>
#include <vector>

#include "runtime/state/value.h"

namespace ks::state {

// A value that belongs to the identity of a partial: later steps join on it.
struct JoinedValue {
  ir::Operand of;
  bool cut_is_unknown = false;
  bool operator==(const JoinedValue&) const = default;
};

struct LevelPlan {                          // partials that have reached so many steps
  std::vector<JoinedValue> joined;
  std::vector<std::optional<size_t>> from;  // by joined: its place one level below; nothing: of the level's own event
};

struct StepPlan {
  const ir::Step* step = nullptr;
  size_t before = 0;            // steps that match, and stand before it
  bool covers = false;          // its joins name every joined value of the level, so that it finds partials by hash
  std::vector<ir::Operand> own; // then: by joined
};

struct SequencePlan {
  explicit SequencePlan(const ir::Sequence& sequence);
  std::vector<const ir::Step*> positives;
  std::vector<StepPlan> steps;    // as in the sequence
  std::vector<LevelPlan> levels;  // by steps reached; [0] is empty
  bool trailing = false;
};

}  // namespace ks::state

#include "runtime/state/fast_plan.h"

#include <algorithm>

namespace ks::state {

using Role = ir::Step::Role;

SequencePlan::SequencePlan(const ir::Sequence& sequence) {
  for (const ir::Step& step : sequence.steps) {
    steps.push_back({&step, positives.size(), false, {}});
    if (step.role == Role::Match) positives.push_back(&step);
    trailing = step.role == Role::Match ? false : trailing || step.role == Role::Without;
  }
  levels.resize(positives.size() + 1);
  for (size_t reached = 1; reached <= positives.size(); ++reached) {
    LevelPlan& level = levels[reached];
    for (const StepPlan& plan : steps) {
      if (plan.step->role != Role::Until && plan.before < reached) continue;
      for (const ir::Join& join : plan.step->joins) {
        const JoinedValue value{join.other, !CutAlike(join)};
        if (join.other.step <= reached && !std::ranges::count(level.joined, value)) level.joined.push_back(value);
      }
    }
    const std::vector<JoinedValue>& below = levels[reached - 1].joined;
    for (const JoinedValue& value : level.joined) {
      const auto place = std::ranges::find(below, value);
      level.from.push_back(place == below.end() ? std::nullopt
                                                : std::optional(static_cast<size_t>(place - below.begin())));
    }
  }
  for (StepPlan& plan : steps) {
    if (plan.step->role == Role::Until || plan.before == 0) continue;
    for (const JoinedValue& value : levels[plan.before].joined) {
      const auto join = std::ranges::find_if(plan.step->joins, [&](const ir::Join& one) {
        return JoinedValue{one.other, !CutAlike(one)} == value;
      });
      if (join != plan.step->joins.end()) plan.own.push_back(join->own);
    }
    // Each join names one value; if some value is joined twice, with two own operands, hashing one would miss the other.
    plan.covers = !plan.own.empty() && plan.own.size() == levels[plan.before].joined.size() &&
                  plan.own.size() == plan.step->joins.size();
  }
}

}  // namespace ks::state

// Rules that count. On a run of events the first alert comes with the first window of one key that holds enough:
// nothing was consumed before. So more events, a lower threshold, a longer window and a coarser key never take the
// first alert away.
#include <algorithm>

#include "compiler/prove/relation.h"
#include "compiler/prove/vary.h"

namespace ks::prove {
namespace {

using Is = Beyond::Is;
using Function = ir::Aggregate::Function;

constexpr size_t kMostEvents = 2000;  // of a witness

bool Holds(const ir::Key& all, const ir::Key& part) {
  return std::ranges::all_of(part,
                             [&](const ir::Operand& operand) { return std::ranges::find(all, operand) != all.end(); });
}

// Whether nothing but its predicate can let `more` fire where `less` does not.
bool NoLooser(const ir::Aggregate& more, const ir::Aggregate& less) {
  if (more.function == Function::First) return more.by == less.by && more.within_ns == less.within_ns;
  // meaning.md, M36: a sum may count a value for a 64th of the window longer.
  if (more.function == Function::Sum && more.within_ns != less.within_ns &&
      more.within_ns > less.within_ns - less.within_ns / 64)
    return false;
  return more.at_least >= less.at_least && more.within_ns <= less.within_ns && Holds(more.by, less.by);
}

// Events of which `more` counts enough and `less` does not, as the parameters suggest it.
Beyond Propose(const ir::Rule& more, const ir::Rule& less, Beyond single) {
  const ir::Aggregate &loose = *more.aggregate, &strict = *less.aggregate;
  Beyond out;
  out.why = "no run of events was found that tells them apart";
  if (single.is != Is::Proposed) return single.is == Is::Undecided ? single : out;
  const Fed base = single.events.front();
  const bool sums = loose.function == Function::Sum;
  const uint64_t count = loose.function == Function::First ? 1
                         : sums                            ? std::min<uint64_t>(2, loose.at_least)
                                                           : loose.at_least;
  if (count > kMostEvents) {
    out.why = "a run of events that tells them apart would be too long";
    return out;
  }
  ir::Key varied;
  if (loose.function == Function::Distinct) varied = loose.of;
  for (const ir::Operand& operand : strict.by) {
    if (std::ranges::find(loose.by, operand) == loose.by.end()) varied.push_back(operand);
  }
  // As slow as the looser one allows if its window is longer, else at once.
  const auto gaps = static_cast<int64_t>(std::max<uint64_t>(count, 2) - 1);
  const bool slow = loose.within_ns > strict.within_ns;
  const auto still = [&](const schema::Record& record) {
    const auto of = [&](const ir::Rule& rule, const schema::Record& asked) { return ir::Eval(rule.when, asked); };
    return of(more, record) == of(more, base.record) && of(less, record) == of(less, base.record);
  };
  for (uint64_t i = 0; i < count; ++i) {
    Fed fed = base;
    if (!varied.empty() && !VaryWithin(varied, i, still, &fed.record)) return out;
    if (sums && !loose.of.empty()) {
      const uint64_t share = i + 1 < count ? loose.at_least / 2 : loose.at_least - (count - 1) * (loose.at_least / 2);
      fed.record.Set(loose.of.front().field, static_cast<int64_t>(share));
      if (!still(fed.record)) return out;
    }
    if (slow) fed.offset_ns = i + 1 == count ? loose.within_ns : loose.within_ns / gaps * static_cast<int64_t>(i);
    out.events.push_back(std::move(fed));
  }
  out.is = Is::Proposed;
  return out;
}

Beyond Direction(const ir::Rule& more, const ir::Rule& less, Deadline deadline) {
  const Asked more_asks{&more.kinds, &more.when}, less_asks{&less.kinds, &less.when};
  Beyond single = FindBeyond(more_asks, less_asks, deadline);
  const bool no_looser = NoLooser(*more.aggregate, *less.aggregate);
  if (single.is == Is::Proposed) return Propose(more, less, std::move(single));
  if (no_looser) return single;
  return Propose(more, less, FindBoth(more_asks, less_asks, false, deadline));
}

}  // namespace

Relation RelateAggregates(const ir::Rule& before, const ir::Rule& after, Deadline deadline) {
  if (before.aggregate->function != after.aggregate->function || before.aggregate->of != after.aggregate->of) {
    const Beyond undecided{Is::Undecided, {}, "they measure something else"};
    return {undecided, undecided};
  }
  return {Direction(before, after, deadline), Direction(after, before, deadline)};
}

}  // namespace ks::prove

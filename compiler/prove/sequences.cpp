// Rules of several steps. What fires has found its chain of events; the other way round, a chain is always found only
// by rules whose steps forget nothing: those are told by FindsEveryChain, and only of them it is claimed that they
// fire.
#include <algorithm>

#include "compiler/prove/relation.h"
#include "compiler/prove/vary.h"

namespace ks::prove {
namespace {

using Is = Beyond::Is;
using ir::Step;

bool Holds(const ir::Key& all, const ir::Key& part) {
  return std::ranges::all_of(part,
                             [&](const ir::Operand& operand) { return std::ranges::find(all, operand) != all.end(); });
}

Asked Of(const Step& step) { return {&step.kinds, &step.when}; }

bool IsTrue(const ir::Pred& pred) { return pred.op == ir::Pred::Op::True; }

// meaning.md, M5 to M12: the newest partial of a step is the best one to go on from if nothing but the window tells it
// from others.
bool FindsEveryChain(const ir::Rule& rule) {
  const ir::Sequence& sequence = *rule.sequence;
  if (sequence.unordered || !IsTrue(rule.when) || sequence.steps.back().role == Step::Role::Without) return false;
  size_t matching = 0, joined = 0;
  for (const Step& step : sequence.steps) {
    if (!IsTrue(step.cross) || (step.repeat > 1 && matching > 0)) return false;
    matching += step.role == Step::Role::Match ? 1 : 0;
    joined += step.joins.empty() ? 0 : 1;
  }
  return joined == 0 || matching <= 2;
}

bool SameShape(const ir::Sequence& a, const ir::Sequence& b) {
  return a.unordered == b.unordered &&
         std::ranges::equal(a.steps, b.steps, [](const Step& x, const Step& y) { return x.role == y.role; });
}

bool SameBeyondSteps(const ir::Rule& a, const ir::Rule& b) {
  const ir::Sequence &x = *a.sequence, &y = *b.sequence;
  return a.when == b.when && x.by == y.by && x.within_ns == y.within_ns &&
         std::ranges::equal(x.steps, y.steps, [](const Step& s, const Step& t) {
           return s.joins == t.joins && s.cross == t.cross && s.repeat == t.repeat;
         });
}

// Whether nothing but the conditions of single steps can let `more` fire where `less` does not.
bool NoLooser(const ir::Rule& more, const ir::Rule& less) {
  const ir::Sequence &loose = *more.sequence, &strict = *less.sequence;
  if (!FindsEveryChain(less) || loose.within_ns > strict.within_ns || !Holds(loose.by, strict.by)) return false;
  for (size_t i = 0; i < loose.steps.size(); ++i) {
    const bool match = loose.steps[i].role == Step::Role::Match;
    if (loose.steps[i].joins != strict.steps[i].joins || (match && loose.steps[i].repeat < strict.steps[i].repeat))
      return false;
    if (!match && !IsTrue(loose.steps[i].cross)) return false;
  }
  return true;
}

// One event for each step that matches, equal in the keys and in what is joined; that of step `differs`, if there is
// one, does not match there for `less`.
Beyond Chain(const ir::Rule& more, const ir::Rule& less, size_t differs, Deadline deadline) {
  Beyond out;
  const ir::Sequence &loose = *more.sequence, &strict = *less.sequence;
  std::vector<Fed> matched;
  ir::Key apart;  // what only `less` wants to be equal
  for (const ir::Operand& operand : strict.by) {
    if (std::ranges::find(loose.by, operand) == loose.by.end()) apart.push_back(operand);
  }
  for (size_t i = 0; i < loose.steps.size(); ++i) {
    const Step& step = loose.steps[i];
    if (step.role != Step::Role::Match && i != differs) continue;
    std::vector<ir::Pred> conditions;
    for (const ir::Operand& operand : loose.by) {
      if (!matched.empty()) conditions.push_back(SameValue(operand, operand, matched.front().record));
    }
    for (const ir::Join& join : step.joins) {
      if (join.other.step >= 1 && join.other.step <= matched.size()) {
        conditions.push_back(SameValue(join.own, join.other, matched[join.other.step - 1].record));
      }
    }
    const bool match = step.role == Step::Role::Match;
    conditions.push_back(match ? step.when : strict.steps[i].when);
    const ir::Pred wanted = ir::MakeAnd(std::move(conditions));
    // An absence that only the stricter rule knows: its event is in between.
    const Asked asks{match ? &step.kinds : &strict.steps[i].kinds, &wanted};
    Beyond found = FindBoth(asks, match ? Of(strict.steps[i]) : Of(step), i == differs, deadline);
    if (found.is != Is::Proposed) return found;
    Fed fed = std::move(found.events.front());
    if (!apart.empty() && !matched.empty() &&
        !VaryWithin(
            apart, i, [&](const schema::Record& record) { return ir::Eval(wanted, record) == ir::Truth::True; },
            &fed.record)) {
      out.why = "no events were found that differ in the key";
      return out;
    }
    for (uint32_t n = 0; n < step.repeat; ++n) out.events.push_back(fed);
    if (match) matched.push_back(std::move(fed));
  }
  if (loose.within_ns > strict.within_ns && !out.events.empty()) out.events.back().offset_ns = loose.within_ns;
  out.is = Is::Proposed;
  return out;
}

Beyond Direction(const ir::Rule& more, const ir::Rule& less, Deadline deadline) {
  const ir::Sequence &loose = *more.sequence, &strict = *less.sequence;
  Beyond rest;  // of the steps that give no chain
  rest.is = Is::Excluded;
  bool steps_equal = true;
  for (size_t i = 0; i < loose.steps.size(); ++i) {
    const bool match = loose.steps[i].role == Step::Role::Match;
    const Asked a = Of(match ? loose.steps[i] : strict.steps[i]), b = Of(match ? strict.steps[i] : loose.steps[i]);
    const Beyond step = FindBeyond(a, b, deadline);
    if (step.is == Is::Proposed) {
      Beyond chain = Chain(more, less, i, deadline);
      if (chain.is == Is::Proposed) return chain;
      rest = {Is::Undecided, {}, chain.why};
    } else if (step.is != Is::Excluded && rest.is == Is::Excluded) {
      rest = step;
    }
    steps_equal = steps_equal && step.is == Is::Excluded && FindBeyond(b, a, deadline).is == Is::Excluded;
  }
  // The same answers, and the same done with them.
  if (steps_equal && SameBeyondSteps(more, less)) return {Is::Excluded, {}, ""};
  if (NoLooser(more, less)) return rest;
  Beyond chain = Chain(more, less, SIZE_MAX, deadline);
  if (chain.is != Is::Proposed) chain = {Is::Undecided, {}, "what they ask beyond single events is not compared"};
  return chain;
}

}  // namespace

Relation RelateSequences(const ir::Rule& before, const ir::Rule& after, Deadline deadline) {
  if (!SameShape(*before.sequence, *after.sequence)) {
    const Beyond undecided{Is::Undecided, {}, "their steps are others"};
    return {undecided, undecided};
  }
  return {Direction(before, after, deadline), Direction(after, before, deadline)};
}

}  // namespace ks::prove

// A rule's conditions as their author sees them: for MC/DC, and for what a mutant changes.
#pragma once

#include <functional>
#include <vector>

#include "compiler/ir/eval.h"
#include "compiler/sema/sema.h"

namespace ks::mutate {

// A comparison is one condition, however large its set; of a def that is called, each of its comparisons is one.
struct Decision {
  enum class Op : uint8_t { Condition, Not, And, Or };
  Op op = Op::Condition;
  std::vector<Decision> operands;
  ir::Pred pred;                               // of all of it
  const sema::Condition* condition = nullptr;  // null: what no user wrote (an exception's expiry, `and not` exceptions)
};
Decision DecisionOf(const sema::Condition& condition);

// One thing that a rule decides about an event.
struct RuleDecision {
  enum class What : uint8_t { Where, Step, Exceptions };
  What what = What::Where;
  size_t step = 0;  // in Sequence::steps
  Decision root;
};
// Of a rule without a sequence one: its `where`, and none of its exceptions. Of a sequence: each step's, then its
// exceptions', if there are any, over the steps' events. They point into the rule.
std::vector<RuleDecision> DecisionsOf(const sema::Rule& rule);

// A comparison that has to decide its decision alone, to one side.
struct Obligation {
  const Decision* condition = nullptr;
  bool value = false;
  // What has to be true of an event for it: the others' values, and its own.
  std::vector<ir::Pred> goals;
};
// In the order of the text; true before false.
std::vector<Obligation> ObligationsOf(const Decision& root);

// Calls for every comparison that decides here (masking MC/DC): were it other, so would be the decision. What is
// unknown decides nothing, and hides what stands beside it.
void ForEachDecisive(const Decision& root, const ir::Frame& frame,
                     const std::function<void(const Decision& condition, bool value)>& visit);

// What holds of every event, as far as `preds` ask for it: what a guard covers is there only if the guard holds.
std::vector<ir::Pred> AxiomsOf(const std::vector<ir::Pred>& preds);
// Proved, within the budget of one question: no event makes all of them true.
bool Impossible(const std::vector<ir::Pred>& goals);
// Proved: no event makes one true and the other false.
bool Equivalent(const ir::Pred& a, const ir::Pred& b);

}  // namespace ks::mutate

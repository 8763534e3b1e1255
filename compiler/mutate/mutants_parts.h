// How the mutants of a rule are made: of its conditions, and of its state.
#pragma once

#include "compiler/mutate/mutants.h"

namespace ks::mutate {

// Changes of one comparison's literals.
struct LiteralChange {
  Operator op{};
  std::string about;
  std::vector<Edit> edits;
  sema::Condition condition;
};
// `condition` is one comparison as it was written.
std::vector<LiteralChange> LiteralChanges(const sema::Condition& condition, const Context& context);

void AddConditionMutants(const sema::Rule& rule, const Context& context, std::vector<Mutant>* out);
void AddStateMutants(const sema::Rule& rule, std::vector<Mutant>* out);

// Without an item of a list: the item, and the word or comma between it and the one beside it.
Edit WithoutItem(const Span& item, const Span* before, const Span* after);

}  // namespace ks::mutate

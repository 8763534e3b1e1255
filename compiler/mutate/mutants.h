// Rules with one small mistake each: what good tests notice.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/mutate/decision.h"
#include "compiler/mutate/force.h"

namespace ks::mutate {

enum class Operator : uint8_t {
  DropConjunct,
  DropDisjunct,
  Negate,
  Widen,
  Narrow,
  SwapSteps,
  DeleteStep,
  HalveWindow,
  DoubleWindow,
  ThresholdUp,
  ThresholdDown,
  DropKey,
  DropException,
};
std::string_view Name(Operator op);  // "drop a conjunct"

struct Edit {
  Span span;
  std::string text;  // what stands there instead
};

struct Mutant {
  Operator op{};
  std::string about;        // "without `process.uid != 0`"
  Span at;                  // what is changed
  std::vector<Edit> edits;  // that make the mutant of the source; none where no place is known
  sema::Rule rule;
  // Of a changed condition: of which decision, and what an event has to be for both to decide differently, each way by
  // itself.
  std::optional<size_t> decision;  // in DecisionsOf
  std::vector<std::vector<ir::Pred>> ways;
};

struct Context {
  // All modules that names of the policy may come from: where the lists are that a set is made of.
  std::vector<const syntax::Module*> modules;
  // What the events of the rule's tests hold: literals are chosen near them.
  const Observed* observed = nullptr;
};

// Every mutant of a rule, in the order of its text. Of a set that is written in the condition each literal is left out
// once; of a list with a name one, which the tests' events hold, if there is one. Sets are widened by a value that the
// tests' events hold and the set does not, if there is one, else by one made up. A mutant that the language would refuse
// (a step left out of which others speak) is not made.
std::vector<Mutant> MutantsOf(const sema::Rule& rule, const Context& context);

// The rule as ir, and whether both are proved to say the same of everything.
ir::Rule Lower(const sema::Rule& rule, const sema::CheckedModule& module);
bool IsEquivalent(const sema::Rule& rule, const Mutant& mutant, const sema::CheckedModule& module);

// The lines of the source that the edits change, before and after: "-…\n+…\n". "" where no place is known.
std::string DiffOf(const Mutant& mutant);
// What stands there, on one line, in backquotes, short.
std::string Shown(const Span& span);

}  // namespace ks::mutate

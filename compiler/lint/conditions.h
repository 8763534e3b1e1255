// Lints of one condition, and of what stands in conjunction with it.
#pragma once

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "compiler/lint/solver.h"
#include "compiler/sema/sema.h"

namespace ks::lint {

// An operand of a conjunction as the user wrote it; a call of a def is one, whatever it stands for.
struct Unit {
  const sema::Condition* condition = nullptr;
  ir::Pred pred;
  const sema::Condition* parent = nullptr;  // the `and` whose operand it is
  size_t index = 0;                         // in it
};
std::vector<Unit> UnitsOf(const sema::Condition& condition);

class ConditionLint {
 public:
  using Context = std::vector<const ir::Pred*>;
  ConditionLint(Solver& solver, Diagnostics& diagnostics) : solver_(solver), diagnostics_(diagnostics) {}

  // Looks at a condition beside which all of `context` holds. False if it can never hold there.
  bool Visit(const std::vector<Unit>& units, const Context& context);
  // Lists whose literals swallow each other, and patterns without a wildcard. `expr`: what the condition was made of.
  void VisitLiterals(const syntax::Expr& expr, const sema::Condition& condition);
  // Whether something since the last call had too many operands to hold each against the others.
  bool TakeSkipped() { return std::exchange(skipped_, false); }

 private:
  void ReportNever(const std::vector<Unit>& units, const Context& context);
  void VisitAlternatives(const Unit& unit, const Context& context);
  void CheckList(const syntax::Compare& compare, const sema::Condition& condition);
  void CheckRegex(const syntax::Compare& compare, const sema::Condition& condition);
  void CheckGlob(const syntax::Compare& compare, const sema::Condition& condition);
  // The operand and the `and` or `or` beside it.
  void FixByRemoving(Diagnostic& diagnostic, const sema::Condition& parent, size_t index);

  Solver& solver_;
  Diagnostics& diagnostics_;
  bool skipped_ = false;
  std::set<std::string> lists_seen_;
};

}  // namespace ks::lint

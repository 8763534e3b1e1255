// A sound decision procedure over predicates: what it claims is proved for every event, and it may be silent about what
// is true but takes long to prove. Compared with ir::Eval, which is the meaning, by solver_test.cpp.
#pragma once

#include <algorithm>

#include "compiler/ir/ir.h"
#include "compiler/lint/theory.h"

namespace ks::lint {

inline constexpr size_t kTotalBudget = 4'000'000;  // literals handed to the theory

class Solver {
 public:
  // No event makes the predicate True.
  bool NeverTrue(const ir::Pred& pred);
  // No event makes it False.
  bool AlwaysTrue(const ir::Pred& pred);
  // No event makes `if_true` True and `then` False.
  bool Implies(const ir::Pred& if_true, const ir::Pred& then);
  // No event makes all of `all` True and `then`, if there is one, False.
  bool Refutes(const std::vector<const ir::Pred*>& all, const ir::Pred* then);

  // The work of all questions together has a bound, so that a policy of any size is checked in seconds. Beyond it nothing
  // more is claimed: whoever asks says so.
  bool exhausted() const { return total_ == 0; }
  void Charge(size_t work) { total_ -= std::min(total_, work); }

 private:
  struct Node {
    const ir::Pred* pred = nullptr;
    bool negated = false;
  };
  struct Goal {  // all of these at once
    std::vector<Literal> literals;
    std::vector<Node> choices;  // of each, one operand
    bool dead = false;
  };
  static void Push(Node node, Goal* goal);
  bool RefutesGoal(Goal goal);
  bool Spend(size_t work);

  Theory theory_;
  size_t left_ = 0;  // of the budget of one question
  size_t total_ = kTotalBudget;
};

}  // namespace ks::lint

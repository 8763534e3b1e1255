// Case analysis as in DPLL: literals that must hold are handed to the theory, disjunctions are split, the one with the
// fewest ways left first.
#include "compiler/lint/solver.h"

#include <algorithm>

namespace ks::lint {
namespace {

using ir::Pred;

constexpr size_t kMaxLiterals = 512;   // that have to hold together
constexpr size_t kBudget = 20'000;  // literals handed to the theory for one question

}  // namespace

void Solver::Push(Node node, Goal* goal) {
  switch (node.pred->op) {
    case Pred::Op::True:
      goal->dead = goal->dead || node.negated;
      return;
    case Pred::Op::False:
      goal->dead = goal->dead || !node.negated;
      return;
    case Pred::Op::Atom:
      goal->literals.push_back({&*node.pred->atom, !node.negated});
      return;
    case Pred::Op::Not:
      Push({&node.pred->operands.front(), !node.negated}, goal);
      return;
    case Pred::Op::And:
    case Pred::Op::Or:
      break;
  }
  if ((node.pred->op == Pred::Op::And) == node.negated) {
    goal->choices.push_back(node);
    return;
  }
  for (const Pred& operand : node.pred->operands) Push({&operand, node.negated}, goal);
}

bool Solver::Spend(size_t work) {
  Charge(work);
  if (left_ < work || total_ == 0) {
    left_ = 0;
    return false;
  }
  left_ -= work;
  return true;
}

bool Solver::RefutesGoal(Goal goal) {
  for (;;) {
    if (goal.dead) return true;
    if (!Spend(goal.literals.size() + 1)) return false;
    if (theory_.Refutes(goal.literals)) return true;
    if (goal.choices.empty()) return false;
    // The ways that each choice has left.
    size_t best = goal.choices.size();
    std::vector<Goal> best_ways;
    for (size_t i = 0; i < goal.choices.size(); ++i) {
      std::vector<Goal> ways;
      bool more_than_best = false;
      for (const Pred& operand : goal.choices[i].pred->operands) {
        Goal way{goal.literals, {}, false};
        Push({&operand, goal.choices[i].negated}, &way);
        if (way.dead) continue;
        if (!Spend(way.literals.size() + 1)) return false;
        if (theory_.Refutes(way.literals)) continue;
        ways.push_back(std::move(way));
        if (best < goal.choices.size() && ways.size() > best_ways.size()) {
          more_than_best = true;
          break;
        }
      }
      if (more_than_best) continue;
      if (ways.empty()) return true;
      if (best == goal.choices.size() || ways.size() < best_ways.size()) {
        best = i;
        best_ways = std::move(ways);
      }
      if (best_ways.size() == 1) break;
    }
    goal.choices.erase(goal.choices.begin() + static_cast<ptrdiff_t>(best));
    auto with_rest = [&](Goal way) {
      way.choices.insert(way.choices.end(), goal.choices.begin(), goal.choices.end());
      return way;
    };
    for (size_t i = 0; i + 1 < best_ways.size(); ++i) {
      if (!RefutesGoal(with_rest(std::move(best_ways[i])))) return false;
    }
    goal = with_rest(std::move(best_ways.back()));
  }
}

bool Solver::Refutes(const std::vector<const Pred*>& all, const Pred* then) {
  if (exhausted()) return false;
  Goal goal;
  for (const Pred* pred : all) Push({pred, false}, &goal);
  if (then != nullptr) Push({then, true}, &goal);
  if (goal.literals.size() > kMaxLiterals) return false;
  left_ = kBudget;
  return RefutesGoal(std::move(goal));
}

bool Solver::NeverTrue(const Pred& pred) { return Refutes({&pred}, nullptr); }
bool Solver::AlwaysTrue(const Pred& pred) { return Refutes({}, &pred); }
bool Solver::Implies(const Pred& if_true, const Pred& then) { return Refutes({&if_true}, &then); }

}  // namespace ks::lint

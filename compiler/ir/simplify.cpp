#include "compiler/ir/passes.h"

#include <algorithm>
#include <map>
#include <set>

#include "compiler/ir/hash.h"

namespace ks::ir {
namespace {

bool IsNegatedAtom(const Pred& pred) { return pred.op == Pred::Op::Not && pred.operands.front().op == Pred::Op::Atom; }

// Joins atoms without a label (a label says which list a literal's number counts in) that stand side by side in an Or,
// or negated in an And. What the kernel decides stays decidable there: a group that would be too large together is left
// alone.
std::vector<Pred> JoinAtoms(std::vector<Pred> operands, bool negated) {
  std::map<std::tuple<FieldId, Part, int16_t, bool, uint8_t, Test>, std::vector<size_t>> groups;
  auto atom_of = [&](size_t i) -> const Atom& {
    return negated ? *operands[i].operands.front().atom : *operands[i].atom;
  };
  for (size_t i = 0; i < operands.size(); ++i) {
    if (negated ? !IsNegatedAtom(operands[i]) : operands[i].op != Pred::Op::Atom) continue;
    const Atom& atom = atom_of(i);
    if (!AsksOfSet(atom.test) || !atom.label.empty()) continue;
    const Operand& of = atom.operand;
    groups[{of.field, of.part, of.element, of.lower, of.step, atom.test}].push_back(i);
  }
  std::vector<bool> gone(operands.size(), false);
  for (const auto& [key, members] : groups) {
    if (members.size() < 2) continue;
    Atom joined = atom_of(members.front());
    std::set<Value> present(joined.literals.begin(), joined.literals.end());
    for (size_t i : members) {
      for (const Value& literal : atom_of(i).literals) {
        if (present.insert(literal).second) joined.literals.push_back(literal);
      }
    }
    if (!WhyNotInKernel(joined).empty()) continue;
    Pred atom = MakeAtom(std::move(joined));
    operands[members.front()] = negated ? MakeNot(std::move(atom)) : std::move(atom);
    for (size_t i : members) gone[i] = i != members.front();
  }
  std::vector<Pred> kept;
  for (size_t i = 0; i < operands.size(); ++i) {
    if (!gone[i]) kept.push_back(std::move(operands[i]));
  }
  return kept;
}

// x and (x or y) is x; x or (x and y) is x. True of Kleene's values too, as they are ordered.
std::vector<Pred> Absorb(std::vector<Pred> operands, Pred::Op inner) {
  PredIndex index(operands);
  for (size_t i = 0; i < operands.size(); ++i) index.Add(i, HashOf(operands[i]));
  std::vector<Pred> kept;
  std::vector<bool> gone(operands.size(), false);
  for (size_t i = 0; i < operands.size(); ++i) {
    if (operands[i].op != inner) continue;
    gone[i] = std::any_of(operands[i].operands.begin(), operands[i].operands.end(),
                          [&](const Pred& part) { return index.Find(part, HashOf(part)).has_value(); });
  }
  for (size_t i = 0; i < operands.size(); ++i) {
    if (!gone[i]) kept.push_back(std::move(operands[i]));
  }
  return kept;
}

}  // namespace

Pred Simplify(const Pred& pred) {
  switch (pred.op) {
    case Pred::Op::True:
    case Pred::Op::False:
      return pred;
    case Pred::Op::Atom:
      return AsksOfSet(pred.atom->test) && pred.atom->literals.empty() ? False() : pred;
    case Pred::Op::Not:
      return MakeNot(Simplify(pred.operands.front()));
    case Pred::Op::And:
    case Pred::Op::Or:
      break;
  }
  bool conjunction = pred.op == Pred::Op::And;
  std::vector<Pred> operands;
  operands.reserve(pred.operands.size());
  for (const Pred& operand : pred.operands) operands.push_back(Simplify(operand));
  auto make = [&](std::vector<Pred> parts) {
    return conjunction ? MakeAnd(std::move(parts)) : MakeOr(std::move(parts));
  };
  Pred made = make(std::move(operands));
  if (made.op != pred.op) return made;  // constant, or the only operand that was left, which is simple already
  std::vector<Pred> parts = JoinAtoms(std::move(made.operands), conjunction);
  return make(Absorb(std::move(parts), conjunction ? Pred::Op::Or : Pred::Op::And));
}

}  // namespace ks::ir

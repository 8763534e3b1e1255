#include "compiler/ir/passes.h"

namespace ks::ir {
namespace {

Pred Push(const Pred& pred, bool negated) {
  switch (pred.op) {
    case Pred::Op::True:
      return negated ? False() : True();
    case Pred::Op::False:
      return negated ? True() : False();
    case Pred::Op::Atom:
      return negated ? MakeNot(pred) : pred;
    case Pred::Op::Not:
      return Push(pred.operands.front(), !negated);
    case Pred::Op::And:
    case Pred::Op::Or:
      break;
  }
  std::vector<Pred> operands;
  operands.reserve(pred.operands.size());
  for (const Pred& operand : pred.operands) operands.push_back(Push(operand, negated));
  bool conjunction = (pred.op == Pred::Op::And) != negated;
  return conjunction ? MakeAnd(std::move(operands)) : MakeOr(std::move(operands));
}

}  // namespace

Pred Nnf(const Pred& pred) { return Push(pred, false); }

}  // namespace ks::ir

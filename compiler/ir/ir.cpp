#include "compiler/ir/ir.h"

#include <array>

#include "compiler/ir/hash.h"

namespace ks::ir {

schema::TypeId TypeOf(const Operand& operand) {
  switch (operand.part) {
    case Part::Ip:
      return schema::TypeId::Ip;
    case Part::Port:
      return schema::TypeId::Port;
    case Part::Whole:
      break;
  }
  schema::TypeId type = schema::Row(operand.field).type;
  return operand.element >= 0 && type == schema::TypeId::StringList ? schema::TypeId::String : type;
}

bool AsksOfSet(Test test) {
  switch (test) {
    case Test::In:
    case Test::Under:
    case Test::Like:
    case Test::Contains:
    case Test::HasElement:
    case Test::HasBits:
    case Test::Matches:
      return true;
    case Test::Present:
    case Test::Range:
    case Test::EqualField:
    case Test::LessField:
    case Test::HasOther:
      break;
  }
  return false;
}

std::string_view Name(RuleSeverity severity) {
  static constexpr std::array<std::string_view, kSeverityCount> kNames = {"info", "low", "medium", "high", "critical"};
  return kNames[static_cast<size_t>(severity)];
}

bool Atom::SameAs(const Atom& other_atom) const {
  return operand == other_atom.operand && test == other_atom.test && other == other_atom.other &&
         literals == other_atom.literals;
}

bool Pred::operator==(const Pred& other) const {
  if (op != other.op || operands != other.operands || atom.has_value() != other.atom.has_value()) return false;
  return !atom || atom->SameAs(*other.atom);
}

Pred True() { return Pred{}; }

Pred False() {
  Pred pred;
  pred.op = Pred::Op::False;
  return pred;
}

Pred MakeAtom(Atom atom) {
  Pred pred;
  pred.op = Pred::Op::Atom;
  pred.atom = std::move(atom);
  return pred;
}

Pred MakeNot(Pred operand) {
  switch (operand.op) {
    case Pred::Op::True:
      return False();
    case Pred::Op::False:
      return True();
    case Pred::Op::Not: {
      Pred inner = std::move(operand.operands.front());
      return inner;
    }
    case Pred::Op::Atom:
    case Pred::Op::And:
    case Pred::Op::Or:
      break;
  }
  Pred pred;
  pred.op = Pred::Op::Not;
  pred.operands.push_back(std::move(operand));
  return pred;
}

namespace {

// And with neutral True and absorbing False, or the other way round.
Pred MakeNary(Pred::Op op, Pred::Op neutral, Pred::Op absorbing, std::vector<Pred> operands) {
  Pred pred;
  pred.op = op;
  PredIndex seen(pred.operands);
  bool absorbed = false;
  auto take = [&](Pred&& operand) {
    if (operand.op == neutral || absorbed) return;
    if (operand.op == absorbing) {
      absorbed = true;
      return;
    }
    size_t hash = HashOf(operand);
    if (seen.Find(operand, hash)) return;
    pred.operands.push_back(std::move(operand));
    seen.Add(pred.operands.size() - 1, hash);
  };
  for (Pred& operand : operands) {
    if (operand.op == op) {
      for (Pred& inner : operand.operands) take(std::move(inner));
    } else {
      take(std::move(operand));
    }
  }
  if (absorbed || pred.operands.empty()) {
    Pred constant;
    constant.op = absorbed ? absorbing : neutral;
    return constant;
  }
  if (pred.operands.size() == 1) {
    Pred only = std::move(pred.operands.front());
    return only;
  }
  return pred;
}

}  // namespace

Pred MakeAnd(std::vector<Pred> operands) {
  return MakeNary(Pred::Op::And, Pred::Op::True, Pred::Op::False, std::move(operands));
}

Pred MakeOr(std::vector<Pred> operands) {
  return MakeNary(Pred::Op::Or, Pred::Op::False, Pred::Op::True, std::move(operands));
}

}  // namespace ks::ir

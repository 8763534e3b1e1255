// Predicates as formulas.
#if KS_WITH_Z3
#include <algorithm>

#include "compiler/prove/question.h"

namespace ks::prove {

using ir::Atom;
using ir::Operand;
using ir::Pred;
using ir::Truth;
using schema::FieldId;
using schema::Slot;
using schema::Status;

// An atom that is not looked into. It may be anything, but always the same of one record: what is proved so holds, and
// what is found may turn out to be none.
Kleene Question::Opaque(const Atom& atom) {
  for (const auto& [known, kleene] : opaque_) {
    if (known.SameAs(atom)) return kleene;
  }
  const std::string name = std::to_string(++names_);
  Kleene kleene{context_.bool_const(("yes" + name).c_str()), context_.bool_const(("no" + name).c_str())};
  solver_.add(!(kleene.yes && kleene.no));
  // What is absent is nothing; what a test feeds is known.
  for (const Operand* operand : {&atom.operand, atom.other ? &*atom.other : nullptr}) {
    if (operand == nullptr || operand->step != ir::kThisEvent) continue;
    solver_.add(z3::implies(Is(operand->field, Status::Absent), kleene.no));
    if (events_ == Events::Testable) solver_.add(z3::implies(Is(operand->field, Status::Ok), kleene.yes || kleene.no));
  }
  opaque_.emplace_back(atom, kleene);
  return kleene;
}

z3::expr Question::ClassIn(const Atom& atom, const std::vector<Truth> TextClass::*truths, Truth wanted) {
  const Field& field = fields_.at(atom.operand.field);
  const Group& group = groups_[field.group];
  const auto index = static_cast<size_t>(
      std::ranges::find_if(group.atoms, [&](const Atom& other) { return other.SameAs(atom); }) - group.atoms.begin());
  z3::expr_vector any(context_);
  for (size_t i = 0; i < group.classes.classes.size(); ++i) {
    if ((group.classes.classes[i].*truths)[index] == wanted)
      any.push_back(*field.value == context_.bv_val(static_cast<unsigned>(i), 32));
  }
  return z3::mk_or(any);
}

Kleene Question::EncodeText(const Atom& atom) {
  const FieldId field = atom.operand.field;
  return {(Is(field, Status::Ok) && ClassIn(atom, &TextClass::whole, Truth::True)) ||
              (Is(field, Status::Truncated) && ClassIn(atom, &TextClass::cut, Truth::True)),
          Is(field, Status::Absent) || (Is(field, Status::Ok) && ClassIn(atom, &TextClass::whole, Truth::False)) ||
              (Is(field, Status::Truncated) && ClassIn(atom, &TextClass::cut, Truth::False))};
}

std::optional<z3::expr> Question::EqualTexts(FieldId a, FieldId b) {
  if (a == b) return context_.bool_val(true);
  if (a > b) std::swap(a, b);
  auto it = equal_.find({a, b});
  if (it == equal_.end()) {
    it = equal_.emplace(std::pair(a, b), context_.bool_const(("equal" + std::to_string(++names_)).c_str())).first;
    solver_.add(z3::implies(it->second, *fields_.at(a).value == *fields_.at(b).value));
  }
  return it->second;
}

Kleene Question::EncodeTwo(const Atom& atom) {
  const FieldId left = atom.operand.field, right = atom.other->field;
  if (atom.test == ir::Test::HasOther || !IsPlain(atom.operand) || !IsPlain(*atom.other)) return Opaque(atom);
  const auto value_of = [&](const Operand& operand) {
    const Field& field = fields_.at(operand.field);
    if (operand.part == ir::Part::Port) return z3::zext(*field.port, 48);
    if (operand.part == ir::Part::Whole && field.port) return z3::concat(*field.value, *field.port);
    return *field.value;
  };
  z3::expr holds = context_.bool_val(false);
  if (SlotOf(left) == Slot::Text) {
    holds = *EqualTexts(left, right);
  } else {
    const z3::expr a = value_of(atom.operand), b = value_of(*atom.other);
    if (a.get_sort().bv_size() != b.get_sort().bv_size()) return Opaque(atom);
    holds = atom.test == ir::Test::EqualField ? a == b : a < b;
  }
  const z3::expr both = Is(left, Status::Ok) && Is(right, Status::Ok);
  return {both && holds, Is(left, Status::Absent) || Is(right, Status::Absent) || (both && !holds)};
}

// Of a number, address or endpoint that is there.
z3::expr Question::Holds(const Atom& atom, const Field& field) {
  const bool is_port = atom.operand.part == ir::Part::Port;
  const z3::expr value = is_port ? z3::zext(*field.port, 48) : *field.value;
  if (atom.test == ir::Test::Range) {
    return value >= Number(std::get<int64_t>(atom.literals[0])) && value <= Number(std::get<int64_t>(atom.literals[1]));
  }
  z3::expr_vector any(context_);
  for (const schema::Value& literal : atom.literals) {
    if (const auto* number = std::get_if<int64_t>(&literal)) {
      any.push_back(atom.test == ir::Test::HasBits ? (value & Number(*number)) == Number(*number)
                                                   : value == Number(*number));
    } else if (const auto* ip = std::get_if<schema::IpAddress>(&literal)) {
      any.push_back(value == Address(*ip));
    } else if (const auto* cidr = std::get_if<schema::Cidr>(&literal)) {
      const unsigned low = 128u - cidr->bits;
      any.push_back(low == 128 ? context_.bool_val(true)
                               : value.extract(127, low) == Address(cidr->base).extract(127, low));
    } else if (const auto* endpoint = std::get_if<schema::Endpoint>(&literal)) {
      any.push_back(value == Address(endpoint->ip) && *field.port == context_.bv_val(endpoint->port, 16));
    }
  }
  return z3::mk_or(any);
}

Kleene Question::Encode(const Atom& atom) {
  const z3::expr never = context_.bool_val(false);
  if (ir::AsksOfSet(atom.test) && atom.literals.empty()) return {never, !never};
  if (atom.operand.step != ir::kThisEvent || (atom.other && atom.other->step != ir::kThisEvent)) return Opaque(atom);
  if (atom.other) return EncodeTwo(atom);
  const FieldId field = atom.operand.field;
  if (SortsTexts(atom)) return EncodeText(atom);
  if (atom.test == ir::Test::Present) {
    return {
        Is(field, Status::Ok) || Is(field, Status::Truncated) || Is(field, Status::Raw) || Is(field, Status::Foreign),
        Is(field, Status::Absent)};
  }
  if (SlotOf(field) == Slot::Text) return Opaque(atom);
  const z3::expr holds = Holds(atom, fields_.at(field));
  return {Is(field, Status::Ok) && holds, Is(field, Status::Absent) || (Is(field, Status::Ok) && !holds)};
}

Kleene Question::Encode(const Pred& pred) {
  const z3::expr never = context_.bool_val(false);
  switch (pred.op) {
    case Pred::Op::True:
      return {!never, never};
    case Pred::Op::False:
      return {never, !never};
    case Pred::Op::Atom:
      return Encode(*pred.atom);
    case Pred::Op::Not: {
      const Kleene operand = Encode(pred.operands.front());
      return {operand.no, operand.yes};
    }
    case Pred::Op::And:
    case Pred::Op::Or:
      break;
  }
  z3::expr_vector yes(context_), no(context_);
  for (const Pred& operand : pred.operands) {
    const Kleene kleene = Encode(operand);
    yes.push_back(kleene.yes);
    no.push_back(kleene.no);
  }
  return pred.op == Pred::Op::And ? Kleene{z3::mk_and(yes), z3::mk_or(no)} : Kleene{z3::mk_or(yes), z3::mk_and(no)};
}

}  // namespace ks::prove
#endif

#include <fmt/format.h>

#include "compiler/ir/passes.h"
#include "compiler/ir/pattern.h"

namespace ks::ir {
namespace {

using schema::Slot;
using schema::TypeId;

bool IsInt(TypeId type) { return schema::Row(type).slot == Slot::Int; }
bool IsText(TypeId type) { return type == TypeId::String || type == TypeId::Path; }

// Whether the test can be asked of a value of the type.
bool Asks(Test test, TypeId type) {
  switch (test) {
    case Test::Present:
    case Test::EqualField:
      return true;
    case Test::In:
      return type != TypeId::StringList;
    case Test::Range:
    case Test::LessField:
    case Test::HasBits:
      return IsInt(type);
    case Test::Under:
      return type == TypeId::Path;
    case Test::Like:
      return IsText(type);
    case Test::Contains:
      return IsText(type) || type == TypeId::StringList;
    case Test::HasElement:
    case Test::HasOther:
      return type == TypeId::StringList;
    case Test::Matches:
      return IsText(type) || type == TypeId::StringList;
  }
  return false;
}

bool Suits(const Value& literal, TypeId type) {
  switch (schema::Row(type).slot) {
    case Slot::Int:
      return std::holds_alternative<int64_t>(literal);
    case Slot::Ip:
      return std::holds_alternative<schema::IpAddress>(literal) || std::holds_alternative<schema::Cidr>(literal);
    case Slot::Endpoint:
      return std::holds_alternative<schema::Endpoint>(literal);
    case Slot::Text:
      return std::holds_alternative<std::string>(literal);
    case Slot::None:
      break;
  }
  return false;
}

}  // namespace

std::string WhyIllFormed(const Operand& operand) {
  if (static_cast<size_t>(operand.field) >= schema::kFieldCount) return "there is no such field";
  const schema::FieldRow& row = schema::Row(operand.field);
  if (operand.part != Part::Whole && row.type != TypeId::Endpoint) return fmt::format("{} is no endpoint", row.dotted);
  if (operand.element < -1) return "there is no such element";
  if (operand.element >= 0 && row.type != TypeId::StringList) return fmt::format("{} is no list", row.dotted);
  if (operand.lower && schema::Row(row.type).slot != Slot::Text) return fmt::format("{} is no text", row.dotted);
  return "";
}

std::string WhyIllFormed(const Atom& atom) {
  if (std::string why = WhyIllFormed(atom.operand); !why.empty()) return why;
  const schema::FieldRow& row = schema::Row(atom.operand.field);
  TypeId type = TypeOf(atom.operand);
  if (!Asks(atom.test, type))
    return fmt::format("this cannot be asked of {}, which is of type {}", row.dotted, schema::Row(type).spelled);
  bool equals = atom.test == Test::EqualField || atom.test == Test::LessField;
  bool two = equals || atom.test == Test::HasOther;
  if (two != atom.other.has_value()) return two ? "a second field is missing" : "a second field does not belong here";
  if (two) {
    if (std::string why = WhyIllFormed(*atom.other); !why.empty()) return why;
    if (equals && TypeOf(*atom.other) != type) return "the two fields are not of one type";
    if (!equals && !IsText(TypeOf(*atom.other))) return "an element of a list equals a text only";
  }
  if ((two || atom.test == Test::Present) && !atom.literals.empty()) return "literals do not belong here";
  if (atom.test == Test::Range && atom.literals.size() != 2) return "a range has two bounds";
  for (const Value& literal : atom.literals) {
    if (!Suits(literal, type)) return fmt::format("a literal is not of type {}", schema::Row(type).spelled);
    if (const auto* cidr = std::get_if<schema::Cidr>(&literal); cidr != nullptr && cidr->bits > 128) {
      return "a block of addresses has at most 128 bits";
    }
    // What makes it safe to say that a truncated value equals no literal.
    const auto* text = std::get_if<std::string>(&literal);
    if (atom.test == Test::In && text != nullptr && text->size() > row.capture) {
      return fmt::format("a literal is longer than the {} bytes of {} that are captured", row.capture, row.dotted);
    }
    if (atom.test != Test::Matches) continue;
    if (std::string why = WhyBadPattern(*text); !why.empty()) {
      return fmt::format("the pattern `{}` is refused: {}", *text, why);
    }
  }
  return "";
}

}  // namespace ks::ir

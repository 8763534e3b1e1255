// One question to Z3: the fields that its predicates read as variables, the predicates as pairs of formulas.
#pragma once

#include <z3++.h>

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compiler/prove/prove.h"

namespace ks::prove {

inline schema::Slot SlotOf(schema::FieldId field) { return schema::Row(schema::Row(field).type).slot; }

// Kleene's values of a predicate: two formulas, never both true.
struct Kleene {
  z3::expr yes, no;
};

class Question {
 public:
  Question(schema::EventKind kind, Events events, Deadline deadline)
      : kind_(kind), events_(events), deadline_(deadline), solver_(context_) {}

  Answer Ask(std::span<const Want> wants);

 private:
  struct Field {
    z3::expr status;                // number of schema::Status
    std::optional<z3::expr> value;  // of numbers 64 bits, of addresses 128; of texts the number of its class
    std::optional<z3::expr> port;   // of endpoints
    size_t group = 0;               // of texts: in groups_
  };
  // Fields of texts that are asked to be equal have one set of classes.
  struct Group {
    std::vector<schema::FieldId> fields;
    std::vector<ir::Atom> atoms;
    TextClasses classes;
  };

  z3::expr Number(int64_t number) { return context_.bv_val(number, 64); }
  z3::expr Address(const schema::IpAddress& ip) {
    const auto word = [&](size_t from) {
      uint64_t bits = 0;
      for (size_t i = 0; i < 8; ++i) bits = bits << 8 | ip.bytes[from + i];
      return context_.bv_val(bits, 64);
    };
    return z3::concat(word(0), word(8));
  }
  z3::expr Is(schema::FieldId field, schema::Status status) {
    return fields_.at(field).status == context_.bv_val(static_cast<unsigned>(status), 3);
  }
  z3::expr Fresh(const char* what, unsigned bits) {
    return context_.bv_const((what + std::to_string(++names_)).c_str(), bits);
  }

  void Gather(const ir::Pred& pred);
  void AddField(schema::FieldId field);
  bool GroupTexts();
  void AddDomain(schema::FieldId field, const Field& of);
  Kleene Opaque(const ir::Atom& atom);
  Kleene Encode(const ir::Atom& atom);
  Kleene EncodeText(const ir::Atom& atom);
  Kleene EncodeTwo(const ir::Atom& atom);
  z3::expr Holds(const ir::Atom& atom, const Field& field);
  Kleene Encode(const ir::Pred& pred);
  z3::expr ClassIn(const ir::Atom& atom, const std::vector<ir::Truth> TextClass::*truths, ir::Truth wanted);
  std::optional<z3::expr> EqualTexts(schema::FieldId a, schema::FieldId b);
  schema::Record RecordOf(const z3::model& model);

  schema::EventKind kind_;
  Events events_;
  Deadline deadline_;
  z3::context context_;
  z3::solver solver_;
  std::map<schema::FieldId, Field> fields_;
  std::vector<Group> groups_;
  std::vector<const ir::Atom*> atoms_;
  std::vector<std::pair<ir::Atom, Kleene>> opaque_;
  std::map<std::pair<schema::FieldId, schema::FieldId>, z3::expr> equal_;  // of texts
  z3::expr_vector wishes_{context_};                                       // what reads better, if it can be
  std::string why_;
  unsigned names_ = 0;
};

// The operand is a field of this event, whole.
inline bool IsPlain(const ir::Operand& operand) {
  return operand.step == ir::kThisEvent && operand.element < 0 && !operand.lower;
}

}  // namespace ks::prove

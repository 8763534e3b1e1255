// Whether a conjunction of atoms and negated atoms can be true of any event. Sound: true is a proof.
#pragma once

#include <vector>

#include "compiler/ir/ir.h"
#include "compiler/lint/language.h"

namespace ks::lint {

struct Literal {
  const ir::Atom* atom = nullptr;
  bool positive = true;
};

class Theory {
 public:
  // Whether no event makes every literal True (a negated one: its atom False).
  bool Refutes(const std::vector<Literal>& literals);

 private:
  // About one field of one event.
  bool RefutesField(schema::FieldId field, const std::vector<Literal>& literals);
  bool RefutesNumber(schema::FieldId field, const std::vector<Literal>& literals);
  bool RefutesEndpoint(schema::FieldId field, const std::vector<Literal>& literals);
  bool RefutesAddress(schema::FieldId field, const std::vector<Literal>& literals);
  bool RefutesText(schema::FieldId field, const std::vector<Literal>& literals);
  bool RefutesList(const std::vector<Literal>& literals);
  // Whether a positive In leaves no value of its literals; *decided is whether there was one to go by.
  bool RefutesCandidates(schema::FieldId field, const std::vector<Literal>& literals, bool* decided);
  bool Holds(const Literal& literal, const schema::Record& record) const;

  Languages languages_;
  schema::Record record_;
};

}  // namespace ks::lint

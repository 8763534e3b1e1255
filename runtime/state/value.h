// Values as bytes: what keys and joins are compared by.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/eval.h"

namespace ks::state {

// Equal operands give equal bytes, others never do: the status (what is not Ok, Absent or Truncated is Unknown), then the
// value's form, then the value. `cut_is_unknown`: what was cut has no value.
std::string Encode(const schema::FieldValue& value, bool cut_is_unknown = false);
// All of a key, one after the other; no two keys run together.
std::string EncodeKey(const ir::Key& key, const schema::Record& record);

// Whether two encoded values are equal, as a join asks: Absent never is, Unknown may be. Of two values that were cut
// the parts are compared: if they differ, so do the values.
ir::Truth JoinHolds(std::string_view own, std::string_view other);

// Of a join whose sides are cut at the same place the parts can be compared.
bool CutAlike(const ir::Join& join);

// The fields that a predicate reads from this event, or from a step's.
std::vector<schema::FieldId> FieldsOfStep(const ir::Pred& pred, uint8_t step);
// Operands of the predicate whose value is not certain in these events: their fields.
std::vector<schema::FieldId> DoubtsOf(const ir::Pred& pred, const ir::Frame& frame);

// Adds what is not there yet; both ascending.
void AddFields(const std::vector<schema::FieldId>& more, std::vector<schema::FieldId>* fields);

}  // namespace ks::state

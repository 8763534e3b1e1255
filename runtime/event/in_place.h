// Fields that are set in the memory they have: what decodes event after event into one record takes none for each. A field whose
// state comes without a value may still hold that of an earlier event, which means nothing.
#pragma once

#include <string_view>

#include "bpf/schema/value.h"

namespace ks::event {

// To be filled.
inline schema::FieldValue& FieldAt(schema::Record& record, schema::FieldId field) {
  return const_cast<schema::FieldValue&>(record[field]);  // the record is not const; it has no such accessor of its own
}

template <typename T>
T& ValueInPlace(schema::Value& value) {
  T* held = std::get_if<T>(&value);
  return held ? *held : value.emplace<T>();
}

inline void SetTextInPlace(schema::Record& record, schema::FieldId field, std::string_view text, schema::Status status) {
  schema::FieldValue& own = FieldAt(record, field);
  own.status = status;
  ValueInPlace<std::string>(own.value).assign(text);
}

inline bool HasValue(const schema::FieldValue& field) {
  return field.status != schema::Status::Unread && field.status != schema::Status::Absent && field.status != schema::Status::Unknown;
}

inline bool Same(const schema::FieldValue& a, const schema::FieldValue& b) { return a.status == b.status && (!HasValue(a) || a.value == b.value); }

}  // namespace ks::event

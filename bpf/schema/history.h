// Since when a field of the table is there, and what has taken the place of one (history.def).
#pragma once

#include <optional>

#include "bpf/schema/schema.h"

namespace ks::schema {

// Of the table, counted from 1; grows when fields come or are deprecated.
inline constexpr uint32_t kVersion = 3;

struct Deprecation {
  uint32_t since = 0;
  FieldId successor{};  // of the same type
};

// The version in which the field came.
uint32_t Since(FieldId field);
std::optional<Deprecation> DeprecationOf(FieldId field);

}  // namespace ks::schema

// What a field can hold at all, whatever a policy asks of it.
#pragma once

#include <string_view>

#include "bpf/schema/value.h"
#include "compiler/lint/intervals.h"

namespace ks::lint {

// Of a number's field; of others everything.
Intervals DomainOf(schema::FieldId field);
// Whether events that carry the field may have it Absent.
bool MayBeAbsent(schema::FieldId field);
// Every observed path starts with a slash; no text that is no list holds a NUL.
bool IsInDomain(schema::FieldId field, const schema::Value& value);

}  // namespace ks::lint

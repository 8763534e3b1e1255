// An event's fields as the accessors would leave them.
#pragma once

#include "bpf/schema/value.h"

namespace ks::evaluate {

// What no accessor wrote is noise made from `noise`, so that code that reads it is found out.
void Fill(ks_scratch& scratch, const schema::Record& record, uint64_t noise);

inline constexpr uint8_t kNotEvaluated = 0xee;  // what can[] holds before

}  // namespace ks::evaluate

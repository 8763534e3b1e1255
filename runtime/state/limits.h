// Limits: M32 to M35; and what aggregates of both engines mean by a sum.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>

#include "compiler/ir/eval.h"

namespace ks::state {

// Of a sum: so many slices of time are told apart within the window, so that what is kept of a key is bounded.
inline constexpr uint64_t kSlices = 64;

inline uint64_t AddCapped(uint64_t a, uint64_t b) { return a > UINT64_MAX - b ? UINT64_MAX : a + b; }

// What an event adds to a sum: nothing if its value is not there, not known, or negative.
inline std::optional<uint64_t> Summand(const ir::Operand& operand, const schema::Record& record) {
  const schema::FieldValue value = ir::ReadOperand(operand, record);
  const auto* number = std::get_if<int64_t>(&value.value);
  if (value.status != schema::Status::Ok || number == nullptr || *number < 0) return std::nullopt;
  return static_cast<uint64_t>(*number);
}

}  // namespace ks::state

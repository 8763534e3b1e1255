// The C++ view of operators.def.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "compiler/sema/sema.h"

namespace ks::sema {

enum class Right : uint8_t { One, Members, Any, All, Name };

struct OperatorRow {
  OperatorId id;
  std::string_view spelling;
  Right right;
  uint32_t types;  // bit per TypeId of the left operand
  std::string_view about;
};

std::span<const OperatorRow> Operators();
const OperatorRow& Row(OperatorId id);
// Nothing if the operator does not work on that type.
const OperatorRow* FindOperator(std::string_view spelling, TypeId left);
// "==, !=, in": for a message.
std::string OperatorsOn(TypeId left);

}  // namespace ks::sema

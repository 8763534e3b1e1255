#include "compiler/sema/operators.h"

#include <array>

namespace ks::sema {
namespace {

constexpr uint32_t T(TypeId type) { return 1u << static_cast<unsigned>(type); }

using enum schema::TypeId;
constexpr auto kOperators = std::to_array<OperatorRow>({
#define KS_OPERATOR(id, spelling, right, test, types, about) {OperatorId::id, spelling, Right::right, types, about},
#include "compiler/sema/operators.def"
});

}  // namespace

std::span<const OperatorRow> Operators() { return kOperators; }

const OperatorRow& Row(OperatorId id) { return kOperators[static_cast<size_t>(id)]; }

const OperatorRow* FindOperator(std::string_view spelling, TypeId left) {
  for (const OperatorRow& row : kOperators) {
    if (row.spelling == spelling && (row.types & T(left)) != 0) return &row;
  }
  return nullptr;
}

std::string OperatorsOn(TypeId left) {
  std::string list;
  for (const OperatorRow& row : kOperators) {
    if ((row.types & T(left)) == 0) continue;
    if (!list.empty()) list += ", ";
    list += row.spelling;
  }
  return list;
}

}  // namespace ks::sema

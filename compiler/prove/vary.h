// Events that are to be equal, or to differ, in what a key or a measure reads of them.
#pragma once

#include <functional>

#include "compiler/ir/eval.h"

namespace ks::prove {

// Gives the operand another value, a different one for each `number`; false where that is not possible.
bool Vary(const ir::Operand& operand, size_t number, schema::Record* record);
// Variants of the record with operands changed that `still` likes; false if none of a few is.
bool VaryWithin(const ir::Key& operands, size_t number, const std::function<bool(const schema::Record&)>& still,
                schema::Record* record);
// That the operand has the value that `other` has in its record.
ir::Pred SameValue(const ir::Operand& operand, const ir::Operand& other, const schema::Record& record);

}  // namespace ks::prove

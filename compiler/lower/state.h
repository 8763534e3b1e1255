// Sequences, aggregates and limits of a rule.
#pragma once

#include "compiler/ir/ir.h"
#include "compiler/sema/sema.h"

namespace ks::lower {

ir::Operand LowerField(const sema::FieldRef& field);
ir::Pred LowerCondition(const sema::Condition& condition);

// What a step asks for in the three forms in which it is decided: its where ≡ when ∧ joins ∧ cross.
void SplitStep(const ir::Pred& where, ir::Step* step);

void LowerState(const sema::Rule& rule, ir::Rule* out);

}  // namespace ks::lower

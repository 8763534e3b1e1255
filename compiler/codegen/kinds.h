// All rules of one event kind.
#pragma once

#include "compiler/codegen/automata.h"
#include "compiler/codegen/limits.h"
#include "compiler/codegen/rows.h"

namespace ks::codegen {

// Writes `u32 <name>(u32 hook)`: evaluates the atoms, clears the bits in alive[] of the rules that cannot match. For
// Hooks also counts the event and, if a rule passes that is not over its limit, sends its record.
llvm::Function* WriteKind(Unit& unit, Automata& automata, Rows& rows, Limits& limits, const ir::KindPlan& plan,
                          const EmitOptions& options);

}  // namespace ks::codegen

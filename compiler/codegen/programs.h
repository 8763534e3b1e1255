// The entry points: one program per hook, or for tests one per kind.
#pragma once

#include "compiler/codegen/unit.h"

namespace ks::codegen {

// The number of a hook's scratch: hooks are counted as events.def first names them.
uint32_t HookIndex(std::string_view hook);

// `functions[i]` decides the rules of plan.kinds[i].
void WriteHookPrograms(Unit& unit, const ir::Plan& plan, const std::vector<llvm::Function*>& functions);
void WriteEvaluatePrograms(Unit& unit, const ir::Plan& plan, const std::vector<llvm::Function*>& functions);

}  // namespace ks::codegen

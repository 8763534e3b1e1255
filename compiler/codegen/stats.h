// What a finished object costs: read from its instructions.
#pragma once

#include <string_view>

#include "compiler/codegen/codegen.h"

namespace ks::codegen {

// Fills programs and map_bytes from the ELF. An Error if it is not the kind of ELF that codegen makes.
Status Measure(BpfObject& object);

}  // namespace ks::codegen

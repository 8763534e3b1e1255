// Which system calls the hook of all calls need look at: what it does for every other one is all that most events cost.
#pragma once

#include <string>
#include <vector>

#include "bpf/schema/schema.h"

namespace ks::codegen {

// By the number of a call, 64-bit or i386 (0 to 511): 1 if the call may be an event of one of the kinds, else 0.
std::string WantedCalls(const std::vector<schema::EventKind>& kinds);

}  // namespace ks::codegen

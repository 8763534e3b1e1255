// Arguments that the kernel half could not read, put into events before anything is decided.
#pragma once

#include <cstdint>

#include "runtime/event/event.h"
#include "runtime/kernel/arguments.h"

namespace ks::agent {

// If process.args of an event, as Decode made it with that offset, is Unknown, and the reader (null: none) has them, they are Ok or
// Truncated as if the kernel half had read them.
void ReadUnknownArguments(kernel::ArgumentReader* reader, int64_t boot_to_utc_ns, event::Event* event);

}  // namespace ks::agent

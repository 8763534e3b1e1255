// Which kinds of events a recording holds if nobody says otherwise. The build embeds one BPF object for these, one for
// all.
#pragma once

#include "bpf/schema/schema.h"

namespace ks::agent {

// Every system call, every fork: more than a person wants who did not ask for it.
inline bool IsUsual(schema::EventKind kind) {
  return kind != schema::EventKind::fork_ && kind != schema::EventKind::syscall_;
}

}  // namespace ks::agent

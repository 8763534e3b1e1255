// Kernels that preempt programs at tracepoints, and then skip what other tasks do on that CPU: bpf/hooks/dispatcher.bpf.c.
#pragma once

#include "runtime/kernel/libbpf.h"

namespace ks::kernel {

// From Linux 7.0 on.
bool PreemptsPrograms();

// Puts the kernel's own functions in the place of KS_CALL_PREEMPT_DISABLE and …_ENABLE in an object that is not loaded yet; nothing,
// unless the kernel is `preempting` programs.
Status KeepPreemptionOff(bpf_object* object, bool preempting);

}  // namespace ks::kernel

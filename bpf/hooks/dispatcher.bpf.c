// What is attached, for as long as the agent lives: reads the epoch and goes on in one of two banks. A swap of bundles is
// one store to the epoch, so that no event passes between two sets of programs. Each bank's number is a constant: the kernel makes
// a jump of such a call, where another goes through a table.
//
// The kernel runs a program once at a time per CPU. From Linux 7 on, system calls' programs can be preempted, and what other tasks
// do on that CPU meanwhile is skipped: the kernel counts it (HookStatus::missed), and the agent announces it as loss.
#include "bpf/hooks/maps.h"

#define KS_DISPATCHER(hook)                                                          \
  struct ks_map_bank ks_bank_##hook SEC(".maps");                                    \
  SEC("raw_tp/" #hook)                                                               \
  int ks_dispatch_##hook(struct bpf_raw_tracepoint_args *ctx) {                      \
    __u32 zero = 0;                                                                  \
    const volatile __u32 *epoch = bpf_map_lookup_elem(&ks_active, &zero);            \
    if (!epoch) return 0;                                                            \
    if (*epoch & 1) {                                                                \
      bpf_tail_call_static(ctx, &ks_bank_##hook, 1);                                 \
    } else {                                                                         \
      bpf_tail_call_static(ctx, &ks_bank_##hook, 0);                                 \
    }                                                                                \
    return 0;                                                                        \
  }
KS_HOOKS(KS_DISPATCHER)

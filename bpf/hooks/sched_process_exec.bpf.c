// A program was started: after the point of no return, with the new memory in place and not one instruction of it run.
#include "bpf/hooks/abi.h"

KS_INLINE __u32 ks_hook_sched_process_exec(void *ctx, struct ks_scratch *s) {
  const struct bpf_raw_tracepoint_args *raw = ctx;
  s->context.task = raw->args[0];
  s->context.kind = KS_KIND_exec;
  return KS_KIND_exec;
}

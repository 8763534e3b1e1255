// A process or thread was made. Who made it is the process of the event.
#include "bpf/hooks/abi.h"

KS_INLINE __u32 ks_hook_sched_process_fork(void *ctx, struct ks_scratch *s) {
  const struct bpf_raw_tracepoint_args *raw = ctx;
  s->context.task = raw->args[0];
  s->context.object = raw->args[1];
  s->context.kind = KS_KIND_fork;
  return KS_KIND_fork;
}

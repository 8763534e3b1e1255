// A process ended: told once, when its last thread goes.
#include "bpf/fields/access.h"
#include "bpf/hooks/maps.h"

KS_INLINE __u32 ks_hook_sched_process_exit(void *ctx, struct ks_scratch *s) {
  const struct bpf_raw_tracepoint_args *raw = ctx;
  struct task_struct *task = (struct task_struct *)raw->args[0];
  s->context.task = (__u64)task;
  s->context.kind = KS_KIND_NONE;
  if (BPF_CORE_READ(task, signal, live.counter) > 0) return KS_KIND_NONE;
  // Two threads that go at the same time both find none alive: the first to say so here tells it.
  struct ks_ended ended = {BPF_CORE_READ(task, tgid), BPF_CORE_READ(task, group_leader, start_boottime)};
  __u8 told = 1;
  if (bpf_map_update_elem(&ks_exited, &ended, &told, BPF_NOEXIST) == -KS_EEXIST) return KS_KIND_NONE;
  s->context.kind = KS_KIND_exit;
  return KS_KIND_exit;
}

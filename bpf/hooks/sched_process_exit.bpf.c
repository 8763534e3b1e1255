// A process ended: told once, when its last thread goes.
#include "bpf/fields/access.h"
#include "bpf/hooks/maps.h"

// Whether it is this thread that tells the end of its process.
static KS_INLINE int tells(const struct bpf_raw_tracepoint_args *raw, struct task_struct *task) {
  // From Linux 6.16 on the kernel says so: of the threads of a process, one alone counted the living down to none.
  if (bpf_core_field_exists(struct trace_event_raw_sched_process_exit, group_dead)) return raw->args[1] & 1;
  if (BPF_CORE_READ(task, signal, live.counter) > 0) return 0;
  // Two threads that go at the same time both find none alive: the first to say so here tells it.
  struct ks_process ended = ks_process_of(task);
  __u8 told = 1;
  // Before Linux 6.4 maps answer with an int, and what is above its 32 bits is zero, not its sign.
  return (int)bpf_map_update_elem(&ks_exited, &ended, &told, BPF_NOEXIST) != -KS_EEXIST;
}

KS_INLINE __u32 ks_hook_sched_process_exit(void *ctx, struct ks_scratch *s) {
  const struct bpf_raw_tracepoint_args *raw = ctx;
  struct task_struct *task = (struct task_struct *)raw->args[0];
  s->context.task = (__u64)task;
  s->context.kind = KS_KIND_NONE;
  if (!tells(raw, task)) return KS_KIND_NONE;
  s->context.kind = KS_KIND_exit;
  return KS_KIND_exit;
}

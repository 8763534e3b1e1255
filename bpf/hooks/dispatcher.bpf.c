// What is attached, for as long as the agent lives: reads the epoch and goes on in one of two banks. A swap of bundles is
// one store to the epoch, so that no event passes between two sets of programs. Each bank's number is a constant: the kernel makes
// a jump of such a call, where another goes through a table.
//
// The kernel runs a program once at a time per CPU. Where it preempts programs (from Linux 7 on), it skips what other tasks do on that
// CPU meanwhile, and counts it. There each hook has two dispatchers instead of one: the second goes on with the events that the first did
// not see. What the second is skipped for, too, is lost, and one more if that leaves a note that nobody takes: HookStatus::missed. A
// bundle's programs keep preemption off (ks_begin), so that no two share a scratch.
#include "bpf/hooks/maps.h"

// By hook: the first dispatcher has seen the event that the task is at.
struct ks_seen {
  __u8 hook[KS_HOOK_COUNT];
};
struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct ks_seen);
} ks_seen SEC(".maps");
// By hook: events that the first left to the second, since it could not note them; those that only the second has seen.
struct ks_lanes {
  __u64 unnoted, recovered;
};
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, KS_HOOK_COUNT);
  __type(key, __u32);
  __type(value, struct ks_lanes);
} ks_lanes SEC(".maps");

static __always_inline int note_seen(__u32 hook) {
  struct ks_seen *seen = bpf_task_storage_get(&ks_seen, bpf_get_current_task_btf(), 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (seen) {
    seen->hook[hook] = 1;
    return 1;
  }
  struct ks_lanes *lanes = bpf_map_lookup_elem(&ks_lanes, &hook);
  if (lanes) __sync_fetch_and_add(&lanes->unnoted, 1);
  return 0;
}

static __always_inline int was_seen(__u32 hook) {
  struct ks_seen *seen = bpf_task_storage_get(&ks_seen, bpf_get_current_task_btf(), 0, 0);
  if (seen && seen->hook[hook]) {
    seen->hook[hook] = 0;
    return 1;
  }
  struct ks_lanes *lanes = bpf_map_lookup_elem(&ks_lanes, &hook);
  if (lanes) __sync_fetch_and_add(&lanes->recovered, 1);
  return 0;
}

#define KS_GO_ON(hook)                                                               \
  __u32 zero = 0;                                                                    \
  const volatile __u32 *epoch = bpf_map_lookup_elem(&ks_active, &zero);              \
  if (!epoch) return 0;                                                              \
  if (*epoch & 1) {                                                                  \
    bpf_tail_call_static(ctx, &ks_bank_##hook, 1);                                   \
  } else {                                                                           \
    bpf_tail_call_static(ctx, &ks_bank_##hook, 0);                                   \
  }                                                                                  \
  return 0;

#define KS_DISPATCHER(hook)                                                          \
  SEC("raw_tp/" #hook)                                                               \
  int ks_dispatch_##hook(struct bpf_raw_tracepoint_args *ctx) {                      \
    KS_GO_ON(hook)                                                                   \
  }                                                                                  \
  SEC("raw_tp/" #hook)                                                               \
  int ks_first_##hook(struct bpf_raw_tracepoint_args *ctx) {                         \
    /* What cannot be noted is left to the second. */                                \
    if (!note_seen(KS_HOOK_##hook)) return 0;                                        \
    KS_GO_ON(hook)                                                                   \
  }                                                                                  \
  SEC("raw_tp/" #hook)                                                               \
  int ks_second_##hook(struct bpf_raw_tracepoint_args *ctx) {                        \
    if (was_seen(KS_HOOK_##hook)) return 0;                                          \
    KS_GO_ON(hook)                                                                   \
  }
KS_HOOKS(KS_DISPATCHER)

// Reads the arguments of one process from its memory, and sleeps until they are there: what a hook could not (ks_unread_args).
#include "bpf/fields/access.h"
#include "bpf/hooks/maps.h"

struct ks_map_desk {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct ks_arguments_desk);
} ks_arguments_desk SEC(".maps");

static KS_INLINE int is_of_process(struct task_struct *task, const struct ks_process *process) {
  struct ks_process own = ks_process_of(task);
  return own.pid == process->pid && own.start == process->start;
}

// A thread that has given back its memory has none; a program that begins has another one before its first argument is there.
static KS_INLINE int runs_image(struct task_struct *task, const struct ks_unread_args *of) {
  return (__u64)BPF_CORE_READ(task, mm) == of->mm && BPF_CORE_READ(task, self_exec_id) == of->exec_id;
}

// For each thread of the process that is asked for: the kernel finds it by its number, so it may be another one.
SEC("iter.s/task")
int ks_arguments_task(struct bpf_iter__task *ctx) {
  struct task_struct *task = ctx->task;
  __u32 zero = 0;
  struct ks_arguments_desk *desk = bpf_map_lookup_elem(&ks_arguments_desk, &zero);
  if (!task || !desk) return 0;
  if ((__u64)BPF_CORE_READ(task, tgid) != desk->of.process.pid) desk->strangers++;
  if (desk->outcome != KS_ARGUMENTS_GONE || !is_of_process(task, &desk->of.process) || !runs_image(task, &desk->of)) return 0;
  struct mm_struct *mm = (struct mm_struct *)desk->of.mm;
  __u64 start = BPF_CORE_READ(mm, arg_start), end = BPF_CORE_READ(mm, arg_end);
  __u64 bytes = end - start;
  asm volatile("" : "+r"(bytes));
  __u32 outcome = KS_ARGUMENTS_WHOLE;
  if (bytes > KS_ARGS_CAPTURE) {
    outcome = KS_ARGUMENTS_CUT;
    bytes = KS_ARGS_CAPTURE;
  }
  if (bpf_copy_from_user_task(desk->data, bytes, (void *)start, task, 0)) outcome = KS_ARGUMENTS_REFUSED;
  // It may have slept: what was read is of that image only if it runs still.
  if (!runs_image(task, &desk->of)) return 0;
  // Moved meanwhile: of which place the bytes are nobody knows.
  if (BPF_CORE_READ(mm, arg_start) != start || BPF_CORE_READ(mm, arg_end) != end) outcome = KS_ARGUMENTS_REFUSED;
  desk->bytes = bytes;
  desk->outcome = outcome;
  return 0;
}

// The process of the event; its parent: lineage.bpf.c. The task is the one that the hook names, not always the current one.
#include "bpf/fields/access.h"

KS_INLINE void ks_get_process_pid(struct ks_scratch *s) { KS_READ_INT(s, process_pid, int, ks_task(s), tgid); }

KS_INLINE void ks_get_process_tid(struct ks_scratch *s) { KS_READ_INT(s, process_tid, int, ks_task(s), pid); }

// A task's name into `words`, zeros behind it; its length. Both words at once: a helper that looks for the end does it by bytes.
static KS_INLINE __u64 read_name(__u64 *words, const struct task_struct *task, __u32 *status) {
  const __u64 ones = 0x0101010101010101ull, tops = ones << 7;
  *status = bpf_probe_read_kernel(words, 2 * sizeof(*words), __builtin_preserve_access_index(&task->comm)) ? KS_UNKNOWN : KS_OK;
  // What is below the lowest top bit that is set here lies before the first NUL.
  __u64 low = words[0], end = (low - ones) & ~low & tops;
  __u64 before = (end & -end) - 1;
  __u64 length = (((before >> 7) & ones) * ones) >> 56;
  // The second word counts if the first one is full. Its last byte is a NUL.
  __u64 full = -(length >> 3);
  __u64 high = words[1] & ~0ull >> 8;
  end = (high - ones) & ~high & tops;
  __u64 before_high = ((end & -end) - 1) & full;
  words[0] = low & before;
  words[1] = high & before_high;
  return length + ((((before_high >> 7) & ones) * ones) >> 56);
}

#define KS_READ_NAME(s, member, task)                                                    \
  do {                                                                                   \
    __u32 status;                                                                        \
    __u64 *words = (__u64 *)(void *)(s)->fields.member.data;                             \
    (s)->fields.member.len = read_name(words, task, &status);                            \
    words[2] = 0;                                                                        \
    KS_SET_STATUS(s, member, status);                                                    \
  } while (0)

KS_INLINE void ks_get_process_name(struct ks_scratch *s) { KS_READ_NAME(s, process_name, ks_task(s)); }

KS_INLINE void ks_get_process_uid(struct ks_scratch *s) {
  KS_READ_INT(s, process_uid, __u32, ks_task(s), real_cred, uid.val);
}

KS_INLINE void ks_get_process_euid(struct ks_scratch *s) {
  KS_READ_INT(s, process_euid, __u32, ks_task(s), real_cred, euid.val);
}

KS_INLINE void ks_get_process_gid(struct ks_scratch *s) {
  KS_READ_INT(s, process_gid, __u32, ks_task(s), real_cred, gid.val);
}

KS_INLINE void ks_get_process_egid(struct ks_scratch *s) {
  KS_READ_INT(s, process_egid, __u32, ks_task(s), real_cred, egid.val);
}

KS_INLINE void ks_get_process_loginuid(struct ks_scratch *s) {
  // Kernels without audit have no such member: nobody ever logged in.
  if (bpf_core_field_exists(struct task_struct, loginuid)) {
    KS_READ_INT(s, process_loginuid, __u32, ks_task(s), loginuid.val);
  } else {
    KS_SET_INT(s, process_loginuid, 0xffffffff);
  }
}

KS_INLINE void ks_get_process_session(struct ks_scratch *s) {
  // pids[3] is PIDTYPE_SID; numbers[0] is the number in the first PID namespace.
  KS_READ_INT(s, process_session, int, ks_task(s), signal, pids[3], numbers[0].nr);
}

KS_INLINE void ks_get_process_start_time(struct ks_scratch *s) {
  KS_READ_INT(s, process_start_time, __u64, ks_task(s), group_leader, start_boottime);
}

KS_INLINE void ks_get_process_exe(struct ks_scratch *s) { KS_SET_TEXT(s, process_exe, ks_exe_path(s->context.hook, ks_task(s))); }

KS_INLINE void ks_get_process_cwd(struct ks_scratch *s) {
  struct fs_struct *fs = BPF_CORE_READ(ks_task(s), fs);
  KS_SET_TEXT(s, process_cwd, ks_path_of(s->context.hook, __builtin_preserve_access_index(&fs->pwd)));
}

// From the process's own memory: it can rewrite them at any time, except before its first instruction.
KS_INLINE void ks_get_process_args(struct ks_scratch *s) {
  struct mm_struct *mm = BPF_CORE_READ(ks_task(s), mm);
  __u64 start = BPF_CORE_READ(mm, arg_start);
  __u64 bytes = BPF_CORE_READ(mm, arg_end) - start;
  __u32 status = KS_OK;
  if (!mm) {
    KS_SET_STATUS(s, process_args, BPF_CORE_READ(ks_task(s), flags) & KS_PF_KTHREAD ? KS_ABSENT : KS_UNKNOWN);
    return;
  }
  char *data = s->fields.process_args.data;
  asm volatile("" : "+r"(bytes));
  if (bytes > KS_ARGS_CAPTURE) {
    status = KS_TRUNCATED;
    bytes = KS_ARGS_CAPTURE;
  }
  if (bpf_probe_read_user(data, bytes, (void *)start)) status = KS_UNKNOWN;
  KS_END_TEXT(s->fields.process_args, bytes);
  // A process that wrote over its arguments may have left the last one without an end.
  if (bytes > 0 && bytes < KS_ARGS_CAPTURE && data[bytes - 1]) KS_END_TEXT(s->fields.process_args, bytes + 1);
  KS_SET_STATUS(s, process_args, status);
}

// Behind ks_record_begin. Not of a process that has no memory any more.
KS_SUBPROGRAM __u64 ks_sub_note_unread_args(__u32 hook) {
  struct ks_scratch *s = ks_scratch_of(hook);
  if (!s) return 0;
  const struct ks_record *head = (const struct ks_record *)s->out;
  struct task_struct *task = ks_task(s);
  struct ks_record_key key = {head->time_ns, head->cpu};
  struct ks_unread_args note = {ks_process_of(task), (__u64)BPF_CORE_READ(task, mm), BPF_CORE_READ(task, self_exec_id)};
  if (note.mm) bpf_map_update_elem(&ks_unread_args, &key, &note, BPF_ANY);
  return 0;
}

KS_INLINE void ks_get_process_tty(struct ks_scratch *s) {
  struct tty_struct *tty = BPF_CORE_READ(ks_task(s), signal, tty);
  if (!tty) {
    KS_SET_STATUS(s, process_tty, KS_ABSENT);
    return;
  }
  long got = bpf_core_read_str(s->fields.process_tty.data, 64, &tty->name);
  KS_SET_STATUS(s, process_tty, got > 0 ? KS_OK : KS_UNKNOWN);
  KS_END_TEXT(s->fields.process_tty, got > 0 ? (__u64)got - 1 : 0);
}

KS_INLINE void ks_get_process_caps(struct ks_scratch *s) {
  KS_READ_INT(s, process_caps, __u64, ks_task(s), real_cred, cap_effective);
}

// --- control group ---

// A subprogram, for a loop would have the offset of the member that does not exist computed before it is asked for.
KS_SUBPROGRAM __u64 ks_sub_kernfs_parent(__u64 node) {
  if (bpf_core_field_exists(struct kernfs_node, __parent)) {
    return (__u64)BPF_CORE_READ((struct kernfs_node *)node, __parent);
  }
  return (__u64)BPF_CORE_READ((struct kernfs_node___plain_parent *)node, parent);
}

static KS_INLINE struct kernfs_node *kernfs_parent(struct kernfs_node *node) {
  return (struct kernfs_node *)ks_sub_kernfs_parent((__u64)node);
}

static KS_INLINE struct kernfs_node *node_of_controller(struct css_set *set, __u64 controller) {
  char *slots = (char *)set + bpf_core_field_offset(struct css_set, subsys);
  struct cgroup_subsys_state *state = 0;
  bpf_probe_read_kernel(&state, sizeof(state), slots + controller * sizeof(state));
  return BPF_CORE_READ(state, cgroup, kn);
}

enum { KS_CGROUP_DEPTH = 8 };

// The last components of the control group's path into s->path, joined by "/". The default hierarchy; where only the old
// ones are in use, that of pids, then of memory.
KS_SUBPROGRAM __u64 ks_sub_cgroup(__u32 hook) {
  struct ks_scratch *s = ks_scratch_of(hook);
  if (!s) return KS_TEXT_RESULT(0, 0, KS_UNKNOWN);
  struct css_set *set = BPF_CORE_READ(ks_task(s), cgroups);
  struct kernfs_node *node = BPF_CORE_READ(set, dfl_cgrp, kn);
  struct kernfs_node *above = kernfs_parent(node);
  if (!above && bpf_core_enum_value_exists(enum cgroup_subsys_id, pids_cgrp_id)) {
    node = node_of_controller(set, bpf_core_enum_value(enum cgroup_subsys_id, pids_cgrp_id));
    above = kernfs_parent(node);
  }
  if (!above && bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id)) {
    node = node_of_controller(set, bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id));
    above = kernfs_parent(node);
  }
  if (!node) return KS_TEXT_RESULT(0, 0, KS_UNKNOWN);
  if (!above) return KS_TEXT_RESULT(0, 0, KS_OK);
  // A container may make groups of its own below the one that names it, so a few more components are kept.
  struct kernfs_node *nodes[KS_CGROUP_DEPTH] = {};
  for (__u32 i = 0; i < KS_CGROUP_DEPTH; i++) {
    above = kernfs_parent(node);
    if (!above) break;  // the root's name is empty; it is no component
    nodes[KS_CGROUP_DEPTH - 1 - i] = node;
    node = above;
  }
  __u32 status = kernfs_parent(node) ? KS_TRUNCATED : KS_OK;
  __u32 at = 0;
  for (__u32 i = 0; i < KS_CGROUP_DEPTH; i++) {
    if (!nodes[i]) continue;
    asm volatile("" : "+r"(at));
    if (at > 1024) return KS_TEXT_RESULT(0, 0, KS_UNKNOWN);
    long got = bpf_probe_read_kernel_str(s->path + at, 256, BPF_CORE_READ(nodes[i], name));
    if (got <= 0) return KS_TEXT_RESULT(0, 0, KS_UNKNOWN);
    at += got;
    if (at < 1024) s->path[at - 1] = '/';
  }
  __u32 len = at - 1;
  __u32 longest = sizeof(s->fields.process_cgroup.data) - KS_TEXT_SLACK;
  if (len > longest) return KS_TEXT_RESULT(len - longest, longest, KS_TRUNCATED);
  return KS_TEXT_RESULT(0, len, status);
}

KS_INLINE void ks_get_process_cgroup(struct ks_scratch *s) {
  KS_SET_TEXT(s, process_cgroup, ks_sub_cgroup(s->context.hook));
}

// The process of the event and its parent. The task is the one that the hook names, not always the current one.
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

// The image of a task. Kernel threads have none; a task that is about to end has given it back.
static KS_INLINE __u64 exe_path(struct ks_scratch *s, struct task_struct *task) {
  struct mm_struct *mm = BPF_CORE_READ(task, mm);
  if (!mm) {
    __u32 kernel = BPF_CORE_READ(task, flags) & KS_PF_KTHREAD;
    return KS_TEXT_RESULT(0, 0, kernel ? KS_ABSENT : KS_UNKNOWN);
  }
  struct file *file = BPF_CORE_READ(mm, exe_file);
  if (!file) return KS_TEXT_RESULT(0, 0, KS_UNKNOWN);
  return ks_file_path(s->context.hook, file);
}

KS_INLINE void ks_get_process_exe(struct ks_scratch *s) { KS_SET_TEXT(s, process_exe, exe_path(s, ks_task(s))); }

KS_INLINE void ks_get_process_cwd(struct ks_scratch *s) {
  struct fs_struct *fs = BPF_CORE_READ(ks_task(s), fs);
  KS_SET_TEXT(s, process_cwd, ks_path_of(s->context.hook, __builtin_preserve_access_index(&fs->pwd)));
}

enum { KS_ARGS_CAPTURE = 512 };

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

static KS_INLINE struct task_struct *parent_of(struct ks_scratch *s) {
  return BPF_CORE_READ(ks_task(s), real_parent, group_leader);
}

KS_INLINE void ks_get_process_parent_pid(struct ks_scratch *s) {
  KS_READ_INT(s, process_parent_pid, int, parent_of(s), tgid);
}

KS_INLINE void ks_get_process_parent_name(struct ks_scratch *s) {
  KS_READ_NAME(s, process_parent_name, parent_of(s));
}

KS_INLINE void ks_get_process_parent_uid(struct ks_scratch *s) {
  KS_READ_INT(s, process_parent_uid, __u32, parent_of(s), real_cred, uid.val);
}

KS_INLINE void ks_get_process_parent_exe(struct ks_scratch *s) {
  KS_SET_TEXT(s, process_parent_exe, exe_path(s, parent_of(s)));
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

// --- ancestors ---

enum { KS_ANCESTORS = 16, KS_NAME_BYTES = 16, KS_ID_BYTES = 24 };

// The process above, or 0 above the first one. (The idle task, pid 0, is its own parent.)
static KS_INLINE struct task_struct *above(struct task_struct *task) {
  struct task_struct *parent = BPF_CORE_READ(task, real_parent, group_leader);
  return parent && BPF_CORE_READ(parent, tgid) ? parent : 0;
}

KS_SUBPROGRAM __u64 ks_sub_ancestors(__u32 hook) {
  struct ks_scratch *s = ks_scratch_of(hook);
  if (!s) return KS_TEXT_RESULT(0, 0, KS_UNKNOWN);
  struct task_struct *task = above(ks_task(s));
  __u64 at = 0;
  for (__u32 i = 0; i < KS_ANCESTORS && task; i++) {
    asm volatile("" : "+r"(at));
    if (at > (KS_ANCESTORS - 1) * KS_NAME_BYTES) break;
    long got = bpf_core_read_str(s->fields.process_ancestors.data + at, KS_NAME_BYTES, &task->comm);
    if (got <= 0) return KS_TEXT_RESULT(0, 0, KS_UNKNOWN);
    at += got;
    task = above(task);
  }
  return KS_TEXT_RESULT(0, at, task ? KS_TRUNCATED : KS_OK);
}

KS_INLINE void ks_get_process_ancestors(struct ks_scratch *s) {
  __u64 names = ks_sub_ancestors(s->context.hook);
  KS_SET_STATUS(s, process_ancestors, KS_TEXT_STATUS(names));
  KS_END_TEXT(s->fields.process_ancestors, KS_TEXT_LEN(names));
}

// Eight hexadecimal digits of 32 bits, the first one in the lowest byte, all at once.
static KS_INLINE __u64 hexadecimal(__u64 bits) {
  __u64 digits = ((bits & 0xffff) << 32) | (bits >> 16 & 0xffff);
  digits = ((digits & 0x000000ff000000ffull) << 16) | (digits >> 8 & 0x000000ff000000ffull);
  digits = ((digits & 0x000f000f000f000full) << 8) | (digits >> 4 & 0x000f000f000f000full);
  // 39 more makes a letter of what is beyond 9.
  return digits + 0x3030303030303030ull + ((digits + 0x0606060606060606ull) >> 4 & 0x0101010101010101ull) * 39;
}

// process.id of each ancestor, in the form of schema::ProcessId.
KS_SUBPROGRAM __u64 ks_sub_ancestor_ids(__u32 hook) {
  struct ks_scratch *s = ks_scratch_of(hook);
  if (!s) return KS_TEXT_RESULT(0, 0, KS_UNKNOWN);
  struct task_struct *task = above(ks_task(s));
  __u32 count = 0;
  for (; count < KS_ANCESTORS && task; count++) {
    __u64 start = 0;
    int pid = 0;
    if (BPF_CORE_READ_INTO(&pid, task, tgid) || BPF_CORE_READ_INTO(&start, task, start_boottime)) {
      return KS_TEXT_RESULT(0, 0, KS_UNKNOWN);
    }
    __u64 *id = (__u64 *)(s->fields.process_ancestor_ids.data + count * KS_ID_BYTES);
    __u64 high = hexadecimal(start >> 32), low = hexadecimal(start & 0xffffffff);
    // Six digits, a colon, sixteen digits, a NUL.
    id[0] = hexadecimal(pid & 0xffffff) >> 16 | (__u64)':' << 48 | high << 56;
    id[1] = high >> 8 | low << 56;
    id[2] = low >> 8;
    task = above(task);
  }
  return KS_TEXT_RESULT(0, count * KS_ID_BYTES, task ? KS_TRUNCATED : KS_OK);
}

KS_INLINE void ks_get_process_ancestor_ids(struct ks_scratch *s) {
  __u64 ids = ks_sub_ancestor_ids(s->context.hook);
  KS_SET_STATUS(s, process_ancestor_ids, KS_TEXT_STATUS(ids));
  KS_END_TEXT(s->fields.process_ancestor_ids, KS_TEXT_LEN(ids));
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

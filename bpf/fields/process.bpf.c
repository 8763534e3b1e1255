// The process of the event and its parent. The task is the one that the hook names, not always the current one.
#include "bpf/fields/access.h"

KS_INLINE void ks_get_process_pid(struct ks_scratch *s) { KS_READ_INT(s, process_pid, int, ks_task(s), tgid); }

KS_INLINE void ks_get_process_tid(struct ks_scratch *s) { KS_READ_INT(s, process_tid, int, ks_task(s), pid); }


KS_INLINE void ks_get_process_name(struct ks_scratch *s) {
  long got = bpf_core_read_str(s->fields.process_name.data, 16, &ks_task(s)->comm);
  KS_SET_STATUS(s, process_name, got > 0 ? KS_OK : KS_UNKNOWN);
  KS_END_TEXT(s->fields.process_name, got > 0 ? (__u64)got - 1 : 0);
}

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
  long got = bpf_core_read_str(s->fields.process_parent_name.data, 16, &parent_of(s)->comm);
  KS_SET_STATUS(s, process_parent_name, got > 0 ? KS_OK : KS_UNKNOWN);
  KS_END_TEXT(s->fields.process_parent_name, got > 0 ? (__u64)got - 1 : 0);
}

KS_INLINE void ks_get_process_parent_uid(struct ks_scratch *s) {
  KS_READ_INT(s, process_parent_uid, __u32, parent_of(s), real_cred, uid.val);
}

KS_INLINE void ks_get_process_parent_exe(struct ks_scratch *s) {
  KS_SET_TEXT(s, process_parent_exe, exe_path(s, parent_of(s)));
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

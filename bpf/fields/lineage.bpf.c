// The parent of the event's process and those above: who made it, whoever has adopted it since. The task of the parent is asked as
// long as it is the one that the kernel names; when that has gone, what lineage.bpf.c of the hooks has kept of it. Of whom nothing is
// kept, that is unknown.
#include "bpf/fields/access.h"

enum { KS_ANCESTORS = 16, KS_NAME_BYTES = 16, KS_ID_BYTES = 24 };
#define KS_UID_UNKNOWN (~0ull)

// What is kept of a process, or 0.
static KS_INLINE struct ks_lineage *kept(const struct ks_process *process) {
  struct ks_lineage *living = bpf_map_lookup_elem(&ks_living, process);
  if (living) return living;
  struct ks_forker *forker = bpf_map_lookup_elem(&ks_forkers, process);
  return forker && forker->ended ? &forker->last : 0;
}

static KS_INLINE struct ks_walk *walk_of(__u32 hook) { return bpf_map_lookup_elem(&ks_walk, &hook); }

// From the process of the walk to its parent. 0 if that is not known.
KS_SUBPROGRAM __u64 ks_sub_above(__u32 hook) {
  struct ks_walk *walk = walk_of(hook);
  if (!walk) return 0;
  struct task_struct *task = (struct task_struct *)walk->task;
  struct ks_process named = {};
  if (task) {
    task = BPF_CORE_READ(task, real_parent, group_leader);
    named = ks_process_of(task);
  }
  struct ks_process parent = named;
  struct ks_lineage *own = kept(&walk->process);
  if (own) {
    parent = own->parent;
  } else if (!task || !ks_is_older(&walk->process)) {
    return 0;
  }
  if (named.pid != parent.pid || named.start != parent.start) task = 0;
  walk->process = parent;
  walk->task = (__u64)task;
  return 1;
}

// Begins the walk, at the parent of the event's process.
KS_SUBPROGRAM __u64 ks_sub_parent(__u32 hook) {
  struct ks_scratch *s = ks_scratch_of(hook);
  struct ks_walk *walk = walk_of(hook);
  if (!s || !walk) return 0;
  walk->process = ks_process_of(ks_task(s));
  walk->task = (__u64)ks_task(s);
  return ks_sub_above(hook);
}

KS_INLINE void ks_get_process_parent_pid(struct ks_scratch *s) {
  struct ks_walk *walk = walk_of(s->context.hook);
  if (ks_sub_parent(s->context.hook) && walk) {
    KS_SET_INT(s, process_parent_pid, walk->process.pid);
  } else {
    KS_SET_STATUS(s, process_parent_pid, KS_UNKNOWN);
  }
}

// The name of the walk's process to scratch.path; its bytes with the NUL, or 0.
KS_SUBPROGRAM __u64 ks_sub_name(__u32 hook) {
  struct ks_scratch *s = ks_scratch_of(hook);
  struct ks_walk *walk = walk_of(hook);
  if (!s || !walk) return 0;
  const char *name;
  struct task_struct *task = (struct task_struct *)walk->task;
  if (task) {
    name = __builtin_preserve_access_index(&task->comm[0]);
  } else {
    struct ks_lineage *lineage = kept(&walk->process);
    if (!lineage) return 0;
    name = lineage->name;
  }
  long got = bpf_probe_read_kernel_str(s->path, KS_NAME_BYTES, name);
  return got > 0 ? got : 0;
}

KS_INLINE void ks_get_process_parent_name(struct ks_scratch *s) {
  __u64 bytes = ks_sub_parent(s->context.hook) ? ks_sub_name(s->context.hook) : 0;
  KS_SET_TEXT(s, process_parent_name, KS_TEXT_RESULT(0, bytes ? bytes - 1 : 0, bytes ? KS_OK : KS_UNKNOWN));
}

KS_SUBPROGRAM __u64 ks_sub_parent_uid(__u32 hook) {
  struct ks_walk *walk = walk_of(hook);
  if (!ks_sub_parent(hook) || !walk) return KS_UID_UNKNOWN;
  struct task_struct *task = (struct task_struct *)walk->task;
  __u32 uid = 0;
  if (task) return BPF_CORE_READ_INTO(&uid, task, real_cred, uid.val) ? KS_UID_UNKNOWN : uid;
  struct ks_lineage *lineage = kept(&walk->process);
  return lineage ? lineage->uid : KS_UID_UNKNOWN;
}

KS_INLINE void ks_get_process_parent_uid(struct ks_scratch *s) {
  __u64 uid = ks_sub_parent_uid(s->context.hook);
  if (uid == KS_UID_UNKNOWN) {
    KS_SET_STATUS(s, process_parent_uid, KS_UNKNOWN);
  } else {
    KS_SET_INT(s, process_parent_uid, uid);
  }
}

KS_SUBPROGRAM __u64 ks_sub_parent_exe(__u32 hook) {
  struct ks_scratch *s = ks_scratch_of(hook);
  struct ks_walk *walk = walk_of(hook);
  if (!s || !walk || !ks_sub_parent(hook)) return KS_TEXT_RESULT(0, 0, KS_UNKNOWN);
  struct task_struct *task = (struct task_struct *)walk->task;
  // The first thread has no image when it ended before the others.
  if (task) {
    __u64 path = ks_exe_path(hook, task);
    if (KS_TEXT_STATUS(path) != KS_UNKNOWN) return path;
  }
  struct ks_forker *forker = bpf_map_lookup_elem(&ks_forkers, &walk->process);
  if (!forker) return KS_TEXT_RESULT(0, 0, KS_UNKNOWN);
  __u64 bytes = forker->exe_len;
  asm volatile("" : "+r"(bytes));
  if (bytes > KS_PATH_CAPTURE || bpf_probe_read_kernel(s->path, bytes, forker->exe)) return KS_TEXT_RESULT(0, 0, KS_UNKNOWN);
  return KS_TEXT_RESULT(0, bytes, forker->exe_status);
}

KS_INLINE void ks_get_process_parent_exe(struct ks_scratch *s) {
  KS_SET_TEXT(s, process_parent_exe, ks_sub_parent_exe(s->context.hook));
}

// How a list ends that has `count` ancestors; `known`: whether it is known who is above the last.
static KS_INLINE __u32 end_of_list(__u32 count, __u64 known, const struct ks_walk *walk) {
  if (!known) return count ? KS_TRUNCATED : KS_UNKNOWN;
  return walk->process.pid ? KS_TRUNCATED : KS_OK;
}

KS_SUBPROGRAM __u64 ks_sub_ancestors(__u32 hook) {
  struct ks_scratch *s = ks_scratch_of(hook);
  const volatile struct ks_walk *walk = walk_of(hook);
  if (!s || !walk) return KS_TEXT_RESULT(0, 0, KS_UNKNOWN);
  __u64 known = ks_sub_parent(hook);
  __u64 at = 0;
  __u32 count = 0;
  for (; count < KS_ANCESTORS && known && walk->process.pid; count++) {
    __u64 got = ks_sub_name(hook);
    if (!got) {
      known = 0;
      break;
    }
    asm volatile("" : "+r"(at));
    asm volatile("" : "+r"(got));
    if (at > (KS_ANCESTORS - 1) * KS_NAME_BYTES || got > KS_NAME_BYTES) break;
    bpf_probe_read_kernel(s->fields.process_ancestors.data + at, got, s->path);
    at += got;
    known = ks_sub_above(hook);
  }
  return KS_TEXT_RESULT(0, at, end_of_list(count, known, (const struct ks_walk *)walk));
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
  const volatile struct ks_walk *walk = walk_of(hook);
  if (!s || !walk) return KS_TEXT_RESULT(0, 0, KS_UNKNOWN);
  __u64 known = ks_sub_parent(hook);
  __u32 count = 0;
  for (; count < KS_ANCESTORS && known && walk->process.pid; count++) {
    __u64 pid = walk->process.pid, start = walk->process.start;
    __u64 *id = (__u64 *)(s->fields.process_ancestor_ids.data + count * KS_ID_BYTES);
    __u64 high = hexadecimal(start >> 32), low = hexadecimal(start & 0xffffffff);
    // Six digits, a colon, sixteen digits, a NUL.
    id[0] = hexadecimal(pid & 0xffffff) >> 16 | (__u64)':' << 48 | high << 56;
    id[1] = high >> 8 | low << 56;
    id[2] = low >> 8;
    known = ks_sub_above(hook);
  }
  return KS_TEXT_RESULT(0, count * KS_ID_BYTES, end_of_list(count, known, (const struct ks_walk *)walk));
}

KS_INLINE void ks_get_process_ancestor_ids(struct ks_scratch *s) {
  __u64 ids = ks_sub_ancestor_ids(s->context.hook);
  KS_SET_STATUS(s, process_ancestor_ids, KS_TEXT_STATUS(ids));
  KS_END_TEXT(s->fields.process_ancestor_ids, KS_TEXT_LEN(ids));
}

// What accessors share.
#ifndef KS_ACCESS_H
#define KS_ACCESS_H

#include "bpf/fields/calls.h"
#include "bpf/fields/types.h"
#include "bpf/hooks/abi.h"
#include "bpf/hooks/maps.h"

// Paths are built from their end, which is here in scratch.path; behind it an argument can be appended.
enum { KS_PATH_END = 1008, KS_PATH_CAPTURE = 512, KS_PATH_MASK = 1023 };
KS_STATIC_ASSERT(KS_PATH_TEXT >= KS_PATH_MASK + 1 + 255, "a component may be put down anywhere within the mask");

// Results of the subprograms that leave text in scratch.path: where it begins, how long it is, and the field's status.
#define KS_TEXT_RESULT(start, len, status) ((__u64)(start) | (__u64)(len) << 16 | (__u64)(status) << 32)
#define KS_TEXT_START(result) ((__u32)(result) & 0x7ff)
#define KS_TEXT_LEN(result) ((__u32)((result) >> 16) & 0x7ff)
#define KS_TEXT_STATUS(result) ((__u32)((result) >> 32) & 0xff)

// Subprograms; `hook` finds the scratch again, all else are kernel addresses and numbers.
__u64 ks_sub_path(__u32 hook, __u64 mnt, __u64 dentry);
__u64 ks_sub_argument(__u32 hook, __u32 dir, __u64 text);
__u64 ks_sub_cgroup(__u32 hook);
// Addresses of struct file, or 0.
__u64 ks_sub_event_file(__u32 hook);
__u64 ks_sub_event_path(__u32 hook, __u32 old);
__u64 ks_sub_fd_file(__u64 task, __u32 fd);
// The flags that an open was called with; KS_FLAGS_UNKNOWN if they could not be read.
#define KS_FLAGS_UNKNOWN (~0ull)
__u64 ks_sub_open_flags(__u32 hook);
// struct sock of the event's descriptor or of any, or 0 if it is no socket.
__u64 ks_sub_event_sock(__u32 hook);
__u64 ks_sub_file_sock(__u64 file);
// Notes for which process and image the event's record lacks arguments, so that its reader can ask for them.
__u64 ks_sub_note_unread_args(__u32 hook);
// The family of the event's socket, or else of the address that the caller gave.
__u64 ks_sub_is_inet(__u32 hook);

// Text that the caller gave: in its memory, or the kernel's copy of it, which operations of io_uring have. As bpf_probe_read_user_str.
static KS_INLINE long ks_read_text(struct ks_scratch *s, void *to, __u32 size, __u64 text) {
  if (s->context.hook == KS_HOOK_io_issue_sqe) return bpf_probe_read_kernel_str(to, size, (const void *)text);
  return bpf_probe_read_user_str(to, size, (const void *)text);
}

static KS_INLINE struct task_struct *ks_task(struct ks_scratch *s) { return (struct task_struct *)s->context.task; }

static KS_INLINE struct ks_scratch *ks_scratch_of(__u32 hook) { return bpf_map_lookup_elem(&ks_scratch, &hook); }

// Whether `element`, which this thread looked up under its id, is still the thread's own. Those of an LRU map are given to others at
// once when it is full: asked after its bytes were copied.
static KS_INLINE int ks_is_still(void *map, const void *element) {
  __u32 thread = bpf_get_current_pid_tgid();
  return bpf_map_lookup_elem(map, &thread) == element;
}

// Whether the event is about a file that it opened, which is known although it is behind no descriptor any more.
static KS_INLINE int ks_is_captured_file(struct ks_scratch *s) {
  return s->context.captured == KS_CAPTURED_FILE && s->context.ret >= 0;
}
static KS_INLINE int ks_is_captured_socket(struct ks_scratch *s) { return s->context.captured == KS_CAPTURED_SOCKET; }

// f_mode of what was opened, or 0. `file` is the event's.
static KS_INLINE __u32 ks_opened_mode(struct ks_scratch *s, const struct file *file) {
  if (file) return BPF_CORE_READ(file, f_mode);
  return ks_is_captured_file(s) ? s->captured.file.f_mode : 0;
}

// A pair of pointers, read at once: its layout is older than any kernel that this runs on.
static KS_INLINE __u64 ks_path_of(__u32 hook, const struct path *place) {
  struct path at = {};
  bpf_probe_read_kernel(&at, sizeof(at), place);
  return ks_sub_path(hook, (__u64)at.mnt, (__u64)at.dentry);
}

#define ks_file_path(hook, file) ks_path_of(hook, __builtin_preserve_access_index(&(file)->f_path))

// The image of a task. Kernel threads have none; a task that is about to end has given it back.
static KS_INLINE __u64 ks_exe_path(__u32 hook, struct task_struct *task) {
  struct mm_struct *mm = BPF_CORE_READ(task, mm);
  if (!mm) {
    __u32 kernel = BPF_CORE_READ(task, flags) & KS_PF_KTHREAD;
    return KS_TEXT_RESULT(0, 0, kernel ? KS_ABSENT : KS_UNKNOWN);
  }
  struct file *file = BPF_CORE_READ(mm, exe_file);
  if (!file) return KS_TEXT_RESULT(0, 0, KS_UNKNOWN);
  return ks_file_path(hook, file);
}

static KS_INLINE struct ks_process ks_process_of(struct task_struct *task) {
  struct ks_process process = {BPF_CORE_READ(task, tgid), BPF_CORE_READ(task, group_leader, start_boottime)};
  return process;
}

// Made before who made whom was kept.
static KS_INLINE int ks_is_older(const struct ks_process *process) {
  __u32 zero = 0;
  __u64 *since = bpf_map_lookup_elem(&ks_living_since, &zero);
  return since && process->start < *since;
}

static KS_INLINE int ks_is_compat(struct ks_scratch *s) {
  int compat = (BPF_CORE_READ(ks_task(s), thread_info.status) & KS_TS_COMPAT) != 0;
  s->context.compat = compat;
  return compat;
}

// Shows the verifier a bound in the very register that is used: LLVM, which may know it already, cannot drop the mask.
#define KS_MASK(number, mask)       \
  do {                              \
    asm volatile("" : "+r"(number)); \
    (number) &= (mask);             \
  } while (0)

// Masked to eight, which is still inside of scratch.
static KS_INLINE __u64 ks_argument(struct ks_scratch *s, __u64 number) {
  KS_MASK(number, 7);
  return s->context.arg[number];
}

static KS_INLINE const struct ks_call_row *ks_row(struct ks_scratch *s) {
  __u64 call = s->context.call;
  KS_MASK(call, KS_CALL_ROWS - 1);
  return &ks_call_rows[call];
}

static KS_INLINE void ks_set_status(struct ks_scratch *s, __u32 field, __u32 status) { s->status[field] = status; }

#define KS_SET_STATUS(s, member, value) ks_set_status(s, KS_FIELD_##member, value)

#define KS_SET_INT(s, member, number)          \
  do {                                         \
    (s)->fields.member.value = (number);       \
    KS_SET_STATUS(s, member, KS_OK);           \
  } while (0)

// Follows pointers to a number, as BPF_CORE_READ does. A failed read is unknown, never zero.
#define KS_READ_INT(s, member, type, source, ...)                 \
  do {                                                            \
    type number = 0;                                              \
    const __typeof__(*(source)) *from = (source);                 \
    if (BPF_CORE_READ_INTO(&number, from, __VA_ARGS__)) {         \
      KS_SET_STATUS(s, member, KS_UNKNOWN);                       \
    } else {                                                      \
      KS_SET_INT(s, member, number);                              \
    }                                                             \
  } while (0)

static KS_INLINE void ks_clear_word(void *at) { *(__u64 *)at = 0; }

// Ends a text: whole words behind it are zero.
#define KS_END_TEXT(slot, length)                                  \
  do {                                                             \
    __u64 end = (length);                                          \
    asm volatile("" : "+r"(end));                                  \
    (slot).len = end;                                              \
    if (end <= sizeof((slot).data) - KS_TEXT_SLACK) ks_clear_word(&(slot).data[end]); \
  } while (0)

// Copies a text of `length` bytes into a field's slot. Its own length, not the capture: the kernel copies word by word.
#define KS_COPY_TEXT(slot, length, from)                                                  \
  do {                                                                                    \
    __u64 bytes = (length);                                                               \
    asm volatile("" : "+r"(bytes));                                                       \
    if (bytes <= sizeof((slot).data) - KS_TEXT_SLACK) bpf_probe_read_kernel((slot).data, bytes, from); \
    KS_END_TEXT(slot, bytes);                                                             \
  } while (0)

// Moves a text result from scratch.path into a field.
#define KS_SET_TEXT(s, member, outcome)                                                              \
  do {                                                                                               \
    __u64 text = (outcome);                                                                          \
    KS_SET_STATUS(s, member, KS_TEXT_STATUS(text));                                                  \
    KS_COPY_TEXT((s)->fields.member, KS_TEXT_LEN(text), (s)->path + KS_TEXT_START(text));            \
  } while (0)

#endif

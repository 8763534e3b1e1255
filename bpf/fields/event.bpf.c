// Fields of the call itself: what it answered, what it was asked for.
#include "bpf/fields/access.h"

// setfsuid never fails by its answer, which is the old id: it did what it was asked if the id is the new one now.
static KS_INLINE __s64 error_of(struct ks_scratch *s) {
  __s64 ret = s->context.ret;
  if (s->context.call == KS_CALL_setfsuid) {
    return BPF_CORE_READ(ks_task(s), real_cred, fsuid.val) == (__u32)s->context.arg[0] ? 0 : KS_EPERM;
  }
  if (ret >= 0 || ret < -4095) return 0;
  // An interrupted call that the kernel may start again.
  if (-ret >= KS_ERESTARTSYS && -ret <= KS_ERESTART_RESTARTBLOCK) return KS_EINTR;
  return -ret;
}

KS_INLINE void ks_get_event_result(struct ks_scratch *s) { KS_SET_INT(s, event_result, error_of(s) != 0); }

KS_INLINE void ks_get_event_errno(struct ks_scratch *s) { KS_SET_INT(s, event_errno, error_of(s)); }

static KS_INLINE __s64 number_of_socketcall(__u32 call) {
  switch (call) {
    case KS_CALL_connect: return 42;
    case KS_CALL_accept: return 43;
    case KS_CALL_bind: return 49;
    case KS_CALL_accept4: return 288;
    default: return -1;
  }
}

// i386 numbers go up as they are; userspace knows both tables. The one call that stands for all socket calls has no
// counterpart there and is named here.
KS_INLINE void ks_get_event_syscall(struct ks_scratch *s) {
  enum { KS_NUMBERS = 1024, KS_X32_OWN = 512, KS_I386_SOCKETCALL = 102 };
  __u32 nr = s->context.nr;
  if (ks_is_compat(s)) {
    __s64 number = nr == KS_I386_SOCKETCALL ? number_of_socketcall(s->context.call) : -1;
    KS_SET_INT(s, event_syscall, number >= 0 ? number : nr);
    if (number < 0) KS_SET_STATUS(s, event_syscall, KS_FOREIGN);
    return;
  }
  __u32 number = nr & ~KS_X32_BIT;
  // rt_sigreturn leaves -1 where the number was, and so do calls that a tracer took away: there is no call to name.
  if (number >= KS_NUMBERS) {
    KS_SET_STATUS(s, event_syscall, KS_ABSENT);
    return;
  }
  if (nr != number && number >= KS_X32_OWN) {
    KS_SET_STATUS(s, event_syscall, KS_UNKNOWN);
    return;
  }
  KS_SET_INT(s, event_syscall, number);
}

enum { READ = 1, WRITE = 2, APPEND = 4, CREATED = 8, TRUNCATE = 16, PATH_ONLY = 32 };

KS_SUBPROGRAM __u64 ks_sub_open_flags(__u32 hook) {
  struct ks_scratch *s = ks_scratch_of(hook);
  if (!s) return 0;
  const struct ks_call_row *row = ks_row(s);
  if (s->context.call == KS_CALL_creat) return 1 | KS_O_TRUNC;  // O_WRONLY
  if (s->context.call == KS_CALL_openat2) {
    __u64 flags = 0;
    bpf_probe_read_user(&flags, sizeof(flags), (void *)s->context.arg[2]);
    return flags;
  }
  return row->flags == KS_NO_ARGUMENT ? 0 : ks_argument(s, row->flags);
}

// Of an opened file: what it can do by its own account. Only whether it was cut is known from the caller alone. Of one that could
// not be opened: what was asked for.
KS_INLINE void ks_get_event_access(struct ks_scratch *s) {
  __u64 asked = ks_sub_open_flags(s->context.hook);
  __u32 access = 0;
  struct file *file = (struct file *)ks_sub_event_file(s->context.hook);
  if (file) {
    __u32 mode = BPF_CORE_READ(file, f_mode);
    if (mode & KS_FMODE_READ) access |= READ;
    if (mode & KS_FMODE_WRITE) access |= WRITE;
    if (mode & KS_FMODE_CREATED) access |= CREATED;
    if (mode & KS_FMODE_PATH) access |= PATH_ONLY;
    if (BPF_CORE_READ(file, f_flags) & KS_O_APPEND) access |= APPEND;
    if ((asked & KS_O_TRUNC) && (mode & KS_FMODE_WRITE)) access |= TRUNCATE;
  } else if (s->context.ret >= 0) {
    KS_SET_STATUS(s, event_access, KS_UNKNOWN);
    return;
  } else if (asked & KS_O_PATH) {
    access = PATH_ONLY;
  } else {
    // O_RDONLY, O_WRONLY, O_RDWR are 0, 1, 2.
    access = (asked + 1) & 3;
    if (asked & KS_O_APPEND) access |= APPEND;
    if (asked & KS_O_TRUNC) access |= TRUNCATE;
  }
  KS_SET_INT(s, event_access, access);
}

KS_INLINE void ks_get_event_mode(struct ks_scratch *s) {
  KS_SET_INT(s, event_mode, ks_argument(s, ks_row(s)->value) & 07777);
}

// As wait() tells it to the parent: the group's status if one call or signal ended all threads, else the first thread's.
static KS_INLINE __u32 exit_status(struct ks_scratch *s) {
  struct signal_struct *signal = BPF_CORE_READ(ks_task(s), signal);
  if (BPF_CORE_READ(signal, flags) & KS_SIGNAL_GROUP_EXIT) return BPF_CORE_READ(signal, group_exit_code);
  return BPF_CORE_READ(ks_task(s), group_leader, exit_code);
}

KS_INLINE void ks_get_event_exit_code(struct ks_scratch *s) {
  KS_SET_INT(s, event_exit_code, exit_status(s) >> 8 & 0xff);
}

KS_INLINE void ks_get_event_exit_signal(struct ks_scratch *s) {
  KS_SET_INT(s, event_exit_signal, exit_status(s) & 0x7f);
}

// The effective id where the call sets one, else the real, else the saved one. Nothing if all are to stay as they are.
KS_INLINE void ks_get_target_uid(struct ks_scratch *s) {
  __u32 call = s->context.call;
  __u32 first = s->context.arg[0];
  __u32 second = s->context.arg[1];
  __u32 third = s->context.arg[2];
  if (s->context.compat && s->context.nr <= 164) {
    // The old i386 calls have 16-bit ids: setuid 23, setreuid 70, setfsuid 138, setresuid 164.
    first = (first & 0xffff) == 0xffff ? ~0u : first & 0xffff;
    second = (second & 0xffff) == 0xffff ? ~0u : second & 0xffff;
    third = (third & 0xffff) == 0xffff ? ~0u : third & 0xffff;
  }
  __u32 uid = first;
  if (call == KS_CALL_setreuid || call == KS_CALL_setresuid) uid = second != ~0u ? second : first;
  if (call == KS_CALL_setresuid && uid == ~0u) uid = third;
  if (uid == ~0u) {
    KS_SET_STATUS(s, target_uid, KS_ABSENT);
  } else {
    KS_SET_INT(s, target_uid, uid);
  }
}

KS_INLINE void ks_get_child_pid(struct ks_scratch *s) {
  KS_READ_INT(s, child_pid, int, (struct task_struct *)s->context.object, pid);
}

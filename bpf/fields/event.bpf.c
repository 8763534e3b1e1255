// Fields of the call itself: what it answered, what it was asked for.
#include "bpf/fields/access.h"

// setfsuid and setfsgid never fail by their answer, which is the old id: they did what they were asked if the id is the new one now.
static KS_INLINE __s64 error_of(struct ks_scratch *s) {
  __s64 ret = s->context.ret;
  if (s->context.call == KS_CALL_setfsuid) {
    return BPF_CORE_READ(ks_task(s), real_cred, fsuid.val) == (__u32)s->context.arg[0] ? 0 : KS_EPERM;
  }
  if (s->context.call == KS_CALL_setfsgid) {
    return BPF_CORE_READ(ks_task(s), real_cred, fsgid.val) == (__u32)s->context.arg[0] ? 0 : KS_EPERM;
  }
  if (ret >= 0 || ret < -4095) return 0;
  // An interrupted call that the kernel may start again.
  if (-ret >= KS_ERESTARTSYS && -ret <= KS_ERESTART_RESTARTBLOCK) return KS_EINTR;
  return -ret;
}

KS_INLINE void ks_get_event_result(struct ks_scratch *s) { KS_SET_INT(s, event_result, error_of(s) != 0); }

KS_INLINE void ks_get_event_errno(struct ks_scratch *s) { KS_SET_INT(s, event_errno, error_of(s)); }

// By SYS_* of include/uapi/linux/net.h: the number of the call on x86-64, where send is sendto and recv is recvfrom.
enum { KS_SOCKETCALLS = 32 };
static const __u16 socketcalls[KS_SOCKETCALLS] = {
    [1] = 41 /* socket */,      [2] = 49 /* bind */,        [3] = 42 /* connect */,     [4] = 50 /* listen */,
    [5] = 43 /* accept */,      [6] = 51 /* getsockname */, [7] = 52 /* getpeername */, [8] = 53 /* socketpair */,
    [9] = 44 /* send */,        [10] = 45 /* recv */,       [11] = 44 /* sendto */,     [12] = 45 /* recvfrom */,
    [13] = 48 /* shutdown */,   [14] = 54 /* setsockopt */, [15] = 55 /* getsockopt */, [16] = 46 /* sendmsg */,
    [17] = 47 /* recvmsg */,    [18] = 288 /* accept4 */,   [19] = 299 /* recvmmsg */,  [20] = 307 /* sendmmsg */,
};

// 0: there is no such call.
static KS_INLINE __u32 number_of_socketcall(__u32 which) {
  if (which >= KS_SOCKETCALLS) return 0;
  __u64 index = which;
  KS_MASK(index, KS_SOCKETCALLS - 1);
  return socketcalls[index];
}

// i386 numbers go up as they are; userspace knows both tables. The one call that stands for all socket calls has no
// counterpart there and is named here.
KS_INLINE void ks_get_event_syscall(struct ks_scratch *s) {
  enum { KS_NUMBERS = 1024, KS_X32_OWN = 512, KS_I386_SOCKETCALL = 102 };
  __u32 nr = s->context.nr;
  // An operation of io_uring is no call.
  if (s->context.hook == KS_HOOK_io_issue_sqe) {
    KS_SET_STATUS(s, event_syscall, KS_ABSENT);
    return;
  }
  if (ks_is_compat(s)) {
    const struct pt_regs *regs = (const struct pt_regs *)s->context.regs;
    __u32 number = nr == KS_I386_SOCKETCALL ? number_of_socketcall(BPF_CORE_READ(regs, bx)) : 0;
    KS_SET_INT(s, event_syscall, number ? number : nr);
    if (!number) KS_SET_STATUS(s, event_syscall, KS_FOREIGN);
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
  if (s->context.captured == KS_CAPTURED_FILE) return s->captured.file.f_flags;
  if (s->context.call == KS_CALL_creat) return 1 | KS_O_CREAT | KS_O_TRUNC;  // O_WRONLY
  if (s->context.call == KS_CALL_openat2) {
    __u64 flags = 0;
    if (bpf_probe_read_user(&flags, sizeof(flags), (void *)s->context.arg[2])) return KS_FLAGS_UNKNOWN;
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
  __u32 mode = ks_opened_mode(s, file);
  if (mode) {
    if (mode & KS_FMODE_READ) access |= READ;
    if (mode & KS_FMODE_WRITE) access |= WRITE;
    if (mode & KS_FMODE_CREATED) access |= CREATED;
    if (mode & KS_FMODE_PATH) access |= PATH_ONLY;
    if ((file ? BPF_CORE_READ(file, f_flags) : s->captured.file.f_flags) & KS_O_APPEND) access |= APPEND;
    if (mode & KS_FMODE_WRITE) {
      if (asked == KS_FLAGS_UNKNOWN) {
        KS_SET_STATUS(s, event_access, KS_UNKNOWN);
        return;
      }
      if (asked & KS_O_TRUNC) access |= TRUNCATE;
    }
  } else if (s->context.ret >= 0 || asked == KS_FLAGS_UNKNOWN) {
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

// What is asked for; of a file that an open made, what it has.
KS_INLINE void ks_get_event_mode(struct ks_scratch *s) {
  if (s->context.kind != KS_KIND_create) {
    KS_SET_INT(s, event_mode, ks_argument(s, ks_row(s)->value) & 07777);
    return;
  }
  struct file *file = (struct file *)ks_sub_event_file(s->context.hook);
  __u16 mode = 0;
  if (!file && ks_is_captured_file(s)) {
    KS_SET_INT(s, event_mode, s->captured.file.i_mode & 07777);
  } else if (!file || BPF_CORE_READ_INTO(&mode, file, f_inode, i_mode)) {
    KS_SET_STATUS(s, event_mode, KS_UNKNOWN);
  } else {
    KS_SET_INT(s, event_mode, mode & 07777);
  }
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

// An id that a call was given: old i386 calls have 16 bits for it. ~0: it is to stay as it is.
static KS_INLINE __u32 id_argument(struct ks_scratch *s, __u64 number) {
  __u32 id = ks_argument(s, number);
  if (!s->context.compat || s->context.nr > KS_LAST_OLD_CALL) return id;
  return (id & 0xffff) == 0xffff ? ~0u : id & 0xffff;
}

// The effective id where the call sets one, else the real, else the saved one. ~0 if all are to stay as they are.
static KS_INLINE __u32 asked_id(struct ks_scratch *s, __u32 of_two, __u32 of_three) {
  __u32 call = s->context.call;
  __u32 id = id_argument(s, 0);
  if (call != of_two && call != of_three) return id;
  __u32 second = id_argument(s, 1);
  if (second != ~0u) id = second;
  if (id == ~0u && call == of_three) id = id_argument(s, 2);
  return id;
}

#define KS_SET_ID(s, member, id)           \
  do {                                     \
    __u32 number = (id);                   \
    if (number == ~0u) {                   \
      KS_SET_STATUS(s, member, KS_ABSENT); \
    } else {                               \
      KS_SET_INT(s, member, number);       \
    }                                      \
  } while (0)

KS_INLINE void ks_get_target_uid(struct ks_scratch *s) {
  __u32 chown = s->context.kind == KS_KIND_chown;
  KS_SET_ID(s, target_uid, chown ? id_argument(s, ks_row(s)->value) : asked_id(s, KS_CALL_setreuid, KS_CALL_setresuid));
}

KS_INLINE void ks_get_target_gid(struct ks_scratch *s) {
  __u32 chown = s->context.kind == KS_KIND_chown;
  KS_SET_ID(s, target_gid,
            chown ? id_argument(s, ks_row(s)->value + 1) : asked_id(s, KS_CALL_setregid, KS_CALL_setresgid));
}

KS_INLINE void ks_get_child_pid(struct ks_scratch *s) {
  KS_READ_INT(s, child_pid, int, (struct task_struct *)s->context.object, pid);
}

// Every system call passes here when it returns. Which are events is decided by number first, with one look into a table.
#include "bpf/fields/access.h"
#include "bpf/fields/calls.h"
#include "bpf/hooks/abi.h"
#include "bpf/hooks/captured.h"
#include "bpf/hooks/maps.h"

enum { KS_CALL_NUMBERS = 512 };

static const __u8 calls64[KS_CALL_NUMBERS] = {
#define KS_CALL64(name, number) [number] = KS_CALL_##name,
#include "bpf/fields/calls.def"
};

enum { KS_I386_SOCKETCALL = 102 };
static const __u8 calls32[KS_CALL_NUMBERS] = {
#define KS_CALL32(name, number) [number] = KS_CALL_##name,
#include "bpf/fields/calls.def"
};

// The i386 call that stands for all socket calls: which one, and a pointer to its arguments.
static KS_INLINE __u32 socketcall(struct ks_scratch *s) {
  __u32 which = s->context.arg[0];
  __u32 arg[6] = {};
  // Four at least; the last ones may lie beyond what can be read.
  if (bpf_probe_read_user(arg, 16, (void *)s->context.arg[1])) return KS_CALL_none;
  bpf_probe_read_user(arg, sizeof(arg), (void *)s->context.arg[1]);
  for (int i = 0; i < 6; i++) s->context.arg[i] = arg[i];
  switch (which) {
    case 1: return KS_CALL_socket;
    case 2: return KS_CALL_bind;
    case 3: return KS_CALL_connect;
    case 4: return KS_CALL_listen;
    case 5: return KS_CALL_accept;
    case 11: return KS_CALL_sendto;
    case 16: return KS_CALL_sendmsg;
    case 18: return KS_CALL_accept4;
    case 20: return KS_CALL_sendmmsg;
    default: return KS_CALL_none;
  }
}

static KS_INLINE void set_arguments(struct ks_scratch *s, const struct pt_regs *regs, int compat) {
  __u64 *arg = s->context.arg;
  const __u64 *call = s->captured.call;
  if (compat) {
    arg[0] = (__u32)BPF_CORE_READ(regs, bx);
    arg[1] = (__u32)call[KS_CALL_CX];
    arg[2] = (__u32)call[KS_CALL_DX];
    arg[3] = (__u32)call[KS_CALL_SI];
    arg[4] = (__u32)call[KS_CALL_DI];
    arg[5] = (__u32)BPF_CORE_READ(regs, bp);
  } else {
    arg[0] = call[KS_CALL_DI];
    arg[1] = call[KS_CALL_SI];
    arg[2] = call[KS_CALL_DX];
    arg[3] = call[KS_CALL_R10];
    arg[4] = call[KS_CALL_R8];
    arg[5] = call[KS_CALL_R9];
  }
}

// Of calls whose arguments decide what they are.
static KS_INLINE __u32 kind_of(struct ks_scratch *s, __u32 call) {
  __u32 modes = 1;
  switch (call) {
    case KS_CALL_unlinkat: return s->context.arg[2] & KS_AT_REMOVEDIR ? KS_KIND_rmdir : KS_KIND_unlink;
    // TCP fast open: to send is to connect.
    case KS_CALL_sendto:
    case KS_CALL_sendmmsg: return s->context.arg[3] & KS_MSG_FASTOPEN ? KS_KIND_connect : KS_KIND_sendto;
    case KS_CALL_sendmsg: return s->context.arg[2] & KS_MSG_FASTOPEN ? KS_KIND_connect : KS_KIND_sendto;
    // The first member of struct timex; without modes the clock is only read.
    case KS_CALL_adjtimex:
    case KS_CALL_clock_adjtime:
      bpf_probe_read_user(&modes, sizeof(modes), (void *)s->context.arg[call == KS_CALL_clock_adjtime]);
      return modes ? KS_KIND_settimeofday : KS_KIND_NONE;
    default: return ks_row(s)->kind;
  }
}

// Before anything else is done: whether the call is one of those that a policy asks for. `wanted` has a byte for each number.
KS_INLINE __u32 ks_wants_sys_exit(void *ctx, const __u8 *wanted) {
  const struct bpf_raw_tracepoint_args *raw = ctx;
  const struct pt_regs *regs = (const struct pt_regs *)raw->args[0];
  __u64 low = BPF_CORE_READ(regs, orig_ax) & ~KS_X32_BIT;
  if (low >= KS_CALL_NUMBERS) return 0;
  KS_MASK(low, KS_CALL_NUMBERS - 1);
  return wanted[low];
}

KS_INLINE __u32 ks_hook_sys_exit(void *ctx, struct ks_scratch *s) {
  const struct bpf_raw_tracepoint_args *raw = ctx;
  const struct pt_regs *regs = (const struct pt_regs *)raw->args[0];
  // All at once, to where what was captured of the call is held against it.
  ks_read_call(s->captured.call, regs);
  __u64 nr = s->captured.call[KS_CALL_ORIG_AX];
  s->context.regs = (__u64)regs;
  s->context.ret = raw->args[1];
  s->context.nr = nr;
  s->context.task = bpf_get_current_task();
  s->context.kind = KS_KIND_NONE;
  __u64 low = nr & ~KS_X32_BIT;
  if (low >= KS_CALL_NUMBERS) return KS_KIND_NONE;
  KS_MASK(low, KS_CALL_NUMBERS - 1);
  __u32 call64 = calls64[low];
  __u32 call32 = calls32[low];
  if (!(call64 | call32) && low != KS_I386_SOCKETCALL) return KS_KIND_NONE;

  int compat = ks_is_compat(s);
  __u32 call = compat ? call32 : call64;
  if (!call && !(compat && low == KS_I386_SOCKETCALL)) return KS_KIND_NONE;
  set_arguments(s, regs, compat);
  if (!call) call = socketcall(s);
  if (!call) return KS_KIND_NONE;
  s->context.call = call;
  __u32 kind = kind_of(s, call);
  s->context.kind = kind;
  ks_take_captured(s);
  switch (kind) {
    case KS_KIND_connect:
    case KS_KIND_accept:
    case KS_KIND_bind:
    case KS_KIND_listen:
    case KS_KIND_sendto:
      if (!ks_sub_is_inet(s->context.hook)) s->context.kind = kind = KS_KIND_NONE;
  }
  return kind;
}

// What an open is besides: it made the file, or named it by a handle.
KS_INLINE __u32 ks_also(struct ks_scratch *s) {
  if (s->context.kind != KS_KIND_open) return KS_KIND_NONE;
  if (s->context.call == KS_CALL_open_by_handle_at) {
    s->context.kind = KS_KIND_open_by_handle;
    return KS_KIND_open_by_handle;
  }
  // The flags of openat2 stand in the caller's memory, where they may be others by now: the file says whether it was made.
  if (s->context.call != KS_CALL_openat2 && !(ks_sub_open_flags(s->context.hook) & KS_O_CREAT)) return KS_KIND_NONE;
  const struct file *file = (const struct file *)ks_sub_event_file(s->context.hook);
  if (!(ks_opened_mode(s, file) & KS_FMODE_CREATED)) return KS_KIND_NONE;
  s->context.kind = KS_KIND_create;
  return KS_KIND_create;
}

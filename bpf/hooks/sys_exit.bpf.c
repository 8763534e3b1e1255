// Every system call passes here when it returns. Which are events is decided by number first, with one look into a table.
#include "bpf/fields/access.h"
#include "bpf/fields/calls.h"
#include "bpf/hooks/abi.h"
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
  __u32 arg[4];
  if (bpf_probe_read_user(arg, sizeof(arg), (void *)s->context.arg[1])) return KS_CALL_none;
  s->context.arg[0] = arg[0];
  s->context.arg[1] = arg[1];
  s->context.arg[2] = arg[2];
  s->context.arg[3] = arg[3];
  switch (which) {
    case 2: return KS_CALL_bind;
    case 3: return KS_CALL_connect;
    case 5: return KS_CALL_accept;
    case 18: return KS_CALL_accept4;
    default: return KS_CALL_none;
  }
}

static KS_INLINE void read_arguments(struct ks_scratch *s, const struct pt_regs *regs, int compat) {
  __u64 *arg = s->context.arg;
  if (compat) {
    arg[0] = (__u32)BPF_CORE_READ(regs, bx);
    arg[1] = (__u32)BPF_CORE_READ(regs, cx);
    arg[2] = (__u32)BPF_CORE_READ(regs, dx);
    arg[3] = (__u32)BPF_CORE_READ(regs, si);
    arg[4] = (__u32)BPF_CORE_READ(regs, di);
    arg[5] = (__u32)BPF_CORE_READ(regs, bp);
  } else {
    arg[0] = BPF_CORE_READ(regs, di);
    arg[1] = BPF_CORE_READ(regs, si);
    arg[2] = BPF_CORE_READ(regs, dx);
    arg[3] = BPF_CORE_READ(regs, r10);
    arg[4] = BPF_CORE_READ(regs, r8);
    arg[5] = BPF_CORE_READ(regs, r9);
  }
}

KS_INLINE __u32 ks_hook_sys_exit(void *ctx, struct ks_scratch *s) {
  const struct bpf_raw_tracepoint_args *raw = ctx;
  const struct pt_regs *regs = (const struct pt_regs *)raw->args[0];
  __u64 nr = BPF_CORE_READ(regs, orig_ax);
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
  read_arguments(s, regs, compat);
  if (!call) call = socketcall(s);
  if (!call) return KS_KIND_NONE;
  s->context.call = call;
  __u32 kind = ks_row(s)->kind;
  if (kind == KS_KIND_connect || kind == KS_KIND_accept || kind == KS_KIND_bind) {
    if (!ks_sub_is_inet(s->context.hook)) return KS_KIND_NONE;
  }
  s->context.kind = kind;
  return kind;
}

// Which call it is that captures something, and that has something captured.
#ifndef KS_CAPTURED_H
#define KS_CAPTURED_H

#include "bpf/hooks/abi.h"
#include "bpf/hooks/maps.h"

struct ks_call_registers {
  __u64 words[KS_CALL_WORDS];
};

enum { KS_CALL_WORD_AX = 3 };

// r10, r9, r8, ax, cx, dx, si, di, orig_ax stand side by side in struct pt_regs. ax is the answer once there is one.
static KS_INLINE int ks_read_call(struct ks_call_registers *call, const struct pt_regs *regs) {
  long failed = bpf_probe_read_kernel(call, sizeof(*call), __builtin_preserve_access_index(&regs->r10));
  call->words[KS_CALL_WORD_AX] = 0;
  return failed;
}

static KS_INLINE int ks_same_call(const struct ks_captured *captured, const struct ks_call_registers *call) {
  __u64 differ = 0;
  for (int i = 0; i < KS_CALL_WORDS; i++) differ |= captured->call[i] ^ call->words[i];
  return differ == 0;
}

#endif

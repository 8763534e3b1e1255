// Which call it is that captures something, and that has something captured.
#ifndef KS_CAPTURED_H
#define KS_CAPTURED_H

#include "bpf/hooks/abi.h"
#include "bpf/hooks/maps.h"

enum { KS_CALL_R10, KS_CALL_R9, KS_CALL_R8, KS_CALL_AX, KS_CALL_CX, KS_CALL_DX, KS_CALL_SI, KS_CALL_DI, KS_CALL_ORIG_AX };
KS_STATIC_ASSERT(KS_CALL_ORIG_AX + 1 == KS_CALL_WORDS, "a word for each register");

enum { KS_THREAD_SIZE = 16384 };

// Of the thread's call.
static KS_INLINE const struct pt_regs *ks_registers(struct task_struct *task) {
  if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs)) {
    return (const struct pt_regs *)bpf_task_pt_regs((void *)bpf_get_current_task_btf());
  }
  // Before Linux 5.15, whose stacks end in them.
  return (const struct pt_regs *)((char *)BPF_CORE_READ(task, stack) + KS_THREAD_SIZE - bpf_core_type_size(struct pt_regs));
}

// Into `call`, of KS_CALL_WORDS. r10, r9, r8, ax, cx, dx, si, di, orig_ax stand side by side in struct pt_regs. ax is the answer once
// there is one.
static KS_INLINE int ks_read_call(__u64 *call, const struct pt_regs *regs) {
  long failed = bpf_probe_read_kernel(call, KS_CALL_WORDS * sizeof(*call), __builtin_preserve_access_index(&regs->r10));
  call[KS_CALL_AX] = 0;
  return failed;
}

// During an operation of io_uring these stand for it, and for no call of the thread.
static KS_INLINE void ks_be_operation(__u64 *call, const struct ks_operation *operation) { call[KS_CALL_AX] = operation->begun; }

// CO-RE fills them in: kernels have others, or none.
enum io_uring_cmd_flags {
  IO_URING_F_MULTISHOT = 4,
  IO_URING_F_NONBLOCK = (int)0x80000000,
};

static KS_INLINE int ks_same_call(const __u64 *one, const __u64 *other) {
  __u64 differ = 0;
  for (int i = 0; i < KS_CALL_WORDS; i++) differ |= one[i] ^ other[i];
  return differ == 0;
}

#endif

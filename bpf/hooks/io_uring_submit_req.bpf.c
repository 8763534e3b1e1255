// An operation is about to be done for an io_uring. The tracepoint's name and arguments changed with kernels: from 6.3 on it
// is io_uring_submit_req, before io_uring_submit_sqe, and what it was given is told by the record that perf would make of it.
#include "bpf/fields/access.h"

KS_INLINE __u32 ks_hook_io_uring_submit_req(void *ctx, struct ks_scratch *s) {
  const struct bpf_raw_tracepoint_args *raw = ctx;
  s->context.task = bpf_get_current_task();
  s->context.kind = KS_KIND_io_uring;
  if (bpf_core_type_exists(struct trace_event_raw_io_uring_submit_req) ||
      bpf_core_field_exists(struct trace_event_raw_io_uring_submit_sqe, __data_loc_op_str)) {
    struct io_kiocb *request = (struct io_kiocb *)raw->args[0];
    s->context.arg[0] = BPF_CORE_READ(request, opcode);
  } else if (bpf_core_field_exists(struct trace_event_raw_io_uring_submit_sqe, req)) {
    s->context.arg[0] = raw->args[2];  // 5.11 to 5.19: context, request, opcode
  } else {
    s->context.arg[0] = raw->args[1];  // 5.10: context, opcode
  }
  return KS_KIND_io_uring;
}

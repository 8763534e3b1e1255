// An operation of io_uring was tried: if it is done, it is the event that its system call would have been. Trampoline tier only:
// what it was given was kept when it began (capture.bpf.c).
#include "bpf/fields/access.h"
#include "bpf/hooks/captured.h"

enum {
  KS_REQ_F_NOWAIT = 1 << 11,  // include/linux/io_uring_types.h
  KS_EAGAIN = 11,
};

// The process whose ring it is, although a worker or a thread that polls the ring may do it: those are threads of it.
static KS_INLINE struct task_struct *owner_of(const struct io_kiocb *request) {
  struct task_struct *task;
  if (bpf_core_field_exists(struct io_kiocb, task)) {
    task = BPF_CORE_READ(request, task);
  } else {
    task = BPF_CORE_READ(request, tctx, task);
  }
  if (!task) task = (struct task_struct *)bpf_get_current_task();
  if (BPF_CORE_READ(task, flags) & KS_PF_IO_WORKER) task = BPF_CORE_READ(task, group_leader);
  return task;
}

// Its result, or 1 if it will be tried again.
static KS_INLINE int is_tried_again(const struct io_kiocb *request, __u32 flags, __s64 ret) {
  if (ret != -KS_EAGAIN || !(flags & (__u32)bpf_core_enum_value(enum io_uring_cmd_flags, IO_URING_F_NONBLOCK))) return 0;
  return !(BPF_CORE_READ(request, flags) & KS_REQ_F_NOWAIT);
}

static KS_INLINE __s64 result_of(const struct io_kiocb *request, const struct ks_operation *operation, __s64 ret) {
  if (ret < 0) return ret;
  if (bpf_core_field_exists(struct io_kiocb, cqe)) return BPF_CORE_READ(request, cqe.res);
  if (operation->completed) return operation->result;
  return (__s32)BPF_CORE_READ((const struct io_kiocb___result *)request, result);
}

static KS_INLINE __u32 kind_of(struct ks_scratch *s) {
  switch (s->context.call) {
    case KS_CALL_unlinkat: return s->context.arg[2] & KS_AT_REMOVEDIR ? KS_KIND_rmdir : KS_KIND_unlink;
    case KS_CALL_sendto: return s->context.arg[3] & KS_MSG_FASTOPEN ? KS_KIND_connect : KS_KIND_sendto;
    default: return ks_row(s)->kind;
  }
}

// Whether it is about the internet. What it names its socket by may be a number of the ring's own: the request has the socket.
static KS_INLINE int is_inet(struct ks_scratch *s, struct io_kiocb *request, const struct ks_operation *operation) {
  __u64 sock = ks_sub_file_sock((__u64)BPF_CORE_READ(request, file));
  __u16 family = 0;
  if (sock) family = BPF_CORE_READ((struct sock *)sock, __sk_common.skc_family);
  int is_inet = family == KS_AF_INET || family == KS_AF_INET6;
  if (s->context.call == KS_CALL_accept4 && s->context.ret >= 0) {
    // The new one is behind the descriptor, or in a slot of the ring: there it is not known.
    s->context.sock_tried = operation->slot;
    return is_inet;
  }
  if (s->context.captured == KS_CAPTURED_SOCKET && sock != s->captured.socket.sock) sock = 0;
  s->context.sock = sock;
  s->context.sock_tried = 1;
  if (sock && operation->addressed && s->context.captured != KS_CAPTURED_SOCKET) {
    s->captured.socket.sock = sock;
    s->captured.socket.family = family;
    s->captured.socket.protocol = BPF_CORE_READ((struct sock *)sock, sk_protocol);
    __builtin_memcpy(&s->captured.socket.to_family, operation->address, sizeof(operation->address));
    s->context.captured = KS_CAPTURED_SOCKET;
  }
  return ks_sub_is_inet(s->context.hook) != 0;
}

// As argument `number`. A name that could not be kept is one that cannot be read.
static KS_INLINE void set_name(struct ks_scratch *s, __u64 number, const char *name) {
  if (number == KS_NO_ARGUMENT) return;
  KS_MASK(number, 7);
  s->context.arg[number] = (__u64)name;
}

KS_INLINE __u32 ks_hook_io_issue_sqe(void *ctx, struct ks_scratch *s) {
  const __u64 *arg = ctx;
  struct io_kiocb *request = (struct io_kiocb *)arg[0];
  s->context.kind = KS_KIND_NONE;
  __u32 thread = bpf_get_current_pid_tgid();
  struct ks_operation *operation = bpf_map_lookup_elem(&ks_operations, &thread);
  if (!operation || operation->request != (__u64)request) return KS_KIND_NONE;
  operation->request = 0;
  __s64 ret = (int)arg[2];
  if (is_tried_again(request, arg[1], ret)) return KS_KIND_NONE;
  s->context.task = (__u64)owner_of(request);
  s->context.ret = result_of(request, operation, ret);
  s->context.call = operation->number;
  for (int i = 0; i < 6; i++) s->context.arg[i] = operation->arg[i];
  set_name(s, ks_row(s)->path, operation->named[0] ? operation->name[0] : 0);
  set_name(s, ks_row(s)->old_path, operation->named[1] ? operation->name[1] : 0);
  __u32 kind = kind_of(s);
  s->context.kind = kind;
  for (int i = 0; i < KS_CALL_WORDS; i++) s->captured.call[i] = operation->call[i];
  ks_be_operation(s->captured.call, operation);
  ks_take_captured(s);
  switch (kind) {
    case KS_KIND_open:
      s->context.file_tried = operation->slot;
      break;
    case KS_KIND_truncate:
      s->context.file = (__u64)BPF_CORE_READ(request, file);
      s->context.file_tried = 1;
      break;
    case KS_KIND_connect:
    case KS_KIND_accept:
    case KS_KIND_bind:
    case KS_KIND_listen:
    case KS_KIND_sendto:
      if (!is_inet(s, request, operation)) s->context.kind = kind = KS_KIND_NONE;
  }
  return kind;
}

// What is captured of io_uring's operations: what each was given, when it is tried (capture.bpf.c says of what this is a part), and the
// end that bundles go on from.
#include "bpf/fields/access.h"
#include "bpf/hooks/captured.h"

// The kernel's copy of a name, or null.
#define FILENAME(request, type, member)                                               \
  (bpf_core_field_exists(struct type, member)                                         \
       ? BPF_CORE_READ((struct type *)(request), member)                              \
       : BPF_CORE_READ((struct type##___delayed *)(request), member.__incomplete_filename))

// ks_sub_argument reads them from here.
static KS_INLINE void keep_name(struct ks_operation *operation, __u32 which, struct filename *name) {
  const char *text = BPF_CORE_READ(name, name);
  operation->named[which & 1] = bpf_probe_read_kernel_str(operation->name[which & 1], KS_OPERATION_NAME, text) >= 0;
}

// Two names and their folders: of a rename, and of both kinds of links.
#define KEEP_TWO(operation, request, type)                                      \
  do {                                                                          \
    (operation)->arg[0] = BPF_CORE_READ((struct type *)(request), old_dfd);     \
    (operation)->arg[2] = BPF_CORE_READ((struct type *)(request), new_dfd);     \
    keep_name(operation, 1, FILENAME(request, type, oldpath));                  \
    keep_name(operation, 0, FILENAME(request, type, newpath));                  \
  } while (0)

// As the arguments of openat, mkdirat and so on. Here, because a request that is done has given its names back. What a kernel has no
// structure for is no operation of its.
static KS_INLINE void keep_arguments(struct ks_operation *operation, const void *request, __u32 number) {
  __u64 *arg = operation->arg;
  const char *address = 0;
  switch (number) {
    case KS_CALL_openat:
      arg[0] = BPF_CORE_READ((struct io_open *)request, dfd);
      arg[2] = BPF_CORE_READ((struct io_open *)request, how.flags);
      if (bpf_core_field_exists(struct io_open, file_slot)) {
        operation->slot = BPF_CORE_READ((struct io_open *)request, file_slot) != 0;
      }
      keep_name(operation, 0, FILENAME(request, io_open, filename));
      break;
    case KS_CALL_unlinkat:
      if (!bpf_core_type_exists(struct io_unlink)) break;
      arg[0] = BPF_CORE_READ((struct io_unlink *)request, dfd);
      arg[2] = BPF_CORE_READ((struct io_unlink *)request, flags);
      keep_name(operation, 0, FILENAME(request, io_unlink, filename));
      break;
    case KS_CALL_mkdirat:
      if (!bpf_core_type_exists(struct io_mkdir)) break;
      arg[0] = BPF_CORE_READ((struct io_mkdir *)request, dfd);
      arg[2] = BPF_CORE_READ((struct io_mkdir *)request, mode);
      keep_name(operation, 0, FILENAME(request, io_mkdir, filename));
      break;
    case KS_CALL_renameat2:
      if (bpf_core_type_exists(struct io_rename)) KEEP_TWO(operation, request, io_rename);
      break;
    case KS_CALL_linkat:
      if (bpf_core_type_exists(struct io_link)) {
        KEEP_TWO(operation, request, io_link);
      } else if (bpf_core_type_exists(struct io_hardlink)) {
        arg[0] = BPF_CORE_READ((struct io_hardlink *)request, old_dfd);
        arg[2] = BPF_CORE_READ((struct io_hardlink *)request, new_dfd);
        keep_name(operation, 1, BPF_CORE_READ((struct io_hardlink *)request, oldpath));
        keep_name(operation, 0, BPF_CORE_READ((struct io_hardlink *)request, newpath));
      }
      break;
    case KS_CALL_symlinkat:
      if (bpf_core_type_exists(struct io_link)) {
        arg[1] = BPF_CORE_READ((struct io_link *)request, new_dfd);
        keep_name(operation, 1, FILENAME(request, io_link, oldpath));
        keep_name(operation, 0, FILENAME(request, io_link, newpath));
      } else if (bpf_core_type_exists(struct io_symlink)) {
        arg[1] = BPF_CORE_READ((struct io_symlink *)request, new_dfd);
        keep_name(operation, 1, BPF_CORE_READ((struct io_symlink *)request, oldpath));
        keep_name(operation, 0, BPF_CORE_READ((struct io_symlink *)request, newpath));
      }
      break;
    case KS_CALL_connect:
      // In the process's memory. The kernel's copy is there if it has been begun before, and from Linux 6.10 on always: async_data is a
      // struct sockaddr_storage, by itself or as the only member of struct io_async_connect.
      arg[1] = (__u64)BPF_CORE_READ((struct io_connect *)request, addr);
      address = BPF_CORE_READ((struct io_kiocb *)request, async_data);
      if (!address) break;
      operation->addressed = bpf_probe_read_kernel(operation->address, sizeof(operation->address), address) == 0;
      break;
    case KS_CALL_accept4:
      if (bpf_core_field_exists(struct io_accept, file_slot)) {
        operation->slot = BPF_CORE_READ((struct io_accept *)request, file_slot) != 0;
      }
      break;
    case KS_CALL_socket:
      if (!bpf_core_type_exists(struct io_socket)) break;
      arg[0] = BPF_CORE_READ((struct io_socket *)request, domain);
      arg[1] = BPF_CORE_READ((struct io_socket *)request, type);
      arg[2] = BPF_CORE_READ((struct io_socket *)request, protocol);
      break;
    case KS_CALL_listen:
      if (bpf_core_type_exists(struct io_listen)) arg[1] = BPF_CORE_READ((struct io_listen *)request, backlog);
      break;
    case KS_CALL_ftruncate:
      if (bpf_core_type_exists(struct io_ftrunc)) arg[1] = BPF_CORE_READ((struct io_ftrunc *)request, len);
      break;
    case KS_CALL_sendto: arg[3] = BPF_CORE_READ((struct io_sr_msg *)request, msg_flags); break;
  }
}

// By enum io_uring_op of include/uapi/linux/io_uring.h: the call that it amounts to.
static KS_INLINE __u32 call_of(__u32 opcode) {
  switch (opcode) {
    case 9:   // SENDMSG
    case 26:  // SEND
    case 47:  // SEND_ZC
    case 48:  // SENDMSG_ZC
      return KS_CALL_sendto;
    case 13: return KS_CALL_accept4;
    case 16: return KS_CALL_connect;
    case 18:  // OPENAT
    case 28:  // OPENAT2
      return KS_CALL_openat;
    case 35: return KS_CALL_renameat2;
    case 36: return KS_CALL_unlinkat;
    case 37: return KS_CALL_mkdirat;
    case 38: return KS_CALL_symlinkat;
    case 39: return KS_CALL_linkat;
    case 45: return KS_CALL_socket;
    case 55: return KS_CALL_ftruncate;
    case 56: return KS_CALL_bind;
    case 57: return KS_CALL_listen;
    default: return KS_CALL_none;
  }
}

// An accept that goes on after its first connection: its results are told elsewhere, one by one.
static KS_INLINE int is_multishot(const struct io_kiocb *request, __u32 flags) {
  enum { KS_ACCEPT_MULTISHOT = 1, KS_REQ_F_APOLL_MULTISHOT = 1 << 27 };  // IORING_ACCEPT_MULTISHOT; as Linux 6.1 has it
  // Once it has waited. Linux 6.6 to 6.9 have the bit above elsewhere, and a first try of such ends as one to be tried again.
  if (bpf_core_enum_value_exists(enum io_uring_cmd_flags, IO_URING_F_MULTISHOT) &&
      flags & (__u32)bpf_core_enum_value(enum io_uring_cmd_flags, IO_URING_F_MULTISHOT)) {
    return 1;
  }
  if (bpf_core_field_exists(struct io_accept, iou_flags)) {
    return BPF_CORE_READ((const struct io_accept *)request, iou_flags) & KS_ACCEPT_MULTISHOT;
  }
  return bpf_core_field_exists(struct io_kiocb, cqe) && BPF_CORE_READ(request, flags) & KS_REQ_F_APOLL_MULTISHOT;
}

static const struct ks_operation none = {};

// One of all operations passes here, each time that it is tried.
SEC("fentry/io_issue_sqe")
int ks_capture_io_issue_sqe(__u64 *ctx) {
  const struct io_kiocb *request = (const struct io_kiocb *)ctx[0];
  __u32 number = call_of(BPF_CORE_READ(request, opcode));
  if (!number || (number == KS_CALL_accept4 && is_multishot(request, ctx[1]))) return 0;
  __u32 thread = bpf_get_current_pid_tgid();
  bpf_map_update_elem(&ks_operations, &thread, &none, BPF_ANY);
  struct ks_operation *operation = bpf_map_lookup_elem(&ks_operations, &thread);
  if (!operation) return 0;
  if (ks_read_call(operation->call, ks_registers((struct task_struct *)bpf_get_current_task()))) return 0;
  operation->begun = bpf_ktime_get_ns();
  operation->number = number;
  keep_arguments(operation, request, number);
  operation->request = (__u64)request;
  return 0;
}

// Before Linux 5.19 this is where a result shows that is told at once, as workers do.
SEC("raw_tp/io_uring_complete")
int ks_capture_io_uring_complete(struct bpf_raw_tracepoint_args *ctx) {
  if (bpf_core_field_exists(struct io_kiocb, cqe)) return 0;
  __u32 thread = bpf_get_current_pid_tgid();
  struct ks_operation *operation = bpf_map_lookup_elem(&ks_operations, &thread);
  if (!operation || !operation->request) return 0;
  // Context, request, user's data, result; before Linux 5.17 it does not name the request. A process cannot give its data the address
  // of a request, which it does not know.
  const struct io_kiocb___result *request = (const struct io_kiocb___result *)operation->request;
  __u64 first = ctx->args[1], second = ctx->args[2], third = ctx->args[3];
  asm volatile("" : "+r"(second), "+r"(third));
  if (first == operation->request) {
    operation->result = third;
  } else if (first == BPF_CORE_READ(request, user_data)) {
    operation->result = second;
  } else {
    return 0;
  }
  operation->completed = 1;
  return 0;
}

// The end of an operation that was kept when it began: goes on as dispatcher.bpf.c does.
SEC("fexit/io_issue_sqe")
int ks_dispatch_io_issue_sqe(__u64 *ctx) {
  // Before Linux 5.12 (and 5.10.162) its arguments are others: not to be found here refuses this program, and with it the hook.
  if (!bpf_core_enum_value(enum io_uring_cmd_flags, IO_URING_F_NONBLOCK)) return 0;
  __u32 zero = 0, thread = bpf_get_current_pid_tgid();
  const struct ks_operation *operation = bpf_map_lookup_elem(&ks_operations, &thread);
  if (!operation || operation->request != ctx[0]) return 0;
  const volatile __u32 *epoch = bpf_map_lookup_elem(&ks_active, &zero);
  if (!epoch) return 0;
  if (*epoch & 1) {
    bpf_tail_call_static(ctx, &ks_bank_io_issue_sqe, 1);
  } else {
    bpf_tail_call_static(ctx, &ks_bank_io_issue_sqe, 0);
  }
  return 0;
}

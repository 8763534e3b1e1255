// The trampoline tier's resident programs: at the entry of functions that the kernel calls with its own copy of what a call is
// about, they keep that copy for the end of the call, where the event is told with its result (captured.bpf.c). Each is optional:
// where the kernel grants no trampolines, or lacks the function, the event's fields are found as they are without.
#include "bpf/fields/access.h"
#include "bpf/hooks/captured.h"

enum { KS_THREAD_SIZE = 16384 };

// Of the thread's call.
static KS_INLINE const struct pt_regs *registers(struct task_struct *task) {
  if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs)) {
    return (const struct pt_regs *)bpf_task_pt_regs((void *)bpf_get_current_task_btf());
  }
  // Before Linux 5.15, whose stacks end in them.
  return (const struct pt_regs *)((char *)BPF_CORE_READ(task, stack) + KS_THREAD_SIZE - bpf_core_type_size(struct pt_regs));
}

// What the thread is doing for an io_uring, if anything: one whose end was not seen is of another time.
static KS_INLINE const struct ks_operation *operation_of(__u32 thread, const __u64 *call) {
  const struct ks_operation *operation = bpf_map_lookup_elem(&ks_operations, &thread);
  return operation && operation->request && ks_same_call(operation->call, call) ? operation : 0;
}

// The thread's copy, for this call or operation: KS_CAPTURED_NOTHING if this is the first of it. Or what the end of a call before it
// did not take, with the same registers: the kernel may skip programs. Null for threads of the kernel that do neither.
static KS_INLINE struct ks_captured *captured_of_call(void) {
  struct task_struct *task = (struct task_struct *)bpf_get_current_task();
  __u64 call[KS_CALL_WORDS];
  if (ks_read_call(call, registers(task))) return 0;
  __u32 thread = bpf_get_current_pid_tgid();
  const struct ks_operation *operation = operation_of(thread, call);
  if (operation) {
    ks_be_operation(call, operation);
  } else if (BPF_CORE_READ(task, flags) & (KS_PF_KTHREAD | KS_PF_IO_WORKER)) {
    return 0;
  }
  struct ks_captured *captured = bpf_map_lookup_elem(&ks_captured, &thread);
  if (!captured) {
    struct ks_captured empty = {};
    bpf_map_update_elem(&ks_captured, &thread, &empty, BPF_ANY);
    captured = bpf_map_lookup_elem(&ks_captured, &thread);
    if (!captured) return 0;
  }
  if (ks_same_call(captured->call, call)) return captured;
  captured->what = KS_CAPTURED_NOTHING;
  for (int i = 0; i < KS_CALL_WORDS; i++) captured->call[i] = call[i];
  return captured;
}

static KS_INLINE void keep_file(struct ks_captured *captured, const struct path *path, const struct inode *inode) {
  captured->file.mnt = (__u64)path->mnt;
  captured->file.dentry = (__u64)path->dentry;
  captured->file.inode = (__u64)inode;
  captured->file.number = BPF_CORE_READ(inode, i_ino);
  captured->file.device = BPF_CORE_READ(inode, i_sb, s_dev);
  captured->file.i_mode = BPF_CORE_READ(inode, i_mode);
  captured->what = KS_CAPTURED_FILE;
}

SEC("fentry/security_file_open")
int ks_capture_security_file_open(__u64 *ctx) {
  struct file *file = (struct file *)ctx[0];
  __u32 mode = BPF_CORE_READ(file, f_mode);
  // A file system's own, behind the one that was asked for: overlayfs opens such.
  if (mode & KS_FMODE_NOACCOUNT) return 0;
  struct ks_captured *captured = captured_of_call();
  if (!captured) return 0;
  struct path path = {};
  bpf_probe_read_kernel(&path, sizeof(path), __builtin_preserve_access_index(&file->f_path));
  // What a file system opens beneath itself for a call about names: overlayfs copies a file up before it renames it.
  if (captured->what == KS_CAPTURED_NAMES && captured->file.mnt != (__u64)path.mnt) return 0;
  struct inode *inode = BPF_CORE_READ(file, f_inode);
  captured->last_dentry = (__u64)path.dentry;
  captured->last_inode = (__u64)inode;
  if (captured->what == KS_CAPTURED_FILE) return 0;
  keep_file(captured, &path, inode);
  captured->file.f_mode = mode;
  captured->file.f_flags = BPF_CORE_READ(file, f_flags);
  return 0;
}

// What is changed without being opened. Not by security_path_chown, whose arguments 5.10 does not take.
static KS_INLINE int capture_path(const struct path *changed) {
  struct ks_captured *captured = captured_of_call();
  if (!captured) return 0;
  struct path path = {};
  bpf_probe_read_kernel(&path, sizeof(path), changed);
  struct inode *inode = BPF_CORE_READ(path.dentry, d_inode);
  // An open that cuts its file has opened it by then.
  if (captured->what == KS_CAPTURED_FILE && captured->file.inode == (__u64)inode) return 0;
  keep_file(captured, &path, inode);
  captured->file.f_mode = captured->file.f_flags = 0;
  captured->last_dentry = (__u64)path.dentry;
  captured->last_inode = (__u64)inode;
  return 0;
}

SEC("fentry/security_path_chmod")
int ks_capture_security_path_chmod(__u64 *ctx) { return capture_path((const struct path *)ctx[0]); }

SEC("fentry/security_path_truncate")
int ks_capture_security_path_truncate(__u64 *ctx) { return capture_path((const struct path *)ctx[0]); }

static const struct ks_captured_name no_names[2] = {};

// file.path and file.old_path of this call, to be filled: where the kernel came to last. `dir` is the folder of the one or the other.
static KS_INLINE struct ks_captured_name *names_of_call(const struct path *dir) {
  struct ks_captured *captured = captured_of_call();
  if (!captured) return 0;
  __u32 thread = bpf_get_current_pid_tgid();
  bpf_map_update_elem(&ks_captured_names, &thread, &no_names, BPF_ANY);
  captured->file.mnt = (__u64)BPF_CORE_READ(dir, mnt);
  captured->what = KS_CAPTURED_NAMES;
  return bpf_map_lookup_elem(&ks_captured_names, &thread);
}

static KS_INLINE void keep_folder(struct ks_captured_name *name, const struct vfsmount *mnt, const struct dentry *folder) {
  const struct inode *inode = BPF_CORE_READ(folder, d_inode);
  name->mnt = (__u64)mnt;
  name->dentry = (__u64)folder;
  name->inode = (__u64)inode;
  name->number = BPF_CORE_READ(inode, i_ino);
}

static KS_INLINE void keep_place(struct ks_captured_name *name, const struct path *dir, const struct dentry *dentry) {
  struct path path = {};
  bpf_probe_read_kernel(&path, sizeof(path), dir);
  keep_folder(name, path.mnt, path.dentry);
  bpf_probe_read_kernel_str(name->name, sizeof(name->name), BPF_CORE_READ(dentry, d_name.name));
}

static KS_INLINE int capture_name(__u64 *ctx) {
  const struct path *dir = (const struct path *)ctx[0];
  struct ks_captured_name *names = names_of_call(dir);
  if (names) keep_place(&names[0], dir, (const struct dentry *)ctx[1]);
  return 0;
}

SEC("fentry/security_path_unlink")
int ks_capture_security_path_unlink(__u64 *ctx) { return capture_name(ctx); }

SEC("fentry/security_path_rmdir")
int ks_capture_security_path_rmdir(__u64 *ctx) { return capture_name(ctx); }

SEC("fentry/security_path_mkdir")
int ks_capture_security_path_mkdir(__u64 *ctx) { return capture_name(ctx); }

SEC("fentry/security_path_mknod")
int ks_capture_security_path_mknod(__u64 *ctx) { return capture_name(ctx); }

SEC("fentry/security_path_symlink")
int ks_capture_security_path_symlink(__u64 *ctx) { return capture_name(ctx); }

SEC("fentry/security_path_link")
int ks_capture_security_path_link(__u64 *ctx) {
  const struct dentry *old = (const struct dentry *)ctx[0];
  const struct path *dir = (const struct path *)ctx[1];
  struct ks_captured_name *names = names_of_call(dir);
  if (!names) return 0;
  keep_place(&names[0], dir, (const struct dentry *)ctx[2]);
  // Links do not cross mounts.
  keep_place(&names[1], dir, old);
  keep_folder(&names[1], (const struct vfsmount *)names[0].mnt, BPF_CORE_READ(old, d_parent));
  return 0;
}

SEC("fentry/security_path_rename")
int ks_capture_security_path_rename(__u64 *ctx) {
  const struct path *old_dir = (const struct path *)ctx[0];
  struct ks_captured_name *names = names_of_call(old_dir);
  if (!names) return 0;
  keep_place(&names[1], old_dir, (const struct dentry *)ctx[1]);
  keep_place(&names[0], (const struct path *)ctx[2], (const struct dentry *)ctx[3]);
  return 0;
}

// A call may send several messages: sendmmsg, of i386 as socketcall, too. To others these numbers are nothing that sends.
static KS_INLINE int sends_several(const struct ks_captured *captured) {
  enum { KS_SENDMMSG = 307, KS_SENDMMSG32 = 345, KS_SOCKETCALL32 = 102 };
  __u64 number = captured->call[KS_CALL_ORIG_AX];
  return number == KS_SENDMMSG || number == KS_SENDMMSG32 || number == KS_SOCKETCALL32;
}

static KS_INLINE int capture_socket(struct socket *socket, const void *address, __s32 length) {
  struct ks_captured *captured = captured_of_call();
  if (!captured) return 0;
  struct sock *sock = BPF_CORE_READ(socket, sk);
  // The first message of several; and of several sockets the caller's, as some send by others of the kernel's own.
  if (captured->what == KS_CAPTURED_SOCKET && (captured->socket.sock != (__u64)sock || sends_several(captured))) return 0;
  captured->socket.sock = (__u64)sock;
  captured->socket.family = BPF_CORE_READ(sock, __sk_common.skc_family);
  captured->socket.protocol = BPF_CORE_READ(sock, sk_protocol);
  captured->socket.to_family = 0;
  // What is shorter than the smallest address of the internet has none.
  enum { KS_SHORT = 8, KS_LONG = 24 };
  if (length >= KS_SHORT) bpf_probe_read_kernel(&captured->socket.to_family, KS_SHORT, address);
  if (length >= KS_LONG) bpf_probe_read_kernel(&captured->socket.to_family, KS_LONG, address);
  captured->what = KS_CAPTURED_SOCKET;
  return 0;
}

SEC("fentry/security_socket_connect")
int ks_capture_security_socket_connect(__u64 *ctx) {
  return capture_socket((struct socket *)ctx[0], (const void *)ctx[1], ctx[2]);
}

SEC("fentry/security_socket_bind")
int ks_capture_security_socket_bind(__u64 *ctx) {
  return capture_socket((struct socket *)ctx[0], (const void *)ctx[1], ctx[2]);
}

SEC("fentry/security_socket_sendmsg")
int ks_capture_security_socket_sendmsg(__u64 *ctx) {
  struct msghdr *message = (struct msghdr *)ctx[1];
  void *name = BPF_CORE_READ(message, msg_name);
  // Most that is sent names no address.
  if (!name) return 0;
  struct socket *socket = (struct socket *)ctx[0];
  __u32 family = BPF_CORE_READ(socket, sk, __sk_common.skc_family);
  if (family != KS_AF_INET && family != KS_AF_INET6) return 0;
  return capture_socket(socket, name, BPF_CORE_READ(message, msg_namelen));
}

// --- io_uring ---

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
  if (ks_read_call(operation->call, registers((struct task_struct *)bpf_get_current_task()))) return 0;
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

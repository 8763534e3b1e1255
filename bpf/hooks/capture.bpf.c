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

// The thread's copy, for this call: empty (what is not `what`) if this is the first of it. Null for threads that make no calls.
static KS_INLINE struct ks_captured *captured_of_call(__u32 what) {
  struct task_struct *task = (struct task_struct *)bpf_get_current_task();
  if (BPF_CORE_READ(task, flags) & (KS_PF_KTHREAD | KS_PF_IO_WORKER)) return 0;
  __u64 call[KS_CALL_WORDS];
  if (ks_read_call(call, registers(task))) return 0;
  __u32 thread = bpf_get_current_pid_tgid();
  struct ks_captured *captured = bpf_map_lookup_elem(&ks_captured, &thread);
  if (!captured) {
    struct ks_captured empty = {};
    bpf_map_update_elem(&ks_captured, &thread, &empty, BPF_ANY);
    captured = bpf_map_lookup_elem(&ks_captured, &thread);
    if (!captured) return 0;
  }
  if (captured->what == what && ks_same_call(captured->call, call)) return captured;
  captured->what = KS_CAPTURED_NOTHING;
  for (int i = 0; i < KS_CALL_WORDS; i++) captured->call[i] = call[i];
  return captured;
}

SEC("fentry/security_file_open")
int ks_capture_security_file_open(__u64 *ctx) {
  struct file *file = (struct file *)ctx[0];
  __u32 mode = BPF_CORE_READ(file, f_mode);
  // A file system's own, behind the one that was asked for: overlayfs opens such.
  if (mode & KS_FMODE_NOACCOUNT) return 0;
  struct ks_captured *captured = captured_of_call(KS_CAPTURED_FILE);
  if (!captured) return 0;
  struct path path = {};
  bpf_probe_read_kernel(&path, sizeof(path), __builtin_preserve_access_index(&file->f_path));
  struct inode *inode = BPF_CORE_READ(file, f_inode);
  captured->last_dentry = (__u64)path.dentry;
  captured->last_inode = (__u64)inode;
  if (captured->what) return 0;
  captured->file.mnt = (__u64)path.mnt;
  captured->file.dentry = (__u64)path.dentry;
  captured->file.inode = (__u64)inode;
  captured->file.number = BPF_CORE_READ(inode, i_ino);
  captured->file.device = BPF_CORE_READ(inode, i_sb, s_dev);
  captured->file.i_mode = BPF_CORE_READ(inode, i_mode);
  captured->file.f_mode = mode;
  captured->file.f_flags = BPF_CORE_READ(file, f_flags);
  captured->what = KS_CAPTURED_FILE;
  return 0;
}

static KS_INLINE int capture_socket(struct socket *socket, const void *address, __s32 length) {
  struct ks_captured *captured = captured_of_call(KS_CAPTURED_SOCKET);
  // The first message of several.
  if (!captured || captured->what) return 0;
  struct sock *sock = BPF_CORE_READ(socket, sk);
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

// The trampoline tier's resident programs: at the entry of functions that the kernel calls with its own copy of what a call is
// about, they keep that copy for the end of the call, where the event is told with its result (captured.bpf.c). Each is optional:
// where the kernel grants no trampolines, or lacks the function, the event's fields are found as they are without.
#include "bpf/fields/walk.h"
#include "bpf/hooks/captured.h"

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
  if (ks_read_call(call, ks_registers(task))) return 0;
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
  // What is opened for a call that is about a path: a mount looks into what it mounts.
  if (!captured || captured->what == KS_CAPTURED_PATH) return 0;
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

// What is changed without being opened.
static KS_INLINE int capture_path(const struct path *changed) {
  struct ks_captured *captured = captured_of_call();
  if (!captured || captured->what == KS_CAPTURED_PATH) return 0;
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

// Its ids are structures passed by value, which trampolines take from Linux 6.1 on.
SEC("fentry/security_path_chown")
int ks_capture_security_path_chown(__u64 *ctx) { return capture_path((const struct path *)ctx[0]); }

static KS_INLINE int is_compressed_module(__u32 id) {
  return bpf_core_enum_value_exists(enum kernel_read_file_id, READING_MODULE_COMPRESSED) &&
         id == bpf_core_enum_value(enum kernel_read_file_id, READING_MODULE_COMPRESSED);
}

// The module, or the image of a kernel: not what either has the kernel read besides.
SEC("fentry/security_kernel_read_file")
int ks_capture_security_kernel_read_file(__u64 *ctx) {
  const struct file *file = (const struct file *)ctx[0];
  __u32 id = ctx[1];
  if (id != bpf_core_enum_value(enum kernel_read_file_id, READING_MODULE) &&
      id != bpf_core_enum_value(enum kernel_read_file_id, READING_KEXEC_IMAGE) && !is_compressed_module(id)) {
    return 0;
  }
  return capture_path(__builtin_preserve_access_index(&file->f_path));
}

// A subprogram of numbers only (abi.h says why): the path of a place, for this thread.
KS_SUBPROGRAM __u64 ks_sub_keep_path(__u64 mnt, __u64 dentry) {
  __u32 thread = bpf_get_current_pid_tgid();
  struct ks_captured_path *kept = bpf_map_lookup_elem(&ks_captured_paths, &thread);
  struct task_struct *task = (struct task_struct *)bpf_get_current_task();
  const void *within = BPF_CORE_READ(task, nsproxy, mnt_ns);
  if (kept && within) kept->result = ks_build_path(kept->text, &kept->begin, mnt, dentry, within);
  if (kept && !within) kept->result = KS_TEXT_RESULT(0, 0, KS_UNKNOWN);
  return 0;
}

static const struct ks_captured_path no_path = {};

// Of calls that change where things are: walked now, for it is another path when the call returns. Null: not kept.
static KS_INLINE struct ks_captured_path *keep_path(__u64 mnt, __u64 dentry) {
  struct ks_captured *captured = captured_of_call();
  if (!captured) return 0;
  __u32 thread = bpf_get_current_pid_tgid();
  struct ks_captured_path *kept = bpf_map_lookup_elem(&ks_captured_paths, &thread);
  if (!kept) bpf_map_update_elem(&ks_captured_paths, &thread, &no_path, BPF_ANY);
  ks_sub_keep_path(mnt, dentry);
  captured->what = KS_CAPTURED_PATH;
  kept = bpf_map_lookup_elem(&ks_captured_paths, &thread);
  if (kept) kept->has_source = kept->has_fs_type = 0;
  return kept;
}

static KS_INLINE struct ks_captured_path *keep_path_of(const struct path *place) {
  struct path path = {};
  bpf_probe_read_kernel(&path, sizeof(path), place);
  return keep_path((__u64)path.mnt, (__u64)path.dentry);
}

SEC("fentry/security_sb_mount")
int ks_capture_security_sb_mount(__u64 *ctx) {
  struct ks_captured_path *kept = keep_path_of((const struct path *)ctx[1]);
  if (!kept) return 0;
  kept->has_source = bpf_probe_read_kernel_str(kept->source, sizeof(kept->source), (const void *)ctx[0]) >= 0;
  kept->has_fs_type = bpf_probe_read_kernel_str(kept->fs_type, sizeof(kept->fs_type), (const void *)ctx[2]) >= 0;
  return 0;
}

SEC("fentry/security_move_mount")
int ks_capture_security_move_mount(__u64 *ctx) {
  keep_path_of((const struct path *)ctx[1]);
  return 0;
}

// Of what is taken away the root, which is where it is mounted as long as it is.
SEC("fentry/security_sb_umount")
int ks_capture_security_sb_umount(__u64 *ctx) {
  // As a number: subprograms take no pointers, which an argument is to the verifier.
  __u64 mnt = 0;
  bpf_probe_read_kernel(&mnt, sizeof(mnt), ctx);
  keep_path(mnt, (__u64)BPF_CORE_READ((const struct vfsmount *)mnt, mnt_root));
  return 0;
}

SEC("fentry/security_path_chroot")
int ks_capture_security_path_chroot(__u64 *ctx) {
  keep_path_of((const struct path *)ctx[0]);
  return 0;
}

// The new root comes second.
SEC("fentry/security_sb_pivotroot")
int ks_capture_security_sb_pivotroot(__u64 *ctx) {
  keep_path_of((const struct path *)ctx[1]);
  return 0;
}

static const struct ks_captured_name no_names[2] = {};

// file.path and file.old_path of this call, to be filled: where the kernel came to last. `dir` is the folder of the one or the other.
static KS_INLINE struct ks_captured_name *names_of_call(const struct path *dir) {
  struct ks_captured *captured = captured_of_call();
  if (!captured || captured->what == KS_CAPTURED_PATH) return 0;
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

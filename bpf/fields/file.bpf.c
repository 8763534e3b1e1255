// The file that an event is about: an open file where there is one, else the path that the caller gave.
#include "bpf/fields/access.h"

const struct ks_call_row ks_call_rows[KS_CALL_ROWS] = {
#define KS_CALL(name, kind, dir, path, old_dir, old_path, fd, flags, value, pid) \
  [KS_CALL_##name] = {KS_KIND_##kind, dir, path, old_dir, old_path, fd, flags, value, pid},
#include "bpf/fields/calls.def"
};

// The file behind a descriptor.
KS_SUBPROGRAM __u64 ks_sub_fd_file(__u64 task_address, __u32 fd) {
  struct task_struct *task = (struct task_struct *)task_address;
  struct fdtable *table = BPF_CORE_READ(task, files, fdt);
  if (fd >= BPF_CORE_READ(table, max_fds)) return 0;
  struct file **files = BPF_CORE_READ(table, fd);
  struct file *file = 0;
  bpf_probe_read_kernel(&file, sizeof(file), files + fd);
  return (__u64)file;
}

// Whether that is what the call opened. Another thread can have put another file in its place since.
static KS_INLINE int is_captured(struct ks_scratch *s, struct file *file) {
  struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
  struct inode *inode = BPF_CORE_READ(file, f_inode);
  if ((__u64)dentry == s->captured.last_dentry && (__u64)inode == s->captured.last_inode) return 1;
  return (__u64)dentry == s->captured.file.dentry && (__u64)inode == s->captured.file.inode &&
         BPF_CORE_READ(inode, i_ino) == s->captured.file.number;
}

// The path of what was captured, if its name is still there.
static KS_INLINE __u64 captured_path(struct ks_scratch *s) {
  struct dentry *dentry = (struct dentry *)s->captured.file.dentry;
  struct inode *inode = BPF_CORE_READ(dentry, d_inode);
  if ((__u64)inode != s->captured.file.inode || BPF_CORE_READ(inode, i_ino) != s->captured.file.number ||
      BPF_CORE_READ(inode, i_sb, s_dev) != s->captured.file.device) {
    return KS_TEXT_RESULT(0, 0, KS_UNKNOWN);
  }
  return ks_sub_path(s->context.hook, s->captured.file.mnt, s->captured.file.dentry);
}

// What was kept of the call before it changed anything, or null.
static KS_INLINE const struct ks_captured_path *kept_of(void) {
  __u32 thread = bpf_get_current_pid_tgid();
  return bpf_map_lookup_elem(&ks_captured_paths, &thread);
}

static KS_INLINE __u64 kept_path(struct ks_scratch *s) {
  enum { FIRST = KS_PATH_END - KS_PATH_CAPTURE };
  const struct ks_captured_path *kept = kept_of();
  if (!kept) return KS_TEXT_RESULT(0, 0, KS_UNKNOWN);
  bpf_probe_read_kernel(s->path + FIRST, KS_PATH_CAPTURE, kept->text + FIRST);
  __u64 result = kept->result;
  return ks_is_still(&ks_captured_paths, kept) ? result : KS_TEXT_RESULT(0, 0, KS_UNKNOWN);
}

// Whether the call names its file by the folder's descriptor and an empty path.
static KS_INLINE int is_by_descriptor(struct ks_scratch *s) {
  __u32 call = s->context.call;
  if (call != KS_CALL_fchmodat2 && call != KS_CALL_fchownat) return 0;
  __u64 flags = ks_argument(s, ks_row(s)->flags);
  if (!(flags & KS_AT_EMPTY_PATH) || (int)s->context.arg[0] == KS_AT_FDCWD) return 0;
  char first = 1;
  bpf_probe_read_user(&first, 1, (void *)s->context.arg[1]);
  return !first;
}

// What was opened or started, or what fchmod and calls with an empty path speak of. 0 if there is none.
KS_SUBPROGRAM __u64 ks_sub_event_file(__u32 hook) {
  struct ks_scratch *s = ks_scratch_of(hook);
  if (!s) return 0;
  if (s->context.file_tried) return s->context.file;
  s->context.file_tried = 1;
  __u32 fd = ks_row(s)->fd;
  __u64 file = 0;
  if (s->context.kind == KS_KIND_exec) {
    file = (__u64)BPF_CORE_READ(ks_task(s), mm, exe_file);
  } else if (fd == KS_RESULT) {
    if (s->context.ret >= 0) file = ks_sub_fd_file(s->context.task, s->context.ret);
  } else if (fd != KS_NO_ARGUMENT) {
    file = ks_sub_fd_file(s->context.task, ks_argument(s, fd));
  } else if (is_by_descriptor(s)) {
    file = ks_sub_fd_file(s->context.task, s->context.arg[0]);
  }
  if (file && s->context.captured == KS_CAPTURED_FILE && !is_captured(s, (struct file *)file)) file = 0;
  s->context.file = file;
  return file;
}

// The path of the event's file into s->path: `old` asks for the one before a rename.
KS_SUBPROGRAM __u64 ks_sub_event_path(__u32 hook, __u32 old) {
  struct ks_scratch *s = ks_scratch_of(hook);
  if (!s) return KS_TEXT_RESULT(0, 0, KS_UNKNOWN);
  if (!old) {
    if (s->context.captured == KS_CAPTURED_PATH) return kept_path(s);
    // An absolute argument was seen from the root before.
    if (s->context.call == KS_CALL_chroot && s->context.ret >= 0) {
      const struct fs_struct *fs = BPF_CORE_READ(ks_task(s), fs);
      return ks_path_of(hook, __builtin_preserve_access_index(&fs->root));
    }
    struct file *file = (struct file *)ks_sub_event_file(hook);
    if (file) return ks_file_path(hook, file);
    if (s->context.kind == KS_KIND_exec) return KS_TEXT_RESULT(0, 0, KS_UNKNOWN);
    if (s->context.captured == KS_CAPTURED_FILE) {
      __u64 path = captured_path(s);
      if (s->context.ret >= 0 || KS_TEXT_STATUS(path) != KS_UNKNOWN) return path;
    }
    // Opened, and closed again by another thread. The argument may say anything by now.
    if (ks_row(s)->fd == KS_RESULT && s->context.ret >= 0) return KS_TEXT_RESULT(0, 0, KS_UNKNOWN);
  }
  const struct ks_call_row *row = ks_row(s);
  __u32 path = old ? row->old_path : row->path;
  __u32 dir = old ? row->old_dir : row->dir;
  // A call that names no file in any way (init_module) has none; one whose descriptor is gone had one.
  if (path == KS_NO_ARGUMENT) return KS_TEXT_RESULT(0, 0, !old && row->fd == KS_NO_ARGUMENT ? KS_ABSENT : KS_UNKNOWN);
  if (s->context.captured == KS_CAPTURED_NAMES) {
    __u32 thread = bpf_get_current_pid_tgid();
    const void *names = bpf_map_lookup_elem(&ks_captured_names, &thread);
    __u64 result = ks_sub_argument(hook, old, 0);
    return ks_is_still(&ks_captured_names, names) ? result : KS_TEXT_RESULT(0, 0, KS_UNKNOWN);
  }
  return ks_sub_argument(hook, dir == KS_NO_ARGUMENT ? (__u32)KS_AT_FDCWD : ks_argument(s, dir), ks_argument(s, path));
}

KS_INLINE void ks_get_file_path(struct ks_scratch *s) {
  KS_SET_TEXT(s, file_path, ks_sub_event_path(s->context.hook, 0));
}

KS_INLINE void ks_get_file_old_path(struct ks_scratch *s) {
  KS_SET_TEXT(s, file_old_path, ks_sub_event_path(s->context.hook, 1));
}

KS_INLINE void ks_get_file_inode(struct ks_scratch *s) {
  struct file *file = (struct file *)ks_sub_event_file(s->context.hook);
  __u64 number = 0;
  if (!file && ks_is_captured_file(s)) {
    KS_SET_INT(s, file_inode, s->captured.file.number);
  } else if (!file) {
    KS_SET_STATUS(s, file_inode, s->context.ret < 0 ? KS_ABSENT : KS_UNKNOWN);
  } else if (BPF_CORE_READ_INTO(&number, file, f_inode, i_ino)) {
    KS_SET_STATUS(s, file_inode, KS_UNKNOWN);
  } else {
    KS_SET_INT(s, file_inode, number);
  }
}

KS_INLINE void ks_get_file_device(struct ks_scratch *s) {
  struct file *file = (struct file *)ks_sub_event_file(s->context.hook);
  __u32 number = 0;
  if (!file && ks_is_captured_file(s)) {
    KS_SET_INT(s, file_device, s->captured.file.device);
  } else if (!file) {
    KS_SET_STATUS(s, file_device, s->context.ret < 0 ? KS_ABSENT : KS_UNKNOWN);
  } else if (BPF_CORE_READ_INTO(&number, file, f_inode, i_sb, s_dev)) {
    KS_SET_STATUS(s, file_device, KS_UNKNOWN);
  } else {
    KS_SET_INT(s, file_device, number);
  }
}

// A file that the policy names has that name, by whichever link it was opened. All others are called by their path.
KS_INLINE void ks_get_file_canonical(struct ks_scratch *s) {
  struct file *file = (struct file *)ks_sub_event_file(s->context.hook);
  struct ks_name *name = 0;
  if (file) {
    struct inode *inode = BPF_CORE_READ(file, f_inode);
    struct ks_inode key = {};
    key.device = BPF_CORE_READ(inode, i_sb, s_dev);
    key.inode = BPF_CORE_READ(inode, i_ino);
    name = bpf_map_lookup_elem(&ks_inodes, &key);
  } else if (ks_is_captured_file(s)) {
    struct ks_inode key = {};
    key.device = s->captured.file.device;
    key.inode = s->captured.file.number;
    name = bpf_map_lookup_elem(&ks_inodes, &key);
  }
  if (name) {
    KS_COPY_TEXT(s->fields.file_canonical, name->len, name->data);
    KS_SET_STATUS(s, file_canonical, KS_OK);
  } else {
    // One walk serves both fields, whichever is asked for first.
    if (s->status[KS_FIELD_file_path] == KS_UNREAD) ks_get_file_path(s);
    KS_COPY_TEXT(s->fields.file_canonical, s->fields.file_path.len, s->fields.file_path.data);
    KS_SET_STATUS(s, file_canonical, s->status[KS_FIELD_file_path]);
  }
}

// A text of at most `longest` bytes, that `read` has put into the field's slot: what it answered.
#define KS_SET_READ_TEXT(s, member, longest, read)                                                    \
  do {                                                                                                \
    long got = (read);                                                                                \
    if (got < 0) {                                                                                    \
      KS_SET_STATUS(s, member, KS_UNKNOWN);                                                           \
      break;                                                                                          \
    }                                                                                                 \
    __u64 bytes = got ? got - 1 : 0;                                                                  \
    KS_SET_STATUS(s, member, bytes > (longest) ? KS_TRUNCATED : KS_OK);                               \
    if (bytes > (longest)) bytes = (longest);                                                         \
    KS_END_TEXT((s)->fields.member, bytes);                                                           \
  } while (0)

// The caller's, as it stands.
#define KS_GET_USER_TEXT(s, member, longest, user) \
  KS_SET_READ_TEXT(s, member, longest, ks_read_text(s, (s)->fields.member.data, (longest) + 2, user))

// The kernel's copy of it, as it was kept, or else the caller's.
#define KS_GET_KEPT_TEXT(s, member, longest, which, user)                                             \
  do {                                                                                                \
    if ((s)->context.captured != KS_CAPTURED_PATH) {                                                  \
      KS_GET_USER_TEXT(s, member, longest, user);                                                     \
      break;                                                                                          \
    }                                                                                                 \
    const struct ks_captured_path *kept = kept_of();                                                  \
    if (!kept || !kept->has_##which) {                                                                \
      KS_SET_STATUS(s, member, KS_UNKNOWN);                                                           \
      break;                                                                                          \
    }                                                                                                 \
    KS_SET_READ_TEXT(s, member, longest,                                                              \
                     bpf_probe_read_kernel_str((s)->fields.member.data, (longest) + 2, kept->which)); \
    if (!ks_is_still(&ks_captured_paths, kept)) KS_SET_STATUS(s, member, KS_UNKNOWN);                 \
  } while (0)

KS_INLINE void ks_get_file_target(struct ks_scratch *s) {
  KS_GET_USER_TEXT(s, file_target, 512, ks_argument(s, ks_row(s)->old_path));
}

KS_INLINE void ks_get_file_source(struct ks_scratch *s) {
  if (s->context.call != KS_CALL_mount || !s->context.arg[0]) {
    KS_SET_STATUS(s, file_source, KS_ABSENT);
    return;
  }
  KS_GET_KEPT_TEXT(s, file_source, KS_SOURCE_MAX, source, s->context.arg[0]);
}

KS_INLINE void ks_get_event_fs_type(struct ks_scratch *s) {
  if (s->context.call != KS_CALL_mount || !s->context.arg[2]) {
    KS_SET_STATUS(s, event_fs_type, KS_ABSENT);
    return;
  }
  KS_GET_KEPT_TEXT(s, event_fs_type, KS_FS_TYPE_MAX, fs_type, s->context.arg[2]);
}

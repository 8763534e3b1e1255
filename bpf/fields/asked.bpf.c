// What calls were asked for, as numbers.
#include "bpf/fields/access.h"

// Enumerations of the table: the members that stand for calls.
enum { KS_PROCESS_VM_READ = 0x10000, KS_PROCESS_VM_WRITE = 0x10001, KS_PIDFD_GETFD = 0x10002 };

static KS_INLINE __u64 value_of(struct ks_scratch *s) { return ks_argument(s, ks_row(s)->value); }

KS_INLINE void ks_get_event_request(struct ks_scratch *s) {
  __u32 request = value_of(s);
  if (s->context.call == KS_CALL_process_vm_readv) request = KS_PROCESS_VM_READ;
  if (s->context.call == KS_CALL_process_vm_writev) request = KS_PROCESS_VM_WRITE;
  if (s->context.call == KS_CALL_pidfd_getfd) request = KS_PIDFD_GETFD;
  KS_SET_INT(s, event_request, request);
}

KS_INLINE void ks_get_event_signal(struct ks_scratch *s) { KS_SET_INT(s, event_signal, (int)value_of(s)); }

KS_INLINE void ks_get_event_option(struct ks_scratch *s) { KS_SET_INT(s, event_option, (__u32)value_of(s)); }

KS_INLINE void ks_get_event_memfd_flags(struct ks_scratch *s) { KS_SET_INT(s, event_memfd_flags, (__u32)value_of(s)); }

KS_INLINE void ks_get_event_protection(struct ks_scratch *s) { KS_SET_INT(s, event_protection, (__u32)value_of(s)); }

KS_INLINE void ks_get_event_backlog(struct ks_scratch *s) { KS_SET_INT(s, event_backlog, (int)value_of(s)); }

KS_INLINE void ks_get_event_bpf_command(struct ks_scratch *s) { KS_SET_INT(s, event_bpf_command, (int)value_of(s)); }

KS_INLINE void ks_get_event_key_operation(struct ks_scratch *s) { KS_SET_INT(s, event_key_operation, (int)value_of(s)); }

KS_INLINE void ks_get_event_reboot_command(struct ks_scratch *s) {
  KS_SET_INT(s, event_reboot_command, (__u32)value_of(s));
}

KS_INLINE void ks_get_event_opcode(struct ks_scratch *s) { KS_SET_INT(s, event_opcode, (__u8)s->context.arg[0]); }

KS_INLINE void ks_get_event_family(struct ks_scratch *s) { KS_SET_INT(s, event_family, (__u32)s->context.arg[0]); }

// The upper bits are SOCK_CLOEXEC and SOCK_NONBLOCK.
KS_INLINE void ks_get_event_socket_type(struct ks_scratch *s) { KS_SET_INT(s, event_socket_type, s->context.arg[1] & 0xf); }

KS_INLINE void ks_get_event_protocol(struct ks_scratch *s) { KS_SET_INT(s, event_protocol, (int)s->context.arg[2]); }

// What mknod makes: nothing said is a plain file.
static KS_INLINE __u32 node_of(struct ks_scratch *s) {
  __u32 format = value_of(s) & KS_S_IFMT;
  return format ? format : KS_S_IFREG;
}

KS_INLINE void ks_get_event_node(struct ks_scratch *s) { KS_SET_INT(s, event_node, node_of(s)); }

// new_decode_dev in include/linux/kdev_t.h.
KS_INLINE void ks_get_event_node_device(struct ks_scratch *s) {
  __u32 node = node_of(s);
  if (node != KS_S_IFCHR && node != KS_S_IFBLK) {
    KS_SET_STATUS(s, event_node_device, KS_ABSENT);
    return;
  }
  __u32 device = ks_argument(s, ks_row(s)->value + 1);
  __u32 major = (device & 0xfff00) >> 8;
  __u32 minor = (device & 0xff) | (device >> 12 & 0xfff00);
  KS_SET_INT(s, event_node_device, major << 20 | minor);
}

KS_INLINE void ks_get_event_size(struct ks_scratch *s) {
  __u64 size = s->context.arg[1];
  if (s->context.call == KS_CALL_truncate64 || s->context.call == KS_CALL_ftruncate64) {
    size |= s->context.arg[2] << 32;
  } else if (s->context.compat) {
    size = (__s64)(int)size;
  }
  KS_SET_INT(s, event_size, size);
}

// The magic number that mounts of old came with, which the kernel takes away, too.
enum { KS_MOUNT_MAGIC = 0xc0ed0000u, KS_MOUNT_MAGIC_MASK = 0xffff0000u };

KS_INLINE void ks_get_event_mount_flags(struct ks_scratch *s) {
  if (s->context.call != KS_CALL_mount) {
    KS_SET_STATUS(s, event_mount_flags, KS_ABSENT);
    return;
  }
  __u64 flags = value_of(s);
  if ((flags & KS_MOUNT_MAGIC_MASK) == KS_MOUNT_MAGIC) flags &= ~(__u64)KS_MOUNT_MAGIC_MASK;
  KS_SET_INT(s, event_mount_flags, flags);
}

// --- namespaces ---

enum { KS_CLONE_NEW = 0x80 | 0x20000 | 0x2000000 | 0x4000000 | 0x8000000 | 0x10000000 | 0x20000000 | 0x40000000 };

// The kind of namespace that a descriptor of /proc/<pid>/ns refers to, or 0. From Linux 6.18 on the namespace says it itself.
static KS_INLINE __u32 namespace_of(struct ks_scratch *s) {
  struct file *file = (struct file *)ks_sub_fd_file(s->context.task, s->context.arg[0]);
  if (!file || BPF_CORE_READ(file, f_inode, i_sb, s_magic) != KS_NSFS_MAGIC) return 0;
  struct ns_common *common = BPF_CORE_READ(file, f_inode, i_private);
  if (bpf_core_field_exists(struct ns_common, ns_type)) return BPF_CORE_READ(common, ns_type);
  return BPF_CORE_READ((struct ns_common___operations *)common, ops, type);
}

KS_INLINE void ks_get_event_namespaces(struct ks_scratch *s) {
  __u64 kinds = value_of(s) & KS_CLONE_NEW;
  if (s->context.kind == KS_KIND_setns && !kinds) kinds = namespace_of(s) & KS_CLONE_NEW;
  // A descriptor of something else, or one that is gone.
  if (s->context.kind == KS_KIND_setns && !kinds) {
    KS_SET_STATUS(s, event_namespaces, KS_UNKNOWN);
    return;
  }
  KS_SET_INT(s, event_namespaces, kinds);
}

// --- who was meant ---

// As the host counts: numbers of another namespace are not its.
KS_INLINE void ks_get_target_pid(struct ks_scratch *s) {
  __u32 call = s->context.call;
  if (call == KS_CALL_pidfd_send_signal || call == KS_CALL_pidfd_getfd) {
    struct file *file = (struct file *)ks_sub_fd_file(s->context.task, s->context.arg[0]);
    struct pid *pid = file ? BPF_CORE_READ(file, private_data) : 0;
    int number = 0;
    // From Linux 6.9 on a pidfd is a file of its own file system, and the process is the inode's.
    if (file && BPF_CORE_READ(file, f_inode, i_sb, s_magic) == KS_PIDFS_MAGIC) {
      pid = BPF_CORE_READ(file, f_inode, i_private);
    }
    if (!pid || BPF_CORE_READ_INTO(&number, pid, numbers[0].nr)) {
      KS_SET_STATUS(s, target_pid, KS_UNKNOWN);
    } else {
      KS_SET_INT(s, target_pid, number);
    }
    return;
  }
  __u32 level = 1;
  if (BPF_CORE_READ_INTO(&level, ks_task(s), thread_pid, level) || level) {
    KS_SET_STATUS(s, target_pid, KS_UNKNOWN);
  } else {
    KS_SET_INT(s, target_pid, (int)ks_argument(s, ks_row(s)->pid));
  }
}

// struct __user_cap_header_struct, __user_cap_data_struct: include/uapi/linux/capability.h
enum { KS_CAPABILITY_1 = 0x19980330, KS_CAP_DATA_BYTES = 12 };

// What was granted is what the process has now. What was refused is in its memory only.
KS_INLINE void ks_get_target_caps(struct ks_scratch *s) {
  if (s->context.ret >= 0) {
    KS_READ_INT(s, target_caps, __u64, ks_task(s), real_cred, cap_effective);
    return;
  }
  __u32 version = 0, low = 0, high = 0;
  const char *data = (const char *)s->context.arg[1];
  if (bpf_probe_read_user(&version, sizeof(version), (void *)s->context.arg[0]) ||
      bpf_probe_read_user(&low, sizeof(low), data) ||
      (version != KS_CAPABILITY_1 && bpf_probe_read_user(&high, sizeof(high), data + KS_CAP_DATA_BYTES))) {
    KS_SET_STATUS(s, target_caps, KS_UNKNOWN);
    return;
  }
  KS_SET_INT(s, target_caps, (__u64)high << 32 | low);
}

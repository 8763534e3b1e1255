// Paths, from kernel memory: components from the last to the first, over mounts, to the root of the mount namespace. A
// process's chroot is ignored: it would let the process choose what its files are called.
#include "bpf/fields/access.h"

// More components than this count as too long. Each costs the verifier some hundred instructions, once per program.
enum { KS_PATH_STEPS = 96 };

static KS_INLINE struct mount *mount_of(struct vfsmount *mnt) {
  return (struct mount *)((char *)mnt - bpf_core_field_offset(struct mount, mnt));
}

// The three members stand side by side in every kernel so far.
struct place {
  struct mount *parent;
  struct dentry *mountpoint;
  struct dentry *root;
};

static KS_INLINE void read_place(struct place *place, const struct mount *mount) {
  const __u32 parent = bpf_core_field_offset(struct mount, mnt_parent);
  if (bpf_core_field_offset(struct mount, mnt_mountpoint) == parent + sizeof(void *) &&
      bpf_core_field_offset(struct mount, mnt) + bpf_core_field_offset(struct vfsmount, mnt_root) == parent + 2 * sizeof(void *)) {
    bpf_probe_read_kernel(place, sizeof(*place), __builtin_preserve_access_index(&mount->mnt_parent));
  } else {
    place->parent = BPF_CORE_READ(mount, mnt_parent);
    place->mountpoint = BPF_CORE_READ(mount, mnt_mountpoint);
    place->root = BPF_CORE_READ(mount, mnt.mnt_root);
  }
}

struct link {
  struct dentry *parent;
  struct qstr name;
};

// The two members stand side by side in every kernel so far, which CO-RE knows: then one read does for both.
static KS_INLINE void read_link(struct link *link, const struct dentry *dentry) {
  if (bpf_core_field_offset(struct dentry, d_name) == bpf_core_field_offset(struct dentry, d_parent) + sizeof(void *)) {
    bpf_probe_read_kernel(link, sizeof(*link), __builtin_preserve_access_index(&dentry->d_parent));
  } else {
    link->parent = BPF_CORE_READ(dentry, d_parent);
    bpf_core_read(&link->name, sizeof(link->name), &dentry->d_name);
  }
}

// Puts "/" and the name in front of what is in s->path already. 0: done, 1: the path has become too long, -1: failed.
// Where the path begins stays in memory, so that the verifier sees every round of the loop as the same.
static KS_INLINE int prepend(struct ks_scratch *s, const struct qstr *name) {
  __u64 len = name->len;
  if (len > 255) return -1;
  __u64 at = s->context.path_end - len - 1;
  KS_MASK(at, KS_PATH_MASK);
  s->context.path_end = at;
  s->path[at] = '/';
  KS_MASK(len, 255);
  if (bpf_probe_read_kernel(s->path + at + 1, len, name->name)) return -1;
  return at < KS_PATH_END - KS_PATH_CAPTURE;
}

// The path of a (mount, dentry) into s->path, ending at KS_PATH_END.
KS_SUBPROGRAM __u64 ks_sub_path(__u32 hook, __u64 mnt_address, __u64 dentry_address) {
  struct ks_scratch *s = ks_scratch_of(hook);
  if (!s) return KS_TEXT_RESULT(0, 0, KS_UNKNOWN);
  struct mount *mount = mount_of((struct vfsmount *)mnt_address);
  struct dentry *dentry = (struct dentry *)dentry_address;
  struct place place;
  read_place(&place, mount);
  __u32 status = KS_TRUNCATED;
  s->context.path_end = KS_PATH_END;
#pragma clang loop unroll(disable)
  for (__u32 step = 0; step < KS_PATH_STEPS; step++) {
    if (!dentry || !place.root) {
      status = KS_UNKNOWN;
      break;
    }
    if (dentry == place.root) {
      if (place.parent == mount) {
        status = KS_OK;
        break;
      }
      dentry = place.mountpoint;
      mount = place.parent;
      read_place(&place, mount);
      continue;
    }
    struct link link;
    read_link(&link, dentry);
    if (link.parent == dentry) {
      // A root that is no mount's: a pseudo file, which has a name, or a file that cannot be reached from its mount.
      char first = '/';
      bpf_probe_read_kernel(&first, 1, link.name.name);
      status = first != '/' && prepend(s, &link.name) == 0 ? KS_OK : KS_UNKNOWN;
      break;
    }
    int end = prepend(s, &link.name);
    if (end) {
      status = end > 0 ? KS_TRUNCATED : KS_UNKNOWN;
      break;
    }
    dentry = link.parent;
  }
  if (status == KS_UNKNOWN) return KS_TEXT_RESULT(0, 0, KS_UNKNOWN);
  __u64 start = s->context.path_end;
  if (start == KS_PATH_END) {
    start = KS_PATH_END - 1;
    s->path[KS_PATH_END - 1] = '/';
  }
  if (start < KS_PATH_END - KS_PATH_CAPTURE) start = KS_PATH_END - KS_PATH_CAPTURE;
  return KS_TEXT_RESULT(start, KS_PATH_END - start, status);
}

// 1 if they differ, else 0. Without a branch: the verifier would follow both ways of each, for every letter of a text.
static KS_INLINE __u64 differ(__u64 a, __u64 b) {
  __u64 bits = a ^ b;
  bits |= -bits;
  asm volatile("" : "+r"(bits));
  return bits >> 63;
}

// Whether s->path from KS_PATH_END on, `len` bytes that begin with "/", has a component that is empty, "." or "..".
static KS_INLINE int is_raw(struct ks_scratch *s, __u64 len) {
  asm volatile("" : "+r"(len));
  if (len > KS_PATH_CAPTURE) return 1;
  // The end counts as one more "/".
  s->path[KS_PATH_END + len] = '/';
  __u64 last = 0;
  __u64 clean = 1;
#pragma clang loop unroll(disable)
  for (__u32 i = 0; i <= KS_PATH_CAPTURE; i++) {
    asm volatile("" : "+r"(i));
    last = last << 8 | (__u8)s->path[KS_PATH_END + i];
    clean &= differ(last & 0xffff, 0x2f2f) & differ(last & 0xffffff, 0x2f2e2f) & differ(last & 0xffffffff, 0x2f2e2e2f);
    if (i >= len) break;
  }
  return !clean;
}

// A path as the caller gave it, from user memory: the folder's path (of a descriptor, of the working directory, or of the
// root for an absolute one), then the text. What it means is for userspace to say if it has "." or ".." in it. Of a call whose names
// were captured: these, `dir` says which (1: file.old_path).
KS_SUBPROGRAM __u64 ks_sub_argument(__u32 hook, __u32 dir, __u64 text) {
  struct ks_scratch *s = ks_scratch_of(hook);
  if (!s) return KS_TEXT_RESULT(0, 0, KS_UNKNOWN);
  struct task_struct *task = ks_task(s);
  const struct ks_captured_name *captured = 0;
  if (s->context.captured == KS_CAPTURED_NAMES) {
    __u32 thread = bpf_get_current_pid_tgid();
    captured = bpf_map_lookup_elem(&ks_captured_names, &thread);
    if (!captured) return KS_TEXT_RESULT(0, 0, KS_UNKNOWN);
    captured += dir & 1;
  }
  char start_of[2] = {};
  if (!captured && ks_read_text(s, start_of, sizeof(start_of), text) < 0) return KS_TEXT_RESULT(0, 0, KS_UNKNOWN);
  char first = start_of[0];
  struct vfsmount *mnt;
  struct dentry *dentry;
  if (captured) {
    mnt = (struct vfsmount *)captured->mnt;
    dentry = (struct dentry *)captured->dentry;
    // Gone since, and its memory another's.
    struct inode *inode = BPF_CORE_READ(dentry, d_inode);
    if ((__u64)inode != captured->inode || BPF_CORE_READ(inode, i_ino) != captured->number) return KS_TEXT_RESULT(0, 0, KS_UNKNOWN);
  } else if (first == '/') {
    mnt = BPF_CORE_READ(task, fs, root.mnt);
    dentry = BPF_CORE_READ(task, fs, root.dentry);
  } else if ((int)dir == KS_AT_FDCWD) {
    mnt = BPF_CORE_READ(task, fs, pwd.mnt);
    dentry = BPF_CORE_READ(task, fs, pwd.dentry);
  } else {
    struct file *file = (struct file *)ks_sub_fd_file((__u64)task, dir);
    mnt = BPF_CORE_READ(file, f_path.mnt);
    dentry = BPF_CORE_READ(file, f_path.dentry);
  }
  __u64 base = ks_sub_path(hook, (__u64)mnt, (__u64)dentry);
  __u32 status = KS_TEXT_STATUS(base);
  if (status == KS_UNKNOWN) return base;
  __u32 start = KS_TEXT_START(base);
  // The root folder's path ends in the "/" that joins.
  if (KS_TEXT_LEN(base) == 1) start = KS_PATH_END;

  // An absolute text brings its own "/", a relative one needs it.
  __u32 join = first != '/';
  s->path[KS_PATH_END] = '/';
  // One more than fits, to tell a text that is too long from one that just fits.
  enum { READ = KS_PATH_CAPTURE + 2 };
  char *joined = s->path + KS_PATH_END + join;
  long got = captured ? bpf_probe_read_kernel_str(joined, READ, captured->name) : ks_read_text(s, joined, READ, text);
  if (got < 0) return KS_TEXT_RESULT(0, 0, KS_UNKNOWN);
  // Some kernels (5.10) count the final NUL except of an empty text.
  __u32 len = (got ? (__u32)got - 1 : 0) + join;
  if (got == READ) status = KS_TRUNCATED;
  __u32 total = KS_PATH_END - start + len;
  if (total > KS_PATH_CAPTURE) {
    start += total - KS_PATH_CAPTURE;
    total = KS_PATH_CAPTURE;
    status = KS_TRUNCATED;
  }
  if (status == KS_OK && is_raw(s, len)) status = KS_RAW;
  return KS_TEXT_RESULT(start, total, status);
}

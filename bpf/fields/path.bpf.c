// Paths, from kernel memory, and what callers gave as such.
#include "bpf/fields/walk.h"

// The path of a (mount, dentry) into s->path, ending at KS_PATH_END.
KS_SUBPROGRAM __u64 ks_sub_path(__u32 hook, __u64 mnt, __u64 dentry) {
  struct ks_scratch *s = ks_scratch_of(hook);
  if (!s) return KS_TEXT_RESULT(0, 0, KS_UNKNOWN);
  return ks_build_path(s->path, &s->context.path_end, mnt, dentry, 0);
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

// How a path is found in the kernel's memory: components from the last to the first, over mounts, to the root of the mount namespace.
// A process's chroot is ignored: it would let the process choose what its files are called.
#ifndef KS_WALK_H
#define KS_WALK_H

#include "bpf/fields/access.h"

// More components than this count as too long. Each costs the verifier some hundred instructions, once per program.
enum { KS_PATH_STEPS = 96 };

static KS_INLINE struct mount *mount_of(struct vfsmount *mnt) {
  return (struct mount *)((char *)mnt - bpf_core_field_offset(struct mount, mnt));
}

// The three members stand side by side in every kernel so far.
struct ks_place {
  struct mount *parent;
  struct dentry *mountpoint;
  struct dentry *root;
};

static KS_INLINE void read_place(struct ks_place *place, const struct mount *mount) {
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

struct ks_link {
  struct dentry *parent;
  struct qstr name;
};

// The two members stand side by side in every kernel so far, which CO-RE knows: then one read does for both.
static KS_INLINE void read_link(struct ks_link *link, const struct dentry *dentry) {
  if (bpf_core_field_offset(struct dentry, d_name) == bpf_core_field_offset(struct dentry, d_parent) + sizeof(void *)) {
    bpf_probe_read_kernel(link, sizeof(*link), __builtin_preserve_access_index(&dentry->d_parent));
  } else {
    link->parent = BPF_CORE_READ(dentry, d_parent);
    bpf_core_read(&link->name, sizeof(link->name), &dentry->d_name);
  }
}

// Puts "/" and the name in front of what is in the text already, which begins at `*begin`. 0: done, 1: the path has become too long,
// -1: failed. Where it begins stays in memory, so that the verifier sees every round of the loop as the same.
static KS_INLINE int prepend(char *text, __u64 *begin, const struct qstr *name) {
  __u64 len = name->len;
  if (len > 255) return -1;
  __u64 at = *begin - len - 1;
  KS_MASK(at, KS_PATH_MASK);
  *begin = at;
  text[at] = '/';
  KS_MASK(len, 255);
  if (bpf_probe_read_kernel(text + at + 1, len, name->name)) return -1;
  return at < KS_PATH_END - KS_PATH_CAPTURE;
}

// The path of a (mount, dentry) into `text` of KS_PATH_TEXT bytes, ending at KS_PATH_END: KS_TEXT_RESULT. `begin` is in a map, too.
// `within`: a mount namespace, beyond which nothing has a path (what is mounted nowhere is in none, or in one of its own); or null.
static KS_INLINE __u64 ks_build_path(char *text, __u64 *begin, __u64 mnt_address, __u64 dentry_address, const void *within) {
  struct mount *mount = mount_of((struct vfsmount *)mnt_address);
  struct dentry *dentry = (struct dentry *)dentry_address;
  struct ks_place place;
  read_place(&place, mount);
  __u32 status = KS_TRUNCATED;
  *begin = KS_PATH_END;
#pragma clang loop unroll(disable)
  for (__u32 step = 0; step < KS_PATH_STEPS; step++) {
    if (!dentry || !place.root) {
      status = KS_UNKNOWN;
      break;
    }
    if (dentry == place.root) {
      if (place.parent == mount) {
        status = within && BPF_CORE_READ(mount, mnt_ns) != within ? KS_UNKNOWN : KS_OK;
        break;
      }
      dentry = place.mountpoint;
      mount = place.parent;
      read_place(&place, mount);
      continue;
    }
    struct ks_link link;
    read_link(&link, dentry);
    if (link.parent == dentry) {
      // A root that is no mount's: a pseudo file, which has a name, or a file that cannot be reached from its mount.
      char first = '/';
      bpf_probe_read_kernel(&first, 1, link.name.name);
      status = first != '/' && prepend(text, begin, &link.name) == 0 ? KS_OK : KS_UNKNOWN;
      break;
    }
    int end = prepend(text, begin, &link.name);
    if (end) {
      status = end > 0 ? KS_TRUNCATED : KS_UNKNOWN;
      break;
    }
    dentry = link.parent;
  }
  if (status == KS_UNKNOWN) return KS_TEXT_RESULT(0, 0, KS_UNKNOWN);
  __u64 start = *begin;
  if (start == KS_PATH_END) {
    start = KS_PATH_END - 1;
    text[KS_PATH_END - 1] = '/';
  }
  if (start < KS_PATH_END - KS_PATH_CAPTURE) start = KS_PATH_END - KS_PATH_CAPTURE;
  return KS_TEXT_RESULT(start, KS_PATH_END - start, status);
}

#endif

// What was captured of a call (capture.bpf.c), taken when it returns. A copy that is of another call of that thread, which nobody
// asked for or whose end was not seen, is no copy of this one: the caller's registers tell.
#include "bpf/hooks/captured.h"

#include "bpf/fields/access.h"

const volatile __u32 ks_captures = 0;

static KS_INLINE __u32 captures_of(__u32 kind) {
  switch (kind) {
    case KS_KIND_open: return 1 << KS_CAPTURE_security_file_open;
    case KS_KIND_connect: return 1 << KS_CAPTURE_security_socket_connect | 1 << KS_CAPTURE_security_socket_sendmsg;
    case KS_KIND_bind: return 1 << KS_CAPTURE_security_socket_bind;
    case KS_KIND_sendto: return 1 << KS_CAPTURE_security_socket_sendmsg;
    case KS_KIND_chmod: return 1 << KS_CAPTURE_security_path_chmod;
    case KS_KIND_truncate: return 1 << KS_CAPTURE_security_path_truncate;
    case KS_KIND_unlink: return 1 << KS_CAPTURE_security_path_unlink;
    case KS_KIND_rmdir: return 1 << KS_CAPTURE_security_path_rmdir;
    case KS_KIND_mkdir: return 1 << KS_CAPTURE_security_path_mkdir;
    case KS_KIND_mknod: return 1 << KS_CAPTURE_security_path_mknod;
    case KS_KIND_symlink: return 1 << KS_CAPTURE_security_path_symlink;
    case KS_KIND_link: return 1 << KS_CAPTURE_security_path_link;
    case KS_KIND_rename: return 1 << KS_CAPTURE_security_path_rename;
    case KS_KIND_chown: return 1 << KS_CAPTURE_security_path_chown;
    case KS_KIND_module_load:
    case KS_KIND_kexec: return 1 << KS_CAPTURE_security_kernel_read_file;
    case KS_KIND_mount: return 1 << KS_CAPTURE_security_sb_mount | 1 << KS_CAPTURE_security_move_mount;
    case KS_KIND_umount: return 1 << KS_CAPTURE_security_sb_umount;
    case KS_KIND_chroot: return 1 << KS_CAPTURE_security_path_chroot | 1 << KS_CAPTURE_security_sb_pivotroot;
    default: return 0;
  }
}

KS_INLINE void ks_take_captured(struct ks_scratch *s) {
  // A constant to the verifier: without trampolines nothing of this is there.
  if (!ks_captures) return;
  if (!(captures_of(s->context.kind) & ks_captures)) return;
  __u32 thread = bpf_get_current_pid_tgid();
  struct ks_captured *captured = bpf_map_lookup_elem(&ks_captured, &thread);
  if (!captured || !captured->what) return;
  if (ks_same_call(captured->call, s->captured.call)) {
    s->captured = *captured;
    if (!ks_is_still(&ks_captured, captured)) return;
    s->context.captured = s->captured.what;
  }
  captured->what = KS_CAPTURED_NOTHING;
}

// Hooks in the order of their first appearance in events.def; their number is the index of their scratch. Also read by C++.
#ifndef KS_HOOKS_H
#define KS_HOOKS_H

#define KS_HOOKS(HOOK)     \
  HOOK(sched_process_exec) \
  HOOK(sched_process_fork) \
  HOOK(sched_process_exit) \
  HOOK(sys_exit)           \
  HOOK(io_uring_submit_req)

// Functions of the kernel at whose end the trampoline tier tells events, too; numbered behind those.
#define KS_EXIT_HOOKS(HOOK) HOOK(io_issue_sqe)

// Kinds whose hook does not see what io_uring does: it is told here.
#define KS_TWIN_KINDS(KIND)    \
  KIND(io_issue_sqe, open)     \
  KIND(io_issue_sqe, create)   \
  KIND(io_issue_sqe, connect)  \
  KIND(io_issue_sqe, accept)   \
  KIND(io_issue_sqe, bind)     \
  KIND(io_issue_sqe, listen)   \
  KIND(io_issue_sqe, socket)   \
  KIND(io_issue_sqe, sendto)   \
  KIND(io_issue_sqe, unlink)   \
  KIND(io_issue_sqe, rmdir)    \
  KIND(io_issue_sqe, rename)   \
  KIND(io_issue_sqe, mkdir)    \
  KIND(io_issue_sqe, symlink)  \
  KIND(io_issue_sqe, link)     \
  KIND(io_issue_sqe, truncate)

// Functions of the kernel at whose entry the trampoline tier takes its copies (capture.bpf.c), and what for. The last is a
// tracepoint.
#define KS_CAPTURES(CAPTURE)         \
  CAPTURE(security_file_open)        \
  CAPTURE(security_socket_connect)   \
  CAPTURE(security_socket_bind)      \
  CAPTURE(security_socket_sendmsg)   \
  CAPTURE(security_path_chmod)       \
  CAPTURE(security_path_truncate)    \
  CAPTURE(security_path_unlink)      \
  CAPTURE(security_path_rmdir)       \
  CAPTURE(security_path_mkdir)       \
  CAPTURE(security_path_mknod)       \
  CAPTURE(security_path_symlink)     \
  CAPTURE(security_path_link)        \
  CAPTURE(security_path_rename)      \
  CAPTURE(security_path_chown)       \
  CAPTURE(security_kernel_read_file) \
  CAPTURE(security_sb_mount)         \
  CAPTURE(security_move_mount)       \
  CAPTURE(security_sb_umount)        \
  CAPTURE(security_path_chroot)      \
  CAPTURE(security_sb_pivotroot)     \
  CAPTURE(io_issue_sqe)              \
  CAPTURE(io_uring_complete)

#define KS_CAPTURED_KINDS(KIND)                \
  KIND(security_file_open, open)               \
  KIND(security_file_open, create)             \
  KIND(security_file_open, open_by_handle)     \
  KIND(security_socket_connect, connect)       \
  KIND(security_socket_bind, bind)             \
  KIND(security_socket_sendmsg, sendto)        \
  KIND(security_socket_sendmsg, connect)       \
  KIND(security_path_chmod, chmod)             \
  KIND(security_path_truncate, truncate)       \
  KIND(security_path_unlink, unlink)           \
  KIND(security_path_rmdir, rmdir)             \
  KIND(security_path_mkdir, mkdir)             \
  KIND(security_path_mknod, mknod)             \
  KIND(security_path_symlink, symlink)         \
  KIND(security_path_link, link)               \
  KIND(security_path_rename, rename)           \
  KIND(security_path_chown, chown)             \
  KIND(security_kernel_read_file, module_load) \
  KIND(security_kernel_read_file, kexec)       \
  KIND(security_sb_mount, mount)               \
  KIND(security_move_mount, mount)             \
  KIND(security_sb_umount, umount)             \
  KIND(security_path_chroot, chroot)           \
  KIND(security_sb_pivotroot, chroot)          \
  KIND(io_issue_sqe, io_uring)                 \
  KIND(io_uring_complete, io_uring)

// Stand for bpf_preempt_disable and bpf_preempt_enable of the kernel (from 6.15 on as they are needed) until the loader knows them.
enum { KS_CALL_PREEMPT_DISABLE = 0x4b530001, KS_CALL_PREEMPT_ENABLE = 0x4b530002 };

#endif

// Hooks in the order of their first appearance in events.def; their number is the index of their scratch. Also read by C++.
#ifndef KS_HOOKS_H
#define KS_HOOKS_H

#define KS_HOOKS(HOOK)     \
  HOOK(sched_process_exec) \
  HOOK(sched_process_fork) \
  HOOK(sched_process_exit) \
  HOOK(sys_exit)           \
  HOOK(io_uring_submit_req)

// Functions of the kernel at whose entry the trampoline tier takes its copies (capture.bpf.c), and what for.
#define KS_CAPTURES(CAPTURE)       \
  CAPTURE(security_file_open)      \
  CAPTURE(security_socket_connect) \
  CAPTURE(security_socket_bind)    \
  CAPTURE(security_socket_sendmsg)

#define KS_CAPTURED_KINDS(KIND)          \
  KIND(security_file_open, open)           \
  KIND(security_file_open, create)         \
  KIND(security_file_open, open_by_handle) \
  KIND(security_socket_connect, connect)   \
  KIND(security_socket_bind, bind)         \
  KIND(security_socket_sendmsg, sendto)    \
  KIND(security_socket_sendmsg, connect)

#endif

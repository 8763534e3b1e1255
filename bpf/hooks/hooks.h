// Hooks in the order of their first appearance in events.def; their number is the index of their scratch. Also read by C++.
#ifndef KS_HOOKS_H
#define KS_HOOKS_H

#define KS_HOOKS(HOOK)     \
  HOOK(sched_process_exec) \
  HOOK(sched_process_fork) \
  HOOK(sched_process_exit) \
  HOOK(sys_exit)           \
  HOOK(io_uring_submit_req)

#endif

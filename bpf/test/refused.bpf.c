// An object that the verifier must refuse: for the test of what is then said.
#include "bpf/hooks/abi.h"
#include "bpf/hooks/maps.h"

SEC("raw_tp/sched_process_fork") int ks_sched_process_fork(void *ctx) {
  const struct bpf_raw_tracepoint_args *raw = ctx;
  __u32 zero = 0;
  struct ks_scratch *s = bpf_map_lookup_elem(&ks_scratch, &zero);
  // Anywhere behind the scratch.
  return s ? s->out[raw->args[0]] + ks_generation : 0;
}

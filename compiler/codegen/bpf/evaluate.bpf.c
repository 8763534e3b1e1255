// What stands in for the accessors and maps of bpf/ when a program is to be evaluated on given fields: a batch of events, each a
// scratch that the test writes and reads through a mapping.
#include <linux/bpf.h>

#include "bpf/schema/record.h"

#include <bpf/bpf_helpers.h>

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 64);  // codegen::kEvaluateBatch
  __uint(map_flags, BPF_F_MMAPABLE);
  __type(key, __u32);
  __type(value, struct ks_scratch);
} ks_scratch SEC(".maps");

char ks_license[] SEC("license") = "GPL";

// Maps that the agent owns and that every object names: the dispatchers' and each bundle's. What they hold: record.h.
#ifndef KS_MAPS_H
#define KS_MAPS_H

#include "bpf/fields/types.h"
#include "bpf/hooks/hooks.h"

enum ks_hook {
#define KS_HOOK_NUMBER(hook) KS_HOOK_##hook,
  KS_HOOKS(KS_HOOK_NUMBER)
#undef KS_HOOK_NUMBER
  KS_HOOK_COUNT
};

enum ks_capture {
#define KS_CAPTURE_NUMBER(function) KS_CAPTURE_##function,
  KS_CAPTURES(KS_CAPTURE_NUMBER)
#undef KS_CAPTURE_NUMBER
};

// A process that ended: ids are reused, start times are not.
struct ks_ended {
  __u64 pid;
  __u64 start;
};

struct ks_map_scratch {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, KS_HOOK_COUNT);
  __type(key, __u32);
  __type(value, struct ks_scratch);
};
struct ks_map_ring {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 16 * 1024 * 1024);
};
struct ks_map_counters {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, KS_HOOK_COUNT);
  __type(key, __u32);
  __type(value, struct ks_hook_counters);
};
_Static_assert(KS_HOOK_COUNT * KS_RINGS <= KS_STREAMS, "a stream's number fits above KS_SEQUENCE_BITS");
struct ks_map_sequence {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, KS_HOOK_COUNT * KS_RINGS);
  __type(key, __u32);
  __type(value, __u64);
};
struct ks_map_inodes {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __type(key, struct ks_inode);
  __type(value, struct ks_name);
};
struct ks_map_exited {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 4096);
  __type(key, struct ks_ended);
  __type(value, __u8);
};
// By thread id. Copies of threads that are gone, or whose calls nobody asked for, make room for others.
struct ks_map_captured {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 8192);
  __type(key, __u32);
  __type(value, struct ks_captured);
};
struct ks_map_active {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __uint(map_flags, BPF_F_MMAPABLE);
  __type(key, __u32);
  __type(value, __u32);
};
struct ks_map_bank {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 2);
  __type(key, __u32);
  __type(value, __u32);
};

extern struct ks_map_scratch ks_scratch;
extern struct ks_map_ring ks_ring;
extern struct ks_map_ring ks_ring_context;
extern struct ks_map_counters ks_counters;
extern struct ks_map_sequence ks_sequence;
extern struct ks_map_inodes ks_inodes;
extern struct ks_map_exited ks_exited;
extern struct ks_map_captured ks_captured;

#endif

// Maps that the agent owns and that every object names: the dispatchers' and each bundle's. What they hold: record.h.
#ifndef KS_MAPS_H
#define KS_MAPS_H

#include "bpf/fields/types.h"
#include "bpf/hooks/hooks.h"
#include "bpf/schema/arguments.h"
#include "bpf/schema/limits.h"

enum ks_hook {
#define KS_HOOK_NUMBER(hook) KS_HOOK_##hook,
  KS_HOOKS(KS_HOOK_NUMBER)
  KS_EXIT_HOOKS(KS_HOOK_NUMBER)
#undef KS_HOOK_NUMBER
  KS_HOOK_COUNT
};

enum ks_capture {
#define KS_CAPTURE_NUMBER(function) KS_CAPTURE_##function,
  KS_CAPTURES(KS_CAPTURE_NUMBER)
#undef KS_CAPTURE_NUMBER
};

// Each hook has a scratch of its own, and so have the resident programs that keep the lineage of processes.
enum ks_scratch_number {
  KS_SCRATCH_LINEAGE_FORK = KS_HOOK_COUNT,
  KS_SCRATCH_LINEAGE_EXEC,
  KS_SCRATCH_LINEAGE_TASK,
  KS_SCRATCH_COUNT
};

// Who made a process, and what it was when it last made another, started a program or ended. Pid 0 made the first ones.
struct ks_lineage {
  struct ks_process parent;
  __u32 uid;
  __u32 forked;  // it has made a process
  char name[16];
};
// Of one that has made processes, what outlives it.
struct ks_forker {
  struct ks_lineage last;  // once it has ended
  __u32 ended;
  __u32 exe_status;  // enum ks_status
  __u32 exe_len;
  __u32 pad;
  char exe[512 + KS_TEXT_SLACK];  // when it first made a process, or started a program after that
};
// Where an accessor is on its way up: the task is 0 if it is gone or out of reach.
struct ks_walk {
  struct ks_process process;
  __u64 task;
};

struct ks_map_scratch {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, KS_SCRATCH_COUNT);
  __type(key, __u32);
  __type(value, struct ks_scratch);
};
struct ks_map_ring {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 16 * 1024 * 1024);
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
  __type(key, struct ks_process);
  __type(value, __u8);
};
// Processes that live, until their parent has taken note of their end. Of those that it has no room for, the parent is unknown.
struct ks_map_living {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __type(key, struct ks_process);
  __type(value, struct ks_lineage);
};
// Those not looked up for the longest time make room for others.
struct ks_map_forkers {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 8192);
  __type(key, struct ks_process);
  __type(value, struct ks_forker);
};
// Since when they are kept (CLOCK_BOOTTIME): of older processes that nobody has put there the kernel's word holds still. 0: of none.
struct ks_map_living_since {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
};
struct ks_map_walk {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, KS_HOOK_COUNT);
  __type(key, __u32);
  __type(value, struct ks_walk);
};
// By thread id. Copies of threads that are gone, or whose calls nobody asked for, make room for others.
struct ks_map_captured {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 8192);
  __type(key, __u32);
  __type(value, struct ks_captured);
};
// What KS_CAPTURED_NAMES is about: file.path and file.old_path, each as its folder and its name there.
enum { KS_NAME_MAX = 255 };  // NAME_MAX of include/uapi/linux/limits.h
struct ks_captured_name {
  __u64 mnt, dentry, inode;  // addresses: the folder's
  __u64 number;              // of its inode
  char name[KS_NAME_MAX + 1];
};
// By thread id.
struct ks_map_captured_names {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 2048);
  __type(key, __u32);
  __type(value, struct ks_captured_name[2]);
};
// What KS_CAPTURED_PATH is about.
enum { KS_PATH_TEXT = 1280, KS_SOURCE_MAX = 256, KS_FS_TYPE_MAX = 31 };
struct ks_captured_path {
  __u64 result;            // KS_TEXT_RESULT, of `text`
  __u64 begin;             // of what there is of it while it is built
  char text[KS_PATH_TEXT];
  __u8 has_source, has_fs_type;  // of a mount
  char source[KS_SOURCE_MAX + 2];  // one more than fits, and NUL
  char fs_type[KS_FS_TYPE_MAX + 2];
};
// By thread id.
struct ks_map_captured_paths {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 512);
  __type(key, __u32);
  __type(value, struct ks_captured_path);
};
// Only userspace adds and takes away: where the table is full, records are sent as if there were no limit.
struct ks_map_limits {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, KS_LIMIT_HOLDS);
  __type(key, struct ks_limit_key);
  __type(value, __u32);
};
struct ks_map_limit_holds {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, KS_LIMIT_HOLDS);
  __uint(map_flags, BPF_F_MMAPABLE);
  __type(key, __u32);
  __type(value, struct ks_limit_hold);
};
struct ks_map_limit_secret {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64[2]);
};
// Records without arguments. Those told longest ago make room for others.
struct ks_map_unread_args {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 4096);
  __type(key, struct ks_record_key);
  __type(value, struct ks_unread_args);
};
// An operation of io_uring that a thread is doing, as its system call would have been given it.
enum { KS_OPERATION_NAME = 520 };
struct ks_operation {
  __u64 request;              // struct io_kiocb *; 0: none is being done
  __u64 begun;                // stands for the answer among the call's registers: what is captured meanwhile is the operation's
  __u64 call[KS_CALL_WORDS];  // the registers of the thread
  __u64 arg[6];               // names apart
  __u16 number;               // enum ks_call
  __u8 slot;                  // what it opens becomes no descriptor, but a number of the ring's own
  __u8 named[2], addressed;   // name and address are there
  __u8 completed;             // its result is there
  __s32 result;
  __u8 address[24];           // struct sockaddr_in6, of a connect that was begun before
  char name[2][KS_OPERATION_NAME];  // the kernel's copy of file.path, of file.old_path or the text of the link
};
// By thread id.
struct ks_map_operations {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 2048);
  __type(key, __u32);
  __type(value, struct ks_operation);
};
// Not to be mapped into userspace: then it would lie on a page of its own, which each event would touch.
struct ks_map_active {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
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
extern struct ks_map_sequence ks_sequence;
extern struct ks_map_inodes ks_inodes;
extern struct ks_map_exited ks_exited;
extern struct ks_map_captured ks_captured;
extern struct ks_map_captured_names ks_captured_names;
extern struct ks_map_captured_paths ks_captured_paths;
extern struct ks_map_living ks_living;
extern struct ks_map_forkers ks_forkers;
extern struct ks_map_living_since ks_living_since;
extern struct ks_map_walk ks_walk;
extern struct ks_map_limits ks_limits;
extern struct ks_map_limit_holds ks_limit_holds;
extern struct ks_map_limit_secret ks_limit_secret;
extern struct ks_map_unread_args ks_unread_args;
extern struct ks_map_operations ks_operations;
extern struct ks_map_active ks_active;
#define KS_BANK(hook) extern struct ks_map_bank ks_bank_##hook;
KS_HOOKS(KS_BANK)
KS_EXIT_HOOKS(KS_BANK)
#undef KS_BANK

#endif

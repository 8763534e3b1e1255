// Arguments of processes that were not in memory when an event was told: what the programs in the kernel and the agent tell each other.
#ifndef KS_ARGUMENTS_H
#define KS_ARGUMENTS_H

#include "bpf/schema/record.h"

enum { KS_ARGS_CAPTURE = 512 };  // bytes of process.args: its row of events.def

// A process: ids are reused, start times are not.
struct ks_process {
  __u64 pid;
  __u64 start;  // of the first thread, CLOCK_BOOTTIME
};

// A record: of a CPU there are no two at a time.
struct ks_record_key {
  __u64 time_ns;  // as its head has them
  __u64 cpu;
};

// Whose arguments a record lacks: a process, and what it runs.
struct ks_unread_args {
  struct ks_process process;
  __u64 mm;       // address of its struct mm_struct: a program that it begins has another one,
  __u64 exec_id;  // and this is one more, should that address come again
};

// What has become of a question for arguments.
enum ks_arguments_outcome {
  KS_ARGUMENTS_GONE,  // nothing: the process has ended, or begun another program
  KS_ARGUMENTS_WHOLE,
  KS_ARGUMENTS_CUT,
  KS_ARGUMENTS_REFUSED,  // they cannot be read, or were moved meanwhile
};

// Question and answer.
struct ks_arguments_desk {
  struct ks_unread_args of;
  __u32 outcome;    // enum ks_arguments_outcome
  __u32 strangers;  // threads of other processes that the iterator came to
  __u64 bytes;      // of data
  char data[KS_ARGS_CAPTURE];
};

// Maps:
//   ks_unread_args     LRU_HASH  struct ks_record_key → struct ks_unread_args: of records whose arguments are unknown
//   ks_arguments_desk  ARRAY     0 → struct ks_arguments_desk

#endif

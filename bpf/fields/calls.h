// The calls of calls.def as numbers, and what is known of each.
#ifndef KS_CALLS_H
#define KS_CALLS_H

#include "bpf/schema/record.h"

enum ks_call {
  KS_CALL_none,
#define KS_CALL(name, kind, dir, path, old_dir, old_path, fd, flags, value, pid) KS_CALL_##name,
#include "bpf/fields/calls.def"
  KS_CALL_COUNT
};

enum { KS_CALL_ROWS = 128, KS_RESULT = 6, KS_NO_ARGUMENT = 7, KS_LAST_OLD_CALL = 182 };
KS_STATIC_ASSERT(KS_CALL_COUNT <= KS_CALL_ROWS, "a call's number is masked to seven bits");

struct ks_call_row {
  __u8 kind;
  __u8 dir, path;
  __u8 old_dir, old_path;
  __u8 fd;
  __u8 flags;
  __u8 value;
  __u8 pid;
};

extern const struct ks_call_row ks_call_rows[KS_CALL_ROWS];

#endif

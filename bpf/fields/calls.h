// The calls of calls.def as numbers, and what is known of each.
#ifndef KS_CALLS_H
#define KS_CALLS_H

#include "bpf/schema/record.h"

enum ks_call {
  KS_CALL_none,
#define KS_CALL(name, kind, dir, path, old_dir, old_path, flags, value) KS_CALL_##name,
#include "bpf/fields/calls.def"
  KS_CALL_COUNT
};

enum { KS_CALL_ROWS = 32, KS_NO_ARGUMENT = 7 };
KS_STATIC_ASSERT(KS_CALL_COUNT <= KS_CALL_ROWS, "a call's number is masked to five bits");

struct ks_call_row {
  __u8 kind;
  __u8 dir, path;
  __u8 old_dir, old_path;
  __u8 flags;
  __u8 value;
  __u8 pad;
};

extern const struct ks_call_row ks_call_rows[KS_CALL_ROWS];

#endif

// Limits of rules, as far as the kernel half applies them. Userspace decides what an alert is; once it is certain that all of one
// rule and key would be over the limit for a span of time, it says so here, and the kernel half counts them instead of sending
// records. docs/design-notes.md says why it is done so.
#ifndef KS_LIMITS_H
#define KS_LIMITS_H

#include "bpf/schema/record.h"

// The rule (ir::LimitId) and SipHash-128 of the words of its limit's key.
struct ks_limit_key {
  __u64 rule;
  __u64 hash[2];
};

// Of one rule and key. Times are of CLOCK_BOOTTIME, ends included; written by userspace, which writes `from` before `until` when
// both change. The kernel half adds to `held`, and reads `until` first.
struct ks_limit_hold {
  __u64 from, until;
  __u64 held;  // matches that were held back, ever
  __u64 told;  // of them, those that userspace has taken
};

enum {
  KS_LIMIT_HOLDS = 32768,
  KS_LIMIT_FIELDS = 22,     // that a limited rule's condition reads
  KS_LIMIT_PARTS = 4,       // of a key
  KS_LIMIT_PART_WORDS = 64  // of a text
};

// A part of the key: as words its state, then its value; of a text its length and its bytes, zero-padded.
enum ks_limit_what {
  KS_LIMIT_NUMBER,
  KS_LIMIT_ADDRESS,
  KS_LIMIT_ENDPOINT,
  KS_LIMIT_PORT,  // of an endpoint
  KS_LIMIT_TEXT,
};
struct ks_limit_part {
  __u8 field;  // enum ks_field
  __u8 what;   // enum ks_limit_what
  __u16 slot;  // where its value lies in scratch
};
// A limited rule in an object's table.
struct ks_limit_rule {
  __u64 id;
  __u8 fields, parts;
  __u8 field[KS_LIMIT_FIELDS];
  struct ks_limit_part part[KS_LIMIT_PARTS];
  __u64 pad[2];
};
KS_STATIC_ASSERT(sizeof(struct ks_limit_rule) == 64, "a power of two, so that a mask cuts a place in the table to whole rules");
KS_STATIC_ASSERT(sizeof(struct ks_scratch) <= 0xffff, "places in scratch fit into ks_limit_part::slot");
KS_STATIC_ASSERT(KS_FIELD_COUNT <= 256, "fields fit into ks_limit_rule::field");

// Maps that the agent owns, besides those of record.h:
//   ks_limits        HASH   struct ks_limit_key → __u32: place in ks_limit_holds
//   ks_limit_holds   ARRAY  struct ks_limit_hold; mmapable
//   ks_limit_secret  ARRAY  0 → __u64[2]: the hash's key, so that nobody can choose values whose hashes are the same

#endif

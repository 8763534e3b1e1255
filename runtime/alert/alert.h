// Match → one canonical JSON line. Field names and formats come from the table: dotted names nest. What may be shown is
// Match::shown: metadata that the rule's record carries, and what the rule discloses.
//
//   v 1 · id · dedup · time · node boot seq · package rule title · bundle version · severity
//   event {kind, and what belongs to the event itself} · process container pod file target child · src dst
//   count, distinct or sum · steps [{step, kind, time, events, and its fields}] · suppressed
//   message · match · uncertain · cut · lost_before · attack · egress
//
// - Facts that are not known (an empty node, a replay of sources without a bundle) and fields that are absent, unknown
// or not read
//   are left out. `uncertain` names the fields that the rule asked for and that were unknown or cut; `cut`, only if
//   there are any, the fields that are shown and hold a part of their value.
// - Numbers, durations in nanoseconds, are numbers · times RFC 3339 with nanoseconds · modes "0o755" · enums their
// name, or the
//   number if it has none · flags a list of names, an unnamed rest as "0x…" · lists lists · addresses texts · endpoints
//   {"ip", "port"} · a field that has fields itself (process.stdin) {"is": its value, …}.
// - Texts come from processes and need not be UTF-8: each byte that is not becomes U+FFFD. Control characters,
// invisible and
//   direction-changing ones are \u escapes, so that a line is safe to look at.
// - `id` is a ULID: the time in milliseconds, 20 bits of nanoseconds within it, 60 bits of a hash (FNV-1a) of node,
// boot, CPU,
//   sequence, kind and rule. It sorts by time and is the same in every replay of a recording.
// - `dedup`, "fnv1a64:…", is the same for what one process does against one rule: a hash of rule, node, boot,
// container, pid and
//   start time. Of a rule with a key: for what happens under one key; then the key is hashed in place of the process.
// - Of a rule over several events: `time` is when it was decided (of a trailing `without` the end of the window), and the
//   fields outside `steps` are those of the last event that matched. `events`: how many, of a step that repeats.
// - No match-only value is shown that the rule does not disclose, whatever Match::shown says.
#pragma once

#include <cstdint>
#include <string>

#include "runtime/event/event.h"

namespace ks::alert {

// What is the same for every alert of one bundle on one node.
struct Origin {
  std::string node, boot;
  std::string bundle_digest;  // "sha256:…", empty in replay of sources
  uint64_t bundle_version = 0;
  std::string egress_digest;
};

// One line without the line break. `lost_before`: records known lost before this one since the last alert.
std::string Format(const event::Match& match, const Origin& origin, uint64_t sequence, uint64_t lost_before);

// For a terminal: time, severity, rule, message, what matched, on one line.
std::string FormatHuman(const event::Match& match, bool color);

}  // namespace ks::alert

// An event as userspace sees it, and a match. Built from ring records, traces or test blocks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bpf/schema/value.h"
#include "compiler/support/result.h"

namespace ks::event {

// The literal of a kernel atom that matched.
struct AtomMatch {
  uint16_t atom;   // number in the kind's plan
  uint16_t index;  // of the literal
};

struct Event {
  schema::EventKind kind{};
  uint64_t time_ns = 0;  // since 1970, UTC
  uint64_t sequence = 0;
  uint32_t generation = 0;
  uint16_t cpu = 0;
  std::vector<uint64_t> passed;        // from the ring: a bit per rule of the kind that the kernel half let through
  std::vector<AtomMatch> atoms;        // from the ring
  schema::Record record;
};

// What an alert says of its rule; owned by the loaded bundle, which outlives its matches.
struct RuleInfo {
  std::string id, package, name, title, severity;
  std::vector<std::string> attack;
  std::vector<schema::FieldId> disclosed;
};

struct Match {
  const Event* event = nullptr;
  const RuleInfo* rule = nullptr;
  std::string message;                     // the alert template, filled
  std::vector<std::string> matched;        // the policy's own words: "credential_files#2", "\"/etc/shadow\""
  std::vector<schema::FieldId> uncertain;  // fields that were unknown or cut, and that the rule asks for
};

// Ring record → Event. `boot_to_utc_ns` is added to the record's time. Refuses records that lie about their sizes.
// Normalises: Raw paths lexically, Foreign system call numbers, then derives User fields (derive, see runtime/enrich).
Result<Event> Decode(std::string_view record, int64_t boot_to_utc_ns);

// Lexical: "/a/./b//../c" → "/a/c".
std::string NormalizePath(std::string_view path);

}  // namespace ks::event

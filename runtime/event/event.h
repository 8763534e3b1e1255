// An event as userspace sees it, and a match. Built from ring records, traces or test blocks.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/schema/value.h"
#include "compiler/support/result.h"

namespace ks::event {

// The literal of a kernel atom that matched.
struct AtomMatch {
  uint16_t atom;   // number in the kind's plan; if it has an index, of the dimension
  uint32_t index;  // of the literal; of the dimension's outcome
  bool operator==(const AtomMatch&) const = default;
};

struct Event {
  schema::EventKind kind{};
  uint64_t time_ns = 0;  // since 1970, UTC; the field `time` says the same
  uint64_t sequence = 0;
  uint32_t generation = 0;
  uint16_t cpu = 0;
  std::vector<uint64_t> passed;  // from the ring: a bit per rule of the kind that the kernel half let through
  bool by_clause = false;        // or per clause of the kind's index, 64 words for each of the record's summary
  std::vector<AtomMatch> atoms;  // from the ring
  schema::Record record;
  bool operator==(const Event&) const = default;
};

// What an alert says of its rule; owned by the loaded bundle, which outlives its matches.
struct RuleInfo {
  std::string id, package, name, title, severity;
  std::vector<std::string> attack;
  std::vector<schema::FieldId> disclosed;
  std::string measure;  // what the rule counts: "count", "distinct", "sum"; "" if nothing
};

// An event of a sequence, as its alert lists it.
struct StepMatch {
  std::string step;  // its name, or its number from 1
  const Event* event = nullptr;
  uint64_t events = 1;  // of a repeated step; `event` is the last of them
  std::span<const schema::FieldId> shown;
};

// What it points to belongs to the event, to the bundle's engine, or, of rules over several events, to what they keep.
struct Match {
  const Event* event = nullptr;  // of a sequence: that of its last step that matched
  const RuleInfo* rule = nullptr;
  uint32_t probe = 0;            // index in Program::rules
  uint64_t time_ns = 0;          // when it was decided: the event's time, or the end of the window
  std::vector<StepMatch> steps;  // of a sequence, in order; else empty
  std::optional<uint64_t> measure;  // of an aggregate: what it came to
  std::string key;               // of a rule with a key: what tells its keys apart; only of values that may be shown
  uint64_t suppressed = 0;       // alerts of the same rule and key that a limit held back since the last one
  std::string message;                     // the alert template, filled; Printable
  std::vector<std::string_view> matched;   // the policy's own words: "credential_files#2", "\"/etc/shadow\""
  std::vector<schema::FieldId> uncertain;  // fields that were unknown or cut, and that the rule asks for
  // Fields that an alert may show, ascending: metadata that the rule's record carries, what is computed from it, and
  // what the rule discloses. The same live and in a replay, whatever else a trace holds.
  std::span<const schema::FieldId> shown;
};

// Ring record → Event. `boot_to_utc_ns` is added to the record's time. Refuses records that lie about their sizes, hold
// unknown or doubled ids, or say what the table rules out. Normalises: Raw paths lexically, Foreign system call
// numbers; what cannot be normalised is Unknown. Sets `time`; the other User fields are enrich::Derive's.
Result<Event> Decode(std::string_view record, int64_t boot_to_utc_ns);

// Event → ring record, for tests and for feeding events to the generated programs. Decode(Encode(e), 0) == e for every
// event as Decode makes it, its derived fields apart.
std::string Encode(const Event& event);

// Sets time_ns and the field `time`.
void SetTime(Event& event, uint64_t time_ns);

// Lexical: "/a/./b//../c" → "/a/c".
std::string NormalizePath(std::string_view path);

// Text that others chose (process names, paths), safe for a terminal and for one line: control characters, invisible
// and direction-changing ones, bytes that are not UTF-8, and backslashes become escapes (\n \x1b \u{202e} \\).
std::string Printable(std::string_view text);
void AppendPrintable(std::string_view text, std::string* out);

// Control characters, and those that are invisible or change the direction of what follows: a name with them can fake a
// line.
bool IsDeceptive(int32_t point);

// One code point of UTF-8 at text[0], or -1 if there is none; *length is its bytes (1 if it is none).
int32_t DecodeUtf8(std::string_view text, size_t* length);

}  // namespace ks::event

// From what sema proved to predicates over fields. No names, types or spans are looked up any more.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "bpf/schema/value.h"
#include "compiler/ir/ir.h"
#include "compiler/sema/sema.h"

namespace ks::lower {

// One event of a test, with every field that its kind has filled in.
struct Feed {
  schema::EventKind kind{};
  int64_t offset_ns = 0;  // since the start of the case; also the event's `time`, unless the test gives one
  schema::Record record;
  Span span;
};

// About the events fed since the expectation before.
struct Expect {
  enum class What : uint8_t { Quiet, Count, Text };
  What what = What::Quiet;
  uint64_t count = 0;  // Count, Text: exactly so many alerts
  std::string text;    // Text: exactly `count` alerts, each with this text
  std::string rule;    // id of the rule whose alerts count
  int64_t offset_ns = 0;  // the clock has reached this: windows that end before it have closed
  Span span;
};

struct ReplayTrace {
  std::string path;
  int64_t offset_ns = 0;  // of its first event
  Span span;
};

struct TestCase {
  std::string rule;         // id
  std::string environment;  // it runs with this one's tunes, and else not; "": without any
  std::string name;
  Span span;
  std::vector<std::variant<Feed, Expect, ReplayTrace>> steps;
};

struct Lowered {
  std::vector<ir::Rule> rules;
  std::vector<std::string> disabled;  // ids of rules that the environment's tunes turn off
};

// What a test gives, completed: zero or empty, except that containers and pods are absent unless given, standard input
// has a peer only as a socket, a call succeeded, file.canonical is file.path, and `syscall` is the call that the kind
// is named for.
schema::Record CompleteRecord(const sema::Feed& feed);

// Only for modules that were checked without an error. Rules in the order of the modules.
Lowered Lower(std::span<const sema::CheckedModule> modules);

// One case, for whom runs it: full records of all events of a policy's tests would be most of what compiling takes.
TestCase LowerTest(const sema::TestCase& test);

}  // namespace ks::lower

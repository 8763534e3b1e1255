// Records that make predicates true, or the proof that there are none. By Z3, over finitely many classes of texts.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "bpf/schema/value.h"
#include "compiler/ir/ir.h"
#include "compiler/prove/texts.h"

namespace ks::prove {

// Whether this build has Z3. Without it every answer is Undecided.
bool Available();

// What a record is to make of a predicate: one of these.
struct Want {
  const ir::Pred* pred = nullptr;
  bool yes = false, no = false, unknown = false;
};

struct Answer {
  enum class Kind : uint8_t { None, Found, Undecided } kind = Kind::Undecided;
  schema::Record record;  // Found: it was looked at by ir::Eval. Fields that no predicate reads are Unread
  std::string why;        // Undecided
};

// A record that makes of every predicate what is wanted. Any: None is a proof for all records whatever, with every
// status of every field. Testable: among those that a test block can feed, as an event of `kind`.
Answer Find(schema::EventKind kind, std::span<const Want> wants, Events events, Deadline deadline);

}  // namespace ks::prove

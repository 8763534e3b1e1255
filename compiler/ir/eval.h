// The reference meaning of a predicate. Everything else (generated BPF, faster engines) must agree with it.
#pragma once

#include <functional>

#include "compiler/ir/ir.h"

namespace ks::ir {

// Kleene's three values. A rule matches unless its predicate is False; Unknown matches are reported as uncertain.
enum class Truth : uint8_t { False, True, Unknown };

struct AtomResult {
  Truth truth = Truth::False;
  // Which literal matched, if truth is True: In: the literal, or the longest cidr · Under: the shortest literal ·
  // Like, HasElement, HasBits: the first in order · Contains: the one that ends first in the text, then the first in order.
  uint32_t index = 0;
};

// Status → truth: Ok: decided · Absent: False (Present: False) · Unread, Unknown, Raw, Foreign: Unknown (Present: True) ·
// Truncated: the value is longer than every literal, so In and HasElement-by-whole … see the table in eval.cpp:
//   In: False · Contains: True if the part holds it, else Unknown · Under, Like, HasElement, EqualField: Unknown · Present: True.
AtomResult EvalAtom(const Atom& atom, const schema::Record& record);

// `on_true`, if given, is called for every atom of positive polarity that is True (no short cuts are taken then).
Truth Eval(const Pred& pred, const schema::Record& record);
void ForEachTrueAtom(const Pred& pred, const schema::Record& record,
                     const std::function<void(const Atom&, uint32_t index)>& on_true);

// Every field that the predicate reads, ascending, without repeats.
std::vector<FieldId> FieldsOf(const Pred& pred);

}  // namespace ks::ir

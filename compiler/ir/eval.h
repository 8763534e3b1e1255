// The reference meaning of a predicate. Everything else (generated BPF, faster engines) must agree with it.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "compiler/ir/ir.h"

namespace ks::ir {

// Kleene's three values. A rule matches unless its predicate is False; Unknown matches are reported as uncertain.
enum class Truth : uint8_t { False, True, Unknown };

struct AtomResult {
  Truth truth = Truth::False;
  // Which literal matched, if truth is True, else 0.
  //   In: the literal that is equal. Of addresses and cidrs that hold x, the one with the most bits (an address has
  //   128); of
  //     those the first. · Under: the one with the shortest UnderPrefix, of those the first. · Like, HasElement,
  //     HasBits: see below · Contains: the one that ends first in the text, of those the first. · Present, Range,
  //     EqualField, LessField: 0
  //   Like: the first that matches · HasBits: the first · HasElement: the one that is the earliest element · Matches:
  //   the first that is found; of a list, in the earliest element.
  uint32_t index = 0;
};

// The events that a predicate is read from: this one, and those of the sequence's steps (steps[0] is step 1). A null
// step is one whose fields were not read.
struct Frame {
  const schema::Record* event = nullptr;
  std::span<const schema::Record* const> steps;
  Frame(const schema::Record& record) : event(&record) {}  // NOLINT(google-explicit-constructor): most have no steps
  Frame(const schema::Record* record, std::span<const schema::Record* const> of_steps)
      : event(record), steps(of_steps) {}
};

// By status of the field:
//             Ok       Absent  Truncated (texts)             Raw, Foreign  Unread, Unknown
//   Present   True     False   True                          True          Unknown
//   In        decided  False   False                         Unknown       Unknown
//   Contains, HasElement, HasOther, Matches of a list
//             decided  False   True if found, else Unknown   Unknown       Unknown
//   others    decided  False   Unknown                       Unknown       Unknown
// Truncated on what is no text is as Unknown. EqualField, LessField, HasOther: False if either is Absent; the other
// must be Ok, else Unknown. Before all that: a test of a set (AsksOfSet) without any literal is False.
//
// An element of a list: Ok if it is there whole; Absent if the list is whole and has no such element; else, where it
// may lie in what was cut, Unknown, but Present if its begin is there. lower(x) has the status of x; Truncated, it is
// still too long to be in a set. A step's event that is not known is Unknown in all its fields.
AtomResult EvalAtom(const Atom& atom, const Frame& frame);

// What an operand is in a record: its status, and its value if that is Ok or Truncated.
schema::FieldValue ReadOperand(const Operand& operand, const schema::Record& record);

// Not: False ↔ True · And: the least, Or: the greatest, where False < Unknown < True.
Truth Eval(const Pred& pred, const Frame& frame);
// Calls for every atom below an even number of Nots that is True, in order, with the index of its literal.
void ForEachTrueAtom(const Pred& pred, const Frame& frame,
                     const std::function<void(const Atom&, uint32_t index)>& on_true);

// Every field that the predicate reads from this event, ascending, without repeats.
std::vector<FieldId> FieldsOf(const Pred& pred);

// What Under compares with: the literal without trailing '/'. A path is under it if it starts with it and ends there or
// goes on with '/'. Of "/" it is "", and every absolute path is under that.
std::string_view UnderPrefix(std::string_view literal);

}  // namespace ks::ir

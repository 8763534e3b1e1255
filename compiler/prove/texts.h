// Texts by what they make of tests: finitely many classes stand for all texts.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "compiler/ir/eval.h"
#include "compiler/ir/ir.h"

namespace ks::prove {

using Deadline = std::chrono::steady_clock::time_point;

// Which texts: all, or those that a test block can give an event (printable ASCII, of a path with a slash first, within
// the capture).
enum class Events : uint8_t { Any, Testable };

struct TextClass {
  std::vector<ir::Truth> whole, cut;  // by atom: what a text of the class makes of it, Ok and Truncated
  std::vector<std::string> texts;     // some of them, the shortest first
};

struct TextClasses {
  std::vector<TextClass> classes;
  std::string why_incomplete;  // "" if there is no other class
};

// Whether texts can be sorted by it: In, Under, Like, Contains, HasElement, Present of an element.
bool SortsTexts(const ir::Atom& atom);

// By atoms that sort texts and that are of `field`, or of fields of its type whose value is asked to be equal. A
// class's truths are what ir::EvalAtom says of its texts; the automata of the atoms, run side by side, find one for
// each class.
TextClasses SortTexts(const std::vector<ir::Atom>& atoms, schema::FieldId field, Events events, Deadline deadline);

}  // namespace ks::prove

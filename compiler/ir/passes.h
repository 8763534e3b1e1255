// From a rule's predicate to what the kernel is asked.
#pragma once

#include "compiler/ir/ir.h"

namespace ks::ir {

// Same meaning, smaller: constants folded, flattened, repeats dropped, atoms of one operand merged where sets join.
Pred Simplify(const Pred& pred);

// Negation normal form: Not only directly above atoms.
Pred Nnf(const Pred& pred);

// Why the kernel cannot decide this atom, as a sentence; "" if it can. User fields, text comparisons between fields,
// automata beyond their cap, sets beyond theirs.
std::string WhyNotInKernel(const Atom& atom);

// Split's law: literals that the kernel cannot decide become True in the kernel half.
SplitRule Split(Rule rule);

// Which atoms are reported, and in what order they are evaluated (cheap first: ids, then short text, addresses, paths, lists).
Plan MakePlan(const Program& program);

// Deterministic finite automaton for Like, Contains and HasElement: shared by the code generator and by WhyNotInKernel.
struct Dfa {
  std::vector<uint8_t> classes;        // 256: byte → class
  uint32_t class_count = 0;
  std::vector<uint16_t> next;          // state * class_count + class; state 0 starts; state 1 is dead
  std::vector<int32_t> accept;         // by state: literal index, or -1. Contains, HasElement: final as soon as reached
  bool stops = false;                  // accepting states loop to themselves: stop at the first
};
inline constexpr uint32_t kMaxDfaStates = 1024;
inline constexpr uint32_t kMaxDfaCells = 16384;  // states × classes
// Nothing if it would exceed the caps. `test` is Like, Contains or HasElement. For a list of strings the text is the
// elements, each followed by NUL.
std::optional<Dfa> MakeDfa(Test test, const std::vector<Value>& literals, schema::TypeId type);

}  // namespace ks::ir

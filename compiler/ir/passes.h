// From a rule's predicate to what the kernel is asked.
#pragma once

#include "compiler/ir/ir.h"
#include "compiler/support/result.h"

namespace ks::ir {

// Same meaning, smaller: constants folded, flattened, repeats dropped, atoms of one operand merged where sets join.
Pred Simplify(const Pred& pred);

// Negation normal form: Not only directly above atoms.
Pred Nnf(const Pred& pred);

// Why the kernel cannot decide this atom, as a sentence; "" if it can. User fields, text comparisons between fields,
// automata beyond their cap, sets beyond theirs.
std::string WhyNotInKernel(const Atom& atom);
// The part of it that depends on no literal, and costs nothing to find out: elements, lower(), other steps, user
// fields, regular expressions, a list searched for a field.
std::string WhyNeverInKernel(const Atom& atom);
inline constexpr size_t kMaxKernelLiterals = 4096;       // In
inline constexpr size_t kMaxKernelPrefixes = 256;        // Under
inline constexpr size_t kMaxKernelMasks = 64;            // HasBits
inline constexpr size_t kMaxKernelLiteralBytes = 65536;  // all of an atom together

// What is wrong with an atom that no policy text leads to: a test or literals that do not suit the operand's type, a
// literal longer than the field's capture. "" if nothing. What is read from outside is checked with this.
std::string WhyIllFormed(const Atom& atom);
std::string WhyIllFormed(const Operand& operand);

// Split's law: literals that the kernel cannot decide become True in the kernel half.
SplitRule Split(Rule rule);

// Rules as lower makes them → what single events are asked, simplified and split, and what is done with the answers.
Program MakeProgram(std::vector<Rule> rules);

// The probes of one rule with their kinds, conditions, steps and needs, not split yet: of a sequence one a step, else
// one. What MakeProgram splits, and what a bundle's text leaves out because it follows.
std::vector<SplitRule> ProbesOf(const Rule& rule);

// What one live partial or key of this rule takes at most, and all of them: bytes. For people, and for limits.
struct StateSize {
  uint64_t bytes_each = 0, bytes_most = 0;
};
StateSize SizeOfState(const Rule& rule);

// The kernel fields that the record carries when the rule passes, of whatever kind has them; ascending.
std::vector<FieldId> CarriedFields(const SplitRule& split);

// Which atoms are reported, and in what order they are evaluated: integers; fields that some rule asks for beside nothing but integers, so
// that they are read in any case; addresses, short texts, paths, automata over long texts. Within these by field, then as the rules name
// them. Depends on nothing but the kernel halves and the
// rules' metadata, so that the agent makes the same plan from a bundle as the compiler did. Error "plan-too-large"
// beyond kMaxRulesOfKind rules of one kind. Kinds with more than kMaxStraightRules rules, or more than KS_MAX_ATOMS
// atoms, get an index instead of atoms.
enum class Strategy : uint8_t { Auto, Straight, Rows };
inline constexpr size_t kMaxStraightRules = 64;
Result<Plan> MakePlan(const Program& program, Strategy strategy = Strategy::Auto);

// Deterministic finite automaton for Like, Contains and HasElement: shared by the code generator and by WhyNotInKernel.
// Run it over all bytes of the text from state 0; the literal that matches is accept[state] at the end, which may be
// state 0. For Contains and HasElement accepting states loop to themselves, so that a runner may also stop at the
// first.
struct Dfa {
  std::vector<uint8_t> classes;  // 256: byte → class
  uint32_t class_count = 0;
  std::vector<uint16_t> next;   // state * class_count + class; state 0 starts; state 1 is dead
  std::vector<int32_t> accept;  // by state: literal index, or -1
  bool stops = false;           // accepting states loop to themselves
};
inline constexpr uint32_t kMaxDfaStates = 1024;
inline constexpr uint32_t kMaxDfaCells = 16384;  // states × classes
// Nothing if it would exceed the caps, or take long to find out. `test` is Like, Contains or HasElement; `type` is
// String, Path or StringList, where the text is the elements, each followed by NUL.
std::optional<Dfa> MakeDfa(Test test, const std::vector<Value>& literals, schema::TypeId type);

}  // namespace ks::ir

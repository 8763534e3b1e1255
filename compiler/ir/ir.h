// Predicates and rules that both halves share: what lower makes, the kernel half is generated from, and userspace
// decides. No syntax tree, no LLVM, no kernel. Text form: text.h. Meaning: eval.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bpf/schema/value.h"

namespace ks::ir {

using schema::EventKind;
using schema::FieldId;
using schema::Value;

enum class Part : uint8_t { Whole, Ip, Port };  // of an endpoint

struct Operand {
  FieldId field{};
  Part part = Part::Whole;
  bool operator==(const Operand&) const = default;
};
// The field's type; Ip or Port for a part of an endpoint.
schema::TypeId TypeOf(const Operand& operand);

// What an atom asks of its operand. Every test on an Absent field is false.
enum class Test : uint8_t {
  Present,     // the field is not Absent                                      (no literals)
  In,          // equals one of the literals; an address also if a cidr holds it
  Range,       // literals {lo, hi}: lo <= x <= hi, integers
  Under,       // path: equals a literal or lies below it, on a component boundary
  Like,        // glob over the whole text: * ? [a-z] [!a-z], backslash escapes; * crosses '/'
  Contains,    // a literal occurs in the text (in an element, of a list)
  HasElement,  // list: an element equals a literal
  HasBits,     // integers: for one literal m, (x & m) == m
  EqualField,  // x == other, same type
  LessField,   // x <  other, integers
};

struct Atom {
  Operand operand;
  Test test{};
  std::vector<Value> literals;   // distinct, in the order of the source
  std::optional<Operand> other;  // of EqualField, LessField
  // The policy's own words for "which literal matched": the let's name ("credential_files"), else "" and the literal
  // itself is shown. Not part of the atom's identity.
  std::string label;
  bool SameAs(const Atom& other_atom) const;  // all but label
};

// A predicate. And and Or have two or more operands; True and False stand alone.
struct Pred {
  enum class Op : uint8_t { True, False, Atom, Not, And, Or };
  Op op = Op::True;
  std::vector<Pred> operands;
  std::optional<Atom> atom;
  bool operator==(const Pred&) const;  // atoms by SameAs
};

// `and` in `or` in `and` …: how deep, at most, in what is compiled and loaded.
inline constexpr size_t kMaxPredDepth = 240;

Pred True();
Pred False();
Pred MakeAtom(Atom atom);
// These fold constants, flatten, and drop operands that repeat.
Pred MakeNot(Pred operand);
Pred MakeAnd(std::vector<Pred> operands);
Pred MakeOr(std::vector<Pred> operands);

// A template: text, or a field's value. `{process.name} speaks to {dst}`.
struct TemplatePart {
  std::string text;
  std::optional<Operand> operand;
};

enum class RuleSeverity : uint8_t { info, low, medium, high, critical };

struct Disclosure {
  FieldId field;
  std::string reason;
};

struct ExceptionInfo {
  std::string why, owner, expires, ticket;
};

struct Rule {
  std::string id;  // package and name: "acme.runtime.reverse_shell"
  std::string package;
  std::string name;
  std::string title;
  RuleSeverity severity = RuleSeverity::medium;
  std::vector<std::string> attack;
  std::vector<EventKind> kinds;
  Pred when;  // where ∧ ¬exceptions (an exception holds only until it expires: a test on event.time)
  std::vector<ExceptionInfo> exceptions;
  std::vector<TemplatePart> alert;
  std::vector<Disclosure> disclosures;
  std::string source;  // "rules/shell.ksp:14", for people
};

// A rule's two halves. when ⇒ kernel; when ≡ kernel ∧ residual.
struct SplitRule {
  Rule rule;
  Pred kernel;    // negation normal form; only atoms that the kernel decides
  Pred residual;  // what is left for userspace; True if nothing
  // Why each atom that stays up does so: "container.id is known in userspace only".
  std::vector<std::string> reasons;
};

struct Program {
  std::vector<SplitRule> rules;
};

// ---- The plan of the kernel half: per kind, atoms once, cheapest first
// ------------------------------------------------

// Over atom numbers, in negation normal form.
struct Formula {
  enum class Op : uint8_t { Literal, And, Or };
  Op op = Op::Literal;
  uint32_t atom = 0;
  bool negated = false;
  std::vector<Formula> operands;
};

struct RulePlan {
  uint32_t rule = 0;               // index in Program::rules
  std::vector<Formula> conjuncts;  // empty: always passes
  std::vector<FieldId> copies;     // kernel fields that the record carries when this rule passes, ascending
  // Further fields, of the kernel half. The record carries their value only if they are Raw or Foreign: the kernel
  // passed the rule without deciding them, and userspace, which can read them, decides; and their state if they are
  // Truncated or Unknown: the match is uncertain. Ascending.
  std::vector<FieldId> tested;
  std::string id, source;  // of the rule, for line information: what a verifier's log quotes
};

// An atom whose literal index the record carries when it is true and a rule that uses it passes: positive tests of
// match-only fields that the kernel decides. This is how an alert can say which literal matched without its value
// leaving the kernel.
struct KindPlan {
  EventKind kind{};
  std::vector<Atom> atoms;      // in the order in which they are evaluated
  std::vector<bool> reported;   // by atom
  std::vector<RulePlan> rules;  // bit i of the verdict is rules[i]; a rule whose kernel half is False has no bit
};

struct Plan {
  std::vector<KindPlan> kinds;     // only those that a rule asks for, in the table's order
  std::vector<std::string> names;  // literals that file.canonical is compared with: the agent resolves their inodes
};

}  // namespace ks::ir

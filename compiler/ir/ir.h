// Predicates and rules that both halves share: what lower makes, the kernel half is generated from, and userspace
// decides. No syntax tree, no LLVM, no kernel. Text form: text.h. Meaning: eval.h.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/schema/value.h"

namespace ks::ir {

using schema::EventKind;
using schema::FieldId;
using schema::Value;

enum class Part : uint8_t { Whole, Ip, Port };  // of an endpoint

// Which event an operand is read from: this one, or that of a step of the rule's sequence, counted from 1 over its
// steps that match.
inline constexpr uint8_t kThisEvent = 0;

struct Operand {
  FieldId field{};
  Part part = Part::Whole;
  int16_t element = -1;  // process.args[0]: of a list, which; -1: all of it. One that is not there is Absent
  bool lower = false;    // lower(x): A to Z read as a to z
  uint8_t step = kThisEvent;
  bool operator==(const Operand&) const = default;
};
// The field's type; Ip or Port for a part of an endpoint; String for an element.
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
  Matches,     // a regular expression of RE2 is found in the text (in an element, of a list); bytes, not UTF-8
  HasOther,    // list: an element equals the text `other`
};

// Tests of which `x T {a} or x T {b}` is `x T {a, b}`, whatever the status of x. Without literals they are False.
bool AsksOfSet(Test test);

// Where the policy says something, for people: what a verifier's log quotes. None where no policy said it.
struct Place {
  std::string file;               // "rules/shell.ksp"
  uint32_t line = 0, column = 0;  // from 1
  std::string text;               // of the line, without a comment
};

struct Atom {
  Operand operand;
  Test test{};
  std::vector<Value> literals;   // distinct, in the order of the source
  std::optional<Operand> other;  // of EqualField, LessField, HasOther
  // The policy's own words for "which literal matched": the let's name ("credential_files"), else "" and the literal
  // itself is shown. Not part of the atom's identity.
  std::string label;
  std::shared_ptr<const Place> place;  // neither
  bool SameAs(const Atom& other_atom) const;  // all but label and place
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

// A template: text, a field's value, or what was counted. `{process.name} speaks to {dst}, {count} times`.
struct TemplatePart {
  std::string text;
  std::optional<Operand> operand;
  bool measure = false;                 // what the aggregate came to: {count}, {distinct}, {sum}
  std::optional<std::string> fallback;  // {container.id ?? "the host"}: where the value is absent
};

enum class RuleSeverity : uint8_t { info, low, medium, high, critical };
std::string_view Name(RuleSeverity severity);
inline constexpr size_t kSeverityCount = 5;

struct Disclosure {
  FieldId field;
  std::string reason;
};

struct ExceptionInfo {
  std::string why, owner, expires, ticket;
};

// ---- Rules over several events. Meaning: docs/language/meaning.md, runtime/state
// ----------------------------------------

// What events must have in common: absent values are equal to each other (the host). Empty: all events.
using Key = std::vector<Operand>;

inline constexpr uint64_t kDefaultMaxKeys = 16'384;

struct Join {     // own == an earlier step's
  Operand own;    // step kThisEvent
  Operand other;  // an earlier step
  bool operator==(const Join&) const = default;
};

struct Step {
  enum class Role : uint8_t { Match, Without, Until };
  Role role = Role::Match;
  std::string name;  // "" if it has none
  std::vector<EventKind> kinds;
  Pred when;                // of the event alone
  std::vector<Join> joins;  // and these, by hash
  Pred cross;               // and the rest: of the event and earlier steps
  uint32_t repeat = 1;      // of Match: so many events
};

struct Sequence {
  bool unordered = false;
  Key by;
  int64_t within_ns = 0;
  std::vector<Step> steps;  // the first one matches
};

struct Aggregate {
  enum class Function : uint8_t { Count, Distinct, Sum, First };
  Function function = Function::Count;
  std::vector<Operand> of;  // Distinct, First: the values taken together · Sum: one
  uint64_t at_least = 1;    // not of First
  Key by;
  int64_t within_ns = 0;
};

struct Limit {  // at most `count` alerts of one key in any span of `per_ns`
  uint64_t count = 1;
  int64_t per_ns = 0;
  Key by;
};

struct Rule {
  std::string id;  // package and name: "acme.runtime.reverse_shell"
  std::string package;
  std::string name;
  std::string title;
  RuleSeverity severity = RuleSeverity::medium;
  std::vector<std::string> attack;
  std::vector<EventKind> kinds;
  // where ∧ ¬exceptions (an exception holds only until it expires: a test on event.time). Of a sequence: ¬exceptions,
  // over the events of its steps, decided when it completes; and `kinds` is empty.
  Pred when;
  std::optional<Sequence> sequence;
  std::optional<Aggregate> aggregate;  // at most one of both
  std::optional<Limit> limit;
  uint64_t max_keys = kDefaultMaxKeys;  // live partials of a sequence; keys, or keys with values, of an aggregate
  bool IsStateful() const { return sequence || aggregate || limit; }
  std::vector<ExceptionInfo> exceptions;
  std::vector<TemplatePart> alert;
  std::vector<Disclosure> disclosures;
  std::string source;  // "rules/shell.ksp:14", for people
};

// What is asked of single events: a rule, or one step of its sequence. Its two halves: when ⇒ kernel;
// when ≡ kernel ∧ residual.
struct SplitRule {
  // Of a step: the sequence's head (id, severity, alert …) with the step's kinds and `when`, without state.
  Rule rule;
  std::optional<uint32_t> machine;  // index in Program::machines, if what it says is not an alert yet
  uint32_t step = 0;                // of a sequence: which of its steps
  std::vector<Operand> needs;       // what state asks of the event: keys, joins, measures; step kThisEvent
  bool shown = true;                // whether an alert may speak of the event: not of one that only ends or forbids
  Pred kernel;                      // negation normal form; only atoms that the kernel decides
  Pred residual;                    // what is left for userspace; True if nothing
  // Why each atom that stays up does so: "container.id is known in userspace only".
  std::vector<std::string> reasons;
};

// A rule with state: what it does with the events that its probes pass.
struct Machine {
  Rule rule;
  std::vector<uint32_t> probes;  // indices in Program::rules: by step of a sequence, else one
};

struct Program {
  std::vector<SplitRule> rules;  // probes, in the order of the rules, steps in theirs
  std::vector<Machine> machines;
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
  // Of a kind with an index: dimensions that say which literal of a match-only field matched. Ascending.
  std::vector<uint32_t> reported;
  // Whether an event that it passes can be an alert without others. If none of the rules that pass is such a one, the record
  // goes to the ring of context.
  bool alerts = true;
  std::string id, source;  // of the rule, for line information: what a verifier's log quotes
};

class Index;

// An atom whose literal index the record carries when it is true and a rule that uses it passes: positive tests of
// match-only fields that the kernel decides. This is how an alert can say which literal matched without its value
// leaving the kernel.
inline constexpr size_t kMaxRulesOfKind = 16'384;
struct KindPlan {
  EventKind kind{};
  std::vector<Atom> atoms;      // in the order in which they are evaluated
  std::vector<bool> reported;   // by atom
  std::vector<RulePlan> rules;  // bit i of the verdict is rules[i]; a rule whose kernel half is False has no bit
  // Of a kind with many rules: then there are no atoms and no conjuncts, and bit i of the verdict is clauses[i] of the
  // index, whose `rule` is a position in `rules`.
  std::shared_ptr<const Index> index;
};

struct Plan {
  std::vector<KindPlan> kinds;     // only those that a rule asks for, in the table's order
  std::vector<std::string> names;  // literals that file.canonical is compared with: the agent resolves their inodes
};

}  // namespace ks::ir

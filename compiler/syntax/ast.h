// The syntax tree: plain structs with spans, made by Parse and never changed afterwards.
// Names follow the grammar (grammar/Ksp.g4).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "compiler/support/source.h"

namespace ks::syntax {

struct Name {
  std::string text;
  Span span;
};

// ---- Expressions --------------------------------------------------------------------------------------------------

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

// `a.b.c`: a field, a let, a def without arguments, an enumerator, an event kind. What it is, sema finds out.
struct Path {
  std::vector<Name> parts;
  std::string Dotted() const;
};

struct Call {  // shell(process)
  Path callee;
  std::vector<ExprPtr> arguments;
};

// Literals keep their text; sema gives them a type and a value.
enum class LiteralKind : uint8_t { String, RawString, Int, Hex, Octal, Duration, Size, Ip, Cidr, Endpoint, Bool, Date };
struct Literal {
  LiteralKind kind;
  std::string text;   // as written, with quotes
  std::string value;  // of strings: without quotes, escapes resolved; else as written
};

struct List {
  std::vector<ExprPtr> items;
};

struct Index {  // process.args[0] · pod.labels["app"]
  Path path;
  Literal at;  // Int or a string
  Span at_span;
};

enum class LogicOp : uint8_t { And, Or };
struct Logic {
  LogicOp op;
  std::vector<ExprPtr> operands;  // two or more
};

struct Not {
  ExprPtr operand;
};

// From compiler/sema/operators.def, which names the operators; here by spelling: "==", "not in", "has any", "exists", …
struct Compare {
  std::string op;        // canonical spelling, one space between words, without a leading "not"
  bool negated = false;  // `not in`, `not like`, `not under`, `is not`
  Span op_span;
  ExprPtr left;
  ExprPtr right;  // null for `exists`
};

struct Expr {
  Span span;
  bool parenthesized = false;
  std::variant<Path, Call, Literal, List, Index, Logic, Not, Compare> node;
};

// ---- Types --------------------------------------------------------------------------------------------------------

struct Type {  // set<cidr>
  Name name;
  std::unique_ptr<Type> element;
};

// ---- Declarations -------------------------------------------------------------------------------------------------

struct Import {  // import std.linux.{shells, scratch_dirs} · import std.linux
  Path package;
  std::vector<Name> names;  // empty: all of the package, used as its last component: linux.shells
  Span span;
};

struct Let {
  Name name;
  std::optional<Type> type;
  ExprPtr value;                // or
  std::optional<Literal> from;  // a file beside the source: one value per line, # comments
  Span from_span;
  Span span;
  std::string doc;
};

struct Parameter {
  Name name;
  Name type;  // a type or an object: process
};

struct Def {
  Name name;
  std::vector<Parameter> parameters;
  ExprPtr body;
  Span span;
  std::string doc;
};

struct Exception {  // except "why" where … owner "x" expires 2027-01-31 ticket "y"
  std::string why;
  Span why_span;
  ExprPtr condition;
  std::optional<Name> owner, expires, ticket;  // text without quotes
  Span span;
};

struct Disclose {
  std::vector<Path> fields;
  std::vector<Span> field_spans;
  std::string reason;
  Span span;
};

struct On {
  std::vector<Name> kinds;
  ExprPtr where;  // may be null
  Span span;
};

struct Text {  // a string literal with its place
  std::string value;
  Span span;  // with the quotes
};

struct Quantity {  // a literal with its place: 30s, 25, 4MiB
  Literal literal;
  Span span;
};

struct Key {  // by pod.uid, dst.ip
  std::vector<Path> paths;
  std::vector<Span> path_spans;
  Span span;  // with `by`
};

struct When {            // when distinct(dst.ip) >= 25 by pod.uid within 60s
  Name function;         // count, distinct, sum, first
  std::vector<Path> of;  // between the parentheses
  std::vector<Span> of_spans;
  std::string op;  // as written; "" of `first`
  Span op_span;
  std::optional<Quantity> threshold;
  std::optional<Key> by;
  std::optional<Quantity> within;
  Span span;
};

struct Step {
  enum class Role : uint8_t { Match, Without, Until };
  Role role = Role::Match;
  std::optional<Name> name;  // drop:
  std::vector<Name> kinds;
  ExprPtr where;  // may be null
  std::optional<Quantity> repeat;
  Span span;
};

struct Sequence {  // sequence by container.id within 30s { … }
  bool unordered = false;
  std::optional<Key> by;
  std::optional<Quantity> within;
  std::vector<Step> steps;
  Span head;  // without the steps
  Span span;
};

struct Limit {  // limit 1 per 15m by pod.uid
  Quantity count, per;
  std::optional<Key> by;
  Span span;
};

struct Allow {  // allow K0701 "why this finding is no mistake here"
  Name code;
  Text reason;
  Span span;
};

struct Rule {
  Name name;
  std::optional<Text> title;
  std::string doc;  // ## lines above, without the marks
  // Clauses in the order of the source; sema reports those that are missing or doubled.
  std::vector<Name> severities;
  std::vector<Name> attack;
  std::vector<On> ons;
  std::vector<Exception> exceptions;
  std::vector<Disclose> disclosures;
  std::vector<Text> alerts;
  std::vector<When> whens;
  std::vector<Sequence> sequences;
  std::vector<Limit> limits;
  std::vector<Quantity> max_keys;
  std::vector<Text> owners, refs;  // who answers for the rule; where to read more
  std::vector<Name> statuses;      // experimental, stable, deprecated
  std::vector<Allow> allows;
  Span span;
};

// tune connect_sweep in "prod-eu" { … }: what one environment changes. It may only narrow a rule or route it otherwise.
struct Tune {
  Path rule;
  Span rule_span;
  Text environment;
  std::vector<Name> severities;
  std::vector<Span> disables;
  std::vector<Exception> exceptions;
  std::vector<Limit> limits;
  std::vector<Quantity> max_keys;
  std::string doc;
  Span span;
};

// ---- Tests --------------------------------------------------------------------------------------------------------

struct Value;
struct FieldInit {
  Name name;  // last component of a field or object
  std::unique_ptr<Value> value;
};
struct RecordInit {
  std::vector<FieldInit> fields;
  Span span;
};
struct Value {
  Span span;
  std::variant<ExprPtr, RecordInit> node;  // ExprPtr: literal, list, path or flags as a list or path
  std::optional<RecordInit> with;          // c with { id: "c2" }: of a path that names a let
};

struct Feed {         // +2s open { file: { path: "/x" } }
  std::string after;  // a duration literal without the plus, or ""
  Name kind;
  RecordInit record;
};

struct Expect {
  std::string after;  // +30s expect …: the clock goes on first; a duration without the plus, or ""
  bool quiet = false;
  std::optional<uint64_t> count;  // `expect 2 alert`
  std::optional<Text> text;       // `expect alert "text of the alert"`
  std::optional<Path> from;       // `expect alert from other_rule`: else of the rule under test
  Span from_span;
  Span span;
};

struct ReplayTrace {  // replay "traces/nginx-1h.kst": beside the source
  std::string after;
  Text path;
  Span span;
};

struct TestStep;
struct Repeat {  // repeat 25 every 1s { … }
  std::string after;
  Quantity count;
  std::optional<Quantity> every;
  std::vector<TestStep> steps;
  Span span;
};

struct TestStep {
  std::variant<Feed, Expect, Repeat, ReplayTrace> node;
};

struct TestCase {
  Text name;
  std::vector<TestStep> steps;
  Span span;
};

struct TestLet {  // let c: container = { id: "c1" } · let d: container = c with { id: "d1" }
  Name name;
  Name object;
  std::optional<Name> base;  // another let of this test; `record` then holds what differs
  RecordInit record;
  Span span;
};

struct Test {
  Path rule;
  Span rule_span;
  std::optional<Text> environment;  // test connect_sweep in "prod-eu"
  std::vector<TestLet> lets;
  std::vector<TestCase> cases;
  Span span;
};

// ---- A file -------------------------------------------------------------------------------------------------------

struct Comment {  // from # to the end of the line; ## too
  Span span;
  bool alone = false;  // nothing but blanks before it on its line
};

struct Module {
  const SourceFile* file = nullptr;
  Span version_span;  // of `ksp 1`; empty if it is missing
  std::optional<Path> package;
  Span package_span;
  std::vector<Import> imports;
  std::vector<Let> lets;
  std::vector<Def> defs;
  std::vector<Rule> rules;
  std::vector<Tune> tunes;
  std::vector<Test> tests;
  std::vector<Allow> allows;      // of the whole file
  std::vector<Comment> comments;  // in the order of the file
};

}  // namespace ks::syntax

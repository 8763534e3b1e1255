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

// ---- Expressions -----------------------------------------------------------------------------------------------------

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
  std::string op;     // canonical spelling, one space between words, without a leading "not"
  bool negated = false;  // `not in`, `not like`, `not under`, `is not`
  Span op_span;
  ExprPtr left;
  ExprPtr right;  // null for `exists`
};

struct Expr {
  Span span;
  bool parenthesized = false;
  std::variant<Path, Call, Literal, List, Logic, Not, Compare> node;
};

// ---- Types -----------------------------------------------------------------------------------------------------------

struct Type {  // set<cidr>
  Name name;
  std::unique_ptr<Type> element;
};

// ---- Declarations ----------------------------------------------------------------------------------------------------

struct Import {  // import std.linux.{shells, scratch_dirs} · import std.linux
  Path package;
  std::vector<Name> names;  // empty: all of the package, used as its last component: linux.shells
  Span span;
};

struct Let {
  Name name;
  std::optional<Type> type;
  ExprPtr value;                    // or
  std::optional<Literal> from;      // a file beside the source: one value per line, # comments
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
  Span span;
};

// ---- Tests -----------------------------------------------------------------------------------------------------------

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
};

struct Feed {  // +2s open { file: { path: "/x" } }
  std::string after;  // a duration literal without the plus, or ""
  Name kind;
  RecordInit record;
};

struct Expect {
  bool quiet = false;
  std::optional<uint64_t> count;      // `expect 2 alert`
  std::optional<Text> text;           // `expect alert "text of the alert"`
  Span span;
};

struct TestCase {
  Text name;
  std::vector<std::variant<Feed, Expect>> steps;
  Span span;
};

struct TestLet {  // let c: container = { id: "c1" }
  Name name;
  Name object;
  RecordInit record;
};

struct Test {
  Path rule;
  Span rule_span;
  std::vector<TestLet> lets;
  std::vector<TestCase> cases;
  Span span;
};

// ---- A file ----------------------------------------------------------------------------------------------------------

struct Module {
  const SourceFile* file = nullptr;
  Span version_span;       // of `ksp 1`; empty if it is missing
  std::optional<Path> package;
  Span package_span;
  std::vector<Import> imports;
  std::vector<Let> lets;
  std::vector<Def> defs;
  std::vector<Rule> rules;
  std::vector<Test> tests;
};

}  // namespace ks::syntax

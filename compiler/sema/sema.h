// What a policy means: names resolved, types checked, guards proven, defs expanded. Results stand beside the tree.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "bpf/schema/history.h"
#include "bpf/schema/value.h"
#include "compiler/support/diagnostics.h"
#include "compiler/syntax/ast.h"

namespace ks::sema {

using schema::EventKind;
using schema::FieldId;
using schema::ObjectId;
using schema::TypeId;
using schema::Value;

// ---- Input
// -----------------------------------------------------------------------------------------------------------

// Which cases a rule has: one that expects this.
struct Tested {
  bool alert = false, quiet = false;
};

// What the expressions and tests of a module speak of. To find it takes a walk over all of it.
struct Mentions {
  std::set<std::string, std::less<>> names;        // "package.name" of whatever an expression starts from
  std::map<std::string, Tested, std::less<>> tested;  // by the rule's id
  std::set<std::string, std::less<>> environments;    // of its tests
};
std::shared_ptr<const Mentions> MentionsOf(const syntax::Module& module);

// Every module that names may come from, by package. Several files may share a package and see each other's names;
// files without one share the nameless package. If the user gives a package, the embedded one of that name is not seen.
// Modules must outlive the library, and stay where they are.
class Library {
 public:
  // `mentions` are the module's.
  void AddUser(const syntax::Module& module, std::shared_ptr<const Mentions> mentions) {
    Add(module, std::move(mentions), false);
  }
  void AddEmbedded(const syntax::Module& module, std::shared_ptr<const Mentions> mentions) {
    Add(module, std::move(mentions), true);
  }
  void AddUser(const syntax::Module& module) { AddUser(module, MentionsOf(module)); }
  void AddEmbedded(const syntax::Module& module) { AddEmbedded(module, MentionsOf(module)); }

  // A let or a def: the first of its name in its package.
  struct Declaration {
    const syntax::Module* module = nullptr;
    const syntax::Let* let = nullptr;
    const syntax::Def* def = nullptr;
    const syntax::Name& name() const { return let ? let->name : def->name; }
  };
  struct Package {
    std::string name;
    bool embedded = false;
    std::vector<const syntax::Module*> modules;
    std::map<std::string, Declaration, std::less<>> names;
    std::map<std::string, const syntax::Rule*, std::less<>> rules;
  };
  const Package* Find(std::string_view package) const;
  std::vector<const Package*> Packages() const;
  const syntax::Rule* FindRule(std::string_view id) const;

  // Whether an expression or an import anywhere names this let or def.
  bool IsUsed(std::string_view package, std::string_view name) const;
  // Whether an expression of this module names it, one with mistakes, too; no name: anything of the package.
  bool IsNamedIn(const syntax::Module& module, std::string_view package, std::string_view name) const;
  Tested TestsOf(std::string_view rule_id) const;

  struct TuneAt {
    const syntax::Module* module = nullptr;
    const syntax::Tune* tune = nullptr;
  };
  // In the order of the files.
  const std::vector<TuneAt>& TunesOf(std::string_view rule_id) const;
  // Every environment that a tune or a test names, ascending.
  std::vector<std::string> Environments() const;
  bool HasTunesFor(std::string_view environment) const { return tuned_.contains(environment); }

 private:
  void Add(const syntax::Module& module, std::shared_ptr<const Mentions> mentions, bool embedded);
  std::map<std::string, Package, std::less<>> user_, embedded_;
  std::map<std::string, Tested, std::less<>> tested_;
  std::vector<std::shared_ptr<const Mentions>> mentions_;
  std::unordered_set<std::string_view> used_;       // "package.name", within mentions_
  std::set<std::string, std::less<>> imported_;     // the same, of imports
  std::map<const syntax::Module*, const Mentions*> named_in_;  // of the user's modules
  std::map<std::string, std::vector<TuneAt>, std::less<>> tunes_;  // by the rule's id
  std::set<std::string, std::less<>> tuned_, environments_;        // those of tunes; and those of tests, too
};

std::string PackageOf(const syntax::Module& module);  // "" if it has none
std::string IdOf(std::string_view package, std::string_view name);
// What `test r`, `tune r` and `from r` name: a rule of the own package, or of the one in front.
std::string RuleIdOf(const syntax::Path& path, std::string_view package);

struct Options {
  int64_t now_ns = 0;       // since 1970 in UTC: which exceptions have expired
  std::string environment;  // whose `tune` blocks and tests hold; "": none
  // Which fields have a successor; what the table says.
  std::optional<schema::Deprecation> (*deprecation)(FieldId) = &schema::DeprecationOf;
};

// ---- Output
// ----------------------------------------------------------------------------------------------------------

// The row of operators.def that a comparison uses, chosen by spelling and type of the left operand.
enum class OperatorId : uint8_t {
#define KS_OPERATOR(id, spelling, right, test, types, about) id,
#include "compiler/sema/operators.def"
};

struct Type {
  enum class Shape : uint8_t { Error, Condition, One, Many, Record };
  Shape shape = Shape::Error;
  TypeId scalar{};               // One, Many
  std::string_view enumeration;  // if scalar is Enum or Flags
  ObjectId object{};             // Record
  bool operator==(const Type&) const = default;
};
std::string ToString(const Type& type);  // "list<path>", "result", "process"

enum class Part : uint8_t { Whole, Ip, Port };  // of an endpoint

struct FieldRef {
  FieldId field{};
  Part part = Part::Whole;
  int16_t element = -1;  // process.args[0]
  bool lower = false;    // lower(x)
  uint8_t step = 0;      // as of ir::Operand: 0 this event, n the n-th matching step of the sequence
  Span record;           // the record's part of the name, as in `container` of `container.id`
  bool SameAs(const FieldRef& other) const {
    return field == other.field && part == other.part && element == other.element && lower == other.lower &&
           step == other.step;
  }
};

struct Values {
  std::vector<Value> values;  // distinct, in the order of the source
  std::string label;          // name of the let they come from, or ""
};

// A condition with every let and def replaced by what it stands for.
struct Condition {
  enum class Op : uint8_t { True, False, And, Or, Not, Exists, Compare };
  Op op = Op::True;
  std::vector<Condition> operands;  // And, Or: two or more · Not: one
  ObjectId object{};                // Exists
  uint8_t step = 0;                 // Exists: of which event
  OperatorId compare{};             // Compare: left, and one of
  FieldRef left;
  std::variant<Values, FieldRef> right;
  Span span;  // where the user wrote it: of what a def holds, the call
  // What it was made of, in a def's body, too. Null below a comparison, which may come to several conditions.
  const syntax::Expr* syntax = nullptr;
};

struct Exception {
  const syntax::Exception* syntax = nullptr;
  Condition condition;
  std::optional<int64_t> expires_ns;
};

// Of an alert: text, a field's value, or what the aggregate came to.
struct TemplatePart {
  std::string text;
  std::optional<FieldRef> field;
  bool measure = false;
  std::optional<std::string> fallback;  // {container.id ?? "the host"}
};

enum class RuleSeverity : uint8_t { info, low, medium, high, critical };

struct Disclosure {
  FieldId field{};
  std::string reason;
};

using Key = std::vector<FieldRef>;  // of this event

struct Step {
  const syntax::Step* syntax = nullptr;
  std::vector<EventKind> kinds;
  Condition where;      // over the event and steps before it
  uint32_t repeat = 1;
};

struct Sequence {
  const syntax::Sequence* syntax = nullptr;
  Key by;
  int64_t within_ns = 0;
  std::vector<Step> steps;  // `until exit` of a key that holds the process is among them, with no syntax
};

struct Aggregate {
  const syntax::When* syntax = nullptr;
  enum class Function : uint8_t { Count, Distinct, Sum, First };
  Function function = Function::Count;
  std::vector<FieldRef> of;
  uint64_t at_least = 1;
  Key by;
  int64_t within_ns = 0;
};

struct Limit {
  uint64_t count = 1;
  int64_t per_ns = 0;
  Key by;
};

struct Rule {
  const syntax::Rule* syntax = nullptr;
  const syntax::Tune* tune = nullptr;  // of the environment that was asked for
  bool disabled = false;               // by it
  std::string id;  // package and name
  RuleSeverity severity = RuleSeverity::medium;
  std::vector<EventKind> kinds;
  Condition where;
  std::vector<Exception> exceptions;
  std::vector<TemplatePart> alert;
  std::vector<Disclosure> disclosures;
  std::optional<Sequence> sequence;  // then `kinds` is empty, `where` true, and exceptions are over its steps
  std::optional<Aggregate> aggregate;
  std::optional<Limit> limit;
  std::optional<uint64_t> max_keys;
};

// A field that a test gives a value, and the records it says are there.
struct Given {
  FieldId field{};
  Value value;
};
struct Feed {
  const syntax::Feed* syntax = nullptr;
  EventKind kind{};
  int64_t offset_ns = 0;  // since the start of the case
  std::vector<Given> fields;
  std::vector<ObjectId> present;
};
struct Expect {
  const syntax::Expect* syntax = nullptr;
  std::string rule;       // id of the rule whose alerts count
  int64_t offset_ns = 0;  // the clock has reached this
};
struct ReplayTrace {
  const syntax::ReplayTrace* syntax = nullptr;
  std::string path;       // beside the source
  int64_t offset_ns = 0;  // of its first event; the clock goes on to its last
};
struct TestCase {
  const syntax::TestCase* syntax = nullptr;
  std::string rule;         // its id
  std::string environment;  // whose tune it is about, or ""
  std::vector<std::variant<Feed, Expect, ReplayTrace>> steps;  // `repeat` written out
};

struct Let {
  const syntax::Let* syntax = nullptr;
  Type type;
  Values values;
};

struct Def {
  const syntax::Def* syntax = nullptr;
  std::vector<Type> parameters;
};

struct CheckedModule {
  const syntax::Module* module = nullptr;
  std::string package;
  std::vector<Let> lets;
  std::vector<Def> defs;
  std::vector<Rule> rules;
  std::vector<TestCase> tests;
};

// Checks one module against the others. Mistakes go to `diagnostics`; the result holds what was understood, and is only
// fit for Lower if no module had an error. Bounded: see the limits below.
CheckedModule Check(const syntax::Module& module, const Library& library, const Options& options,
                    Diagnostics& diagnostics);

// --dump=types: lets, defs and rules with their types, one condition a line.
std::string Dump(const CheckedModule& module);

inline constexpr size_t kMaxNodesPerRule = 20'000;  // conditions after defs are expanded
inline constexpr size_t kMaxNodesPerModule = 500'000;
inline constexpr size_t kMaxValues = 100'000;             // of one list or set
inline constexpr size_t kMaxValuesPerModule = 1'000'000;  // in all conditions, after lets are expanded
inline constexpr size_t kMaxCallDepth = 16;               // defs that call defs, lets that name lets
inline constexpr size_t kMaxConditionDepth = 128;         // and, or, not in each other, after defs are expanded
inline constexpr size_t kMaxParameters = 32;              // of one def
inline constexpr size_t kMaxTestEvents = 20'000;          // of one file
inline constexpr size_t kMaxMatchingSteps = 16;           // of one sequence
inline constexpr size_t kMaxSteps = 32;                   // of one sequence, with `without` and `until`
inline constexpr int64_t kMaxWindowNs = int64_t{366} * 86'400 * 1'000'000'000;
inline constexpr uint64_t kMaxRepeat = 1'000;
inline constexpr uint64_t kMaxKeys = 4'000'000;
inline constexpr uint64_t kMaxCount = 1'000'000;  // of `count`, `distinct` and `limit`
inline constexpr size_t kMaxDataBytes = 16 * 1024 * 1024;

}  // namespace ks::sema

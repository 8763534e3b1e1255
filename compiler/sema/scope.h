// What the parts of sema share: types, lists of values, and where an expression stands.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/sema/sema.h"

namespace ks::sema {

// The values of a list, a let, a literal or a file.
struct ValueList {
  Type type;  // One or Many; Error if it was reported already
  bool guessed =
      false;  // the type is that of the literals as written: nobody declared it, so it may bend (string → path)
  std::vector<Value> values;
  std::vector<Span> spans;  // by value; of a file's values: the file's name in the let
  std::string label;
  bool ok() const { return type.shape != Type::Shape::Error; }
};
using ValuesPtr = std::shared_ptr<const ValueList>;

struct Operand {
  enum class What : uint8_t { Error, Field, Record, Values, Parameter };
  What what = What::Error;
  Type type;
  FieldRef field;                  // Field; of a Record: only its step
  std::optional<std::string> key;  // Field: pod.labels["app"]
  ValuesPtr values;                // Values
  Span span;
  static Operand Failed() { return {}; }
};

// The steps of a sequence, as one of its expressions sees them.
struct Steps {
  struct Step {
    std::string_view name;  // "" if it has none
    std::vector<EventKind> kinds;
    Span span;
  };
  std::vector<Step> matching;   // by number, from 1: all steps that match
  size_t known = 0;             // so many may be named: those before the step at hand
  size_t current = 0;           // the step at hand, if it is one that matches
  bool own = true;              // there is an event at hand; not in what is said of a sequence as a whole
  const Key* shared = nullptr;  // fields that are the same in all events, and so need no step to be named
  bool absence = false;         // it ends in `without`
  bool unordered = false;

  // The number of a step by its name; 0 if there is none.
  size_t Find(std::string_view name) const;
  // "drop.": what to write in front of a field of the step.
  std::string Prefix(size_t number) const;
};

struct Binding {
  std::string_view name;
  Operand operand;  // What::Parameter while the def is checked by itself
};

// Where an expression stands: whose names it sees, for which events it must make sense, and how to report.
struct Scope {
  const syntax::Module* module = nullptr;
  Diagnostics* diagnostics = nullptr;
  const std::vector<EventKind>* kinds = nullptr;  // null: a def by itself, which may be used for any
  const std::vector<Binding>* parameters = nullptr;
  const Steps* steps = nullptr;  // in a sequence
  // In the body of a def that a rule calls: the call in the rule, to which mistakes belong that the body alone does not
  // have.
  Span call;
  std::string_view def;
  size_t depth = 0;  // of calls
  size_t level = 0;  // of and, or, not

  bool InCall() const { return call.file != nullptr; }
  // The steps whose names can be used here: not in the body of a def, which sees what it is given.
  const Steps* NamedSteps() const { return InCall() ? nullptr : steps; }
  Span Place(Span span) const { return InCall() ? call : span; }

  template <Diag id, typename... Args>
  Diagnostic& Report(Span span, const Args&... args) const {
    Diagnostic& diagnostic = diagnostics->Report<id>(Place(span), args...);
    if (InCall()) diagnostic.related.push_back({span, fmt::format("in `{}`", def)});
    return diagnostic;
  }
  // Only where the user stands: not in the body of a def that is fine elsewhere.
  void Fix(Diagnostic& diagnostic, Span span, std::string text) const {
    if (!InCall()) diagnostic.fixes.push_back({span, std::move(text)});
  }
  // What `--fix` may take out: `gone`, unless a comment would go with it; or `gone` and the comma between it and `before`.
  void FixByRemoving(Diagnostic& diagnostic, Span gone) const;
  void FixByRemovingBehind(Diagnostic& diagnostic, Span before, Span gone) const;
};

inline Span Join(Span a, Span b) { return {a.file, a.begin, b.end}; }
Span SpanOf(const syntax::Path& path, size_t first = 0, size_t count = SIZE_MAX);

// Whether there is an event that something of this step can be read from: `drop.process.name`, and of step 0 the event
// at hand. Reports if there is none: an exception of a sequence must say of which step.
bool CheckEvent(uint8_t step, std::string_view name, const Scope& scope, Span span);

Type One(TypeId scalar, std::string_view enumeration = {});
Type Many(TypeId scalar, std::string_view enumeration = {});
inline bool SameElement(const Type& a, const Type& b) { return a.scalar == b.scalar && a.enumeration == b.enumeration; }
inline bool IsText(TypeId type) { return type == TypeId::String || type == TypeId::Path || type == TypeId::StringList; }
Type TypeOf(const FieldRef& field);
std::string NameOf(const FieldRef& field);  // "dst.ip"
// The enumeration or type a user can write: "path", "errno", "flags" for what is none. Nothing if there is none such.
std::optional<Type> FindType(std::string_view name);
std::vector<std::string_view> TypeNames();
std::string ElementName(const Type& type);  // "path", "errno"
// "a path", "a name of `result`", "a list<path>": in a sentence.
std::string Phrase(const Type& type);

}  // namespace ks::sema

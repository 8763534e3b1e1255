// Where in the language a place is, found out from the tokens before it alone: in an editor the rest seldom parses.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/schema/schema.h"
#include "compiler/support/source.h"

namespace ks::ide {

struct Context {
  enum class At : uint8_t {
    Nothing,      // inside of a comment or a string, or where only the user knows what comes
    Declaration,  // let, rule, …
    Clause,       // of a rule
    Change,       // of a tune
    Step,         // of a sequence
    TestItem,     // of a test
    TestStep,     // of a case
    Expect,       // behind `expect`
    Severity,
    Attack,
    Status,
    AllowCode,
    Kind,       // an event
    AfterKind,  // `|`, `where`
    Operand,    // the start of a condition
    Value,      // right of an operator, `left` is on its left
    Operator,   // behind an operand, which is `left`
    Field,      // of by, disclose, when
    Function,   // of when
    RuleName,
    Package,
    Imported,  // a name out of `package`
    Type,
    ParameterType,
    RecordKey,    // `record` is what the keys are below of
    RecordValue,  // `record` is the field
    Words,        // one of `words`
  };
  At at = At::Nothing;
  Span word;                      // what was typed of it
  std::vector<std::string> path;  // what stands before the dot
  std::string record, package, left, op;
  std::vector<std::string_view> words;
  bool clauses = false;                  // a new clause, change or step may start here, too
  std::vector<schema::EventKind> kinds;  // of the event that names speak of; empty: any
  std::map<std::string, std::vector<schema::EventKind>, std::less<>> steps;  // that may be named here
  std::map<std::string, std::string, std::less<>> names;  // parameters of the def, lets of the test: with their types
  std::vector<std::string_view> has;                      // clauses that the rule has
};

Context ContextAt(const SourceFile& file, uint32_t offset);

}  // namespace ks::ide

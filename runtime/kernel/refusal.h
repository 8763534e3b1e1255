// A verifier's refusal in the user's terms: rule, condition, caret, what it said, what that means and what to change.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "runtime/kernel/line_table.h"

namespace ks::kernel {

// What verifiers refuse for. The names are stable, for machines.
enum class Why : uint8_t { Other, EndlessLoop, TooComplex, OutOfBounds, NullPointer, Uninitialised, Helper, Stack };
std::string_view Name(Why why);

struct Refusal {
  std::string program, function;        // "ks_sys_exit", "ks_kind_open"
  std::optional<uint32_t> instruction;  // of the program
  std::string said;                     // the verifier's own last words
  Why why = Why::Other;
  std::string rule;               // "acme.shell", or several; "" if the code is no rule's own
  std::string file;               // of the policy
  uint32_t line = 0, column = 0;  // 0: not known
  std::string text;               // of the line
  std::string condition;          // what of it begins at the column
  std::string doing;              // of code that is no rule's own: "event open: table of 300 rules: …"
  uint32_t share = 0;             // per cent of the program's instructions that are the condition's, if that names it
  std::string inside;             // of code of ours that is called there: "bpf/fields/path.bpf.c:88: …"
};

// What the verifier said of a program: each step, up to what it refused, and its words without them. Both may be the
// same.
struct VerifierLog {
  std::string program, trace, words;
};
Refusal ReadRefusal(const VerifierLog& log, int error, const ProgramLines* lines);

std::string Meaning(const Refusal& refusal);
std::string Advice(const Refusal& refusal);
// Lines for people: where, with the line and a caret, what the verifier said and what it means.
std::string Render(const Refusal& refusal);

}  // namespace ks::kernel

// The text form of programs: what --dump=ir and --dump=split show, and the residual program in a bundle.
//
//   program  = (program 2 rule…)
//   rule     = (rule "id" (package "…") (name "…") (title "…")? (severity critical) (attack "…"…)?
//               ((on exec open…) (when pred) state? | state (when pred))
//               (except "why" "owner" "expires" "ticket")… (alert part…)? (disclose process.exe "reason")…
//               (source "file:line")? (halves | (probe halves)…))            a probe per step of a sequence
//   halves   = (kernel pred) (residual pred) (reason "…")…
//   state    = (sequence ordered|unordered by (within NS) step…)? (aggregate count|distinct|sum|first (of operand…)
//              (at-least N) by (within NS))? (limit N (per NS) by)? (max-keys N)
//   by       = (by operand…)
//   step     = (step match|without|until "name" (on open…) (when pred) (join operand operand)… (cross pred)? (repeat
//   N)?) pred     = true | false | (not pred) | (and pred pred…) | (or pred pred…) | atom atom     = (present operand)
//   | (range operand literal literal) | (equal operand operand) | (less operand operand)
//            | (has-other operand operand) | (test (label "…")? operand literal…)
//              test: in under like contains has-element has-bits matches
//   operand  = process.name | dst.ip | dst.port | process.args[0] | lower:file.path | step:2:lower:file.path
//   part     = "text" | operand | (or operand "text") | measure
//   literal  = "text" | -12 | 0o4755 | openat | 10.0.0.1 | 10.0.0.0/8 | [fd00::1]:443
// Text is in double quotes with \" \\ \n \t \r and \xNN; bytes that are no UTF-8 are written as \xNN. An address whose
// usual spelling does not tell its bytes is written as ip:HEX, cidr:HEX/BITS, endpoint:HEX:PORT.
#pragma once

#include <string>
#include <string_view>

#include "compiler/ir/ir.h"
#include "compiler/support/result.h"

namespace ks::ir {

std::string Print(const Pred& pred);        // on one line
std::string Print(const Rule& rule);        // --dump=ir
std::string Print(const SplitRule& rule);   // --dump=split
std::string Print(const Program& program);  // the residual member of a bundle; ends in a newline

inline constexpr size_t kMaxProgramBytes = 16 * 1024 * 1024;
inline constexpr size_t kMaxProgramNesting = 256;        // parentheses: kMaxPredDepth, and what is around
inline constexpr size_t kMaxProgramNodes = 1024 * 1024;  // predicates of all rules together
inline constexpr size_t kMaxProgramLiterals = 4 * 1024 * 1024;
inline constexpr size_t kMaxProgramPatterns = 4096;
inline constexpr size_t kMaxSteps = 64;
inline constexpr size_t kMaxKeyFields = 16;            // of a key, of values counted, joins of a step
inline constexpr uint64_t kMaxStateCount = 1'000'000;  // repetitions, counts, alerts of a limit
inline constexpr uint64_t kMaxMaxKeys = 16 * 1024 * 1024;
inline constexpr uint64_t kMaxWindowNs = 366ull * 86'400 * 1'000'000'000;

// Gives back what Print was given, label for label, if every atom is well formed. What it accepts is fit for MakePlan
// and Eval: atoms are checked by WhyIllFormed, fields by the rule's kinds, kernel halves for their form. Errors
// ("program-text") name line and column.
Result<Program> ParseProgram(std::string_view text);

}  // namespace ks::ir

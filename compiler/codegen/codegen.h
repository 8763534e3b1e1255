// The kernel half: plan to BPF object. The only folder that includes LLVM.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/ir.h"
#include "compiler/ir/limits.h"
#include "compiler/support/result.h"

namespace ks::codegen {

enum class Target : uint8_t {
  Hooks,     // one program per hook, for the agent's dispatchers
  Evaluate,  // one SEC("syscall") program per kind, "ks_eval_<kind>": fields are given in scratch, nothing is read. For
             // tests
};
inline constexpr uint32_t kEvaluateBatch = 64;  // events that one run of such a program takes at most

// Miscompilations on purpose, for the test that proves that the agreement test can fail.
enum class Break : uint8_t {
  None,
  Under,     // `under` without its component boundary
  Length,    // a text equals a literal that it begins with
  Negation,  // `not` is lost
  Unknown,   // what could not be read is false
  Prefix,    // blocks of addresses are one bit too large
};
inline constexpr Break kBreaks[] = {Break::Under, Break::Length, Break::Negation, Break::Unknown, Break::Prefix};
std::string_view Name(Break broken);

// What a verifier must refuse, on purpose: for the test of how a refusal is told. It stands where the first condition
// of each event kind is decided.
enum class Refused : uint8_t {
  None,
  EndlessLoop,
  OutOfBounds,      // an index that nothing bounds
  MissingNullTest,  // of a map lookup
  TooManySteps,     // more than a million instructions on the way
  WrongHelper,      // one that no tracepoint may call
  NewHelper,        // one that 5.10 does not have
  TooMuchStack,     // with its callers
};
inline constexpr Refused kRefusals[] = {Refused::EndlessLoop,  Refused::OutOfBounds, Refused::MissingNullTest,
                                        Refused::TooManySteps, Refused::WrongHelper, Refused::NewHelper,
                                        Refused::TooMuchStack};
std::string_view Name(Refused refused);

struct EmitOptions {
  Target target = Target::Hooks;
  bool dump_llvm = false;  // fill BpfObject::llvm (after optimisation)
  bool dump_asm = false;
  Break broken = Break::None;
  Refused refused = Refused::None;
  std::vector<ir::KernelLimit> limits;  // that the programs apply (ir::LimitsInKernel); of Target::Hooks only
};

// What of a program is for one condition: the one that its line information names. Of code for several rules (a shared
// condition) the first.
struct ConditionCost {
  std::string rule;   // "acme.shell"
  std::string file;   // "rules/shell.ksp"
  uint32_t line = 0;  // of the condition
  std::string text;   // of the line
  uint32_t instructions = 0;
};

struct ProgramStats {
  std::string section;                                    // "raw_tp/sys_exit"
  uint32_t instructions = 0;                              // with all that it calls
  uint32_t stack_bytes = 0;                               // the same
  uint64_t map_bytes = 0;                                 // of the object's own maps that it reads
  std::vector<std::pair<std::string, uint32_t>> deepest;  // the functions that need this stack, and what each takes
  std::vector<ConditionCost> deepest_conditions;          // in these functions
  std::vector<ConditionCost> conditions;                  // the dearest first; code of tables is nobody's
};

// How a test was emitted.
struct Emitted {
  std::string how;   // inline, trie, automaton, hash, hash by prefix, ranges
  std::string with;  // "a switch over 12 values", "a table of 2304 bytes, 9 states"
};
// For each atom that a rule reads, or each dimension of a kind's index, in the order in which they are evaluated.
struct Decision {
  ir::EventKind kind{};
  uint32_t number = 0;  // of the atom or dimension
  Emitted emitted;
};

struct BpfObject {
  std::string elf;
  std::vector<Decision> decisions;
  std::string llvm, assembly;
  std::vector<ProgramStats> programs;
  uint64_t map_bytes = 0;  // what the object's own maps (.rodata) hold
};

// Deterministic: same plan, same bytes. LLVM's fatal errors come back as an Error, not as an abort.
Result<BpfObject> Emit(const ir::Plan& plan, const EmitOptions& options = {});

// What a program for Target::Evaluate left: positions in kind.rules, ascending.
std::vector<uint32_t> PassedRules(const ir::KindPlan& kind, const ks_scratch& scratch);

// A plan that passes every event of the given kinds with all its fields: what `kubesentryd record` runs.
ir::Plan RecordingPlan(const std::vector<ir::EventKind>& kinds);

}  // namespace ks::codegen

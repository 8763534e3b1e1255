// What is legal and yet hardly meant: conditions that cannot hold or change nothing, rules that others cover,
// exceptions without effect. Decided by proof (solver.h), so that a finding is never a guess.
#pragma once

#include <span>

#include "compiler/ir/ir.h"
#include "compiler/lower/lower.h"
#include "compiler/sema/sema.h"

namespace ks::lint {

// Each rule by itself; the modules were checked without an error.
void LintModules(std::span<const sema::CheckedModule> modules, Diagnostics& diagnostics);

// The rules of all modules against each other. `rules`: what they were lowered to.
void LintRules(std::span<const sema::CheckedModule> modules, std::span<const ir::Rule> rules, Diagnostics& diagnostics);

// Ways around a rule that its hooks do not see. A policy with a rule that tells of every io_uring is told of none.
void LintBypass(std::span<const sema::CheckedModule> modules, std::span<const ir::Rule> rules, Diagnostics& diagnostics);

// What of each rule userspace decides, and why: notes.
void LintCost(std::span<const sema::CheckedModule> modules, const ir::Program& program, Diagnostics& diagnostics);

// `allow` of rules and files: before anything is reported that they may suppress. Then, when all was: those that
// suppressed nothing.
void ReadAllows(const syntax::Module& module, Diagnostics& diagnostics);
void ReportUnusedAllows(Diagnostics& diagnostics);

}  // namespace ks::lint

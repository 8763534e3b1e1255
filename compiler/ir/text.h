// The text form of programs: what --dump=ir and --dump=split show, and the residual program in a bundle.
#pragma once

#include <string>
#include <string_view>

#include "compiler/ir/ir.h"
#include "compiler/support/result.h"

namespace ks::ir {

std::string Print(const Pred& pred);
std::string Print(const Rule& rule);        // --dump=ir
std::string Print(const SplitRule& rule);   // --dump=split
std::string Print(const Program& program);  // the residual member of a bundle; ends in a newline
// Parse(Print(p)) == p. Bounded: text up to 16 MiB, nesting up to 256. Errors name line and column.
Result<Program> ParseProgram(std::string_view text);

}  // namespace ks::ir

// Text to tree. ANTLR stays behind this header: only this folder knows it.
#pragma once

#include <string>

#include "compiler/support/diagnostics.h"
#include "compiler/syntax/ast.h"

namespace ks::syntax {

// Parses one file. Mistakes go to `diagnostics`; parsing goes on after them, so the module holds what could be
// understood. Bounded in time and memory whatever the text: size, nesting (kMaxNesting) and tokens are checked first.
Module Parse(const SourceFile& file, Diagnostics& diagnostics);

inline constexpr int kMaxNesting = 64;

// --dump=ast: one node a line, indented.
std::string Dump(const Module& module);

}  // namespace ks::syntax

// The one style of .ksp text.
#pragma once

#include <string>

#include "compiler/syntax/ast.h"

namespace ks::format {

inline constexpr size_t kColumns = 120;

// The text of a module that was parsed without a mistake, in the one style: the same words in the same order, the same
// comments; only blanks, line breaks and the comma behind the last item of a list change. Of two texts that differ in
// nothing else (blank lines between items apart) it makes the same; of its own result, the same again.
std::string Format(const syntax::Module& module);

}  // namespace ks::format

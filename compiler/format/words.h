// The words and signs of a file, with the comments that stand before each.
#pragma once

#include <string_view>
#include <vector>

#include "compiler/syntax/ast.h"
#include "compiler/syntax/tokens.h"

namespace ks::format {

struct Remark {
  std::string_view text;  // without blanks at its end
  bool alone = false;     // on a line of its own
  bool blank = false;     // below an empty line
};

struct Word {
  syntax::TokenKind kind{};
  std::string_view text;  // empty at the end of the file
  bool blank = false;     // below an empty line, or below a comment that is
  std::vector<Remark> remarks;
};

// The last stands for the end of the file. Commas behind the last item of a list are left out. What is remarked before
// a comma or an opening brace is remarked behind it.
std::vector<Word> WordsOf(const syntax::Module& module);

}  // namespace ks::format

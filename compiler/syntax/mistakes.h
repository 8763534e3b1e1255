// Where parsing fails: what is said about it, and where to go on.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "compiler/support/diagnostics.h"
#include "compiler/syntax/tokens.h"
#include "compiler/syntax/wording.h"

namespace ks::syntax {

// What parsing resumes with.
enum class Item : uint8_t { Declaration, Clause, Change, Step, TestItem, TestStep };

// A token that does not fit, and what the parser knew there.
struct Misfit {
  size_t index = 0;
  Place place{};
  bool between_declarations = false;
  bool in_expression = false;
  std::vector<std::string_view> expected;  // spellings of words and signs, names of the grammar's tokens
};

class Mistakes {
 public:
  Mistakes(const SourceFile& file, const std::vector<Token>& tokens, Diagnostics& diagnostics)
      : file_(file), tokens_(tokens), diagnostics_(diagnostics), limit_(diagnostics.errors() + kMaxSyntaxErrors) {}

  // Nothing is to be said: it was repaired and reported, or follows from what was.
  bool IsReported(size_t index) const;
  // At the margin: it does not go on with the declaration before.
  bool AtMargin(size_t index) const { return StartsLine(index) && Indentation(index) == 0; }
  // False: there have been too many; the rest is not to be read.
  bool Report(Misfit misfit);

  // The first token from `from` on that starts such an item at this depth, or closes the body. `start`: of what failed.
  size_t NextItem(Item item, size_t from, size_t start, uint16_t depth) const;

 private:
  bool Starts(Item item, size_t index, bool below) const;
  bool InUnclosed(size_t index) const;
  bool StartsLine(size_t index) const;
  size_t Indentation(size_t index) const;
  bool MissingAtEndOfLine(const Misfit& misfit) const;
  std::string_view Later(const Misfit& misfit, size_t* at) const;
  bool Quotes(const Misfit& misfit, Diagnostic& d) const;
  void Advise(const Misfit& misfit, Diagnostic& d) const;

  std::string_view Text(size_t index) const {
    return index < tokens_.size() ? tokens_[index].Text(file_.text()) : std::string_view();
  }
  Span At(size_t index) const { return {&file_, tokens_[index].begin, tokens_[index].end}; }

  const SourceFile& file_;
  const std::vector<Token>& tokens_;
  Diagnostics& diagnostics_;
  size_t limit_;
};

}  // namespace ks::syntax

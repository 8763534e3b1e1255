// The tokens of a file between lexer and parser: checked for what a grammar cannot say, and brackets made to balance,
// so that the parser meets a well-formed stream whatever the text, and one mistake is reported once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/support/diagnostics.h"
#include "compiler/support/source.h"

namespace ks::syntax {

enum class TokenKind : uint8_t {
  Word,  // a name or a word of the language
  Punctuation,
  String,
  RawString,
  Int,
  Hex,
  Octal,
  Literal,  // any other: an address, a duration, …
  Doc,      // ## …
  OpenString,
  OpenRawString,
  BadNumber,
  Foreign,  // signs of other languages: && || // 'text'
  Bad,      // a character without meaning
  End,
};

struct Token {
  TokenKind kind{};
  bool name = false;  // a word that is no word of the language
  uint16_t type = 0;  // as the grammar numbers it
  // Brackets that are open before this token; of a closing bracket: after it.
  uint16_t depth = 0;
  uint32_t begin = 0;
  uint32_t end = 0;
  // What to read instead of the text: the closing bracket that is missing here, `and` for &&. Already reported.
  std::string_view instead;

  std::string_view Text(std::string_view source) const {
    return instead.empty() ? source.substr(begin, end - begin) : instead;
  }
};

inline constexpr size_t kMaxTokens = 500'000;
inline constexpr size_t kMaxLiteralBytes = 4096;
inline constexpr size_t kMaxSyntaxErrors = 100;  // per file; then the rest is not read

// What the lexer finds, before anything is checked: for editors, whose text is seldom whole. Comments are left out, `##`
// lines are not; the last is of kind End unless there are too many.
std::vector<Token> Tokenize(const SourceFile& file);

// Tokens of one file, the last of kind End, comments left out. Afterwards: no bad kinds, no Doc, brackets balanced.
// False: nested too deep or too many mistakes; reported, not to be parsed.
bool CheckTokens(const SourceFile& file, std::vector<Token>& tokens, Diagnostics& diagnostics);

// Of these: brackets balanced. `limit`: of diagnostics.errors().
bool BalanceBrackets(const SourceFile& file, const std::vector<Token>& in, size_t limit, std::vector<Token>* out,
                     Diagnostics& diagnostics);

// `## lines` that stand directly above tokens[at], joined, without the marks. Of the tokens before CheckTokens: `docs`.
struct DocLine {
  uint32_t begin, end;
};
std::vector<DocLine> TakeDocs(std::vector<Token>& tokens);
std::string DocAbove(const SourceFile& file, const std::vector<DocLine>& docs, uint32_t begin);

// The text between the quotes, escapes resolved. `token` is of kind String or RawString. With `diagnostics`, bad
// escapes are reported; they stand for themselves.
std::string StringValue(const SourceFile& file, const Token& token, Diagnostics* diagnostics);

bool IsDeclarationWord(std::string_view word);  // package import let def rule tune test
// What may start an item of a file: these, and `allow`, which may start a clause, too.
inline bool IsItemWord(std::string_view word) { return word == "allow" || IsDeclarationWord(word); }
bool IsClauseWord(std::string_view word);  // severity attack on when sequence …

}  // namespace ks::syntax

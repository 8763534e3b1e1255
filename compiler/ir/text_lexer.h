// Tokens of the text form.
#pragma once

#include <string>
#include <string_view>

#include "compiler/support/result.h"

namespace ks::ir {

enum class TokenKind : uint8_t { Open, Close, Text, Word, End };

struct Token {
  TokenKind kind = TokenKind::End;
  size_t begin = 0;
  std::string_view word;  // of a Word
  std::string text;       // of a Text, escapes resolved
};

// Of a lower-case hexadecimal digit, or -1.
int HexDigit(char c);

// Reads tokens; keeps the first thing that is wrong and gives End from then on.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) { Advance(); }

  const Token& peek() const { return token_; }
  Token Take() {
    Token token = std::move(token_);
    Advance();
    return token;
  }

  void Fail(size_t at, std::string cause);
  bool failed() const { return !cause_.empty(); }
  Error MakeError() const;

 private:
  void Advance();
  void ReadWord();
  void ReadText();
  bool ReadEscape();

  std::string_view text_;
  size_t pos_ = 0;
  Token token_;
  std::string cause_;
  size_t failed_at_ = 0;
};

}  // namespace ks::ir

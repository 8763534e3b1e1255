#include "compiler/ir/text_lexer.h"

#include <fmt/format.h>

#include <algorithm>

namespace ks::ir {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

void Lexer::Fail(size_t at, std::string cause) {
  if (!cause_.empty()) return;
  cause_ = std::move(cause);
  failed_at_ = at;
  pos_ = text_.size();
  token_ = Token{};
  token_.begin = at;
}

Error Lexer::MakeError() const {
  std::string_view before = text_.substr(0, failed_at_);
  size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  return Error{"read a program",
               fmt::format("line {}, column {}", std::count(before.begin(), before.end(), '\n') + 1,
                           failed_at_ - line_start + 1),
               cause_, "", "program-text"};
}

void Lexer::Advance() {
  if (failed()) return;
  while (pos_ < text_.size() && (text_[pos_] == ' ' || text_[pos_] == '\n')) ++pos_;
  token_ = Token{};
  token_.begin = pos_;
  if (pos_ == text_.size()) return;
  char c = text_[pos_];
  if (c == '(' || c == ')') {
    token_.kind = c == '(' ? TokenKind::Open : TokenKind::Close;
    ++pos_;
  } else if (c == '"') {
    ReadText();
  } else {
    ReadWord();
  }
}

void Lexer::ReadWord() {
  size_t end = pos_;
  while (end < text_.size() && text_[end] > ' ' && text_[end] < 0x7f && text_[end] != '(' && text_[end] != ')' &&
         text_[end] != '"') {
    ++end;
  }
  if (end == pos_) return Fail(pos_, "unexpected character");
  token_.kind = TokenKind::Word;
  token_.word = text_.substr(pos_, end - pos_);
  pos_ = end;
}

void Lexer::ReadText() {
  token_.kind = TokenKind::Text;
  for (++pos_; pos_ < text_.size(); ++pos_) {
    char c = text_[pos_];
    if (c == '"') {
      ++pos_;
      return;
    }
    if (static_cast<uint8_t>(c) < 0x20 || c == 0x7f) return Fail(pos_, "control character in a text");
    if (c != '\\') {
      token_.text += c;
    } else if (!ReadEscape()) {
      return Fail(pos_, "bad escape in a text");
    }
  }
  Fail(token_.begin, "this text has no end");
}

// At the backslash; leaves pos_ on the last character of the escape.
bool Lexer::ReadEscape() {
  char c = pos_ + 1 < text_.size() ? text_[pos_ + 1] : '\0';
  switch (c) {
    case '"':
    case '\\':
      token_.text += c;
      break;
    case 'n':
      token_.text += '\n';
      break;
    case 't':
      token_.text += '\t';
      break;
    case 'r':
      token_.text += '\r';
      break;
    case 'x': {
      if (pos_ + 3 >= text_.size()) return false;
      int high = HexDigit(text_[pos_ + 2]), low = HexDigit(text_[pos_ + 3]);
      if (high < 0 || low < 0) return false;
      token_.text += static_cast<char>(high * 16 + low);
      pos_ += 2;
      break;
    }
    default:
      return false;
  }
  ++pos_;
  return true;
}

}  // namespace ks::ir

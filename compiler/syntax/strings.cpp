// Strings: what stands between the quotes.
#include <charconv>

#include "compiler/syntax/text.h"
#include "compiler/syntax/tokens.h"

namespace ks::syntax {
namespace {

struct Escape {
  size_t length = 0;  // of the text, with the backslash
  std::string bytes;
  const char* wrong = nullptr;  // why it is none
};

bool Hex(std::string_view digits, uint32_t* value) {
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), *value, 16);
  return !digits.empty() && error == std::errc() && end == digits.data() + digits.size();
}

Escape ReadUnicode(std::string_view text) {
  size_t close = text.substr(0, 12).find('}');
  uint32_t value = 0;
  if (!text.starts_with("\\u{") || close == std::string_view::npos)
    return {2, "", "it is written `\\u{1F600}`, in hexadecimal"};
  if (!Hex(text.substr(3, close - 3), &value)) return {close + 1, "", "it is written `\\u{1F600}`, in hexadecimal"};
  std::string bytes;
  if (value <= 0x10ffff) AppendUtf8(bytes, value);
  if (bytes.empty() || Utf8Length(bytes, 0) == 0) return {close + 1, "", "no character of Unicode has this number"};
  return {close + 1, bytes};
}

// `text` starts with a backslash and one more character.
Escape ReadEscape(std::string_view text) {
  switch (text[1]) {
    case 'n':
      return {2, "\n"};
    case 't':
      return {2, "\t"};
    case '\\':
    case '"':
      return {2, std::string(1, text[1])};
    case 'x': {
      uint32_t value = 0;
      if (text.size() < 4 || !Hex(text.substr(2, 2), &value)) return {2, "", "two hexadecimal digits follow: `\\x1b`"};
      return {4, std::string(1, static_cast<char>(value))};
    }
    case 'u':
      return ReadUnicode(text);
    default: {
      size_t length = Utf8Length(text, 1);
      return {1 + length, "", "a backslash itself is written `\\\\`, or the string `r\"…\"`"};
    }
  }
}

}  // namespace

std::string StringValue(const SourceFile& file, const Token& token, Diagnostics* diagnostics) {
  std::string_view text = token.Text(file.text());
  if (token.kind == TokenKind::RawString) {
    size_t marks = text.starts_with("r#") ? 3 : 2;  // r#" or r"
    return std::string(text.substr(marks, text.size() - 2 * marks + 1));
  }
  std::string out;
  std::string_view inner = text.substr(1, text.size() - 2);
  for (size_t at = 0; at < inner.size();) {
    if (inner[at] != '\\') {
      out += inner[at++];
      continue;
    }
    Escape escape = ReadEscape(inner.substr(at));
    if (!escape.wrong && escape.bytes[0] == '\0') escape.wrong = "no value can hold a NUL byte";
    if (escape.wrong) {
      uint32_t begin = token.begin + 1 + static_cast<uint32_t>(at);
      Span span{&file, begin, begin + static_cast<uint32_t>(escape.length)};
      if (diagnostics) diagnostics->Report<Diag::BadEscape>(span, inner.substr(at, escape.length)).help = escape.wrong;
      escape.bytes = inner.substr(at, escape.length);
    }
    out += escape.bytes;
    at += escape.length;
  }
  return out;
}

}  // namespace ks::syntax

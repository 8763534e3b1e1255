#include "compiler/syntax/text.h"

namespace ks::syntax {
namespace {

uint32_t Byte(std::string_view text, size_t at) { return static_cast<unsigned char>(text[at]); }

uint32_t CodePoint(std::string_view text, size_t at, size_t length) {
  if (length == 1) return Byte(text, at);
  uint32_t value = Byte(text, at) & (0xffu >> (length + 1));
  for (size_t i = 1; i < length; ++i) value = value << 6 | (Byte(text, at + i) & 0x3f);
  return value;
}

// Embeddings, overrides and isolates: with them a line can read otherwise than it is.
bool TurnsDirection(uint32_t code_point) {
  return (code_point >= 0x202a && code_point <= 0x202e) || (code_point >= 0x2066 && code_point <= 0x2069);
}

Span At(const SourceFile& file, size_t begin, size_t length) {
  return {&file, static_cast<uint32_t>(begin), static_cast<uint32_t>(begin + length)};
}

}  // namespace

size_t ByteOrderMark(std::string_view text) { return text.starts_with("\xef\xbb\xbf") ? 3 : 0; }

size_t Utf8Length(std::string_view text, size_t at) {
  uint32_t first = Byte(text, at);
  if (first < 0x80) return 1;
  size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() - at < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((Byte(text, at + i) & 0xc0) != 0x80) return 0;
  }
  uint32_t value = CodePoint(text, at, length);
  constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  bool surrogate = value >= 0xd800 && value <= 0xdfff;
  return value < kSmallest[length] || value > 0x10ffff || surrogate ? 0 : length;
}

void AppendUtf8(std::string& out, uint32_t code_point) {
  auto put = [&out](uint32_t byte) { out += static_cast<char>(byte); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xc0 | code_point >> 6);
    put(0x80 | (code_point & 0x3f));
  } else if (code_point < 0x10000) {
    put(0xe0 | code_point >> 12);
    put(0x80 | (code_point >> 6 & 0x3f));
    put(0x80 | (code_point & 0x3f));
  } else {
    put(0xf0 | code_point >> 18);
    put(0x80 | (code_point >> 12 & 0x3f));
    put(0x80 | (code_point >> 6 & 0x3f));
    put(0x80 | (code_point & 0x3f));
  }
}

bool CheckText(const SourceFile& file, Diagnostics& diagnostics) {
  std::string_view text = file.text();
  if (text.size() > kMaxSourceBytes) {
    diagnostics.Report<Diag::SourceTooLarge>(At(file, 0, 0), text.size(), kMaxSourceBytes);
    return false;
  }
  for (size_t at = 0; at < text.size();) {
    if (text[at] == '\0') {
      diagnostics.Report<Diag::NulByte>(At(file, at, 1));
      return false;
    }
    size_t length = Utf8Length(text, at);
    if (length == 0) {
      diagnostics.Report<Diag::InvalidUtf8>(At(file, at, 1), Byte(text, at)).help = "save the file as UTF-8";
      return false;
    }
    uint32_t code_point = CodePoint(text, at, length);
    if (TurnsDirection(code_point)) {
      diagnostics.Report<Diag::DirectionMark>(At(file, at, length), code_point).help =
          "remove it, or write it in a string as an escape: \\u{…}";
      return false;
    }
    at += length;
  }
  return true;
}

}  // namespace ks::syntax

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "runtime/event/event.h"

namespace ks::event {
bool IsDeceptive(int32_t point) {
  return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0xad || point == 0x61c ||
         (point >= 0x200b && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
         (point >= 0x2060 && point <= 0x206f) || point == 0xfeff || (point >= 0xfff9 && point <= 0xfffb) ||
         (point >= 0xe0000 && point <= 0xe007f);
}

std::string NormalizePath(std::string_view path) {
  std::vector<std::string_view> parts;
  for (size_t at = 0; at < path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, end - at);
    at = end + 1;
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.push_back(part);
    } else if (!parts.empty()) {
      parts.pop_back();
    }
  }
  std::string out;
  for (std::string_view part : parts) {
    out += '/';
    out += part;
  }
  return out.empty() ? "/" : out;
}

int32_t DecodeUtf8(std::string_view text, size_t* length) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  *length = 1;
  const uint8_t first = byte(0);
  if (first < 0x80) return first;
  const size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < bytes) return -1;
  int32_t point = first & (0x7f >> bytes);
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return -1;
    point = point << 6 | (byte(i) & 0x3f);
  }
  constexpr int32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (point < kSmallest[bytes] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return -1;
  *length = bytes;
  return point;
}

std::string Printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  AppendPrintable(text, &out);
  return out;
}

void AppendPrintable(std::string_view text, std::string* out) {
  const auto is_plain = [](char c) { return c >= 0x20 && c < 0x7f && c != '\\'; };
  while (!text.empty()) {
    const auto plain = static_cast<size_t>(std::ranges::find_if_not(text, is_plain) - text.begin());
    *out += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) return;
    size_t length = 0;
    const int32_t point = DecodeUtf8(text, &length);
    if (point == '\n') {
      *out += "\\n";
    } else if (point == '\t') {
      *out += "\\t";
    } else if (point == '\r') {
      *out += "\\r";
    } else if (point == '\\') {
      *out += "\\\\";
    } else if (point < 0 || (point < 0x80 && IsDeceptive(point))) {
      *out += fmt::format("\\x{:02x}", static_cast<uint8_t>(text[0]));
    } else if (IsDeceptive(point)) {
      *out += fmt::format("\\u{{{:x}}}", point);
    } else {
      *out += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
}

}  // namespace ks::event

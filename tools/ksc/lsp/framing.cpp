#include "tools/ksc/lsp/framing.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>

namespace ks::lsp {
namespace {

// The value of Content-Length; nothing if it is missing or is no number.
std::optional<size_t> LengthIn(std::string_view header) {
  constexpr std::string_view kName = "content-length:";
  while (!header.empty()) {
    size_t end = std::min(header.find("\r\n"), header.size());
    std::string_view line = header.substr(0, end);
    header.remove_prefix(std::min(end + 2, header.size()));
    bool same = line.size() > kName.size() && std::equal(kName.begin(), kName.end(), line.begin(), [](char a, char b) {
                  return a == std::tolower(static_cast<unsigned char>(b));
                });
    if (!same) continue;
    line.remove_prefix(kName.size());
    while (line.starts_with(' ')) line.remove_prefix(1);
    while (line.ends_with(' ')) line.remove_suffix(1);
    size_t value = 0;
    auto [rest, error] = std::from_chars(line.data(), line.data() + line.size(), value);
    if (error == std::errc() && rest == line.data() + line.size()) return value;
    return std::nullopt;
  }
  return std::nullopt;
}

// The unit that `\uXXXX` at `at` stands for; nothing if there is no such escape.
std::optional<unsigned> EscapedUnit(std::string_view text, size_t at) {
  if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u') return std::nullopt;
  unsigned unit = 0;
  auto [rest, error] = std::from_chars(text.data() + at + 2, text.data() + at + 6, unit, 16);
  if (error != std::errc() || rest != text.data() + at + 6) return std::nullopt;
  return unit;
}

}  // namespace

std::string MendSurrogates(std::string body) {
  for (size_t at = body.find('\\'); at != std::string::npos; at = body.find('\\', at)) {
    std::optional<unsigned> unit = EscapedUnit(body, at);
    if (!unit) {
      at += 2;  // another escape; a backslash that is escaped begins none
      continue;
    }
    bool high = *unit >= 0xd800 && *unit < 0xdc00, low = *unit >= 0xdc00 && *unit < 0xe000;
    if (high) {
      std::optional<unsigned> next = EscapedUnit(body, at + 6);
      if (next && *next >= 0xdc00 && *next < 0xe000) {
        at += 12;
        continue;
      }
    }
    if (high || low) body.replace(at, 6, "\\ufffd");
    at += 6;
  }
  return body;
}

void Framing::Feed(std::string_view bytes) {
  size_t skipped = std::min(skip_, bytes.size());
  skip_ -= skipped;
  buffer_.append(bytes.substr(skipped));
}

std::optional<Framing::Message> Framing::Next() {
  size_t end = buffer_.find("\r\n\r\n");
  if (end == std::string::npos || end > kMaxHeaderBytes) {
    if (buffer_.size() <= kMaxHeaderBytes) return std::nullopt;
    return Message{"", fmt::format("a header of more than {} bytes", kMaxHeaderBytes), true};
  }
  std::optional<size_t> length = LengthIn(std::string_view(buffer_).substr(0, end));
  if (!length) return Message{"", "a header without a Content-Length that is a number", true};
  size_t begin = end + 4;
  if (*length > kMaxMessageBytes) {
    size_t here = std::min(buffer_.size() - begin, *length);
    skip_ = *length - here;
    buffer_.erase(0, begin + here);
    return Message{"", fmt::format("a message of {} bytes; at most {} are read", *length, kMaxMessageBytes), false};
  }
  if (buffer_.size() - begin < *length) return std::nullopt;
  Message message{buffer_.substr(begin, *length), "", false};
  buffer_.erase(0, begin + *length);
  return message;
}

std::string Framed(std::string_view body) { return fmt::format("Content-Length: {}\r\n\r\n{}", body.size(), body); }

}  // namespace ks::lsp

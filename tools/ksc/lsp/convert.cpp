#include "tools/ksc/lsp/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <limits>

#include "compiler/syntax/text.h"

namespace ks::lsp {
namespace {

// Units of the protocol that the character at text[at] takes, and its bytes.
struct Taken {
  size_t bytes, units;
};
Taken At(std::string_view text, size_t at, Encoding encoding) {
  size_t bytes = std::max<size_t>(1, syntax::Utf8Length(text, at));
  return {bytes, encoding == Encoding::Utf8 ? bytes : bytes == 4 ? 2 : size_t{1}};
}

int Hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = static_cast<char>(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace

uint32_t OffsetOf(const SourceFile& file, uint64_t line, uint64_t character, Encoding encoding) {
  auto size = static_cast<uint32_t>(file.text().size());
  if (line >= file.At(size).line) return size;
  auto number = static_cast<uint32_t>(line + 1);
  std::string_view text = file.Line(number);
  size_t at = 0;
  for (uint64_t units = 0; at < text.size();) {
    Taken taken = At(text, at, encoding);
    if (units + taken.units > character) break;
    units += taken.units;
    at += taken.bytes;
  }
  return file.LineStart(number) + static_cast<uint32_t>(at);
}

json PositionOf(const SourceFile& file, uint32_t offset, Encoding encoding) {
  offset = std::min(offset, static_cast<uint32_t>(file.text().size()));
  uint32_t line = file.At(offset).line;
  std::string_view text = file.text().substr(file.LineStart(line), offset - file.LineStart(line));
  size_t units = 0;
  for (size_t at = 0; at < text.size();) {
    Taken taken = At(text, at, encoding);
    units += taken.units;
    at += taken.bytes;
  }
  return {{"line", line - 1}, {"character", units}};
}

json RangeOf(const Span& span, Encoding encoding) {
  if (span.file == nullptr) {
    json zero = {{"line", 0}, {"character", 0}};
    return {{"start", zero}, {"end", zero}};
  }
  return {{"start", PositionOf(*span.file, span.begin, encoding)}, {"end", PositionOf(*span.file, span.end, encoding)}};
}

std::optional<std::string> PathOf(const std::string& uri) {
  constexpr std::string_view kScheme = "file://";
  if (!uri.starts_with(kScheme)) return std::nullopt;
  std::string out;
  size_t at = uri.find('/', kScheme.size());  // behind a host, which is ours
  for (; at < uri.size(); ++at) {
    if (uri[at] == '%' && at + 2 < uri.size() && Hex(uri[at + 1]) >= 0 && Hex(uri[at + 2]) >= 0) {
      out += static_cast<char>(Hex(uri[at + 1]) * 16 + Hex(uri[at + 2]));
      at += 2;
    } else {
      out += uri[at];
    }
  }
  if (out.empty() || out.find('\0') != std::string::npos) return std::nullopt;
  return out;
}

std::string UriOf(const std::string& path) {
  std::string out = "file://";
  for (char c : path) {
    bool plain =
        std::isalnum(static_cast<unsigned char>(c)) || std::string_view("/-._~").find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

const json& Member(const json& object, const char* name) {
  static const json kNull;
  if (!object.is_object()) return kNull;
  auto it = object.find(name);
  return it == object.end() ? kNull : *it;
}

std::string TextMember(const json& object, const char* name) {
  const json& member = Member(object, name);
  return member.is_string() ? member.get<std::string>() : std::string();
}

std::optional<uint64_t> NumberMember(const json& object, const char* name) {
  const json& member = Member(object, name);
  if (!member.is_number_integer() || (!member.is_number_unsigned() && member.get<int64_t>() < 0)) return std::nullopt;
  return member.get<uint64_t>();
}

}  // namespace ks::lsp

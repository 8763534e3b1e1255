// Places and names as the protocol has them, and as we have them.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "compiler/support/diagnostics.h"
#include "compiler/support/source.h"

namespace ks::lsp {

using nlohmann::json;

enum class Encoding : uint8_t { Utf8, Utf16 };

// Beyond the end of a line: its end; beyond the end of the text: its end; inside of a character: before it.
uint32_t OffsetOf(const SourceFile& file, uint64_t line, uint64_t character, Encoding encoding);
json PositionOf(const SourceFile& file, uint32_t offset, Encoding encoding);
json RangeOf(const Span& span, Encoding encoding);

// file:///a%20b → "/a b"; nothing if it names no file.
std::optional<std::string> PathOf(const std::string& uri);
std::string UriOf(const std::string& path);

// Members of what a client sent, which may be anything.
const json& Member(const json& object, const char* name);
std::string TextMember(const json& object, const char* name);
std::optional<uint64_t> NumberMember(const json& object, const char* name);

}  // namespace ks::lsp

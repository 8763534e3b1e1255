// Regular expressions of `matches`: RE2's, linear in the text whatever the pattern.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/schema/value.h"

namespace ks::ir {

inline constexpr size_t kMaxPatternBytes = 4096;

// Why RE2 refuses the pattern, in its words; "" if it does not.
std::string WhyBadPattern(const std::string& pattern);

// The first pattern that is found anywhere in the text. Texts are bytes, not UTF-8, and a dot is any byte, newlines
// too: a name with a newline in it hides from nothing. Compiles a pattern when a thread first asks for it.
std::optional<size_t> FindMatch(const std::vector<schema::Value>& patterns, std::string_view text);

}  // namespace ks::ir

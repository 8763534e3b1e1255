// JSON from hostile hands: one value, UTF-8, no byte order mark, no duplicate keys, no fractions, bounded in every
// direction.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "compiler/support/result.h"

namespace ks::bundle {

struct JsonLimits {
  size_t bytes = 256 * 1024;
  size_t depth = 16;
  size_t values = 16 * 1024;
};

// Error::cause says what is wrong and where; the caller fills in the rest.
Result<nlohmann::json> ParseStrictJson(std::string_view text, const JsonLimits& limits = {});

// Compact, keys in the order given; bytes that are not UTF-8 become U+FFFD.
std::string ToText(const nlohmann::ordered_json& value);

}  // namespace ks::bundle

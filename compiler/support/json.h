// The little JSON that we write by hand.
#pragma once

#include <string>
#include <string_view>

namespace ks {

// With quotes. Bytes are taken for UTF-8; control characters, quotes and backslashes are escaped.
std::string JsonString(std::string_view text);

}  // namespace ks

// Base64 (RFC 4648, section 4) with one accepted form per value: padded, no white space, unused bits zero.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ks::bundle {

std::string EncodeBase64(std::string_view bytes);
std::optional<std::string> DecodeBase64(std::string_view text);

}  // namespace ks::bundle

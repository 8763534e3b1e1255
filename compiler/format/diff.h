// What differs between two texts, as `diff -u` shows it.
#pragma once

#include <string>
#include <string_view>

namespace ks::format {

// "" if nothing does.
std::string Diff(std::string_view name, std::string_view before, std::string_view after);

}  // namespace ks::format

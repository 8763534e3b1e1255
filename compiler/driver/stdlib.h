// The standard library's lists and predicates, as they are inside ksc.
#pragma once

#include <string_view>
#include <vector>

namespace ks::driver {

struct EmbeddedFile {
  std::string_view name;  // "std/linux/lists.ksp"
  std::string_view text;
};
std::vector<EmbeddedFile> EmbeddedFiles();

}  // namespace ks::driver

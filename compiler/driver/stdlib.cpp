#include "compiler/driver/stdlib.h"

#include "compiler/support/result.h"
#include "stdlib_archive.h"

namespace ks::driver {

// The archive (tools/cmake/archive.cmake): for each file a line "<bytes> <name>", then its bytes.
std::vector<EmbeddedFile> EmbeddedFiles() {
  std::vector<EmbeddedFile> files;
  std::string_view rest = embedded::stdlib_archive();
  while (!rest.empty()) {
    size_t space = rest.find(' ');
    size_t newline = rest.find('\n');
    KS_CHECK(space < newline && newline != std::string_view::npos, "the archive of the standard library is damaged");
    size_t size = std::stoul(std::string(rest.substr(0, space)));
    std::string_view name = rest.substr(space + 1, newline - space - 1);
    rest.remove_prefix(newline + 1);
    KS_CHECK(size <= rest.size(), "the archive of the standard library is damaged");
    files.push_back({name, rest.substr(0, size)});
    rest.remove_prefix(size);
  }
  return files;
}

}  // namespace ks::driver

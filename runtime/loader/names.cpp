#include "runtime/loader/names.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <tuple>

namespace ks::loader {

std::vector<kernel::NamedInode> ResolveNames(const std::vector<std::string>& names) {
  std::vector<kernel::NamedInode> found;
  for (const std::string& name : names) {
    struct stat info{};
    // A file that does not exist yet is looked for again by the next refresh.
    if (stat(name.c_str(), &info) != 0) continue;
    found.push_back({uint64_t{major(info.st_dev)} << 20 | minor(info.st_dev), info.st_ino, name});
  }
  auto key = [](const kernel::NamedInode& n) { return std::tuple(n.device, n.inode); };
  std::stable_sort(found.begin(), found.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
  found.erase(std::unique(found.begin(), found.end(), [&](const auto& a, const auto& b) { return key(a) == key(b); }),
              found.end());
  return found;
}

}  // namespace ks::loader

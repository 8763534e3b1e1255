// Which inodes have the names that a policy gives.
#pragma once

#include <string>
#include <vector>

#include "runtime/kernel/kernel.h"

namespace ks::loader {

// Names that exist, links followed, sorted by device and inode; of two names for one inode the first given wins.
std::vector<kernel::NamedInode> ResolveNames(const std::vector<std::string>& names);

}  // namespace ks::loader

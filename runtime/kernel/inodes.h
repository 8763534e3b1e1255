#pragma once

#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "compiler/support/result.h"
#include "runtime/kernel/kernel.h"

namespace ks::kernel {

// What ks_inodes holds: the map is given with each call and stays the caller's.
class Inodes {
 public:
  // What an agent before this one has put there.
  void Read(int map);
  // As Kernel::SetInodes.
  Status Set(int map, const std::vector<NamedInode>& inodes);

 private:
  std::set<std::pair<uint64_t, uint64_t>> known_;  // device, inode
};

}  // namespace ks::kernel

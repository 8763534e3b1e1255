#include "runtime/kernel/inodes.h"

#include <cerrno>
#include <cstring>

#include "bpf/schema/record.h"
#include "runtime/kernel/libbpf.h"

namespace ks::kernel {

constexpr size_t kMost = 1024;  // that the map takes

void Inodes::Read(int map) {
  ks_inode key{}, next{};
  const void* before = nullptr;
  // At most as many as the map takes: it is not to be changed meanwhile, but others might.
  for (size_t i = 0; i < kMost && bpf_map_get_next_key(map, before, &next) == 0; ++i) {
    key = next;
    before = &key;
    known_.emplace(key.device, key.inode);
  }
}

Status Inodes::Set(int map, const std::vector<NamedInode>& inodes) {
  std::set<std::pair<uint64_t, uint64_t>> wanted;
  for (const NamedInode& named : inodes) {
    ks_name name{};
    if (named.path.size() > sizeof(name.data) - KS_TEXT_SLACK) continue;  // no path that is read is that long
    name.len = static_cast<uint32_t>(named.path.size());
    std::memcpy(name.data, named.path.data(), named.path.size());
    ks_inode key{named.device, named.inode};
    // The first name of a file stays: two names of one inode in one policy are one file.
    if (!wanted.emplace(key.device, key.inode).second) continue;
    if (bpf_map_update_elem(map, &key, &name, BPF_ANY) != 0) {
      int error = errno;
      Error failed = WorldError("name the inode of", named.path, error, "kernel-map");
      if (error == E2BIG) {
        failed.cause = "the kernel half knows no more than 1024 such files";
        failed.advice = "name fewer files by file.canonical";
      }
      return failed;
    }
    known_.emplace(key.device, key.inode);
  }
  for (auto known = known_.begin(); known != known_.end();) {
    if (wanted.count(*known)) {
      ++known;
      continue;
    }
    ks_inode key{known->first, known->second};
    if (bpf_map_delete_elem(map, &key) != 0 && errno != ENOENT) {
      return WorldError("forget an inode of", "the policy before", errno, "kernel-map");
    }
    known = known_.erase(known);
  }
  return Ok();
}

}  // namespace ks::kernel

#pragma once

#include <array>
#include <atomic>
#include <optional>
#include <string>

#include "compiler/support/result.h"
#include "runtime/kernel/fd.h"
#include "runtime/kernel/kernel.h"

namespace ks::kernel {

// How far an agent has come, in a map that is pinned. There are two copies, and a count says which one holds: all of it changes by
// one store, wherever the agent is killed.
class ProgressMap {
 public:
  struct Entry {
    std::array<uint64_t, kRings> position{}, received{};  // of each ring
    Progress progress;
  };

  // Of the map's only value, for so many CPUs.
  static uint32_t Bytes(size_t cpus);
  // `fd`: of a BPF_MAP_TYPE_ARRAY with that value, BPF_F_MMAPABLE. It stays the caller's.
  Status Open(int fd, size_t cpus);
  // The map that is pinned there; a new one if there is none.
  Status OpenPinned(const std::string& path, size_t cpus);
  // What is there cannot be an agent's progress.
  static Error Strange(const std::string& path);
  // Nothing if nothing was ever written.
  std::optional<Entry> Last() const;
  void Write(const Entry& entry);
  explicit operator bool() const { return pages_.get() != nullptr; }

 private:
  uint64_t* Copy(uint64_t count) const;
  std::atomic_ref<uint64_t> Count() const { return std::atomic_ref<uint64_t>(*static_cast<uint64_t*>(pages_.get())); }

  Mapping pages_;
  size_t cpus_ = 0;
};

}  // namespace ks::kernel

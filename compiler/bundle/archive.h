// The container: a deterministic subset of POSIX ustar. Its reader exists to refuse.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/support/result.h"

namespace ks::bundle {

inline constexpr size_t kMaxMembers = 64;
inline constexpr uint64_t kMaxMtime = 077777777777;  // eleven octal digits

struct ArchiveMember {
  std::string name;
  std::string_view bytes;  // into the archive
};

struct Archive {
  uint64_t mtime = 0;  // the same for every member
  std::vector<ArchiveMember> members;
};

// ^[a-z0-9][a-z0-9._-]{0,63}$
bool IsMemberName(std::string_view name);

// Members must have valid, distinct names; mtime at most kMaxMtime.
std::string WriteArchive(const std::vector<ArchiveMember>& members, uint64_t mtime);

// Accepts exactly what WriteArchive writes: every header byte is compared with the one that it would have written.
// Error::code is bundle-too-large or container.
Result<Archive> ReadArchive(std::string_view bytes);

}  // namespace ks::bundle

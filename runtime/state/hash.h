// SipHash-2-4 with a key of this process: which keys fall together cannot be found out from outside, nor chosen.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ks::state {

uint64_t SeededHash(std::string_view bytes);

struct SeededHasher {
  size_t operator()(const std::string& bytes) const { return SeededHash(bytes); }
};

}  // namespace ks::state

// FNV-1a, 64 bits: for ids and for noticing accidents. It stops no attacker.
#pragma once

#include <cstdint>
#include <string_view>

namespace ks::event {

inline constexpr uint64_t kFnvStart = 0xcbf29ce484222325;

constexpr uint64_t Fnv1a64(std::string_view bytes, uint64_t hash = kFnvStart) {
  for (char byte : bytes) hash = (hash ^ static_cast<uint8_t>(byte)) * 0x100000001b3;
  return hash;
}

}  // namespace ks::event

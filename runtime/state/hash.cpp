#include "runtime/state/hash.h"

#include <bit>
#include <cstring>
#include <random>

namespace ks::state {
namespace {

struct Seed {
  uint64_t a = 0, b = 0;
  Seed() {
    std::random_device device;
    a = uint64_t{device()} << 32 | device();
    b = uint64_t{device()} << 32 | device();
  }
};

struct Sip {
  uint64_t v0, v1, v2, v3;
  void Round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }
  void Add(uint64_t word) {
    v3 ^= word;
    Round();
    Round();
    v0 ^= word;
  }
};

}  // namespace

uint64_t SeededHash(std::string_view bytes) {
  static const Seed kSeed;
  Sip sip{kSeed.a ^ 0x736f6d6570736575, kSeed.b ^ 0x646f72616e646f6d, kSeed.a ^ 0x6c7967656e657261,
          kSeed.b ^ 0x7465646279746573};
  uint64_t last = uint64_t{bytes.size()} << 56;
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data(), 8);
    sip.Add(word);
  }
  uint64_t rest = 0;
  if (!bytes.empty()) std::memcpy(&rest, bytes.data(), bytes.size());
  sip.Add(last | rest);
  sip.v2 ^= 0xff;
  for (int i = 0; i < 4; ++i) sip.Round();
  return sip.v0 ^ sip.v1 ^ sip.v2 ^ sip.v3;
}

}  // namespace ks::state

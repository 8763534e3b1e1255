// Sets of unsigned numbers as sorted, disjoint, closed intervals: integers (biased, so that order is kept) and
// addresses.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "bpf/schema/value.h"

namespace ks::lint {

using Wide = unsigned __int128;

inline Wide Biased(int64_t value) { return static_cast<uint64_t>(value) ^ (uint64_t{1} << 63); }
inline int64_t Unbiased(Wide value) { return static_cast<int64_t>(static_cast<uint64_t>(value) ^ (uint64_t{1} << 63)); }

inline Wide NumberOf(const schema::IpAddress& ip) {
  Wide number = 0;
  for (uint8_t byte : ip.bytes) number = number << 8 | byte;
  return number;
}
inline schema::IpAddress AddressOf(Wide number) {
  schema::IpAddress ip;
  for (size_t i = 16; i-- > 0; number >>= 8) ip.bytes[i] = static_cast<uint8_t>(number);
  return ip;
}

class Intervals {
 public:
  using Interval = std::pair<Wide, Wide>;
  Intervals() = default;
  Intervals(Wide least, Wide most) {
    if (least <= most) parts_.emplace_back(least, most);
  }
  bool empty() const { return parts_.empty(); }
  const std::vector<Interval>& parts() const { return parts_; }
  // `least` may be added only in ascending order, or Normalise() follows.
  void Add(Wide least, Wide most) {
    if (least <= most) parts_.emplace_back(least, most);
  }
  void Normalise();
  void Intersect(const Intervals& other);
  void Subtract(const Intervals& other);
  // How many numbers, but at most `most`.
  uint64_t Count(uint64_t most) const;

 private:
  std::vector<Interval> parts_;
};

}  // namespace ks::lint

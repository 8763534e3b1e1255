// Numbers and texts of a .scap block, one after the other; each says whether it was there. Little-endian, packed.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace ks::import::scap {

class Wire {
 public:
  explicit Wire(std::string_view bytes) : rest_(bytes) {}
  size_t left() const { return rest_.size(); }
  std::string_view rest() const { return rest_; }

  bool Take(size_t size, std::string_view* out) {
    if (size > rest_.size()) return false;
    *out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
  }
  bool Skip(size_t size) {
    std::string_view none;
    return Take(size, &none);
  }
  template <typename T>
  bool Number(T* out) {
    std::string_view bytes;
    if (!Take(sizeof(T), &bytes)) return false;
    std::memcpy(out, bytes.data(), sizeof(T));
    return true;
  }
  // u16 length, bytes.
  bool Text(std::string_view* out) {
    uint16_t size = 0;
    return Number(&size) && Take(size, out);
  }

 private:
  std::string_view rest_;
};

}  // namespace ks::import::scap

// A .scap file as blocks: u32 type, u32 length of all, body, u32 the length again. pcapng's layout, little-endian.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/import/source.h"

namespace ks::import::scap {

inline constexpr uint32_t kSection = 0x0A0D0D0A;
inline constexpr uint32_t kSectionMagic = 0x1A2B3C4D;
inline constexpr uint32_t kMachine = 0x201, kOldMachine = 0x8002ABCD;

struct Block {
  uint32_t type = 0;
  uint64_t offset = 0;    // in the file, compression undone
  std::string_view body;  // valid until the next one
};

class BlockReader {
 public:
  explicit BlockReader(Source source) : source_(std::move(source)) {}

  // Nothing at the end, and where the file is damaged: then `damage` says so.
  std::optional<Block> Next();
  const std::string& damage() const { return damage_; }
  const std::string& path() const { return source_.path(); }

 private:
  std::optional<Block> Damaged(uint64_t offset, const std::string& why);
  // Of what comes next: `size` bytes, or fewer if there are no more.
  std::string_view Ahead(size_t size);

  Source source_;
  std::string bytes_;  // read ahead: a file is read in large pieces
  size_t at_ = 0;      // what of them has been given
  std::string damage_;
};

}  // namespace ks::import::scap

#include "runtime/import/scap/blocks.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/import/scap/wire.h"

namespace ks::import::scap {
namespace {

constexpr uint32_t kFrame = 12;  // type and both lengths
constexpr uint32_t kMostBlock = 256u << 20;
constexpr size_t kPiece = 256 * 1024;

}  // namespace

std::optional<Block> BlockReader::Damaged(uint64_t offset, const std::string& why) {
  const std::string& compression = source_.Damage();
  damage_ = fmt::format("at byte {}: {}", offset, compression.empty() ? why : compression);
  return std::nullopt;
}

std::string_view BlockReader::Ahead(size_t size) {
  if (bytes_.size() - at_ < size) {
    bytes_.erase(0, at_);
    at_ = 0;
    source_.Read(std::max(size - bytes_.size(), kPiece), &bytes_);
  }
  return std::string_view(bytes_).substr(at_, size);
}

std::optional<Block> BlockReader::Next() {
  if (!damage_.empty()) return std::nullopt;
  Block block;
  block.offset = source_.offset() - (bytes_.size() - at_);
  const std::string_view begin = Ahead(8);
  if (begin.empty() && source_.Damage().empty()) return std::nullopt;
  uint32_t length = 0, again = 0;
  Wire head(begin);
  if (!head.Number(&block.type) || !head.Number(&length)) return Damaged(block.offset, "the file ends within a block");
  if (length < kFrame || length > kMostBlock) return Damaged(block.offset, fmt::format("a block cannot have {} bytes", length));
  const std::string_view all = Ahead(length);
  if (all.size() != length) return Damaged(block.offset, "the file ends within a block");
  at_ += length;
  Wire body(all.substr(8));
  body.Take(length - kFrame, &block.body);
  body.Number(&again);
  if (again != length) return Damaged(block.offset, fmt::format("a block of {} bytes ends as one of {}", length, again));
  return block;
}

}  // namespace ks::import::scap

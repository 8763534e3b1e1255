#include "runtime/import/scap/blocks.h"

#include <fmt/format.h>

#include "runtime/import/scap/wire.h"

namespace ks::import::scap {
namespace {

constexpr uint32_t kFrame = 12;  // type and both lengths
constexpr uint32_t kMostBlock = 256u << 20;

}  // namespace

std::optional<Block> BlockReader::Damaged(uint64_t offset, const std::string& why) {
  const std::string& compression = source_.Damage();
  damage_ = fmt::format("at byte {}: {}", offset, compression.empty() ? why : compression);
  return std::nullopt;
}

std::optional<Block> BlockReader::Next() {
  if (!damage_.empty()) return std::nullopt;
  Block block;
  block.offset = source_.offset();
  bytes_.clear();
  source_.Read(8, &bytes_);
  if (bytes_.empty() && source_.Damage().empty()) return std::nullopt;
  uint32_t length = 0, again = 0;
  Wire head(bytes_);
  if (!head.Number(&block.type) || !head.Number(&length)) return Damaged(block.offset, "the file ends within a block");
  if (length < kFrame || length > kMostBlock) return Damaged(block.offset, fmt::format("a block cannot have {} bytes", length));
  bytes_.clear();
  source_.Read(length - 8, &bytes_);
  if (bytes_.size() != length - 8) return Damaged(block.offset, "the file ends within a block");
  Wire body(bytes_);
  body.Take(length - kFrame, &block.body);
  body.Number(&again);
  if (again != length) return Damaged(block.offset, fmt::format("a block of {} bytes ends as one of {}", length, again));
  return block;
}

}  // namespace ks::import::scap

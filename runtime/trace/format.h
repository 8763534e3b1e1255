// The bytes of a .kst file. Numbers are little-endian.
//
//   file    = "KSTRACE\n", u32 version, u32 0 · HEAD section · BLOK sections · INDX section · trailer
//   section = SectionHead · `stored` bytes: one zstd frame with a checksum, `raw` bytes when decompressed
//   trailer = u64 offset of the INDX section, u64 check of it, "KSTEND\n\0"
//
// A section's head carries a check of itself (FNV-1a); the zstd frame's checksum covers what the section holds. A file
// that ends within a section was cut: the blocks before are read, and the index is rebuilt from the heads. A head whose
// check fails is damage. Within sections numbers are varints (7 bits a byte, lowest first), signed ones zigzag, texts a
// length and bytes:
//
//   HEAD  = node, kernel, arch, boot, schema hash, what it holds of match-only fields
//           · number of kinds, names · number of columns, each: name, type, enumeration, data class, slot
//   BLOK  = rows. An event: 3, time (delta), cpu, kind, generation, sequence (delta), slot, number of fields, each:
//           column (delta, the first + 1), state, value if the state is Ok or Truncated.
//           Its other fields are those of the slot's last event in this block; of a slot's first one they are Unread.
//           A loss: 2, time (delta), cpu, records, number of kinds, each: kind. (Version 1: 1, without kinds)
//           Deltas are signed and to the row before, in the first row to 0.
//           (Version 2: an event begins with 0, has no slot, and all its fields.)
//   INDX  = number of blocks, each: stored, events, losses, first time, last time
//
// Kinds and columns are found by name. The field `time` has no value in rows: it is the row's time.
#pragma once

#include <array>
#include <bit>
#include <bitset>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/event/hash.h"
#include "runtime/trace/trace.h"

namespace ks::trace {

static_assert(std::endian::native == std::endian::little, "sections are written as they are in memory");

inline constexpr std::string_view kMagic = "KSTRACE\n";
inline constexpr std::string_view kEnd{"KSTEND\n\0", 8};
inline constexpr uint32_t kFormatVersion = 3;  // that is written; it and what is older is read
inline constexpr size_t kFileHeadBytes = 16;
inline constexpr size_t kTrailerBytes = 24;

inline constexpr size_t kBlockRawTarget = 256 * 1024;  // a block is written once it has this many bytes
inline constexpr size_t kMaxRaw = 1024 * 1024;         // of a header or block
inline constexpr size_t kMaxBlocks = 1024 * 1024;
inline constexpr size_t kMaxIndexRaw = kMaxBlocks * 40;
inline constexpr size_t kMaxText = 64 * 1024;
inline constexpr size_t kMaxName = 256;
inline constexpr size_t kMaxColumns = 4096;
inline constexpr size_t kMaxKinds = 256;
inline constexpr size_t kSlots = 256;  // events of one thread share one: mostly they differ in a few fields

enum class Tag : uint32_t { Head = 0x44414548, Block = 0x4b4f4c42, Index = 0x58444e49 };  // "HEAD" "BLOK" "INDX"

struct SectionHead {
  Tag tag{};
  uint32_t number = 0;  // of the block; of the index: how many blocks there are
  uint32_t stored = 0, raw = 0;
  uint32_t events = 0, lost = 0;
  uint64_t first_time_ns = 0, last_time_ns = 0;
  uint64_t check = 0;

  uint64_t Check() const { return event::Fnv1a64({reinterpret_cast<const char*>(this), offsetof(SectionHead, check)}); }
};
static_assert(sizeof(SectionHead) == 48);

// What HEAD says, matched with this build's table.
struct Column {
  std::optional<schema::FieldId> field;  // nothing: skip its values
  schema::Slot slot{};
  bool is_list = false;  // a StringList
};
struct Layout {
  Info info;
  std::vector<std::optional<schema::EventKind>> kinds;
  std::vector<Column> columns;
};

// What rows are relative to: the row before, and each slot's last event. Starts anew with every block.
class RowBase {
 public:
  uint64_t time_ns = 0, sequence = 0;
  // Below kSlots; a slot's first event has no fields.
  event::Event& Slot(size_t number);
  // As it was at first, with the memory that it has.
  void Clear();

 private:
  std::array<std::unique_ptr<event::Event>, kSlots> slots_;
  std::bitset<kSlots> used_;
};

std::string EncodeHead(const HostFacts& host, std::string_view match_only = "as observed");
void EncodeEvent(const event::Event& event, RowBase& base, std::string& out);
void EncodeLost(const Lost& lost, RowBase& base, std::string& out);

// These refuse what does not follow the format, with the cause.
using Why = std::string;
std::optional<Why> DecodeHead(std::string_view bytes, Layout* layout);
struct RowCounts {
  uint64_t events = 0, lost = 0;
};
// Varints, zigzag numbers and texts, one after the other; each says whether it was there.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}
  bool AtEnd() const { return at_ == end_; }

  bool Take(size_t size, std::string_view* out) {
    if (size > static_cast<size_t>(end_ - at_)) return false;
    *out = {at_, size};
    at_ += size;
    return true;
  }
  bool Number(uint64_t* out) {
    *out = 0;
    for (unsigned shift = 0; shift < 64 && at_ != end_; shift += 7) {
      const auto byte = static_cast<uint8_t>(*at_++);
      if (shift == 63 && byte > 1) return false;
      *out |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }
  template <typename T>
  bool NumberUpTo(uint64_t max, T* out) {
    uint64_t number = 0;
    if (!Number(&number) || number > max) return false;
    *out = static_cast<T>(number);
    return true;
  }
  bool Signed(int64_t* out) {
    uint64_t number = 0;
    if (!Number(&number)) return false;
    *out = static_cast<int64_t>(number >> 1 ^ (0 - (number & 1)));
    return true;
  }
  bool Text(size_t max, std::string_view* out) {
    size_t size = 0;
    return NumberUpTo(max, &size) && Take(size, out);
  }

 private:
  const char* at_;
  const char* end_;
};

// One row, of which there must be one; `base`: cleared before the first row of a block. Events are valid until the next one.
std::optional<Why> DecodeRow(Cursor& cursor, const Layout& layout, RowBase& base, RowCounts* counts,
                             const std::function<void(const event::Event&)>& on_event,
                             const std::function<void(const Lost&)>& on_lost);
// Those of one block. `base` is cleared first; events are valid during the call.
std::optional<Why> DecodeRows(std::string_view bytes, const Layout& layout, RowBase& base, RowCounts* counts,
                              const std::function<void(const event::Event&)>& on_event,
                              const std::function<void(const Lost&)>& on_lost);

inline void PutNumber(std::string& out, uint64_t number) {
  for (; number >= 0x80; number >>= 7) out += static_cast<char>(number | 0x80);
  out += static_cast<char>(number);
}
inline void PutSigned(std::string& out, int64_t number) {
  PutNumber(out, static_cast<uint64_t>(number) << 1 ^ (number < 0 ? ~uint64_t{0} : 0));
}
inline void PutText(std::string& out, std::string_view text) {
  PutNumber(out, text.size());
  out += text;
}

}  // namespace ks::trace

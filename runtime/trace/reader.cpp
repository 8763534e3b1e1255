#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>

#include "runtime/trace/file.h"
#include "runtime/trace/format.h"

namespace ks::trace {
namespace {

struct Block {
  uint64_t offset = 0;
  SectionHead head;
};

Error Damaged(const File& file, const std::string& where, uint64_t offset, const std::string& cause) {
  return {"read", file.path(), fmt::format("{} at byte {} is damaged: {}", where, offset, cause), "", "trace-damaged"};
}

template <typename T>
T Load(std::string_view bytes) {
  T value;
  bytes.copy(reinterpret_cast<char*>(&value), sizeof(value));
  return value;
}

bool SameHead(const SectionHead& a, const SectionHead& b) { return std::memcmp(&a, &b, sizeof(a)) == 0; }

}  // namespace

struct Reader::State {
  explicit State(File opened) : file(std::move(opened)), zstd(ZSTD_createDCtx()) {
    KS_CHECK(zstd != nullptr, "out of memory");
  }
  ~State() { ZSTD_freeDCtx(zstd); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  Status ReadStart();
  Result<SectionHead> ReadHead(uint64_t offset, Tag tag, size_t max_raw) const;
  Result<std::string> ReadSection(uint64_t offset, const SectionHead& head, const std::string& where) const;
  bool ReadIndex();
  Status ScanBlocks();
  void Found(const Block& block);
  Status ReadBlock(const Block& block, const std::function<void(const event::Event&)>& on_event,
                   const std::function<void(const Lost&)>& on_lost);
  // The block's bytes, decompressed; and what its head says.
  Result<std::string> RowsOf(const Block& block, SectionHead* head) const;
  // What is wrong with a block of which so many rows were read, `why` not the next one or no more; nothing if all is well.
  Status End(const Block& block, const SectionHead& head, const RowCounts& counts, const std::optional<Why>& why) const;
  // Whether there is a block `next`, by now.
  Result<bool> HasNext();

  File file;
  ZSTD_DCtx* zstd;
  Layout layout;
  RowBase base;
  uint64_t blocks_at = 0;  // where the first block begins
  std::vector<Block> blocks;
  size_t next = 0;         // block that Next gives
  // That of which NextRow gave some rows.
  struct Begun {
    explicit Begun(std::string all) : rows(std::move(all)) {}
    std::string rows;
    Cursor cursor{rows};
    SectionHead head;
    RowCounts counts;
    std::optional<Why> why;  // a row is malformed
  };
  std::unique_ptr<Begun> begun;
  RowBase row_base;
  bool ended = false;      // an index, or damage, is behind the blocks
  Status damage = Ok();  // what a scan found behind the last block that is whole
};

// The head of a section that lies in the file as a whole. Error code "trace-cut" if the file ends before.
Result<SectionHead> Reader::State::ReadHead(uint64_t offset, Tag tag, size_t max_raw) const {
  const Error cut{"read", file.path(), fmt::format("it ends within what begins at byte {}", offset), "", "trace-cut"};
  if (file.size() < sizeof(SectionHead) || offset > file.size() - sizeof(SectionHead)) return cut;
  Result<std::string> bytes = file.ReadAt(offset, sizeof(SectionHead));
  if (!bytes) return bytes.error();
  const auto head = Load<SectionHead>(*bytes);
  const auto damaged = [&](const char* cause) { return Damaged(file, "the section", offset, cause); };
  if (head.check != head.Check()) return damaged("its head is not what was written");
  if (head.tag != tag) return damaged("it is of another kind than expected");
  if (head.raw == 0 || head.raw > max_raw) return damaged("its size is out of range");
  if (head.stored == 0 || head.stored > ZSTD_compressBound(max_raw)) return damaged("its size is out of range");
  if (head.stored > file.size() - offset - sizeof(SectionHead)) return cut;
  return head;
}

Result<std::string> Reader::State::ReadSection(uint64_t offset, const SectionHead& head,
                                               const std::string& where) const {
  Result<std::string> stored = file.ReadAt(offset + sizeof(SectionHead), head.stored);
  if (!stored) return stored;
  if (ZSTD_getFrameContentSize(stored->data(), stored->size()) != head.raw ||
      ZSTD_findFrameCompressedSize(stored->data(), stored->size()) != stored->size()) {
    return Damaged(file, where, offset, "its length is not what its head says");
  }
  std::string raw(head.raw, '\0');
  const size_t size = ZSTD_decompressDCtx(zstd, raw.data(), raw.size(), stored->data(), stored->size());
  if (ZSTD_isError(size)) return Damaged(file, where, offset, ZSTD_getErrorName(size));
  if (size != head.raw) return Damaged(file, where, offset, "its length is not what its head says");
  return raw;
}

Status Reader::State::ReadStart() {
  const Error no_trace{"read", file.path(), "it is not a trace", "traces are written by `kubesentryd record`",
                       "trace-format"};
  if (file.size() < kFileHeadBytes) return no_trace;
  Result<std::string> start = file.ReadAt(0, kFileHeadBytes);
  if (!start) return start.error();
  if (!start->starts_with(kMagic)) return no_trace;
  if (const auto version = Load<uint32_t>(start->substr(kMagic.size())); version == 0 || version > kFormatVersion) {
    return Error{"read", file.path(),
                 fmt::format("it is of format version {}; this build reads versions 1 to {}", version, kFormatVersion),
                 "use the version of kubesentry that wrote it, or a newer one", "trace-version"};
  }
  Result<SectionHead> head = ReadHead(kFileHeadBytes, Tag::Head, kMaxRaw);
  if (!head) return head.error();
  Result<std::string> bytes = ReadSection(kFileHeadBytes, *head, "the header");
  if (!bytes) return bytes.error();
  if (auto why = DecodeHead(*bytes, &layout)) return Damaged(file, "the header", kFileHeadBytes, *why);
  blocks_at = kFileHeadBytes + sizeof(SectionHead) + head->stored;
  return Ok();
}

// False if there is no index, or none that agrees with the file: then the blocks are scanned.
bool Reader::State::ReadIndex() {
  if (file.size() < blocks_at + sizeof(SectionHead) + kTrailerBytes) return false;
  Result<std::string> trailer = file.ReadAt(file.size() - kTrailerBytes, kTrailerBytes);
  if (!trailer || !trailer->ends_with(kEnd)) return false;
  const auto offset = Load<uint64_t>(*trailer);
  if (Load<uint64_t>(trailer->substr(8)) != event::Fnv1a64(trailer->substr(0, 8))) return false;
  if (offset < blocks_at || offset > file.size()) return false;
  Result<SectionHead> head = ReadHead(offset, Tag::Index, kMaxIndexRaw);
  if (!head || offset + sizeof(SectionHead) + head->stored + kTrailerBytes != file.size()) return false;
  Result<std::string> bytes = ReadSection(offset, *head, "the index");
  if (!bytes) return false;
  Cursor cursor(*bytes);
  size_t count = 0;
  if (!cursor.NumberUpTo(kMaxBlocks, &count) || count != head->number) return false;
  uint64_t at = blocks_at;
  std::vector<Block> found;
  for (size_t i = 0; i < count; ++i) {
    Block block{at, {}};
    block.head.number = static_cast<uint32_t>(i);
    if (!cursor.NumberUpTo(UINT32_MAX, &block.head.stored) || !cursor.NumberUpTo(UINT32_MAX, &block.head.events) ||
        !cursor.NumberUpTo(UINT32_MAX, &block.head.lost) || !cursor.Number(&block.head.first_time_ns) ||
        !cursor.Number(&block.head.last_time_ns)) {
      return false;
    }
    at += sizeof(SectionHead) + block.head.stored;
    if (at > offset) return false;
    found.push_back(block);
  }
  if (!cursor.AtEnd() || at != offset) return false;
  for (const Block& block : found) Found(block);
  return ended = true;
}

void Reader::State::Found(const Block& block) {
  Info& info = layout.info;
  blocks.push_back(block);
  info.events += block.head.events;
  info.lost += block.head.lost;
  info.first_time_ns =
      block.head.number == 0 ? block.head.first_time_ns : std::min(info.first_time_ns, block.head.first_time_ns);
  info.last_time_ns = std::max(info.last_time_ns, block.head.last_time_ns);
  info.whole_bytes = block.offset + sizeof(SectionHead) + block.head.stored;
}

// From behind the last block that is known.
Status Reader::State::ScanBlocks() {
  while (!ended && layout.info.whole_bytes < file.size()) {
    const uint64_t at = layout.info.whole_bytes;
    Result<SectionHead> head = ReadHead(at, Tag::Block, kMaxRaw);
    if (!head) {
      if (head.error().code == "trace-read") return head.error();
      // Where the index would begin the blocks are complete. Of an index, too, there may be a part only, yet.
      Result<SectionHead> index = ReadHead(at, Tag::Index, kMaxIndexRaw);
      if (!index && index.error().code == "trace-read") return index.error();
      const bool cut = head.error().code == "trace-cut" || (!index && index.error().code == "trace-cut");
      ended = !cut;
      if (ended && !index) damage = head.error();
      return Ok();
    }
    if (blocks.size() == kMaxBlocks || head->number != blocks.size()) {
      ended = true;
      damage = Damaged(file, fmt::format("block {}", blocks.size()), at,
                       fmt::format("it says that it is block {}", head->number));
      return Ok();
    }
    Found({at, *head});
  }
  return Ok();
}

Result<std::string> Reader::State::RowsOf(const Block& block, SectionHead* out) const {
  const std::string where = fmt::format("block {}", block.head.number);
  Result<SectionHead> head = ReadHead(block.offset, Tag::Block, kMaxRaw);
  if (!head) return head.error();
  SectionHead indexed = block.head;
  indexed.tag = head->tag;
  indexed.raw = head->raw;
  indexed.check = head->check;
  if (!SameHead(indexed, *head)) return Damaged(file, where, block.offset, "the index says something else about it");
  *out = *head;
  return ReadSection(block.offset, *head, where);
}

Status Reader::State::End(const Block& block, const SectionHead& head, const RowCounts& counts,
                          const std::optional<Why>& why) const {
  const std::string where = fmt::format("block {}", block.head.number);
  if (why) return Damaged(file, where, block.offset, fmt::format("record {}: {}", counts.events + counts.lost, *why));
  if (counts.events != head.events || counts.lost != head.lost) {
    return Damaged(file, where, block.offset, "it holds more or fewer records than its head says");
  }
  return Ok();
}

Status Reader::State::ReadBlock(const Block& block, const std::function<void(const event::Event&)>& on_event,
                                const std::function<void(const Lost&)>& on_lost) {
  SectionHead head;
  Result<std::string> rows = RowsOf(block, &head);
  if (!rows) return rows.error();
  RowCounts counts;
  const std::optional<Why> why = DecodeRows(*rows, layout, base, &counts, on_event, on_lost);
  return End(block, head, counts, why);
}

Result<bool> Reader::State::HasNext() {
  if (next == blocks.size() && !ended) {
    if (Status looked = file.Refresh(); !looked) return looked.error();
    if (Status scanned = ScanBlocks(); !scanned) return scanned.error();
  }
  if (next == blocks.size() && !damage) return damage.error();
  return next < blocks.size();
}

Reader::Reader(std::unique_ptr<State> state) : state_(std::move(state)) {}
Reader::Reader(Reader&&) noexcept = default;
Reader& Reader::operator=(Reader&&) noexcept = default;
Reader::~Reader() = default;

Result<Reader> Reader::Open(const std::string& path) {
  Result<File> file = File::OpenToRead(path);
  if (!file) return file.error();
  auto state = std::make_unique<State>(std::move(*file));
  if (Status start = state->ReadStart(); !start) return start.error();
  Info& info = state->layout.info;
  info.whole_bytes = state->blocks_at;
  if (!state->ReadIndex()) {
    info.index_rebuilt = true;
    if (Status scanned = state->ScanBlocks(); !scanned) return scanned.error();
  }
  return Reader(std::move(state));
}

const Info& Reader::info() const { return state_->layout.info; }

Status Reader::ForEach(const std::function<void(const event::Event&)>& on_event,
                       const std::function<void(const Lost&)>& on_lost) {
  for (const Block& block : state_->blocks) {
    if (Status read = state_->ReadBlock(block, on_event, on_lost); !read) return read;
  }
  return state_->damage;
}

bool Reader::ended() const { return state_->ended; }

Result<bool> Reader::Next(const std::function<void(const event::Event&)>& on_event,
                          const std::function<void(const Lost&)>& on_lost) {
  State& state = *state_;
  Result<bool> has = state.HasNext();
  if (!has || !*has) return has;
  if (Status read = state.ReadBlock(state.blocks[state.next], on_event, on_lost); !read) return read.error();
  ++state.next;
  return true;
}

Result<bool> Reader::NextRow(const std::function<void(const event::Event&)>& on_event,
                             const std::function<void(const Lost&)>& on_lost) {
  State& state = *state_;
  while (!state.begun || (!state.begun->why && state.begun->cursor.AtEnd())) {
    if (state.begun) {
      const State::Begun& done = *state.begun;
      if (Status end = state.End(state.blocks[state.next], done.head, done.counts, {}); !end) return end.error();
      state.begun.reset();
      ++state.next;
    }
    Result<bool> has = state.HasNext();
    if (!has || !*has) return has;
    SectionHead head;
    Result<std::string> rows = state.RowsOf(state.blocks[state.next], &head);
    if (!rows) return rows.error();
    state.begun = std::make_unique<State::Begun>(std::move(*rows));
    state.begun->head = head;
    state.row_base.Clear();
  }
  State::Begun& begun = *state.begun;
  if (!begun.why) {
    begun.why = DecodeRow(begun.cursor, state.layout, state.row_base, &begun.counts, on_event, on_lost);
    if (!begun.why) return true;
  }
  return state.End(state.blocks[state.next], begun.head, begun.counts, begun.why).error();
}

size_t Reader::blocks() const { return state_->blocks.size(); }

Status Reader::ReadBlock(size_t block, const std::function<void(const event::Event&)>& on_event,
                         const std::function<void(const Lost&)>& on_lost) {
  if (block < blocks()) {
    if (Status read = state_->ReadBlock(state_->blocks[block], on_event, on_lost); !read) return read;
  }
  return block + 1 >= blocks() ? state_->damage : Ok();
}

}  // namespace ks::trace

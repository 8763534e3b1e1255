#include <zstd.h>

#include <algorithm>
#include <queue>
#include <variant>

#include "runtime/trace/file.h"
#include "runtime/trace/format.h"

namespace ks::trace {
namespace {

constexpr uint64_t kHoldNs = 1'000'000'000;
constexpr size_t kHoldRecords = 4096;
constexpr size_t kHoldText = 128 << 20;  // bytes: events of a forged trace can have a megabyte each
constexpr int kCompressionLevel = 9;  // a third smaller than level 3, and still far faster than events come

struct Pending {
  uint64_t time_ns = 0;
  uint64_t order = 0;  // of coming: what is equally old keeps its order
  size_t text = 0;     // bytes
  std::variant<event::Event, Lost> what;
};
// The oldest on top of a heap.
struct Later {
  bool operator()(const Pending& a, const Pending& b) const {
    return a.time_ns != b.time_ns ? a.time_ns > b.time_ns : a.order > b.order;
  }
};

size_t TextOf(const event::Event& event) {
  size_t bytes = 0;
  for (const schema::FieldRow& row : schema::Fields()) {
    if (const auto* text = std::get_if<std::string>(&event.record[row.id].value)) bytes += text->size();
  }
  return bytes;
}

}  // namespace

struct Writer::State {
  explicit State(File opened) : file(std::move(opened)), zstd(ZSTD_createCCtx()) {
    KS_CHECK(zstd != nullptr, "out of memory");
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, kCompressionLevel);
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1);
  }
  ~State() { ZSTD_freeCCtx(zstd); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  Status WriteSection(SectionHead head, std::string_view raw);
  Status WriteBlock();
  Status WriteIndex();
  Status Emit(const Pending& pending);
  Status Push(uint64_t time_ns, std::variant<event::Event, Lost> what, size_t text = 0);
  // What is more than a second older than `now_ns`, and what is too much to hold.
  Status Drain(uint64_t now_ns);

  File file;
  ZSTD_CCtx* zstd;
  std::vector<Pending> held;  // a heap by Later
  size_t held_text = 0;
  uint64_t newest_ns = 0, order = 0;
  RowBase base;
  std::string rows;
  SectionHead block;
  std::vector<SectionHead> blocks;
  Status status = Ok();  // after a failure nothing more is written
};

Status Writer::State::WriteSection(SectionHead head, std::string_view raw) {
  std::string out(sizeof(head) + ZSTD_compressBound(raw.size()), '\0');
  const size_t stored =
      ZSTD_compress2(zstd, out.data() + sizeof(head), out.size() - sizeof(head), raw.data(), raw.size());
  KS_CHECK(!ZSTD_isError(stored), ZSTD_getErrorName(stored));
  head.stored = static_cast<uint32_t>(stored);
  head.raw = static_cast<uint32_t>(raw.size());
  head.check = head.Check();
  std::memcpy(out.data(), &head, sizeof(head));
  out.resize(sizeof(head) + stored);
  if (head.tag == Tag::Block) blocks.push_back(head);
  return file.Append(out);
}

Status Writer::State::WriteBlock() {
  if (rows.empty()) return Ok();
  if (blocks.size() == kMaxBlocks) {
    return Error{"write", file.path(), "it has as many blocks as a trace can have", "record into another file",
                 "trace-full"};
  }
  block.tag = Tag::Block;
  block.number = static_cast<uint32_t>(blocks.size());
  Status written = WriteSection(block, rows);
  rows.clear();
  block = {};
  base.Clear();
  return written;
}

Status Writer::State::WriteIndex() {
  const uint64_t offset = file.size();
  SectionHead head;
  head.tag = Tag::Index;
  head.number = static_cast<uint32_t>(blocks.size());
  std::string index;
  PutNumber(index, blocks.size());
  for (const SectionHead& row : blocks) {
    PutNumber(index, row.stored);
    PutNumber(index, row.events);
    PutNumber(index, row.lost);
    PutNumber(index, row.first_time_ns);
    PutNumber(index, row.last_time_ns);
  }
  if (Status written = WriteSection(head, index); !written) return written;
  std::string trailer(reinterpret_cast<const char*>(&offset), sizeof(offset));
  const uint64_t check = event::Fnv1a64(trailer);
  trailer.append(reinterpret_cast<const char*>(&check), sizeof(check));
  trailer += kEnd;
  return file.Append(trailer);
}

Status Writer::State::Emit(const Pending& pending) {
  block.first_time_ns = rows.empty() ? pending.time_ns : std::min(block.first_time_ns, pending.time_ns);
  block.last_time_ns = std::max(block.last_time_ns, pending.time_ns);
  if (const auto* event = std::get_if<event::Event>(&pending.what)) {
    EncodeEvent(*event, base, rows);
    ++block.events;
  } else {
    EncodeLost(std::get<Lost>(pending.what), base, rows);
    ++block.lost;
  }
  return rows.size() >= kBlockRawTarget ? WriteBlock() : Ok();
}

Status Writer::State::Push(uint64_t time_ns, std::variant<event::Event, Lost> what, size_t text) {
  if (!status) return status;
  held.push_back({time_ns, order++, text, std::move(what)});
  held_text += text;
  std::ranges::push_heap(held, Later());
  newest_ns = std::max(newest_ns, time_ns);
  return status = Drain(newest_ns);
}

Status Writer::State::Drain(uint64_t now_ns) {
  const uint64_t until = now_ns - std::min(now_ns, kHoldNs);
  while (!held.empty() && (held.size() > kHoldRecords || held_text > kHoldText || held.front().time_ns < until)) {
    std::ranges::pop_heap(held, Later());
    const Pending oldest = std::move(held.back());
    held.pop_back();
    held_text -= oldest.text;
    if (Status emitted = Emit(oldest); !emitted) return emitted;
  }
  return Ok();
}

Writer::Writer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Writer::Writer(Writer&&) noexcept = default;
Writer& Writer::operator=(Writer&&) noexcept = default;
Writer::~Writer() = default;

Result<Writer> Writer::Create(const std::string& path, const HostFacts& host, const std::string& match_only) {
  Result<File> file = File::Create(path);
  if (!file) return file.error();
  auto state = std::make_unique<State>(std::move(*file));
  std::string start(kMagic);
  const uint32_t version[2] = {kFormatVersion, 0};
  start.append(reinterpret_cast<const char*>(version), sizeof(version));
  if (Status written = state->file.Append(start); !written) return written.error();
  SectionHead head;
  head.tag = Tag::Head;
  if (Status written = state->WriteSection(head, EncodeHead(host, match_only)); !written) return written.error();
  return Writer(std::move(state));
}

Status Writer::Add(const event::Event& event) {
  // What it meant to the bundle that passed it is not kept; so it is not held either.
  event::Event kept;
  kept.kind = event.kind;
  kept.time_ns = event.time_ns;
  kept.sequence = event.sequence;
  kept.generation = event.generation;
  kept.cpu = event.cpu;
  kept.record = event.record;
  const size_t text = TextOf(kept);
  return state_->Push(event.time_ns, std::move(kept), text);
}

Status Writer::AddLost(const Lost& lost) { return state_->Push(lost.time_ns, lost); }

Status Writer::Flush(uint64_t now_ns) {
  State& state = *state_;
  if (!state.status) return state.status;
  state.status = state.Drain(now_ns);
  if (state.status) state.status = state.WriteBlock();
  return state.status;
}

Status Writer::Close() {
  State& state = *state_;
  if (!state.status) return state.status;
  if (Status drained = state.Drain(UINT64_MAX); !drained) return drained;
  if (Status written = state.WriteBlock(); !written) return written;
  if (Status written = state.WriteIndex(); !written) return written;
  return state.file.Sync();
}

}  // namespace ks::trace

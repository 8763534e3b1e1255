#include "runtime/replay/part.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include "runtime/engine/message.h"
#include "runtime/event/hash.h"
#include "runtime/replay/part_head.h"
#include "runtime/state/packed.h"
#include "runtime/state/saved.h"
#include "runtime/trace/file.h"

namespace ks::replay {
namespace {

constexpr std::string_view kMagic = "KSPART01";
enum class Tag : uint8_t { Head = 1, Items = 2, End = 3 };
constexpr size_t kSectionHeadBytes = 1 + 4 + 8;
constexpr size_t kItemsTarget = size_t{1} << 20;  // a section is written once it has this many bytes
constexpr size_t kMaxItems = size_t{8} << 20;     // of one, whatever its last event took
constexpr size_t kMaxHead = size_t{256} << 20;

template <typename T>
void PutRaw(T value, std::string* out) {
  for (size_t i = 0; i < sizeof(value); ++i) *out += static_cast<char>(value >> (8 * i));
}
template <typename T>
T GetRaw(std::string_view bytes) {
  T value = 0;
  for (size_t i = sizeof(value); i-- > 0;) value = static_cast<T>(value << 8 | static_cast<uint8_t>(bytes[i]));
  return value;
}

}  // namespace

bool PartTrace::IsSame(const PartTrace& other) const {
  return digest == other.digest && chunks == other.chunks && info.host == other.info.host &&
         info.columns == other.info.columns && info.index_rebuilt == other.info.index_rebuilt;
}

// ---- Writing
// ----------------------------------------------------------------------------------------------------------------

struct PartWriter::State {
  State(trace::File opened, std::string to) : file(std::move(opened)), path(std::move(to)) {}
  ~State() {
    if (!is_finished) ::unlink(file.path().c_str());
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  Status WriteSection(Tag tag, std::string_view bytes) {
    std::string head;
    head += static_cast<char>(tag);
    PutRaw(static_cast<uint32_t>(bytes.size()), &head);
    PutRaw(event::Fnv1a64(bytes), &head);
    if (Status written = file.Append(head); !written) return written;
    return file.Append(bytes);
  }
  // What has come of the chunk so far; `rest`: the numbers that say whose it is, or its end.
  Status WriteItems(bool is_last, std::string_view rest) {
    state::SavedWriter out;
    packer->Save(&out);
    out.Number(count);
    std::string bytes = out.bytes() + items.bytes();
    state::SavedWriter tail;
    tail.Number(std::exchange(newest_ns, 0));
    tail.Number(is_last ? 1 : 0);
    bytes += tail.bytes();
    bytes += rest;
    packer = std::make_unique<state::Packer>();
    items = {};
    count = 0;
    return WriteSection(Tag::Items, bytes);
  }

  trace::File file;
  std::string path;
  bool is_finished = false;
  std::unique_ptr<state::Packer> packer = std::make_unique<state::Packer>();
  state::SavedWriter items;
  uint64_t count = 0;
  uint64_t newest_ns = 0;  // of the events since the last item
};

PartWriter::PartWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
PartWriter::PartWriter(PartWriter&&) noexcept = default;
PartWriter& PartWriter::operator=(PartWriter&&) noexcept = default;
PartWriter::~PartWriter() = default;

Result<PartWriter> PartWriter::Create(const std::string& path, const PartHead& head) {
  // Whoever starts a shard again may replace what it wrote, but no trace and no policy.
  std::error_code none;
  if (std::filesystem::exists(path, none)) {
    std::string there(kMagic.size(), '\0');
    std::ifstream(path, std::ios::binary).read(there.data(), static_cast<std::streamsize>(there.size()));
    if (there != kMagic) {
      return Error{"write the part", path, "it is there already, and is no part of a replay", "give another name", "part-exists"};
    }
  }
  // A shard that was started twice must not write where the other one does.
  Result<trace::File> file = trace::File::Create(fmt::format("{}.{:08x}.tmp", path, std::random_device()()));
  if (!file) return file.error();
  auto state = std::make_unique<State>(std::move(*file), path);
  if (Status written = state->file.Append(kMagic); !written) return written.error();
  if (Status written = state->WriteSection(Tag::Head, EncodeHead(head)); !written) return written.error();
  return PartWriter(std::move(state));
}

Status PartWriter::Add(const engine::Engine& engine, const event::Event& event, std::span<const event::Match> matches) {
  State& state = *state_;
  if (matches.empty()) {
    state.newest_ns = std::max(state.newest_ns, event.time_ns);
    return Ok();
  }
  state.items.Number(std::exchange(state.newest_ns, 0));
  state.items.Number(matches.size());
  state::FieldSet needed;
  for (const event::Match& match : matches) needed |= state::NeededFields(match, engine.program().rules[match.probe]);
  // The event is told once, with the first of its matches.
  for (const event::Match& match : matches) {
    state.items.Number(match.probe);
    state.items.Text(state.packer->Pack(event, std::exchange(needed, {}), match).view());
  }
  ++state.count;
  return state.items.bytes().size() < kItemsTarget ? Ok() : state.WriteItems(false, "");
}

Status PartWriter::EndChunk(size_t trace, size_t chunk, const Totals& totals, const std::map<std::string, uint64_t>& unmapped,
                            const std::optional<Error>& damage) {
  state::SavedWriter out;
  out.Number(trace);
  out.Number(chunk);
  out.Number(totals.events);
  out.Number(totals.lost);
  out.Number(static_cast<uint64_t>(totals.first_ns));
  out.Number(static_cast<uint64_t>(totals.last_ns));
  PutTexts({totals.may_have_missed.begin(), totals.may_have_missed.end()}, &out);
  out.Number(unmapped.size());
  for (const auto& [name, number] : unmapped) {
    out.Text(name);
    out.Number(number);
  }
  out.Number(damage ? 1 : 0);
  if (damage) {
    for (const std::string* text : {&damage->tried, &damage->on, &damage->cause, &damage->advice, &damage->code}) out.Text(*text);
  }
  return state_->WriteItems(true, out.bytes());
}

Status PartWriter::Finish() {
  if (Status written = state_->WriteSection(Tag::End, kMagic); !written) return written;
  if (Status synced = state_->file.Sync(); !synced) return synced;
  if (::rename(state_->file.path().c_str(), state_->path.c_str()) != 0) {
    return Error{"write the part", state_->path, std::strerror(errno), "", "part-write"};
  }
  state_->is_finished = true;
  return Ok();
}

// ---- Reading
// ----------------------------------------------------------------------------------------------------------------

struct PartReader::State {
  explicit State(trace::File opened) : file(std::move(opened)) {}

  Error Refuse(std::string cause, std::string advice = "replay this shard again") const {
    return {"read the part", file.path(), std::move(cause), std::move(advice), "part-refused"};
  }
  Result<std::string> ReadSection(Tag tag, size_t at_most) {
    if (file.size() - offset < kSectionHeadBytes) return Refuse("it was not finished");
    Result<std::string> start = file.ReadAt(offset, kSectionHeadBytes);
    if (!start) return start;
    const auto size = GetRaw<uint32_t>(start->substr(1, 4));
    if (static_cast<Tag>((*start)[0]) != tag || size > at_most) return Refuse(fmt::format("it is damaged at byte {}", offset));
    if (size > file.size() - offset - kSectionHeadBytes) return Refuse("it was not finished");
    Result<std::string> bytes = file.ReadAt(offset + kSectionHeadBytes, size);
    if (!bytes) return bytes;
    if (event::Fnv1a64(*bytes) != GetRaw<uint64_t>(start->substr(5, 8))) {
      return Refuse(fmt::format("it is damaged at byte {}: its checksum is wrong", offset));
    }
    offset += kSectionHeadBytes + size;
    return bytes;
  }

  trace::File file;
  uint64_t offset = kMagic.size();
  PartHead head;
};

PartReader::PartReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
PartReader::PartReader(PartReader&&) noexcept = default;
PartReader& PartReader::operator=(PartReader&&) noexcept = default;
PartReader::~PartReader() = default;

const PartHead& PartReader::head() const { return state_->head; }

Result<PartReader> PartReader::Open(const std::string& path) {
  Result<trace::File> file = trace::File::OpenToRead(path);
  if (!file) return file.error();
  auto state = std::make_unique<State>(std::move(*file));
  const Error no_part = state->Refuse("it is no part of a replay", "parts are written by `ksc replay --shard K/N -o PART.ksr`");
  if (state->file.size() < kMagic.size()) return no_part;
  Result<std::string> magic = state->file.ReadAt(0, kMagic.size());
  if (!magic) return magic.error();
  if (*magic != kMagic) return no_part;
  Result<std::string> bytes = state->ReadSection(Tag::Head, kMaxHead);
  if (!bytes) return bytes.error();
  bool other_schema = false;
  std::optional<PartHead> head = DecodeHead(*bytes, &other_schema);
  if (other_schema) return state->Refuse("it was written by a build with another event table", "merge with the ksc that wrote the parts");
  if (!head) return state->Refuse("it is damaged: its head cannot be");
  state->head = std::move(*head);
  return PartReader(std::move(state));
}

namespace {

// One event with what was said of it, and on to the run.
void ReadItem(state::SavedReader* in, const state::Packer& packer, const engine::Engine& engine, Run* run) {
  if (const uint64_t newest = in->Time(); newest > 0 && run != nullptr) run->Advance(newest);
  std::vector<std::shared_ptr<const state::Kept>> kept;
  std::vector<event::Match> matches;
  for (size_t i = 0, n = in->Count(); i < n && in->ok(); ++i) {
    const uint64_t probe = in->Number();
    in->Require(probe < engine.program().rules.size());
    state::SavedReader packed(in->Text(), INT64_MAX);
    kept.push_back(packer.LoadEvent(&packed));
    in->Require(packed.at_end() && kept.back() != nullptr);
    if (!in->ok()) return;
    const event::Event& event = kept.front()->event;
    in->Require(event.time_ns <= INT64_MAX);
    const ir::SplitRule& split = engine.program().rules[probe];
    in->Require(std::ranges::count(split.rule.kinds, event.kind) != 0);
    if (!in->ok()) return;
    const state::Said& said = *kept.back()->said;
    event::Match match;
    match.event = &event;
    match.probe = static_cast<uint32_t>(probe);
    match.rule = &engine.info(match.probe);
    match.time_ns = event.time_ns;
    match.matched.assign(said.matched.begin(), said.matched.end());
    match.uncertain = said.uncertain;
    match.shown = said.shown;
    if (!split.machine) {
      match.message = engine::FillTemplate(split.rule.alert, event.record, match.rule->disclosed);
      if (match.message.empty()) match.message = engine::PlainMessage(*match.rule);
    }
    matches.push_back(std::move(match));
  }
  in->Require(!matches.empty());
  if (in->ok() && run != nullptr) run->Take(kept.front()->event, matches);
}

ChunkEnd ReadChunkEnd(state::SavedReader* in) {
  ChunkEnd end;
  end.totals.events = in->Number();
  end.totals.lost = in->Number();
  end.totals.first_ns = static_cast<int64_t>(in->Number());
  end.totals.last_ns = static_cast<int64_t>(in->Number());
  for (size_t i = 0, n = in->Count(kMaxNames); i < n && in->ok(); ++i) end.totals.may_have_missed.insert(GetSafe(in));
  for (size_t i = 0, n = in->Count(kMaxNames); i < n && in->ok(); ++i) {
    const std::string name(in->Text());
    end.unmapped[name] = in->Number();
  }
  if (in->Number(1) == 1) {
    end.damage.emplace();
    for (std::string* text : {&end.damage->tried, &end.damage->on, &end.damage->cause, &end.damage->advice, &end.damage->code}) {
      *text = GetSafe(in);
    }
  }
  return end;
}

}  // namespace

Result<ChunkEnd> PartReader::ReadChunk(size_t trace, size_t chunk, const engine::Engine& engine, Run* run) {
  while (true) {
    const uint64_t at = state_->offset;
    Result<std::string> bytes = state_->ReadSection(Tag::Items, kMaxItems);
    if (!bytes) return bytes.error();
    state::SavedReader in(*bytes, INT64_MAX);  // as times of traces are
    state::Packer packer;
    packer.Load(&in);
    for (size_t i = 0, n = in.Count(); i < n && in.ok(); ++i) ReadItem(&in, packer, engine, run);
    if (const uint64_t newest = in.Time(); newest > 0 && in.ok() && run != nullptr) run->Advance(newest);
    const bool is_last = in.Number(1) == 1;
    ChunkEnd end;
    if (is_last) {
      in.Require(in.Number() == trace);
      in.Require(in.Number() == chunk);
      end = ReadChunkEnd(&in);
    }
    if (!in.at_end()) return state_->Refuse(fmt::format("it is damaged at byte {}: what is there cannot be", at));
    if (is_last) return end;
  }
}

Status PartReader::ReadEnd() {
  Result<std::string> end = state_->ReadSection(Tag::End, kMagic.size());
  if (!end) return end.error();
  if (state_->offset != state_->file.size()) return state_->Refuse("something follows its end");
  return Ok();
}

}  // namespace ks::replay

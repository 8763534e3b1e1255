#include "runtime/kernel/progress.h"

#include <unistd.h>

#include <cerrno>
#include <type_traits>

#include "bpf/schema/record.h"
#include "runtime/kernel/libbpf.h"

namespace ks::kernel {
namespace {

// The map's words: the count; two copies of the numbers that VisitNumbers names and, per CPU, the next number of each stream.
constexpr size_t kNumbers = 13;

template <typename Entry, typename Visitor>
void VisitNumbers(Entry& entry, const Visitor& visit) {
  size_t at = 0;
  for (size_t i = 0; i < kRings; ++i) {
    visit(at++, entry.position[i]);
    visit(at++, entry.received[i]);
    visit(at++, entry.progress.lost[i]);
  }
  auto& progress = entry.progress;
  for (auto* number : {&progress.received, &progress.malformed, &progress.stray, &progress.alerts, &progress.gaps,
                       &progress.lost_before}) {
    visit(at++, *number);
  }
  visit(at++, progress.boot_to_utc_ns);
  KS_CHECK(at == kNumbers, "each number has its place");
}

size_t CopyWords(size_t cpus) { return kNumbers + cpus * KS_STREAMS; }

}  // namespace

uint32_t ProgressMap::Bytes(size_t cpus) {
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t bytes = (1 + 2 * CopyWords(cpus)) * sizeof(uint64_t);
  return static_cast<uint32_t>((bytes + page - 1) / page * page);
}

Status ProgressMap::Open(int fd, size_t cpus) {
  cpus_ = cpus;
  pages_ = Mapping(fd, Bytes(cpus));
  if (!pages_.get()) return WorldError("map", "the agent's progress", errno, "kernel-map");
  return Ok();
}

Status ProgressMap::OpenPinned(const std::string& path, size_t cpus) {
  const uint32_t bytes = Bytes(cpus);
  Fd map(bpf_obj_get(path.c_str()));
  if (!map && errno == ENOENT) {
    LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
    map = Fd(bpf_map_create(BPF_MAP_TYPE_ARRAY, "ks_progress", sizeof(uint32_t), bytes, 1, &options));
    if (map && bpf_obj_pin(map.get(), path.c_str()) != 0) map = Fd();
  }
  if (!map) return WorldError("pin the map", path, errno, "pin");
  bpf_map_info info{};
  uint32_t size = sizeof(info);
  if (bpf_obj_get_info_by_fd(map.get(), &info, &size) != 0 || info.type != BPF_MAP_TYPE_ARRAY || info.value_size != bytes ||
      info.max_entries != 1 || !(info.map_flags & BPF_F_MMAPABLE)) {
    return Strange(path);
  }
  return Open(map.get(), cpus);
}

Error ProgressMap::Strange(const std::string& path) {
  return {"go on with", path, "it is not what an agent of this version writes", "", "pin"};
}

uint64_t* ProgressMap::Copy(uint64_t count) const {
  return static_cast<uint64_t*>(pages_.get()) + 1 + (count & 1) * CopyWords(cpus_);
}

std::optional<ProgressMap::Entry> ProgressMap::Last() const {
  const uint64_t count = Count().load(std::memory_order_acquire);
  if (count == 0) return std::nullopt;
  const uint64_t* copy = Copy(count);
  Entry entry;
  VisitNumbers(entry, [&](size_t at, auto& number) { number = static_cast<std::remove_reference_t<decltype(number)>>(copy[at]); });
  for (size_t cpu = 0; cpu < cpus_; ++cpu) {
    for (uint32_t stream = 0; stream < KS_STREAMS; ++stream) {
      const uint64_t next = copy[kNumbers + cpu * KS_STREAMS + stream];
      if (next > 0) entry.progress.streams.push_back({static_cast<uint16_t>(cpu), stream, next});
    }
  }
  return entry;
}

void ProgressMap::Write(const Entry& entry) {
  const uint64_t count = Count().load(std::memory_order_relaxed) + 1;
  uint64_t* copy = Copy(count);
  VisitNumbers(entry, [&](size_t at, auto number) { copy[at] = static_cast<uint64_t>(number); });
  // Streams only become more.
  for (const StreamEnd& stream : entry.progress.streams) {
    if (stream.cpu < cpus_ && stream.stream < KS_STREAMS) copy[kNumbers + stream.cpu * KS_STREAMS + stream.stream] = stream.next;
  }
  Count().store(count, std::memory_order_release);
}

}  // namespace ks::kernel

// The kernel, through libbpf: dispatchers, banks, epoch, counters.
#include <fmt/format.h>

#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>

#include "dispatcher_object.h"
#include "runtime/kernel/capture.h"
#include "runtime/kernel/fd.h"
#include "runtime/kernel/grace_period.h"
#include "runtime/kernel/libbpf.h"
#include "runtime/kernel/line_recorder.h"
#include "runtime/kernel/object.h"
#include "runtime/kernel/ring.h"
#include "runtime/kernel/verifier_log.h"

namespace ks::kernel {
namespace {

constexpr std::array<const char*, kRings> kRingMaps = {"ks_ring", "ks_ring_context"};  // by RingId
static_assert(kRings == KS_RINGS);

class LibbpfKernel : public Kernel {
 public:
  static Result<std::unique_ptr<Kernel>> Open(const KernelOptions& options);
  ~LibbpfKernel() override = default;

  Result<std::unique_ptr<LoadedObject>> Load(std::string_view elf, uint32_t generation) override {
    return LoadObject(elf, generation, captures_.available(), hook_names_, maps_);
  }
  Status Activate(LoadedObject& object) override;
  Status SetInodes(const std::vector<NamedInode>& inodes) override;
  Result<size_t> Consume(int timeout_ms, const std::function<void(std::string_view)>& on_record) override {
    return rings_.Consume(timeout_ms, on_record);
  }
  void Detach() override;
  std::vector<KindCounters> Counters() const override;
  std::vector<HookStatus> Hooks() const override;
  std::array<RingStatus, kRings> Rings() const override {
    return {{{ring_bytes_, rings_.received(RingId::Alerts)}, {ring_bytes_, rings_.received(RingId::Context)}}};
  }
  std::vector<StreamEnd> Streams() const override;
  std::vector<KindTier> Tiers() const override { return captures_.Tiers(); }
  std::string WhyNoTrampolines() const override { return captures_.why(); }

 private:
  struct Hook {
    bpf_program* dispatcher = nullptr;
    int bank = -1;
    LinkPtr link;
  };

  LibbpfKernel() = default;
  Status Start(const KernelOptions& options);
  std::atomic_ref<uint32_t> Epoch() const { return std::atomic_ref<uint32_t>(*static_cast<uint32_t*>(active_.get())); }
  int MapFd(const char* name) const { return maps_.at(name); }

  ObjectPtr dispatchers_;
  std::map<std::string, int> maps_;    // shared maps by name
  std::map<std::string, Hook> hooks_;  // by tracepoint
  std::set<std::string> hook_names_;
  Captures captures_;
  Mapping active_;
  GracePeriod grace_;
  kernel::Rings rings_;
  uint64_t ring_bytes_ = 0;
  std::set<std::pair<uint64_t, uint64_t>> inodes_;  // what ks_inodes holds: device, inode
};

Result<std::unique_ptr<Kernel>> LibbpfKernel::Open(const KernelOptions& options) {
  libbpf_set_print(LibbpfLog::Print);
  LineRecorder::Register();
  std::unique_ptr<LibbpfKernel> kernel(new LibbpfKernel);
  if (Status started = kernel->Start(options); !started) return started.error();
  return std::unique_ptr<Kernel>(std::move(kernel));
}

Status LibbpfKernel::Start(const KernelOptions& options) {
  const std::string on = "the resident dispatchers";
  auto page = static_cast<uint32_t>(::sysconf(_SC_PAGESIZE));
  if (!std::has_single_bit(options.ring_bytes) || options.ring_bytes < page) {
    return Error{"make the ring", fmt::format("{} bytes", options.ring_bytes),
                 "its size must be a power of two and at least a page", "", "kernel-map"};
  }
  ring_bytes_ = options.ring_bytes;
  Result<ObjectPtr> opened = OpenObject(embedded::dispatcher_object(), "ks", on);
  if (!opened) return opened.error();
  dispatchers_ = std::move(*opened);
  LibbpfLog log;
  for (const char* name : kRingMaps) {
    bpf_map* ring = bpf_object__find_map_by_name(dispatchers_.get(), name);
    KS_CHECK(ring != nullptr, "the dispatcher object has no ring");
    bpf_map__set_max_entries(ring, options.ring_bytes);
  }
  if (int error = bpf_object__load(dispatchers_.get()); error != 0) return ExplainLoadFailure(log.text(), -error, on);

  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, dispatchers_.get()) maps_[bpf_map__name(map)] = bpf_map__fd(map);
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, dispatchers_.get()) {
    std::string hook = HookOf(program);
    hooks_[hook].dispatcher = program;
    hook_names_.insert(hook);
    hooks_[hook].bank = MapFd(("ks_bank_" + hook).c_str());
  }
  if (Status probed = captures_.Probe(options.tiers, maps_); !probed) return probed.error();
  active_ = Mapping(MapFd("ks_active"), page);
  if (!active_.get()) return WorldError("map the epoch of", on, errno, "kernel-map");
  Result<GracePeriod> grace = GracePeriod::Open();
  if (!grace) return grace.error();
  grace_ = std::move(*grace);
  return rings_.Open({MapFd(kRingMaps[0]), MapFd(kRingMaps[1])});
}

Status LibbpfKernel::Activate(LoadedObject& object) {
  const auto& loaded = static_cast<LibbpfObject&>(object);
  const auto& programs = loaded.programs();
  uint32_t epoch = Epoch().load();
  uint32_t idle = (epoch + 1) & 1;
  for (auto& [name, hook] : hooks_) {
    auto program = programs.find(name);
    if (program == programs.end()) {
      if (bpf_map_delete_elem(hook.bank, &idle) != 0 && errno != ENOENT) {
        return WorldError("clear the idle bank of", name, errno, "kernel-map");
      }
    } else if (bpf_map_update_elem(hook.bank, &idle, &program->second, BPF_ANY) != 0) {
      return WorldError("fill the idle bank of", name, errno, "kernel-map");
    }
  }
  for (const auto& [name, fd] : programs) {
    Hook& hook = hooks_.at(name);
    if (hook.link) continue;
    LibbpfLog log;
    hook.link.reset(bpf_program__attach_raw_tracepoint(hook.dispatcher, name.c_str()));
    // Before Linux 6.3.
    if (!hook.link && errno == ENOENT && name == "io_uring_submit_req") {
      hook.link.reset(bpf_program__attach_raw_tracepoint(hook.dispatcher, "io_uring_submit_sqe"));
    }
    if (!hook.link) {
      int error = errno;
      Error failed = WorldError("attach to the tracepoint", name, error, "kernel-attach");
      if (error == EPERM || error == EACCES) {
        failed.code = "kernel-permission";
        failed.advice = "give the process CAP_BPF and CAP_PERFMON";
      }
      return failed;
    }
  }
  captures_.Attach([&](schema::EventKind kind) { return loaded.Asks(kind); });
  // From here on nothing fails.
  Epoch().store(epoch + 1);
  grace_.Wait();
  captures_.DetachUnneeded();
  return Ok();
}

Status LibbpfKernel::SetInodes(const std::vector<NamedInode>& inodes) {
  int map = MapFd("ks_inodes");
  std::set<std::pair<uint64_t, uint64_t>> wanted;
  for (const NamedInode& named : inodes) {
    ks_name name{};
    if (named.path.size() > sizeof(name.data) - KS_TEXT_SLACK) continue;  // no path that is read is that long
    name.len = static_cast<uint32_t>(named.path.size());
    std::memcpy(name.data, named.path.data(), named.path.size());
    ks_inode key{named.device, named.inode};
    // The first name of a file stays: two names of one inode in one policy are one file.
    if (!wanted.emplace(key.device, key.inode).second) continue;
    if (bpf_map_update_elem(map, &key, &name, BPF_ANY) != 0) {
      int error = errno;
      Error failed = WorldError("name the inode of", named.path, error, "kernel-map");
      if (error == E2BIG) {
        failed.cause = "the kernel half knows no more than 1024 such files";
        failed.advice = "name fewer files by file.canonical";
      }
      return failed;
    }
    inodes_.emplace(key.device, key.inode);
  }
  for (auto known = inodes_.begin(); known != inodes_.end();) {
    if (wanted.count(*known)) {
      ++known;
      continue;
    }
    ks_inode key{known->first, known->second};
    if (bpf_map_delete_elem(map, &key) != 0 && errno != ENOENT) {
      return WorldError("forget an inode of", "the policy before", errno, "kernel-map");
    }
    known = inodes_.erase(known);
  }
  return Ok();
}

void LibbpfKernel::Detach() {
  for (auto& [name, hook] : hooks_) hook.link.reset();
  captures_.DetachAll();
  grace_.Wait();
}

std::vector<KindCounters> LibbpfKernel::Counters() const {
  std::vector<KindCounters> sums(schema::kKindCount);
  for (uint32_t kind = 0; kind < schema::kKindCount; ++kind) sums[kind].kind = static_cast<schema::EventKind>(kind);
  const int cpus = libbpf_num_possible_cpus();
  if (cpus <= 0) return sums;
  std::vector<ks_hook_counters> per_cpu(static_cast<size_t>(cpus));
  // A look at each hook is one call: those of kind `bpf` are events as well.
  for (uint32_t hook = 0; bpf_map_lookup_elem(MapFd("ks_counters"), &hook, per_cpu.data()) == 0; ++hook) {
    for (const ks_hook_counters& cpu : per_cpu) {
      for (KindCounters& sum : sums) {
        const ks_counters& one = cpu.kinds[static_cast<size_t>(sum.kind)];
        sum.seen += one.seen;
        sum.filtered += one.filtered;
        sum.limited += one.limited;
        for (size_t ring = 0; ring < kRings; ++ring) {
          sum.submitted += one.submitted[ring];
          sum.dropped += one.dropped[ring];
          sum.submitted_to[ring] += one.submitted[ring];
          sum.dropped_from[ring] += one.dropped[ring];
        }
      }
    }
  }
  return sums;
}

std::vector<StreamEnd> LibbpfKernel::Streams() const {
  std::vector<StreamEnd> ends;
  const int cpus = libbpf_num_possible_cpus();
  if (cpus <= 0) return ends;
  std::vector<uint64_t> next(static_cast<size_t>(cpus));
  for (uint32_t stream = 0; bpf_map_lookup_elem(MapFd("ks_sequence"), &stream, next.data()) == 0; ++stream) {
    for (size_t cpu = 0; cpu < next.size(); ++cpu) {
      if (next[cpu] > 0) ends.push_back({static_cast<uint16_t>(cpu), stream, next[cpu]});
    }
  }
  return ends;
}

std::vector<HookStatus> LibbpfKernel::Hooks() const {
  std::vector<HookStatus> statuses;
  for (const auto& [name, hook] : hooks_) {
    bpf_prog_info info{};
    uint32_t size = sizeof(info);
    if (bpf_obj_get_info_by_fd(bpf_program__fd(hook.dispatcher), &info, &size) != 0) info = {};
    statuses.push_back({name, hook.link != nullptr, info.recursion_misses});
  }
  captures_.AddHooks(statuses);
  return statuses;
}

}  // namespace

Result<std::unique_ptr<Kernel>> OpenLibbpfKernel(const KernelOptions& options) { return LibbpfKernel::Open(options); }

}  // namespace ks::kernel

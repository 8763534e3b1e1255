// The kernel, through libbpf. No other file includes libbpf.
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/membarrier.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <map>
#include <set>
#include <tuple>

#include "dispatcher_object.h"
#include "runtime/kernel/fd.h"
#include "runtime/kernel/kernel.h"
#include "runtime/kernel/verifier_log.h"

namespace ks::kernel {
namespace {

constexpr size_t kMaxLog = 1 << 20;
constexpr int kLongestPauseMs = 10;

// What libbpf says while an instance lives on this thread goes into it, and else nowhere: never to stderr.
class LibbpfLog {
 public:
  LibbpfLog() : outer_(current_) { current_ = this; }
  ~LibbpfLog() { current_ = outer_; }
  LibbpfLog(const LibbpfLog&) = delete;
  LibbpfLog& operator=(const LibbpfLog&) = delete;
  const std::string& text() const { return text_; }

  static int Print(libbpf_print_level level, const char* format, va_list arguments) {
    if (level == LIBBPF_DEBUG || !current_) return 0;
    va_list again;
    va_copy(again, arguments);
    int length = std::vsnprintf(nullptr, 0, format, again);
    va_end(again);
    if (length <= 0) return 0;
    std::string line(static_cast<size_t>(length) + 1, '\0');
    std::vsnprintf(line.data(), line.size(), format, arguments);
    line.pop_back();
    // The end of a verifier's log is what matters.
    if (line.size() > kMaxLog) line.erase(0, line.size() - kMaxLog);
    if (current_->text_.size() < kMaxLog) current_->text_ += line;
    return length;
  }

 private:
  LibbpfLog* outer_;
  std::string text_;
  static thread_local LibbpfLog* current_;
};
thread_local LibbpfLog* LibbpfLog::current_ = nullptr;

struct CloseObject {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};
using ObjectPtr = std::unique_ptr<bpf_object, CloseObject>;

struct DestroyLink {
  void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};
using LinkPtr = std::unique_ptr<bpf_link, DestroyLink>;

struct FreeRing {
  void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
};
using RingPtr = std::unique_ptr<ring_buffer, FreeRing>;

Error WorldError(const char* tried, const std::string& on, int error, const char* code) {
  return {tried, on, std::strerror(error), "", code};
}

Result<ObjectPtr> OpenObject(std::string_view elf, const char* name, const std::string& on) {
  LibbpfLog log;
  LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = name);
  ObjectPtr object(bpf_object__open_mem(elf.data(), elf.size(), &options));
  if (!object) {
    int error = errno;
    Error explained = ExplainLoadFailure(log.text(), error, on);
    if (explained.code == "kernel-load") {
      explained.tried = "read";
      explained.code = "kernel-object";
      explained.advice = "the object is damaged or was not made by this compiler";
    }
    return explained;
  }
  return object;
}

// "raw_tp/sys_exit" → "sys_exit"; "" if it is another kind of program.
std::string HookOf(const bpf_program* program) {
  std::string_view section = bpf_program__section_name(program);
  constexpr std::string_view kPrefix = "raw_tp/";
  return section.starts_with(kPrefix) ? std::string(section.substr(kPrefix.size())) : "";
}

class LibbpfObject : public LoadedObject {
 public:
  explicit LibbpfObject(ObjectPtr object) : object_(std::move(object)) {
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, object_.get()) {
      bpf_prog_info info{};
      uint32_t size = sizeof(info);
      int fd = bpf_program__fd(program);
      // Without the numbers a program is as good: kernels before 5.16 do not have them all.
      if (bpf_obj_get_info_by_fd(fd, &info, &size) != 0) info = {};
      programs_[HookOf(program)] = fd;
      hooks_.push_back({HookOf(program), info.verified_insns, info.jited_prog_len});
    }
  }
  const std::vector<LoadedHook>& hooks() const override { return hooks_; }
  const std::map<std::string, int>& programs() const { return programs_; }  // hook → program

 private:
  ObjectPtr object_;
  std::map<std::string, int> programs_;
  std::vector<LoadedHook> hooks_;
};

// Waits until no CPU runs what ran before.
class GracePeriod {
 public:
  static Result<GracePeriod> Open() {
    GracePeriod period;
    long commands = ::syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
    if (commands > 0 && (commands & MEMBARRIER_CMD_GLOBAL)) return period;
    // Not there under nohz_full or a strict seccomp filter. An update of a map of maps waits for the same thing.
    period.inner_ = Fd(bpf_map_create(BPF_MAP_TYPE_ARRAY, "ks_wait_inner", 4, 4, 1, nullptr));
    LIBBPF_OPTS(bpf_map_create_opts, options, .inner_map_fd = static_cast<uint32_t>(period.inner_.get()));
    period.outer_ = Fd(bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "ks_wait", 4, 4, 1, &options));
    if (!period.outer_) return WorldError("find a way to wait for running programs", "", errno, "kernel-map");
    return period;
  }
  // Cannot fail once opened: by then the new programs are in force.
  void Wait() const {
    if (!outer_) {
      long done = ::syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
      KS_CHECK(done == 0, "membarrier was offered and then refused");
      return;
    }
    uint32_t key = 0;
    int fd = inner_.get();
    int done = bpf_map_update_elem(outer_.get(), &key, &fd, BPF_ANY);
    KS_CHECK(done == 0, "the map that waits does not take its inner map");
  }

 private:
  Fd inner_, outer_;
};

class LibbpfKernel : public Kernel {
 public:
  static Result<std::unique_ptr<Kernel>> Open(const KernelOptions& options);
  ~LibbpfKernel() override = default;

  Result<std::unique_ptr<LoadedObject>> Load(std::string_view elf, uint32_t generation) override;
  Status Activate(LoadedObject& object) override;
  Status SetInodes(const std::vector<NamedInode>& inodes) override;
  Result<size_t> Consume(int timeout_ms, const std::function<void(std::string_view)>& on_record) override;
  void Detach() override;
  std::vector<KindCounters> Counters() const override;
  std::vector<HookStatus> Hooks() const override;
  uint64_t RingBytes() const override { return ring_bytes_; }

 private:
  struct Hook {
    bpf_program* dispatcher = nullptr;
    int bank = -1;
    LinkPtr link;
  };

  LibbpfKernel() = default;
  Status Start(const KernelOptions& options);
  Status ShareMaps(bpf_object* object) const;
  static Status SetGeneration(bpf_object* object, uint32_t generation);
  std::atomic_ref<uint32_t> Epoch() const { return std::atomic_ref<uint32_t>(*static_cast<uint32_t*>(active_.get())); }
  int MapFd(const char* name) const { return maps_.at(name); }
  static int OnRecord(void* self, void* data, size_t size);

  ObjectPtr dispatchers_;
  std::map<std::string, int> maps_;    // shared maps by name
  std::map<std::string, Hook> hooks_;  // by tracepoint
  Mapping active_;
  GracePeriod grace_;
  RingPtr ring_;
  uint64_t ring_bytes_ = 0;
  std::set<std::pair<uint64_t, uint64_t>> inodes_;  // what ks_inodes holds: device, inode
  int pause_ms_ = 1;
  const std::function<void(std::string_view)>* on_record_ = nullptr;
  size_t consumed_ = 0;
};

Result<std::unique_ptr<Kernel>> LibbpfKernel::Open(const KernelOptions& options) {
  libbpf_set_print(LibbpfLog::Print);
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
  bpf_map* ring = bpf_object__find_map_by_name(dispatchers_.get(), "ks_ring");
  KS_CHECK(ring != nullptr, "the dispatcher object has no ring");
  bpf_map__set_max_entries(ring, options.ring_bytes);
  if (int error = bpf_object__load(dispatchers_.get()); error != 0) return ExplainLoadFailure(log.text(), -error, on);

  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, dispatchers_.get()) maps_[bpf_map__name(map)] = bpf_map__fd(map);
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, dispatchers_.get()) {
    std::string hook = HookOf(program);
    hooks_[hook].dispatcher = program;
    hooks_[hook].bank = MapFd(("ks_bank_" + hook).c_str());
  }
  active_ = Mapping(MapFd("ks_active"), page);
  if (!active_.get()) return WorldError("map the epoch of", on, errno, "kernel-map");
  Result<GracePeriod> grace = GracePeriod::Open();
  if (!grace) return grace.error();
  grace_ = std::move(*grace);
  ring_.reset(ring_buffer__new(MapFd("ks_ring"), OnRecord, this, nullptr));
  if (!ring_) return WorldError("open the ring of", on, errno, "kernel-map");
  return Ok();
}

// The object's maps are ours, by name; only its constants are its own.
Status LibbpfKernel::ShareMaps(bpf_object* object) const {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    std::string name = bpf_map__name(map);
    if (bpf_map__is_internal(map)) {
      if (name.find(".rodata") != std::string::npos) continue;
    } else if (auto shared = maps_.find(name); shared != maps_.end()) {
      if (int error = bpf_map__reuse_fd(map, shared->second); error != 0) {
        return WorldError("share the map", name, -error, "kernel-map");
      }
      continue;
    }
    return Error{"load the programs of", "the bundle",
                 fmt::format("they name a map that this agent does not have: {}", name),
                 "compile the policy with the ksc of this version", "kernel-object"};
  }
  return Ok();
}

Status LibbpfKernel::SetGeneration(bpf_object* object, uint32_t generation) {
  const btf* types = bpf_object__btf(object);
  int section = types ? btf__find_by_name_kind(types, ".rodata", BTF_KIND_DATASEC) : -1;
  if (section >= 0) {
    const btf_type* type = btf__type_by_id(types, static_cast<uint32_t>(section));
    const btf_var_secinfo* variables = btf_var_secinfos(type);
    for (uint32_t i = 0; i < btf_vlen(type); ++i) {
      const btf_type* variable = btf__type_by_id(types, variables[i].type);
      if (std::string_view(btf__name_by_offset(types, variable->name_off)) != "ks_generation") continue;
      bpf_map* map = nullptr;
      bpf_object__for_each_map(map, object) {
        if (!std::string_view(bpf_map__name(map)).ends_with(".rodata")) continue;
        size_t size = 0;
        const void* before = bpf_map__initial_value(map, &size);
        if (!before || size < sizeof(generation) || variables[i].offset > size - sizeof(generation)) continue;
        std::string bytes(static_cast<const char*>(before), size);
        std::memcpy(bytes.data() + variables[i].offset, &generation, sizeof(generation));
        if (int error = bpf_map__set_initial_value(map, bytes.data(), bytes.size()); error != 0) {
          return WorldError("number the programs of", "the bundle", -error, "kernel-object");
        }
        return Ok();
      }
    }
  }
  return Error{"load the programs of", "the bundle", "they have no place for the bundle's generation (ks_generation)",
               "compile the policy with the ksc of this version", "kernel-object"};
}

Result<std::unique_ptr<LoadedObject>> LibbpfKernel::Load(std::string_view elf, uint32_t generation) {
  const std::string on = "the bundle";
  Result<ObjectPtr> opened = OpenObject(elf, "policy", on);
  if (!opened) return opened.error();
  ObjectPtr object = std::move(*opened);
  bpf_program* program = nullptr;
  std::set<std::string> seen;
  bpf_object__for_each_program(program, object.get()) {
    std::string hook = HookOf(program);
    if (hooks_.count(hook) && seen.insert(hook).second) continue;
    return Error{"load the programs of", on,
                 fmt::format("one is for a hook that this agent does not have, or has already: {}",
                             bpf_program__section_name(program)),
                 "compile the policy with the ksc of this version", "kernel-object"};
  }
  if (Status shared = ShareMaps(object.get()); !shared) return shared.error();
  if (Status set = SetGeneration(object.get(), generation); !set) return set.error();
  LibbpfLog log;
  if (int error = bpf_object__load(object.get()); error != 0) return ExplainLoadFailure(log.text(), -error, on);
  return std::unique_ptr<LoadedObject>(std::make_unique<LibbpfObject>(std::move(object)));
}

Status LibbpfKernel::Activate(LoadedObject& object) {
  const auto& programs = static_cast<LibbpfObject&>(object).programs();
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
  // From here on nothing fails.
  Epoch().store(epoch + 1);
  grace_.Wait();
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

int LibbpfKernel::OnRecord(void* self, void* data, size_t size) {
  auto* kernel = static_cast<LibbpfKernel*>(self);
  (*kernel->on_record_)({static_cast<const char*>(data), size});
  // A writer that is faster than the reader must not keep it here for ever.
  return ++kernel->consumed_ < kRecordsPerConsume ? 0 : -ECANCELED;
}

Result<size_t> LibbpfKernel::Consume(int timeout_ms, const std::function<void(std::string_view)>& on_record) {
  on_record_ = &on_record;
  consumed_ = 0;
  int left = timeout_ms;
  while (true) {
    int error = ring_buffer__consume(ring_.get());
    if (error < 0 && error != -ECANCELED) return WorldError("read", "the ring", -error, "kernel-ring");
    if (consumed_ > 0) {
      pause_ms_ = 1;
      return consumed_;
    }
    if (left <= 0) return size_t{0};
    // Records come without a wake-up unless the ring fills: look again after a pause that grows while nothing comes.
    int pause = std::min(left, pause_ms_);
    pause_ms_ = std::min(pause_ms_ * 2, kLongestPauseMs);
    left -= pause;
    epoll_event event{};
    if (::epoll_wait(ring_buffer__epoll_fd(ring_.get()), &event, 1, pause) < 0) {
      if (errno == EINTR) return size_t{0};  // a signal: its handler's owner wants to look
      return WorldError("wait for", "the ring", errno, "kernel-ring");
    }
  }
}

void LibbpfKernel::Detach() {
  for (auto& [name, hook] : hooks_) hook.link.reset();
  grace_.Wait();
}

std::vector<KindCounters> LibbpfKernel::Counters() const {
  std::vector<KindCounters> sums;
  int cpus = libbpf_num_possible_cpus();
  if (cpus <= 0) return sums;
  std::vector<ks_counters> per_cpu(static_cast<size_t>(cpus));
  for (uint32_t kind = 0; kind < schema::kKindCount; ++kind) {
    KindCounters sum{.kind = static_cast<schema::EventKind>(kind)};
    if (bpf_map_lookup_elem(MapFd("ks_counters"), &kind, per_cpu.data()) == 0) {
      for (const ks_counters& one : per_cpu) {
        sum.seen += one.seen;
        sum.filtered += one.filtered;
        sum.limited += one.limited;
        sum.submitted += one.submitted;
        sum.dropped += one.dropped;
      }
    }
    sums.push_back(sum);
  }
  return sums;
}

std::vector<HookStatus> LibbpfKernel::Hooks() const {
  std::vector<HookStatus> statuses;
  for (const auto& [name, hook] : hooks_) {
    bpf_prog_info info{};
    uint32_t size = sizeof(info);
    if (bpf_obj_get_info_by_fd(bpf_program__fd(hook.dispatcher), &info, &size) != 0) info = {};
    statuses.push_back({name, hook.link != nullptr, info.recursion_misses});
  }
  return statuses;
}

}  // namespace

Result<std::unique_ptr<Kernel>> OpenLibbpfKernel(const KernelOptions& options) { return LibbpfKernel::Open(options); }

}  // namespace ks::kernel

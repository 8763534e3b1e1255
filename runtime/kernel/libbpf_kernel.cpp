// The kernel, through libbpf: dispatchers, banks, epoch, counters.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "capture_object.h"
#include "dispatcher_object.h"
#include "lineage_object.h"
#include "runtime/kernel/argument_iterator.h"
#include "runtime/kernel/capture.h"
#include "runtime/kernel/counters.h"
#include "runtime/kernel/dispatcher.h"
#include "runtime/kernel/fd.h"
#include "runtime/kernel/grace_period.h"
#include "runtime/kernel/inodes.h"
#include "runtime/kernel/libbpf.h"
#include "runtime/kernel/limits.h"
#include "runtime/kernel/line_recorder.h"
#include "runtime/kernel/lineage.h"
#include "runtime/kernel/object.h"
#include "runtime/kernel/pins.h"
#include "runtime/kernel/preempt.h"
#include "runtime/kernel/progress.h"
#include "runtime/kernel/ring.h"
#include "runtime/kernel/verifier_log.h"

namespace ks::kernel {
namespace {

constexpr std::array<const char*, kRings> kRingMaps = {"ks_ring", "ks_ring_context"};  // by RingId
static_assert(kRings == KS_RINGS);

class LibbpfKernel : public Kernel {
 public:
  static Result<std::unique_ptr<Kernel>> Open(const KernelOptions& options);

  Result<std::unique_ptr<LoadedObject>> Load(std::string_view elf, uint32_t generation) override {
    return LoadObject(elf, {.generation = generation,
                            .captures = captures_.available(),
                            .preempting = preempting_,
                            .hooks = hook_names_,
                            .maps = maps_});
  }
  Status Activate(LoadedObject& object) override;
  Status SetInodes(const std::vector<NamedInode>& inodes) override { return inodes_.Set(MapFd("ks_inodes"), inodes); }
  Result<size_t> Consume(int timeout_ms, const std::function<void(std::string_view)>& on_record) override {
    return rings_.Consume(timeout_ms, on_record);
  }
  void Commit(const Progress& progress) override;
  void Detach() override;
  std::vector<KindCounters> Counters() const override { return ReadCounters(MapFd("ks_scratch")); }
  std::vector<HookStatus> Hooks() const override;
  std::array<RingStatus, kRings> Rings() const override {
    return {{{ring_bytes_, Received(RingId::Alerts)}, {ring_bytes_, Received(RingId::Context)}}};
  }
  std::vector<StreamEnd> Streams() const override { return ReadStreams(MapFd("ks_sequence")); }
  std::vector<KindTier> Tiers() const override { return captures_.Tiers(); }
  std::string WhyNoTrampolines() const override { return captures_.why(); }
  LimitHolds* limit_holds() override { return &*limit_holds_; }
  ArgumentReader* arguments() override { return &arguments_; }
  void WaitForPrograms() override { grace_.Wait(); }

  bool pinned() const override { return bool(pins_); }
  Status Keep(const LoadedObject& object, uint32_t generation, int64_t since, std::string_view bundle) override;
  void Forget(uint32_t generation) override {
    if (pins_) pins_.Forget(generation);
  }
  std::vector<KeptBundle> TakeKept() override { return std::exchange(kept_, {}); }
  Status SetRolledBack(uint32_t generation, bool rolled_back) override {
    return pins_ ? pins_.SetRolledBack(generation, rolled_back) : Ok();
  }
  const Progress& Resumed() const override { return resumed_.progress; }
  uint32_t LastGeneration() const override { return last_generation_; }
  Status Reattach(LoadedObject& object) override;
  Result<std::unique_ptr<LoadedObject>> Adopt(uint32_t generation, std::string_view elf) override;
  std::vector<std::string> Notices() override { return std::exchange(notices_, {}); }

 private:
  struct Hook {
    Dispatcher dispatcher;  // none: it is the captures'
    int bank = -1;
  };

  LibbpfKernel(Pins pins, const ArgumentBounds& arguments) : pins_(std::move(pins)), arguments_(arguments) {}
  Status Start(const KernelOptions& options);
  Status Load(const KernelOptions& options);
  Status AttachAll(const std::map<std::string, int>& programs, std::vector<std::string>* which);
  Status FillBank(uint32_t number, const std::map<std::string, int>& programs);
  Status AttachFor(const LibbpfObject& object);
  void RemoveOthers();
  uint64_t MapsNumber() const;
  Status GoOn();
  Status GoOnReading();
  std::map<std::string, uint32_t> Bank(uint32_t number) const;
  uint64_t Received(RingId ring) const {
    return resumed_.received[static_cast<size_t>(ring)] + rings_.received(ring);
  }
  Result<uint32_t> Epoch() const;
  int MapFd(const char* name) const { return maps_.at(name); }

  Pins pins_;
  const bool preempting_ = PreemptsPrograms();
  ObjectPtr dispatchers_;
  std::map<std::string, int> maps_;    // shared maps by name
  std::map<std::string, Hook> hooks_;  // by tracepoint, or by function at whose end it is
  std::map<std::string, bool> hook_names_;  // whether they are to be had
  Captures captures_;
  Lineage lineage_;
  ArgumentIterator arguments_;
  GracePeriod grace_;
  std::optional<LimitHolds> limit_holds_;
  kernel::Rings rings_;
  uint64_t ring_bytes_ = 0;
  Inodes inodes_;
  ProgressMap progress_;
  ProgressMap::Entry resumed_;
  std::vector<KeptBundle> kept_;
  uint32_t last_generation_ = 0;
  std::map<uint32_t, std::map<std::string, Fd>> kept_programs_;  // by generation, and hook
  std::vector<std::string> notices_;
};

uint64_t Fnv1a(std::string_view bytes, uint64_t hash = 0xcbf29ce484222325) {
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  return hash;
}

// What another version of the agent pinned is not to be read.
std::string Layout() {
  uint64_t hash = Fnv1a(embedded::dispatcher_object());
  for (const std::string_view part : {std::string_view(embedded::capture_object()), std::string_view(embedded::lineage_object())}) {
    hash = Fnv1a(part, hash);
  }
  hash = Fnv1a(schema::Hash(), hash);
  return fmt::format("{:016x}", Fnv1a(std::to_string(KS_RECORD_LAYOUT), hash));
}

Result<std::unique_ptr<Kernel>> LibbpfKernel::Open(const KernelOptions& options) {
  libbpf_set_print(LibbpfLog::Print);
  LineRecorder::Register();
  Pins pins;
  std::vector<std::string> notices;
  if (!options.pin.empty()) {
    Result<Pins> opened = Pins::Open(options.pin);
    if (!opened) return opened.error();
    pins = std::move(*opened);
    if (Status used = pins.Use(Layout(), &notices); !used) return used.error();
  }
  std::unique_ptr<LibbpfKernel> kernel(new LibbpfKernel(std::move(pins), options.arguments));
  Status started = kernel->Start(options);
  if (!started && !kernel->pins_) return started.error();
  if (!started) {
    // It may be what is pinned: then without it. What is attached stays so until ours is.
    pins = std::move(kernel->pins_);
    kernel.reset();
    if (Status aside = pins.SetAside(); !aside) return aside.error();
    if (Status used = pins.Use(Layout(), &notices); !used) return used.error();
    kernel.reset(new LibbpfKernel(std::move(pins), options.arguments));
    if (Status again = kernel->Start(options); !again) {
      kernel->pins_.TakeBack();
      return again.error();
    }
    notices.push_back("what was pinned cannot be gone on with: " + started.error().ToString());
  }
  kernel->notices_.insert(kernel->notices_.begin(), notices.begin(), notices.end());
  return std::unique_ptr<Kernel>(std::move(kernel));
}

Status LibbpfKernel::Load(const KernelOptions& options) {
  const std::string on = "the resident dispatchers";
  Result<ObjectPtr> opened = OpenObject(embedded::dispatcher_object(), "ks", on);
  if (!opened) return opened.error();
  dispatchers_ = std::move(*opened);
  LibbpfLog log;
  for (const char* name : kRingMaps) {
    bpf_map* ring = bpf_object__find_map_by_name(dispatchers_.get(), name);
    KS_CHECK(ring != nullptr, "the dispatcher object has no ring");
    bpf_map__set_max_entries(ring, options.ring_bytes);
  }
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, dispatchers_.get()) {
    bpf_program__set_autoload(program, IsOneOfTwo(program) == preempting_);
  }
  bpf_map* map = bpf_object__find_map_by_name(dispatchers_.get(), "ks_seen");
  bpf_map__set_autocreate(map, preempting_);
  // Each is pinned by its name, and one of that name and shape is taken instead of a new one.
  bpf_object__for_each_map(map, dispatchers_.get()) {
    if (!pins_ || bpf_map__is_internal(map) || !bpf_map__autocreate(map)) continue;
    if (int error = bpf_map__set_pin_path(map, pins_.Map(bpf_map__name(map)).c_str()); error != 0)
      return WorldError("pin the map", bpf_map__name(map), -error, "pin");
  }
  if (int error = bpf_object__load(dispatchers_.get()); error != 0) return ExplainLoadFailure(log.text(), -error, on);
  bpf_object__for_each_map(map, dispatchers_.get()) maps_[bpf_map__name(map)] = bpf_map__fd(map);
  return Ok();
}

Status LibbpfKernel::Start(const KernelOptions& options) {
  const std::string on = "the resident dispatchers";
  auto page = static_cast<uint32_t>(::sysconf(_SC_PAGESIZE));
  if (!std::has_single_bit(options.ring_bytes) || options.ring_bytes < page) {
    return Error{"make the ring", fmt::format("{} bytes", options.ring_bytes),
                 "its size must be a power of two and at least a page", "", "kernel-map"};
  }
  ring_bytes_ = options.ring_bytes;
  if (Status loaded = Load(options); !loaded) return loaded;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, dispatchers_.get()) {
    std::string hook = HookOf(program);
    hooks_[hook].dispatcher.Add(program);
    hook_names_[hook] = true;
    hooks_[hook].bank = MapFd(("ks_bank_" + hook).c_str());
  }
  if (Status probed = captures_.Probe(options.tiers, maps_, pins_); !probed) return probed.error();
  if (Status opened = lineage_.Open(maps_, pins_); !opened) return opened;
  for (const std::string& hook : Captures::ExitHooks()) {
    hook_names_[hook] = captures_.HasExit(hook);
    hooks_[hook].bank = MapFd(("ks_bank_" + hook).c_str());
  }
  Result<GracePeriod> grace = GracePeriod::Open();
  if (!grace) return grace.error();
  grace_ = std::move(*grace);
  Result<LimitHolds> holds = LimitHolds::Open(MapFd("ks_limits"), MapFd("ks_limit_holds"), MapFd("ks_limit_secret"));
  if (!holds) return holds.error();
  limit_holds_ = std::move(*holds);
  if (Status opened = rings_.Open({MapFd(kRingMaps[0]), MapFd(kRingMaps[1])}, ring_bytes_); !opened) return opened;
  return pins_ ? GoOn() : Ok();
}

// What an agent before this one left: attachments, bundles, progress.
Status LibbpfKernel::GoOn() {
  for (auto& [name, hook] : hooks_) {
    if (!hook.dispatcher) continue;
    std::set<uint32_t> maps = {MapId(hook.bank), MapId(MapFd("ks_active"))};
    if (preempting_) maps.insert({MapId(MapFd("ks_seen")), MapId(MapFd("ks_lanes"))});
    if (Status gone_on = hook.dispatcher.GoOn(name, maps, pins_); !gone_on) return gone_on;
  }
  inodes_.Read(MapFd("ks_inodes"));
  const Result<uint32_t> epoch = Epoch();
  if (!epoch) return epoch.error();
  std::map<std::string, uint32_t> active = Bank(*epoch & 1), idle = Bank((*epoch + 1) & 1);
  std::vector<PinnedBundle> bundles = pins_.Bundles(&notices_);
  last_generation_ = pins_.LastGeneration();
  const uint64_t maps = MapsNumber();
  for (const PinnedBundle& bundle : bundles) {
    if (bundle.maps == 0 || bundle.maps == maps) continue;
    return Error{"go on with the pinned bundle", fmt::format("generation {}", bundle.kept.generation),
                 "its programs use other maps than those that are pinned", "", "pin"};
  }
  // The newest of those that fit: two without programs are alike.
  std::ranges::reverse(bundles);
  bool found_active = false, found_idle = false;
  for (PinnedBundle& bundle : bundles) {
    std::map<std::string, uint32_t> ids;
    for (const auto& [hook, program] : bundle.programs) ids[hook] = ProgramId(program.get());
    if (!found_active && ids == active) {
      found_active = true;
      bundle.kept.bank = KeptBundle::Bank::Active;
    } else if (!found_idle && ids == idle) {
      found_idle = true;
      bundle.kept.bank = KeptBundle::Bank::Idle;
    }
    bundle.kept.outdated = bundle.captures != captures_.available();
    kept_programs_[bundle.kept.generation] = std::move(bundle.programs);
    kept_.insert(kept_.begin(), std::move(bundle.kept));
  }
  if (!found_active && !active.empty()) notices_.push_back("the programs that are active are of no bundle that is pinned");
  Status reading = GoOnReading();
  // An agent may have been killed before it could.
  if (reading && found_active) RemoveOthers();
  return reading;
}

Status LibbpfKernel::GoOnReading() {
  const int cpus = libbpf_num_possible_cpus();
  if (cpus <= 0) return WorldError("count", "the CPUs", -cpus, "pin");
  const std::string path = pins_.Map("progress");
  if (Status opened = progress_.OpenPinned(path, static_cast<size_t>(cpus)); !opened) return opened;
  std::optional<ProgressMap::Entry> last = progress_.Last();
  if (!last) return Ok();
  const Error strange = ProgressMap::Strange(path);
  // Ahead of what the rings say, if its writer was killed between the two.
  for (size_t i = 0; i < kRings; ++i) {
    if (!rings_.ring(i).Seek(last->position[i])) return strange;
  }
  std::map<std::pair<uint16_t, uint32_t>, uint64_t> ends;
  for (const StreamEnd& end : Streams()) ends[{end.cpu, end.stream}] = end.next;
  for (const StreamEnd& next : last->progress.streams) {
    if (const auto end = ends.find({next.cpu, next.stream}); end == ends.end() || next.next > end->second) return strange;
  }
  resumed_ = std::move(*last);
  rings_.Commit();
  return Ok();
}

Result<uint32_t> LibbpfKernel::Epoch() const {
  uint32_t first = 0, epoch = 0;
  if (bpf_map_lookup_elem(MapFd("ks_active"), &first, &epoch) != 0)
    return WorldError("read the epoch of", "the resident dispatchers", errno, "kernel-map");
  return epoch;
}

// Ids of its programs by hook.
std::map<std::string, uint32_t> LibbpfKernel::Bank(uint32_t number) const {
  std::map<std::string, uint32_t> ids;
  for (const auto& [name, hook] : hooks_) {
    uint32_t id = 0;
    if (bpf_map_lookup_elem(hook.bank, &number, &id) == 0) ids[name] = id;
  }
  return ids;
}

void LibbpfKernel::Commit(const Progress& progress) {
  if (progress_) {
    ProgressMap::Entry entry{.position = {}, .received = {}, .progress = progress};
    for (size_t i = 0; i < kRings; ++i) {
      entry.position[i] = rings_.ring(i).position();
      entry.received[i] = Received(static_cast<RingId>(i));
    }
    progress_.Write(entry);
  }
  rings_.Commit();
}

Status LibbpfKernel::Keep(const LoadedObject& object, uint32_t generation, int64_t since, std::string_view bundle) {
  if (!pins_) return Ok();
  const KeptBundle kept{.generation = generation, .since = since, .bytes = std::string(bundle), .outdated = false};
  return pins_.Keep(kept, captures_.available(), MapsNumber(), static_cast<const LibbpfObject&>(object).programs());
}

Result<std::unique_ptr<LoadedObject>> LibbpfKernel::Adopt(uint32_t generation, std::string_view elf) {
  const auto programs = kept_programs_.find(generation);
  KS_CHECK(programs != kept_programs_.end(), "only what is kept is adopted, once");
  Result<ObjectPtr> object = OpenObject(elf, "policy", "the bundle");
  if (!object) return object.error();
  auto adopted = std::make_unique<LibbpfObject>(std::move(*object), std::move(programs->second));
  kept_programs_.erase(programs);
  if (adopted->AsksArguments()) arguments_.Begin(MapFd("ks_unread_args"));
  return std::unique_ptr<LoadedObject>(std::move(adopted));
}

// Those that have a program; if one cannot be attached, none is that was not before. The bank that is active has nothing for them yet.
// `which`: if not null, gets those that were not.
Status LibbpfKernel::AttachAll(const std::map<std::string, int>& programs, std::vector<std::string>* which) {
  std::vector<std::string> attached;
  for (const auto& [name, fd] : programs) {
    Hook& hook = hooks_.at(name);
    if (!hook.dispatcher) continue;
    const bool was_attached = hook.dispatcher.attached();
    Status done = hook.dispatcher.Attach(name, pins_, MapFd("ks_lanes"));
    if (done) {
      if (!was_attached) attached.push_back(name);
      continue;
    }
    for (const std::string& other : attached) hooks_.at(other).dispatcher.Detach(other, pins_);
    return done;
  }
  if (which) *which = std::move(attached);
  return Ok();
}

// What else its programs stand on: who made whom, and the kernel's own copies.
Status LibbpfKernel::AttachFor(const LibbpfObject& object) {
  if (object.AsksLineage()) {
    if (Status kept = lineage_.Begin(); !kept) return kept;
  }
  if (object.AsksArguments()) arguments_.Begin(MapFd("ks_unread_args"));
  captures_.Attach([&](schema::EventKind kind) { return object.Asks(kind); });
  return Ok();
}

void LibbpfKernel::RemoveOthers() {
  RemovedPins pins = pins_.RemoveOthers();
  std::ranges::move(pins.removed, std::back_inserter(notices_));
  std::ranges::move(pins.left, std::back_inserter(notices_));
}

// Another one wherever a map that is pinned is another.
uint64_t LibbpfKernel::MapsNumber() const {
  std::string ids;
  const bpf_map* map = nullptr;
  bpf_object__for_each_map(map, dispatchers_.get()) {
    if (bpf_map__is_pinned(map)) ids += fmt::format("{} ", MapId(bpf_map__fd(map)));
  }
  return Fnv1a(ids);
}

Status LibbpfKernel::FillBank(uint32_t number, const std::map<std::string, int>& programs) {
  for (auto& [name, hook] : hooks_) {
    const auto program = programs.find(name);
    if (program == programs.end()) {
      if (bpf_map_delete_elem(hook.bank, &number) != 0 && errno != ENOENT) {
        return WorldError("clear the idle bank of", name, errno, "kernel-map");
      }
    } else if (bpf_map_update_elem(hook.bank, &number, &program->second, BPF_ANY) != 0) {
      return WorldError("fill the idle bank of", name, errno, "kernel-map");
    }
  }
  return Ok();
}

Status LibbpfKernel::Activate(LoadedObject& object) {
  const auto& loaded = static_cast<LibbpfObject&>(object);
  const auto& programs = loaded.programs();
  const Result<uint32_t> epoch = Epoch();
  if (!epoch) return epoch.error();
  const uint32_t first = 0, next = *epoch + 1;
  std::vector<std::string> fresh;
  if (Status attached = AttachAll(programs, &fresh); !attached) return attached;
  Status prepared = FillBank(next & 1, programs);
  if (prepared) prepared = AttachFor(loaded);
  // Of its bytes only the lowest is asked for, so that it is one store however the kernel copies it.
  if (prepared && bpf_map_update_elem(MapFd("ks_active"), &first, &next, BPF_ANY) != 0)
    prepared = WorldError("write the epoch of", "the resident dispatchers", errno, "kernel-map");
  if (!prepared) {
    for (const std::string& name : fresh) hooks_.at(name).dispatcher.Detach(name, pins_);
    return prepared;
  }
  // From here on nothing fails.
  grace_.Wait();
  captures_.DetachUnneeded();
  if (pins_) {
    RemoveOthers();
    pins_.RemoveUnreadable();
  }
  return Ok();
}

Status LibbpfKernel::Reattach(LoadedObject& object) {
  const auto& loaded = static_cast<LibbpfObject&>(object);
  std::vector<std::string> attached;
  if (Status done = AttachAll(loaded.programs(), &attached); !done) return done;
  if (!attached.empty()) {
    notices_.push_back(fmt::format("somebody had detached {}: what happened there meanwhile was not seen", fmt::join(attached, ", ")));
  }
  return AttachFor(loaded);
}

void LibbpfKernel::Detach() {
  for (auto& [name, hook] : hooks_) hook.dispatcher.Detach(name, pins_);
  captures_.DetachAll();
  lineage_.End();
  grace_.Wait();
}

std::vector<HookStatus> LibbpfKernel::Hooks() const {
  std::vector<HookStatus> statuses;
  for (const auto& [name, hook] : hooks_) {
    if (!hook.dispatcher) continue;
    const Dispatcher::Lost lost = hook.dispatcher.lost(name, MapFd("ks_lanes"));
    statuses.push_back({name, hook.dispatcher.attached(), lost.missed, lost.recovered});
  }
  captures_.AddHooks(statuses);
  lineage_.AddHooks(statuses);
  return statuses;
}

}  // namespace

Result<std::unique_ptr<Kernel>> OpenLibbpfKernel(const KernelOptions& options) { return LibbpfKernel::Open(options); }

}  // namespace ks::kernel

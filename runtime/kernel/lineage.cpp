#include "runtime/kernel/lineage.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <iterator>
#include <limits>
#include <set>
#include <utility>

#include "lineage_object.h"
#include "runtime/kernel/fd.h"
#include "runtime/kernel/verifier_log.h"

namespace ks::kernel {
namespace {

constexpr const char* kOn = "the programs that keep who made whom";
constexpr const char* kHooks[] = {"sched_process_fork", "sched_process_exec", "sched_process_exit", "sched_process_free"};
// All processes are older.
constexpr uint64_t kNotYet = std::numeric_limits<uint64_t>::max();

// struct ks_process of bpf/hooks/maps.h: id, start. What the iterator writes, and a key of ks_living.
using Process = std::array<uint64_t, 2>;

std::string PinOf(const std::string& hook) { return "lineage_" + hook; }

uint64_t Now() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

Error GoThroughFailed() { return WorldError("go through", "the processes that live already", errno, "kernel-attach"); }

// The iterator may leave one out that lives: on a 6.18 process 1.
bool IsGone(const Process& process, const std::set<Process>& seen) {
  if (seen.contains(process)) return false;
  const auto same_id = seen.lower_bound({process[0], 0});
  if (same_id != seen.end() && (*same_id)[0] == process[0]) return true;
  return ::kill(static_cast<pid_t>(process[0]), 0) != 0 && errno == ESRCH;
}

// Removes those made before `until` that are gone: their end was missed, or was while nothing was attached.
void RemoveGone(int living, uint32_t most, const std::set<Process>& seen, uint64_t until) {
  std::vector<Process> gone;
  Process key{};
  const void* previous = nullptr;
  // The walk begins anew when the key that it stands on is removed meanwhile.
  for (uint64_t i = 0; i < 2ull * most && bpf_map_get_next_key(living, previous, key.data()) == 0; ++i) {
    if (key[1] < until && IsGone(key, seen)) gone.push_back(key);
    previous = key.data();
  }
  for (const Process& process : gone) bpf_map_delete_elem(living, process.data());  // unless the kernel half has, meanwhile
}

}  // namespace

Status Lineage::Open(const std::map<std::string, int>& maps, const Pins& pins) {
  maps_ = maps;
  pins_ = &pins;
  if (!pins) return Ok();
  for (const char* hook : kHooks) {
    Result<Attachment> attached = pins.Attached(PinOf(hook), {MapId(maps.at("ks_living"))});
    if (!attached) return attached.error();
    if (attached->link) attached_[hook] = std::move(*attached);
  }
  return attached_.empty() ? Ok() : Begin();
}

Status Lineage::Begin() {
  if (begun_) return Ok();
  if (Status loaded = Load(); !loaded) return loaded;
  std::vector<std::string> fresh;
  Status done = AttachAll(&fresh);
  if (done) done = ReadLiving();
  if (!done) {
    for (const std::string& hook : fresh) Detach(hook);
  }
  begun_ = bool(done);
  return done;
}

Status Lineage::Load() {
  if (object_) return Ok();
  Result<ObjectPtr> opened = OpenObject(embedded::lineage_object(), "ks_lineage", kOn);
  if (!opened) return opened.error();
  if (Status shared = ReuseMaps(opened->get(), maps_); !shared) return shared;
  LibbpfLog log;
  if (int error = bpf_object__load(opened->get()); error != 0) return ExplainLoadFailure(log.text(), -error, kOn);
  object_ = std::move(*opened);
  return Ok();
}

// Those that are not; `fresh`: which they were.
Status Lineage::AttachAll(std::vector<std::string>* fresh) {
  const int map = maps_.at("ks_living_since");
  const uint32_t zero = 0;
  uint64_t since = kNotYet;
  if (attached_.size() < std::size(kHooks)) {
    // Until all are attached, every process counts as older.
    if (bpf_map_update_elem(map, &zero, &since, BPF_ANY) != 0) return WorldError("say since when it is kept", kOn, errno, "kernel-map");
    for (const char* hook : kHooks) {
      if (attached_.contains(hook)) continue;
      if (Status done = Attach(hook); !done) return done;
      fresh->push_back(hook);
    }
  }
  // What else is there: all were attached by an agent that said so, or they had no room for all. One that was killed may not have said so.
  if (bpf_map_lookup_elem(map, &zero, &since) != 0 || since != kNotYet) return Ok();
  since = Now();
  if (bpf_map_update_elem(map, &zero, &since, BPF_ANY) != 0) return WorldError("say since when it is kept", kOn, errno, "kernel-map");
  return Ok();
}

Status Lineage::Attach(const std::string& hook) {
  const bpf_program* program = nullptr;
  bpf_program* each = nullptr;
  bpf_object__for_each_program(each, object_.get()) {
    if (HookOf(each) == hook) program = each;
  }
  KS_CHECK(program != nullptr, "the object has a program for each");
  LibbpfLog log;
  Attachment attached;
  attached.link.reset(bpf_program__attach_raw_tracepoint(program, hook.c_str()));
  if (attached.link) attached.program = Fd(::dup(bpf_program__fd(program)));
  if (!attached.program) return WorldError("attach to the tracepoint", hook, errno, "kernel-attach");
  if (*pins_) {
    if (Status pinned = pins_->Attach(PinOf(hook), attached); !pinned) return pinned;
  }
  attached_[hook] = std::move(attached);
  return Ok();
}

void Lineage::Detach(const std::string& hook) {
  if (*pins_) pins_->Detach(PinOf(hook));
  attached_.erase(hook);
}

void Lineage::End() {
  while (!attached_.empty()) Detach(std::string(attached_.begin()->first));
  begun_ = false;
}

// After the others are attached: what is made meanwhile is seen by the one or the other.
Status Lineage::ReadLiving() const {
  LibbpfLog log;
  const uint64_t begun = Now();
  const bpf_program* program = bpf_object__find_program_by_name(object_.get(), "ks_lineage_task");
  const bpf_map* living = bpf_object__find_map_by_name(object_.get(), "ks_living");
  KS_CHECK(program != nullptr && living != nullptr, "the object has an iterator");
  const LinkPtr link(bpf_program__attach_iter(program, nullptr));
  if (!link) return GoThroughFailed();
  const Fd iterator(bpf_iter_create(bpf_link__fd(link.get())));
  if (!iterator) return GoThroughFailed();
  // EAGAIN: it has run for long, and goes on at the next reading.
  std::set<Process> seen;
  std::array<Process, 256> some{};
  while (true) {
    const ssize_t bytes = ::read(iterator.get(), some.data(), sizeof(some));
    if (bytes == 0) break;
    if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (bytes < 0) return GoThroughFailed();
    seen.insert(some.begin(), some.begin() + static_cast<size_t>(bytes) / sizeof(Process));
  }
  // Else it does not see all: it goes through the PID namespace of its reader.
  if (InFirstPidNamespace()) RemoveGone(bpf_map__fd(living), bpf_map__max_entries(living), seen, begun);
  return Ok();
}

void Lineage::AddHooks(std::vector<HookStatus>& hooks) const {
  for (const auto& [hook, attached] : attached_) {
    bpf_prog_info info{};
    uint32_t size = sizeof(info);
    if (bpf_obj_get_info_by_fd(attached.program.get(), &info, &size) != 0) info = {};
    hooks.push_back({"lineage: " + hook, true, info.recursion_misses, 0});
  }
}

}  // namespace ks::kernel

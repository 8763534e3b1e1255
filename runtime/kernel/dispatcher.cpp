#include "runtime/kernel/dispatcher.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "bpf/hooks/hooks.h"

namespace ks::kernel {
namespace {

// struct ks_lanes of bpf/hooks/dispatcher.bpf.c.
struct Lanes {
  uint64_t unnoted = 0, recovered = 0;
};

bool IsSecond(const bpf_program* program) { return std::string_view(bpf_program__name(program)).starts_with("ks_second_"); }

std::string SecondPin(const std::string& hook) { return hook + "_second"; }

}  // namespace

bool IsOneOfTwo(const bpf_program* program) {
  return IsSecond(program) || std::string_view(bpf_program__name(program)).starts_with("ks_first_");
}

uint32_t HookNumber(std::string_view hook) {
  static constexpr std::string_view kHooks[] = {
#define KS_NAME(name) #name,
      KS_HOOKS(KS_NAME)
#undef KS_NAME
  };
  const auto* const found = std::find(std::begin(kHooks), std::end(kHooks), hook);
  KS_CHECK(found != std::end(kHooks), "dispatchers are of the table's hooks");
  return static_cast<uint32_t>(found - std::begin(kHooks));
}

void Dispatcher::Add(const bpf_program* program) {
  if (!bpf_program__autoload(program)) return;
  Lane& lane = IsSecond(program) ? second_ : first_;
  lane.program = program;
}

Status Dispatcher::GoOn(const std::string& hook, const std::set<uint32_t>& maps, const Pins& pins) {
  Result<Attachment> first = pins.Attached(hook, maps);
  if (!first) return first.error();
  first_.attached = std::move(*first);
  if (!second_.program) return Ok();
  Result<Attachment> second = pins.Attached(SecondPin(hook), maps);
  if (!second) return second.error();
  second_.attached = std::move(*second);
  return Ok();
}

Status Dispatcher::Attach(const std::string& hook, const std::string& pin, Lane& lane, const Pins& pins) {
  if (!lane.program || lane.attached.link) return Ok();
  LibbpfLog log;
  Attachment attached;
  attached.link.reset(bpf_program__attach_raw_tracepoint(lane.program, hook.c_str()));
  // Before Linux 6.3.
  if (!attached.link && errno == ENOENT && hook == "io_uring_submit_req") {
    attached.link.reset(bpf_program__attach_raw_tracepoint(lane.program, "io_uring_submit_sqe"));
  }
  if (attached.link) attached.program = Fd(::dup(bpf_program__fd(lane.program)));
  if (!attached.program) {
    const int error = errno;
    Error failed = WorldError("attach to the tracepoint", hook, error, "kernel-attach");
    if (error == EPERM || error == EACCES) {
      failed.code = "kernel-permission";
      failed.advice = "give the process CAP_BPF and CAP_PERFMON";
    }
    return failed;
  }
  if (pins) {
    if (Status pinned = pins.Attach(pin, attached); !pinned) return pinned;
  }
  lane.attached = std::move(attached);
  return Ok();
}

Status Dispatcher::Attach(const std::string& hook, const Pins& pins, int lanes) {
  const bool was_attached = attached();
  if (const uint32_t number = HookNumber(hook); !was_attached) {
    const Lanes none;
    if (bpf_map_update_elem(lanes, &number, &none, BPF_ANY) != 0) return WorldError("count from 0 at", hook, errno, "kernel-map");
  }
  if (Status first = Attach(hook, hook, first_, pins); !first) return first;
  Status second = Attach(hook, SecondPin(hook), second_, pins);
  if (!second && !was_attached) Detach(hook, first_, pins);
  return second;
}

void Dispatcher::Detach(const std::string& pin, Lane& lane, const Pins& pins) {
  if (pins) pins.Detach(pin);
  lane.attached = {};
}

// The second goes first: without the other it would go on with everything.
void Dispatcher::Detach(const std::string& hook, const Pins& pins) {
  Detach(SecondPin(hook), second_, pins);
  Detach(hook, first_, pins);
}

Dispatcher::Lost Dispatcher::lost(const std::string& hook, int lanes) const {
  bpf_prog_info info{};
  uint32_t size = sizeof(info);
  const int program = attached() ? first_.attached.program.get() : bpf_program__fd(first_.program);
  if (bpf_obj_get_info_by_fd(program, &info, &size) != 0) info = {};
  // Read after it: what is skipped and recovered meanwhile is not taken for missed.
  Lanes counted;
  const uint32_t number = HookNumber(hook);
  if (bpf_map_lookup_elem(lanes, &number, &counted) != 0) counted = {};
  const uint64_t passed = info.recursion_misses + counted.unnoted;
  return {passed - std::min(passed, counted.recovered), counted.recovered};
}

}  // namespace ks::kernel

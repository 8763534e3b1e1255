#include "runtime/kernel/lineage.h"

#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "lineage_object.h"
#include "runtime/kernel/fd.h"
#include "runtime/kernel/verifier_log.h"

namespace ks::kernel {
namespace {

constexpr const char* kOn = "the programs that keep who made whom";

}  // namespace

Status Lineage::Begin(const std::map<std::string, int>& maps) {
  if (!links_.empty()) return Ok();
  if (!object_) {
    Result<ObjectPtr> opened = OpenObject(embedded::lineage_object(), "ks_lineage", kOn);
    if (!opened) return opened.error();
    if (Status shared = ReuseMaps(opened->get(), maps); !shared) return shared.error();
    LibbpfLog log;
    if (int error = bpf_object__load(opened->get()); error != 0) return ExplainLoadFailure(log.text(), -error, kOn);
    object_ = std::move(*opened);
  }
  std::map<const bpf_program*, LinkPtr> links;
  const bpf_program* iterator = nullptr;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object_.get()) {
    if (HookOf(program).empty()) {
      iterator = program;
      continue;
    }
    LibbpfLog log;
    LinkPtr link(bpf_program__attach_raw_tracepoint(program, HookOf(program).c_str()));
    if (!link) return WorldError("attach to the tracepoint", HookOf(program), errno, "kernel-attach");
    links[program] = std::move(link);
  }
  KS_CHECK(iterator != nullptr, "the object has an iterator");
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  const uint32_t zero = 0;
  const uint64_t since = static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
  if (bpf_map_update_elem(maps.at("ks_living_since"), &zero, &since, BPF_ANY) != 0)
    return WorldError("say since when it is kept", kOn, errno, "kernel-map");
  // After the others are attached: what is made meanwhile is seen by the one or the other.
  if (Status read = ReadLiving(iterator); !read) return read.error();
  links_ = std::move(links);
  return Ok();
}

Status Lineage::ReadLiving(const bpf_program* program) const {
  LibbpfLog log;
  const LinkPtr link(bpf_program__attach_iter(program, nullptr));
  if (!link) return WorldError("go through", "the processes that live already", errno, "kernel-attach");
  const Fd iterator(bpf_iter_create(bpf_link__fd(link.get())));
  if (!iterator) return WorldError("go through", "the processes that live already", errno, "kernel-attach");
  // The program writes nothing; to read is to run it. EAGAIN: it has run for long, and goes on at the next reading.
  char nothing[64];
  while (true) {
    const ssize_t bytes = ::read(iterator.get(), nothing, sizeof(nothing));
    if (bytes == 0) return Ok();
    if (bytes < 0 && errno != EAGAIN && errno != EINTR)
      return WorldError("go through", "the processes that live already", errno, "kernel-attach");
  }
}

void Lineage::AddHooks(std::vector<HookStatus>& hooks) const {
  for (const auto& [program, link] : links_) {
    bpf_prog_info info{};
    uint32_t size = sizeof(info);
    if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size) != 0) info = {};
    hooks.push_back({"lineage: " + HookOf(program), true, info.recursion_misses});
  }
}

}  // namespace ks::kernel

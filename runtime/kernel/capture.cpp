#include "runtime/kernel/capture.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "bpf/hooks/hooks.h"
#include "capture_object.h"
#include "runtime/kernel/verifier_log.h"

namespace ks::kernel {
namespace {

struct Resident {
  const char *function, *program;
  const char* map;  // that it uses
};
constexpr Resident kResidents[] = {
#define KS_ENTRY(function) {#function, "ks_capture_" #function, "ks_operations"},
#define KS_EXIT(function) {#function, "ks_dispatch_" #function, "ks_bank_" #function},
    KS_CAPTURES(KS_ENTRY) KS_EXIT_HOOKS(KS_EXIT)
#undef KS_ENTRY
#undef KS_EXIT
};

struct CapturedKind {
  std::string_view function;
  schema::EventKind kind;
};
constexpr CapturedKind kKinds[] = {
#define KS_KIND(function, kind) {#function, schema::EventKind::kind##_},
    KS_CAPTURED_KINDS(KS_KIND)
#undef KS_KIND
};
constexpr schema::EventKind kTwins[] = {
#define KS_TWIN(function, kind) schema::EventKind::kind##_,
    KS_TWIN_KINDS(KS_TWIN)
#undef KS_TWIN
};

// Linux before 6.1 does not attach to functions that take structures by value: whoever demands trampolines does without this one where it
// is refused.
constexpr std::string_view kNotEverywhere = "security_path_chown";
// The one of KS_CAPTURES that is no function.
constexpr std::string_view kTracepoint = "io_uring_complete";

bool IsTracepoint(const bpf_program* program) {
  return std::string_view(bpf_program__section_name(program)).starts_with("raw_tp/");
}

LinkPtr AttachTo(const bpf_program* program, const std::string& function) {
  return LinkPtr(IsTracepoint(program) ? bpf_program__attach_raw_tracepoint(program, function.c_str())
                                       : bpf_program__attach(program));
}

}  // namespace

void Captures::Refuse(const std::string& function, const std::string& cause) {
  // Mostly all are refused for one reason.
  if (why_.empty()) why_ = fmt::format("{}: {}", function, cause);
}

// An object of these programs, in the kernel.
Result<ObjectPtr> Captures::Load(const std::set<std::string>& programs) const {
  Result<ObjectPtr> opened = OpenObject(embedded::capture_object(), "ks_capture", "the trampolines' programs");
  if (!opened) return opened.error();
  if (Status shared = ReuseMaps(opened->get(), maps_); !shared) return shared.error();
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, opened->get()) {
    bpf_program__set_autoload(program, programs.contains(bpf_program__name(program)));
  }
  LibbpfLog log;
  if (int error = bpf_object__load(opened->get()); error != 0)
    return ExplainLoadFailure(log.text(), -error, programs.size() == 1 ? *programs.begin() : "the trampolines' programs");
  return opened;
}

// Those are had that this kernel lets be attached, which they are for a moment.
Status Captures::Grant(const std::set<std::string>& programs) {
  Result<ObjectPtr> loaded = Load(programs);
  if (!loaded) return loaded.error();
  for (Capture& capture : captures_) {
    if (!programs.contains(capture.name)) continue;
    bpf_program* program = bpf_object__find_program_by_name(loaded->get(), capture.name.c_str());
    KS_CHECK(program != nullptr, "each function of the list has its program");
    if (AttachTo(program, capture.function)) {
      capture.program = program;
    } else {
      Refuse(capture.function, std::strerror(errno));
    }
  }
  object_ = std::move(*loaded);
  return Ok();
}

// If one is refused, the others may be granted. This takes a while; but who is not permitted one trampoline is permitted none.
void Captures::GrantOneByOne() {
  std::set<std::string> programs;
  bool permitted = true;
  for (const Capture& capture : captures_) {
    if (!permitted && capture.function != kTracepoint) continue;
    if (Result<ObjectPtr> one = Load({capture.name}); one) {
      programs.insert(capture.name);
    } else {
      Refuse(capture.function, one.error().cause);
      permitted = permitted && one.error().code != "kernel-permission";
    }
  }
  if (programs.empty()) return;
  if (Status others = Grant(programs); !others) Refuse("all others", others.error().cause);
}

// By a program of its own, whose object need not outlive it: it holds every map open.
Status Captures::AttachAnew(Capture& capture) const {
  Result<ObjectPtr> loaded = Load({capture.name});
  if (!loaded) return loaded.error();
  const bpf_program* program = bpf_object__find_program_by_name(loaded->get(), capture.name.c_str());
  LinkPtr link = AttachTo(program, capture.function);
  if (!link) return WorldError("attach the program of", capture.function, errno, "kernel-attach");
  return Keep(capture, program, std::move(link));
}

Status Captures::Keep(Capture& capture, const bpf_program* program, LinkPtr link) const {
  Attachment attached{std::move(link), Fd(::dup(bpf_program__fd(program)))};
  if (!attached.program) return WorldError("keep the program of", capture.function, errno, "kernel-attach");
  if (*pins_) {
    if (Status pinned = pins_->Attach(capture.name, attached); !pinned) return pinned;
  }
  capture.attached = std::move(attached);
  return Ok();
}

void Captures::Detach(Capture& capture) const {
  if (capture.attached.link && *pins_) pins_->Detach(capture.name);
  capture.attached = {};
}

Status Captures::Probe(KernelOptions::Tiers tiers, const std::map<std::string, int>& maps, const Pins& pins) {
  maps_ = maps;
  pins_ = &pins;
  for (const Resident& one : kResidents) {
    Capture capture{.function = one.function, .name = one.program, .program = nullptr, .attached = {}};
    if (pins) {
      Result<Attachment> attached = pins.Attached(capture.name, {MapId(maps.at(one.map))});
      if (!attached) return attached.error();
      capture.attached = std::move(*attached);
    }
    captures_.push_back(std::move(capture));
  }
  if (tiers == KernelOptions::Tiers::Tracepoint) {
    why_ = "not asked for";
    return Ok();
  }
  std::set<std::string> programs;
  for (const Capture& capture : captures_) programs.insert(capture.name);
  if (Status all = Grant(programs); !all) {
    programs.erase(fmt::format("ks_capture_{}", kNotEverywhere));
    if (Grant(programs)) {
      Refuse(std::string(kNotEverywhere), all.error().cause);
    } else {
      GrantOneByOne();
    }
  }
  const bool granted = std::all_of(captures_.begin(), captures_.end(), [](const Capture& capture) {
    return capture.program != nullptr || capture.function == kNotEverywhere;
  });
  if (tiers == KernelOptions::Tiers::Trampoline && !granted) {
    return Error{"use trampolines", "the kernel's functions", why_,
                 "run with `--tier auto`, which does without where they are not to be had", "kernel-tier"};
  }
  return Ok();
}

uint32_t Captures::available() const {
  uint32_t bits = 0;
  for (size_t i = 0; i < captures_.size(); ++i) bits |= captures_[i].program ? 1u << i : 0;
  return bits;
}

bool Captures::Has(std::string_view function) const {
  return std::all_of(captures_.begin(), captures_.end(), [&](const Capture& capture) {
    return capture.function != function || capture.program != nullptr;
  });
}

bool Captures::HasExit(const std::string& hook) const { return Has(hook); }

std::vector<std::string> Captures::ExitHooks() {
  return {
#define KS_EXIT(function) #function,
      KS_EXIT_HOOKS(KS_EXIT)
#undef KS_EXIT
  };
}

void Captures::Attach(const std::function<bool(schema::EventKind)>& asked) {
  // What is captured of io_uring is for the kinds that it raises besides its own.
  const bool twins = std::any_of(std::begin(kTwins), std::end(kTwins), asked);
  for (Capture& capture : captures_) {
    capture.needed = std::any_of(std::begin(kKinds), std::end(kKinds), [&](const CapturedKind& one) {
      return one.function == capture.function && (one.kind == schema::EventKind::io_uring_ ? twins : asked(one.kind));
    });
    if (!capture.needed || !capture.program || capture.attached.link) continue;
    LibbpfLog log;
    Status done = Ok();
    if (LinkPtr link = AttachTo(capture.program, capture.function); link) {
      done = Keep(capture, capture.program, std::move(link));
    } else {
      // Before Linux 5.13 a program is attached once in its life.
      done = AttachAnew(capture);
    }
    if (done) continue;
    // It is not to be had after all.
    Refuse(capture.function, done.error().cause);
    capture.program = nullptr;
  }
}

void Captures::DetachUnneeded() {
  for (Capture& capture : captures_) {
    if (!capture.needed || !capture.program) Detach(capture);
  }
}

void Captures::DetachAll() {
  for (Capture& capture : captures_) Detach(capture);
}

void Captures::AddHooks(std::vector<HookStatus>& hooks) const {
  for (const Capture& capture : captures_) {
    const bool attached = capture.attached.link != nullptr;
    if (!capture.program && !attached) continue;
    bpf_prog_info info{};
    uint32_t size = sizeof(info);
    const int program = attached ? capture.attached.program.get() : bpf_program__fd(capture.program);
    if (bpf_obj_get_info_by_fd(program, &info, &size) != 0) info = {};
    const bool at_end = capture.name.starts_with("ks_dispatch_");
    hooks.push_back({capture.function + (at_end ? " (end)" : ""), attached, info.recursion_misses, 0});
  }
}

// A kind is of the trampoline tier if all that it needs is to be had.
std::vector<KindTier> Captures::Tiers() const {
  std::vector<KindTier> tiers;
  for (const CapturedKind& one : kKinds) {
    const Tier tier = Has(one.function) ? Tier::Trampoline : Tier::Tracepoint;
    bool known = false;
    for (KindTier& other : tiers) {
      if (other.kind != one.kind) continue;
      known = true;
      if (tier == Tier::Tracepoint) other.tier = tier;
    }
    if (!known) tiers.push_back({one.kind, tier});
  }
  return tiers;
}

}  // namespace ks::kernel

#include "runtime/kernel/object.h"

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <set>

#include "runtime/kernel/line_recorder.h"
#include "runtime/kernel/preempt.h"
#include "runtime/kernel/verifier_log.h"

namespace ks::kernel {
namespace {

// The object's maps are ours, by name; only its constants are its own.
Status ShareMaps(bpf_object* object, const std::map<std::string, int>& maps) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    std::string name = bpf_map__name(map);
    if (bpf_map__is_internal(map)) {
      if (name.find(".rodata") != std::string::npos) continue;
    } else if (auto shared = maps.find(name); shared != maps.end()) {
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

Status SetConstants(bpf_object* object, const LoadFor& how) {
  const std::string on = "the bundle";
  const auto missing = [&](const char* what) {
    return Error{"load the programs of", on, fmt::format("they have no place for {}", what),
                 "compile the policy with the ksc of this version", "kernel-object"};
  };
  Result<bool> set = SetConstant(object, "ks_generation", how.generation, on);
  if (!set) return set.error();
  if (!*set) return missing("the bundle's generation (ks_generation)");
  // Programs that look at nothing of the kind have no place for it.
  set = SetConstant(object, "ks_captures", how.captures, on);
  return set ? Ok() : Status(set.error());
}

}  // namespace

LibbpfObject::LibbpfObject(ObjectPtr object, const VerifierFigures& figures, double load_ms)
    : object_(std::move(object)), map_bytes_(VerifierFigures::MapBytes(object_.get())), load_ms_(load_ms) {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object_.get()) {
    if (!bpf_program__autoload(program)) continue;
    programs_[HookOf(program)] = bpf_program__fd(program);
    hooks_.push_back(figures.Of(program));
  }
}

LibbpfObject::LibbpfObject(ObjectPtr object, std::map<std::string, Fd> programs)
    : object_(std::move(object)), own_(std::move(programs)), map_bytes_(VerifierFigures::MapBytes(object_.get())) {
  for (const auto& [hook, program] : own_) {
    programs_[hook] = program.get();
    hooks_.push_back(VerifierFigures::Of(hook, program.get()));
  }
}

bool LibbpfObject::Asks(schema::EventKind kind) const {
  const btf* types = bpf_object__btf(object_.get());
  if (!types) return true;
  bool compiled = false;
  for (const schema::EventRow& event : schema::Events()) {
    const bool has = btf__find_by_name_kind(types, fmt::format("ks_kind_{}", event.name).c_str(), BTF_KIND_FUNC) > 0;
    if (has && event.kind == kind) return true;
    compiled |= has;
  }
  return !compiled;
}

bool LibbpfObject::AsksLineage() const { return bpf_object__find_map_by_name(object_.get(), "ks_living") != nullptr; }

bool LibbpfObject::AsksArguments() const { return bpf_object__find_map_by_name(object_.get(), "ks_unread_args") != nullptr; }

namespace {

// Everything but the load itself.
Result<ObjectPtr> PrepareObject(std::string_view elf, const LoadFor& how) {
  const std::string on = "the bundle";
  Result<ObjectPtr> opened = OpenObject(elf, "policy", on);
  if (!opened) return opened.error();
  ObjectPtr object = std::move(*opened);
  bpf_program* program = nullptr;
  std::set<std::string> seen;
  bpf_object__for_each_program(program, object.get()) {
    std::string hook = HookOf(program);
    const auto known = how.hooks.find(hook);
    if (known != how.hooks.end() && seen.insert(hook).second) {
      bpf_program__set_autoload(program, known->second);
      continue;
    }
    return Error{"load the programs of", on,
                 fmt::format("one is for a hook that this agent does not have, or has already: {}",
                             bpf_program__section_name(program)),
                 "compile the policy with the ksc of this version", "kernel-object"};
  }
  if (Status shared = ShareMaps(object.get(), how.maps); !shared) return shared.error();
  if (Status set = SetConstants(object.get(), how); !set) return set.error();
  if (Status kept = KeepPreemptionOff(object.get(), how.preempting); !kept) return kept.error();
  return object;
}

// "prog 'ks_sys_exit': BPF program load failed: …" → "ks_sys_exit".
std::string FailedProgram(std::string_view log) {
  const size_t failed = log.find("': BPF program load failed");
  if (failed == std::string_view::npos) return "";
  const size_t name = log.rfind('\'', failed - 1);
  return name == std::string_view::npos ? "" : std::string(log.substr(name + 1, failed - name - 1));
}

struct RefusedLoad {
  int error = 0;
  std::string log, words;  // libbpf's, the verifier's
  LineTables lines;
};

// The verifier's way to what it refuses: another load, for which it writes down each step.
std::string TraceOf(bpf_object* object, const RefusedLoad& refused, const std::string& program_name) {
  constexpr size_t kMostTrace = 4 << 20;
  constexpr uint32_t kLogTrace = 1;  // BPF_LOG_LEVEL1
  bpf_program* program = bpf_object__find_program_by_name(object, program_name.c_str());
  // Not of a way of a million steps, nor where the last way is not to blame.
  const bool of_the_whole = refused.error == E2BIG || refused.words.find("combined stack size") != std::string::npos;
  if (program == nullptr || of_the_whole) return refused.words;
  std::string trace(kMostTrace, '\0');
  bpf_program__set_log_level(program, kLogTrace);
  bpf_program__set_log_buf(program, trace.data(), trace.size());
  LibbpfLog log;
  const int error = -bpf_object__load(object);
  trace.resize(std::strlen(trace.c_str()));
  if (error == ENOSPC) trace += "\n(cut)\n" + refused.words;
  return trace.empty() ? refused.words : trace;
}

}  // namespace

Result<std::unique_ptr<LoadedObject>> LoadObject(std::string_view elf, const LoadFor& how) {
  Result<ObjectPtr> object = PrepareObject(elf, how);
  if (!object) return object.error();
  RefusedLoad refused;
  std::string program;
  {
    LibbpfLog log;
    const LineRecorder lines;
    const VerifierFigures figures(object->get());
    const auto start = std::chrono::steady_clock::now();
    refused.error = -bpf_object__load(object->get());
    if (refused.error == 0) {
      const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
      return std::unique_ptr<LoadedObject>(std::make_unique<LibbpfObject>(std::move(*object), figures, took.count()));
    }
    refused.log = log.text();
    program = FailedProgram(refused.log);
    refused.words = figures.WordsOn(program);
    refused.lines = lines.Tables(object->get());
  }
  if (refused.words.empty()) return ExplainLoadFailure(refused.log, refused.error, "the bundle");
  object = PrepareObject(elf, how);
  if (!object) return object.error();
  const std::string trace = TraceOf(object->get(), refused, program);
  return ExplainRefusal({program, trace, refused.words}, refused.error, "the bundle", refused.lines);
}

}  // namespace ks::kernel

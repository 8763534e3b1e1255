#include "runtime/kernel/figures.h"

#include <charconv>

namespace ks::kernel {
namespace {

constexpr uint32_t kLogStatistics = 4;  // BPF_LOG_STATS of include/linux/bpf_verifier.h
// With less, 6.18 refuses (ENOSPC) what it has verified where a loop calls a global function: it seems to log each call on the way.
constexpr size_t kLogBytes = 256 * 1024;

uint32_t NumberBehind(std::string_view log, std::string_view words) {
  const size_t at = log.rfind(words);
  uint32_t number = 0;
  if (at != std::string_view::npos) {
    const char* begin = log.data() + at + words.size();
    std::from_chars(begin, log.data() + log.size(), number);
  }
  return number;
}

}  // namespace

VerifierStatistics ParseStatistics(std::string_view log) {
  return {NumberBehind(log, "processed "), NumberBehind(log, "total_states "), NumberBehind(log, "verification time ")};
}

VerifierFigures::VerifierFigures(bpf_object* object) {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    std::string& log = logs_[bpf_program__name(program)];
    log.assign(kLogBytes, '\0');
    bpf_program__set_log_level(program, kLogStatistics);
    bpf_program__set_log_buf(program, log.data(), log.size());
  }
}

LoadedHook VerifierFigures::Of(const std::string& hook, int program) {
  bpf_prog_info info{};
  uint32_t size = sizeof(info);
  // Without the numbers a program is as good.
  if (bpf_obj_get_info_by_fd(program, &info, &size) != 0) info = {};
  return {.hook = hook,
          .instructions = static_cast<uint32_t>(info.xlated_prog_len / sizeof(bpf_insn)),
          .verified_instructions = info.verified_insns,
          .jited_bytes = info.jited_prog_len};
}

LoadedHook VerifierFigures::Of(const bpf_program* program) const {
  LoadedHook hook = Of(HookOf(program), bpf_program__fd(program));
  if (const auto log = logs_.find(bpf_program__name(program)); log != logs_.end()) {
    const VerifierStatistics statistics = ParseStatistics(log->second.c_str());
    // Kernels before 5.16 have it here only.
    if (hook.verified_instructions == 0) hook.verified_instructions = statistics.instructions;
    hook.states = statistics.states;
    hook.verify_us = statistics.microseconds;
  }
  return hook;
}

std::string VerifierFigures::WordsOn(const std::string& program) const {
  const auto log = logs_.find(program);
  return log == logs_.end() ? "" : log->second.c_str();
}

uint64_t VerifierFigures::MapBytes(const bpf_object* object) {
  uint64_t bytes = 0;
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    if (bpf_map__is_internal(map)) bytes += uint64_t{bpf_map__value_size(map)} * bpf_map__max_entries(map);
  }
  return bytes;
}

}  // namespace ks::kernel

#include "runtime/kernel/preempt.h"

#include <linux/bpf.h>
#include <sys/utsname.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <vector>

#include "bpf/hooks/hooks.h"

namespace ks::kernel {
namespace {

struct FreeBtf {
  void operator()(btf* types) const { btf__free(types); }
};

// What stands in the places of the two calls.
struct Replacement {
  bpf_insn disable, enable;
};

Result<Replacement> ReplacementWhere(bool preempting) {
  const std::string on = "the bundle";
  // The verifier leaves nothing of a jump to what follows.
  const bpf_insn nothing{.code = BPF_JMP | BPF_JA, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0};
  if (!preempting) return Replacement{nothing, nothing};
  const std::unique_ptr<btf, FreeBtf> types(btf__load_vmlinux_btf());
  if (!types) return WorldError("read the kernel's types for", on, errno, "kernel-load");
  const int disable = btf__find_by_name_kind(types.get(), "bpf_preempt_disable", BTF_KIND_FUNC);
  const int enable = btf__find_by_name_kind(types.get(), "bpf_preempt_enable", BTF_KIND_FUNC);
  if (disable <= 0 || enable <= 0) {
    return Error{"load the programs of", on, "this kernel preempts programs, and does not let them prevent it", "", "kernel-load"};
  }
  const auto call = [](int function) {
    return bpf_insn{.code = BPF_JMP | BPF_CALL, .dst_reg = 0, .src_reg = BPF_PSEUDO_KFUNC_CALL, .off = 0, .imm = function};
  };
  return Replacement{call(disable), call(enable)};
}

}  // namespace

bool PreemptsPrograms() {
  utsname about{};
  return ::uname(&about) == 0 && std::atoi(about.release) >= 7;
}

Status KeepPreemptionOff(bpf_object* object, bool preempting) {
  const Result<Replacement> replacement = ReplacementWhere(preempting);
  if (!replacement) return replacement.error();
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    const bpf_insn* first = bpf_program__insns(program);
    std::vector<bpf_insn> code(first, first + bpf_program__insn_cnt(program));
    bool changed = false;
    for (bpf_insn& one : code) {
      if (one.code != (BPF_JMP | BPF_CALL) || one.src_reg != 0) continue;
      if (one.imm != KS_CALL_PREEMPT_DISABLE && one.imm != KS_CALL_PREEMPT_ENABLE) continue;
      one = one.imm == KS_CALL_PREEMPT_DISABLE ? replacement->disable : replacement->enable;
      changed = true;
    }
    if (!changed) continue;
    if (int error = bpf_program__set_insns(program, code.data(), code.size()); error != 0)
      return WorldError("write the calls of", bpf_program__name(program), -error, "kernel-load");
  }
  return Ok();
}

}  // namespace ks::kernel

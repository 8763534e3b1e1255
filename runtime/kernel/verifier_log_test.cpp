#include "runtime/kernel/verifier_log.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace ks::kernel {
namespace {

TEST(VerifierLog, KeepsTheObjectionAndTheLastSourceLine) {
  Error error = ExplainLoadFailure(
      "libbpf: prog 'ks_sys_exit': BPF program load failed: Permission denied\n"
      "libbpf: prog 'ks_sys_exit': -- BEGIN PROG LOAD LOG --\n"
      "0: R1=ctx() R10=fp0\n"
      "; process.exe in shells @ shell.ksp:14\n"
      "62: (18) r2 = 0xffffc90002777204      ; R2=map_value(map=x,ks=4,vs=1284,off=516)\n"
      "65: (71) r7 = *(u8 *)(r2 +0)\n"
      "R2 unbounded memory access, make sure to bounds check any such access\n"
      "processed 61 insns (limit 1000000) max_states_per_insn 0 total_states 2 peak_states 2 mark_read 0\n"
      "-- END PROG LOAD LOG --\n"
      "libbpf: prog 'ks_sys_exit': failed to load: -13\n",
      EACCES, "the bundle");
  EXPECT_EQ(error.code, "kernel-verifier");
  EXPECT_EQ(error.cause,
            "the kernel's verifier refused ks_sys_exit: R2 unbounded memory access, make sure to bounds check any such "
            "access");
  EXPECT_NE(error.detail.find("inside of shell.ksp:14: process.exe in shells"), std::string::npos) << error.detail;
  EXPECT_NE(error.log.find("R2 unbounded"), std::string::npos);
}

TEST(VerifierLog, ATooLargeProgramHasAdvice) {
  Error error = ExplainLoadFailure(
      "libbpf: prog 'ks_sys_exit': -- BEGIN PROG LOAD LOG --\n"
      "BPF program is too large. Processed 1000001 insn\n"
      "processed 1000001 insns (limit 1000000) max_states_per_insn 4\n"
      "-- END PROG LOAD LOG --\n",
      E2BIG, "the bundle");
  EXPECT_EQ(error.code, "kernel-verifier");
  EXPECT_NE(error.cause.find("BPF program is too large"), std::string::npos);
  EXPECT_NE(error.advice.find("fewer or simpler rules"), std::string::npos);
}

TEST(VerifierLog, MissingPermissionIsToldFromARefusal) {
  Error error =
      ExplainLoadFailure("libbpf: Error in bpf_object__probe_loading():Operation not permitted(1).\n", EPERM, "x");
  EXPECT_EQ(error.code, "kernel-permission");
  EXPECT_NE(error.advice.find("CAP_BPF and CAP_PERFMON"), std::string::npos);
}

TEST(VerifierLog, AMemberThatThisKernelLacksIsNamed) {
  Error error = ExplainLoadFailure(
      "libbpf: prog 'p': -- BEGIN PROG LOAD LOG --\n"
      "2180: <invalid CO-RE relocation>\n"
      "failed to resolve CO-RE relocation <byte_off> [170] struct file.f_gone (0:0:4 @ offset 72)\n"
      "-- END PROG LOAD LOG --\n",
      EINVAL, "x");
  EXPECT_EQ(error.code, "kernel-btf");
  EXPECT_NE(error.cause.find("struct file.f_gone"), std::string::npos);
}

TEST(VerifierLog, WithoutALogTheErrnoSpeaks) {
  Error error = ExplainLoadFailure("", EINVAL, "x");
  EXPECT_EQ(error.code, "kernel-load");
  EXPECT_EQ(error.cause, "Invalid argument");
  EXPECT_EQ(ExplainLoadFailure("", ENOMEM, "x").code, "kernel-memory");
  EXPECT_EQ(ExplainLoadFailure("libbpf: Error loading vmlinux BTF: -3\n", ESRCH, "x").code, "kernel-btf");
}

TEST(VerifierLog, HostileLogsAreBounded) {
  std::string log = "prog 'p': -- BEGIN PROG LOAD LOG --\n";
  for (int i = 0; i < 1000; ++i) log += std::string(1000, 'x') + "\n";
  const Error error = ExplainLoadFailure(log, EINVAL, "x");
  EXPECT_LT(error.cause.size(), 2000u);
  EXPECT_LT(error.detail.size(), 4000u);
}

}  // namespace
}  // namespace ks::kernel

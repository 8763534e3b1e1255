// Where the kernel preempts programs (from Linux 7 on) it skips them for the tasks that run meanwhile: the second dispatchers make up for it.
#include <fmt/format.h>
#include <linux/bpf.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <thread>

#include "runtime/kernel/kernel_testing.h"
#include "runtime/kernel/object.h"
#include "runtime/kernel/preempt.h"

namespace ks::kernel {
namespace {

class KernelPreemptTest : public KernelTest {
 protected:
  static uint64_t Recovered() {
    uint64_t sum = 0;
    for (const HookStatus& hook : kernel_->Hooks()) sum += hook.recovered;
    return sum;
  }
};

void OnFirstCpu() {
  cpu_set_t first;
  CPU_ZERO(&first);
  CPU_SET(0, &first);
  ASSERT_EQ(::sched_setaffinity(0, sizeof(first), &first), 0);
}

// A task of the lowest priority does nothing but system calls; who wakes up beside it preempts it, often within a program.
TEST_F(KernelPreemptTest, WhatOthersDoMeanwhileIsSeen) {
  const uint64_t missed = Missed(*kernel_), recovered = Recovered();
  std::atomic<bool> stop{false};
  std::thread hog([&] {
    OnFirstCpu();
    const sched_param none{};
    EXPECT_EQ(::sched_setscheduler(0, SCHED_IDLE, &none), 0);
    while (!stop.load(std::memory_order_relaxed)) ::syscall(SYS_getuid);
  });
  constexpr int kCalls = 3000, kAtOnce = 100;
  std::map<std::string, int> told;
  for (int from = 0; from < kCalls; from += kAtOnce) {
    const std::vector<Seen> all = Record(KS_KIND_unlink, [&] {
      std::thread([&] {
        OnFirstCpu();
        for (int i = from; i < from + kAtOnce; ++i) {
          ::usleep(200);
          ::unlink(fmt::format("/nowhere/kst/{}", i).c_str());
        }
      }).join();
    });
    for (const Seen& seen : all) ++told[seen.Text(KS_FIELD_file_path)];
  }
  stop = true;
  hog.join();
  const uint64_t missing = kCalls - static_cast<int>(told.size());
  EXPECT_LE(missing, Missed(*kernel_) - missed);
  EXPECT_LE(missing, kCalls / 100u) << "only what two tasks at once are in the way of";
  for (const auto& [path, times] : told) EXPECT_EQ(times, 1) << path;
  if (PreemptsPrograms()) {
    EXPECT_GT(Recovered() - recovered, 0u);
  }
  std::cout << fmt::format("{} calls, {} missing; recovered {}, missed {}\n", kCalls, missing, Recovered() - recovered,
                           Missed(*kernel_) - missed);
}

#ifdef __x86_64__
// Whether a program uses a stack of its own per CPU, which the kernel gives from Linux 6.13 on: `add %gs:…, %r9`.
bool HasPrivateStack(int program) {
  constexpr std::string_view kAddsOwn = "\x65\x4c\x03\x0c\x25";
  bpf_prog_info info{};
  uint32_t size = sizeof(info);
  EXPECT_EQ(bpf_obj_get_info_by_fd(program, &info, &size), 0);
  std::string code(info.jited_prog_len, '\0');
  info = {};
  info.jited_prog_len = static_cast<uint32_t>(code.size());
  info.jited_prog_insns = reinterpret_cast<uintptr_t>(code.data());
  size = sizeof(info);
  EXPECT_EQ(bpf_obj_get_info_by_fd(program, &info, &size), 0);
  EXPECT_NE(code.find_first_not_of('\0'), std::string::npos) << "the kernel does not show its code";
  return code.find(kAddsOwn) != std::string::npos;
}

// What two dispatchers jump to may be preempted by itself: each must have its variables for itself (bpf/hooks/abi.h, ks_keep_stack).
TEST_F(KernelPreemptTest, ProgramsRunOnTheKernelsStack) {
  const bpf_insn wants_much[] = {{BPF_ST | BPF_MEM | BPF_DW, 10, 0, -256, 0}, {BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0}, {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
  const Fd control(bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "ks_wants_much", "GPL", wants_much, std::size(wants_much), nullptr));
  ASSERT_TRUE(control);
  if (!HasPrivateStack(control.get())) GTEST_SKIP() << "this kernel gives no program a stack of its own";
  for (const auto& [hook, program] : static_cast<const LibbpfObject&>(*everything_).programs()) {
    EXPECT_FALSE(HasPrivateStack(program)) << hook;
  }
}
#endif

}  // namespace
}  // namespace ks::kernel

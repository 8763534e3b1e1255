// Where the kernel preempts programs (from Linux 7 on) it skips them for the tasks that run meanwhile: the second dispatchers make up for it.
#include <fmt/format.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <thread>

#include "runtime/kernel/kernel_testing.h"
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

}  // namespace
}  // namespace ks::kernel

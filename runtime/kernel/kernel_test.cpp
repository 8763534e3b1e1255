// Loading, swapping, counting.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <map>
#include <set>
#include <thread>

#include "bpf/hooks/hooks.h"
#include "everything_object.h"
#include "refused_object.h"
#include "runtime/kernel/kernel_testing.h"

namespace ks::kernel {
namespace {

TEST(Hooks, AreTheTablesInItsOrder) {
  std::vector<std::string> listed, table;
#define KS_HOOK_NAME(hook) listed.push_back(#hook);
  KS_HOOKS(KS_HOOK_NAME)
#undef KS_HOOK_NAME
  for (const schema::EventRow& row : schema::Events()) {
    if (std::find(table.begin(), table.end(), row.hook) == table.end()) table.emplace_back(row.hook);
  }
  EXPECT_EQ(listed, table);
}

TEST_F(KernelTest, WhatIsLoadedIsDescribed) {
  std::set<std::string_view> hooks;
  for (const schema::EventRow& row : schema::Events()) hooks.insert(row.hook);
  // What is at the end of functions is left out where there are no trampolines.
  for (const KindTier& one : kernel_->Tiers()) {
    if (one.kind == schema::EventKind::io_uring_ && one.tier == Tier::Trampoline) hooks.insert("io_issue_sqe");
  }
  ASSERT_EQ(everything_->hooks().size(), hooks.size());
  for (const LoadedHook& hook : everything_->hooks()) {
    EXPECT_GT(hook.jited_bytes, 0u) << hook.hook;
    EXPECT_GT(hook.instructions, 2u) << hook.hook;
    EXPECT_GT(hook.verified_instructions, 2u) << hook.hook;  // on every kernel
    EXPECT_GT(hook.states, 0u) << hook.hook;
    EXPECT_GT(hook.verify_us, 0u) << hook.hook;
    EXPECT_LT(hook.verified_instructions, 200'000u) << hook.hook;
  }
  EXPECT_GT(everything_->load_ms(), 0);
  EXPECT_GE(everything_->map_bytes(), sizeof(uint32_t));  // ks_generation
  for (const HookStatus& hook : kernel_->Hooks()) EXPECT_TRUE(hook.attached) << hook.hook;
  for (const RingStatus& ring : kernel_->Rings()) EXPECT_EQ(ring.bytes, 16u << 20);
}

TEST_F(KernelTest, ARefusalNamesTheProgramAndTheLine) {
  Result<std::unique_ptr<LoadedObject>> loaded = kernel_->Load(embedded::refused_object(), 2);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, "kernel-verifier");
  EXPECT_NE(loaded.error().cause.find("ks_sched_process_fork"), std::string::npos) << loaded.error().cause;
  // No rule stands behind it: the line of our own code.
  EXPECT_NE(loaded.error().detail.find("s->out[raw->args[0]]"), std::string::npos) << loaded.error().detail;
  EXPECT_NE(loaded.error().detail.find("refused.bpf.c:"), std::string::npos) << loaded.error().detail;
}

TEST_F(KernelTest, DamagedObjectsAreRefused) {
  std::string elf(embedded::everything_object());
  EXPECT_EQ(kernel_->Load("", 2).error().code, "kernel-object");
  EXPECT_EQ(kernel_->Load("not an object", 2).error().code, "kernel-object");
  EXPECT_EQ(kernel_->Load(elf.substr(0, elf.size() / 2), 2).error().code, "kernel-object");
  // A map that is not the agent's, a program without a hook of the agent's.
  auto renamed = [&](const std::string& from, const std::string& to) {
    std::string other = elf;
    for (size_t at = other.find(from); at != std::string::npos; at = other.find(from, at + 1))
      other.replace(at, to.size(), to);
    return kernel_->Load(other, 2);
  };
  EXPECT_EQ(renamed("ks_inodes", "ks_others").error().code, "kernel-object");
  EXPECT_EQ(renamed("raw_tp/sys_exit", "raw_tp/sys_axit").error().code, "kernel-object");
  EXPECT_EQ(renamed("ks_generation", "ks_generosity").error().code, "kernel-object");
  // What was active goes on.
  EXPECT_EQ(RecordOne(KS_KIND_syscall, [] { ::syscall(SYS_getppid); }).head.generation, 1u);
}

TEST_F(KernelTest, ARingMustBeAPowerOfTwo) {
  EXPECT_EQ(OpenLibbpfKernel({.ring_bytes = 1000}).error().code, "kernel-map");
  EXPECT_EQ(OpenLibbpfKernel({.ring_bytes = 3 << 20}).error().code, "kernel-map");
}

TEST_F(KernelTest, ASwapWaitsAlsoWhereMembarrierIsForbidden) {
  pid_t child = ::fork();
  if (child == 0) {
    sock_filter filter[] = {
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_membarrier},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | ENOSYS},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
    };
    sock_fprog program{sizeof(filter) / sizeof(filter[0]), filter};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
      ::_exit(2);
    Result<std::unique_ptr<Kernel>> own = OpenLibbpfKernel({.ring_bytes = 1 << 20});
    if (!own) ::_exit(3);
    uint32_t generation = 0;
    for (uint32_t next : {7u, 8u}) {
      Result<std::unique_ptr<LoadedObject>> loaded = (*own)->Load(embedded::everything_object(), next);
      if (!loaded || !(*own)->Activate(**loaded)) ::_exit(4);
      ::syscall(SYS_getppid);
      Result<size_t> count = (*own)->Consume(100, [&](std::string_view bytes) {
        Seen seen;
        if (ParseRecord(bytes, &seen) && seen.Int(KS_FIELD_process_pid) == ::getpid())
          generation = seen.head.generation;
      });
      (*own)->Commit({});
      if (!count || generation != next) ::_exit(5);
    }
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  if (WEXITSTATUS(status) == 2) GTEST_SKIP() << "no seccomp filters here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

// Sum over kinds of what the counters say. Without `bpf`: to read a counter is a call of that kind.
KindCounters Totals(const Kernel& kernel) {
  KindCounters sum;
  for (const KindCounters& one : kernel.Counters()) {
    if (one.kind == schema::EventKind::bpf_) continue;
    sum.seen += one.seen;
    sum.filtered += one.filtered;
    sum.limited += one.limited;
    sum.submitted += one.submitted;
    sum.dropped += one.dropped;
  }
  return sum;
}

// Removals that were dropped: what tests number. (malloc, too, makes calls that are events.)
uint64_t DroppedRemovals(const Kernel& kernel) {
  return kernel.Counters()[static_cast<size_t>(schema::EventKind::unlink_)].dropped;
}

// Events in flight between two counters make the identity fail for a moment, never for long.
bool IdentityHolds(const Kernel& kernel) {
  for (int attempt = 0; attempt < 1000; ++attempt) {
    KindCounters sum = Totals(kernel);
    if (sum.seen == sum.filtered + sum.limited + sum.submitted + sum.dropped) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

// Calls that can be told from each other: removal of files that do not exist, numbered.
void NumberedCalls(int thread, int from, int to) {
  for (int i = from; i < to; ++i) ::unlink(fmt::format("/nowhere/kst/{}/{}", thread, i).c_str());
}

// How many numbers of the streams from `first` on to `last` are not among the records'.
uint64_t MissingNumbers(const std::vector<StreamEnd>& first, const std::vector<StreamEnd>& last,
                        const std::vector<Seen>& records) {
  std::map<std::pair<uint16_t, uint32_t>, uint64_t> from;
  for (const StreamEnd& end : first) from[{end.cpu, end.stream}] = end.next;
  std::set<std::pair<uint16_t, uint64_t>> seen;
  for (const Seen& record : records) EXPECT_TRUE(seen.emplace(record.head.cpu, record.head.sequence).second);
  uint64_t missing = 0;
  for (const StreamEnd& end : last) {
    for (uint64_t number = from[{end.cpu, end.stream}]; number < end.next; ++number) {
      missing += !seen.contains({end.cpu, uint64_t{end.stream} << KS_SEQUENCE_BITS | number});
    }
  }
  return missing;
}

uint64_t Dropped(const Kernel& kernel, RingId ring) {
  uint64_t sum = 0;
  for (const KindCounters& one : kernel.Counters()) sum += one.dropped_from[static_cast<size_t>(ring)];
  return sum;
}

TEST_F(KernelTest, LossIsCountedAndShowsInTheSequence) {
  Drain();
  const KindCounters before = Totals(*kernel_);
  const uint64_t dropped = Dropped(*kernel_, RingId::Alerts) + Dropped(*kernel_, RingId::Context);
  const std::vector<StreamEnd> first = kernel_->Streams();
  constexpr int kCalls = 60'000;  // several times the rings
  NumberedCalls(0, 0, kCalls);
  const KindCounters filled = Totals(*kernel_);
  EXPECT_GT(filled.dropped - before.dropped, 0u);
  EXPECT_GE(filled.submitted + filled.dropped - before.submitted - before.dropped, static_cast<uint64_t>(kCalls));
  std::vector<Seen> all = Drain();
  const std::vector<StreamEnd> last = kernel_->Streams();
  for (Seen& seen : Drain()) all.push_back(std::move(seen));
  EXPECT_EQ(MissingNumbers(first, last, all),
            Dropped(*kernel_, RingId::Alerts) + Dropped(*kernel_, RingId::Context) - dropped);
  for (int attempt = 0; attempt < 100 && received_ != Totals(*kernel_).submitted; ++attempt) Drain();
  EXPECT_EQ(received_, Totals(*kernel_).submitted);
  EXPECT_TRUE(IdentityHolds(*kernel_));
}

TEST_F(KernelTest, AFloodOfContextLeavesTheRingOfAlertsAlone) {
  Drain();
  const uint64_t alerts = Dropped(*kernel_, RingId::Alerts), context = Dropped(*kernel_, RingId::Context);
  constexpr int kCalls = 60'000, kEvery = 600;
  for (int i = 0; i < kCalls; ++i) {
    ::syscall(SYS_getppid);  // the test's object sends calls as context
    if (i % kEvery == 0) NumberedCalls(9, i / kEvery, i / kEvery + 1);
  }
  int told = 0;
  for (const Seen& seen : Drain()) told += seen.head.kind == KS_KIND_unlink;
  EXPECT_EQ(told, kCalls / kEvery);
  EXPECT_EQ(Dropped(*kernel_, RingId::Alerts), alerts);
  EXPECT_GT(Dropped(*kernel_, RingId::Context), context);
  EXPECT_TRUE(IdentityHolds(*kernel_));
}

TEST_F(KernelTest, SwapsUnderLoadMissNothingAndDoubleNothing) {
  Drain();
  Result<std::unique_ptr<LoadedObject>> two = kernel_->Load(embedded::everything_object(), 2);
  Result<std::unique_ptr<LoadedObject>> three = kernel_->Load(embedded::everything_object(), 3);
  ASSERT_TRUE(two && three);
  uint64_t dropped_before = DroppedRemovals(*kernel_);
  uint64_t missed_before = Missed(*kernel_);
  constexpr int kThreads = 2, kSwaps = 200;
  std::atomic<bool> stop{false};
  std::atomic<int> done[kThreads] = {};
  std::vector<std::thread> load;
  for (int thread = 0; thread < kThreads; ++thread) {
    load.emplace_back([&, thread] {
      int i = 0;
      for (; !stop.load(std::memory_order_relaxed); ++i) NumberedCalls(thread, i, i + 1);
      done[thread] = i;
    });
  }
  std::map<std::string, int> told;
  std::set<uint32_t> generations;
  std::atomic<bool> finished{false};
  std::thread reader([&] {
    while (true) {
      bool last = finished.load();
      Result<size_t> count = kernel_->Consume(20, [&](std::string_view bytes) {
        Seen seen;
        ASSERT_TRUE(ParseRecord(bytes, &seen));
        if (seen.head.kind != KS_KIND_bpf) ++received_;
        if (seen.head.kind != KS_KIND_unlink) return;
        ++told[seen.Text(KS_FIELD_file_path)];
        generations.insert(seen.head.generation);
      });
      ASSERT_TRUE(count);
      kernel_->Commit({});
      if (last && *count == 0) return;
    }
  });
  for (int swap = 0; swap < kSwaps; ++swap) {
    Status active = kernel_->Activate(swap % 2 ? **two : **three);
    ASSERT_TRUE(active) << active.error().ToString();
  }
  stop = true;
  for (std::thread& thread : load) thread.join();
  finished = true;
  reader.join();
  ASSERT_TRUE(kernel_->Activate(*everything_));
  uint64_t missing = 0, calls = 0;
  for (int thread = 0; thread < kThreads; ++thread) {
    for (int i = 0; i < done[thread]; ++i, ++calls) {
      auto found = told.find(fmt::format("/nowhere/kst/{}/{}", thread, i));
      if (found == told.end()) {
        ++missing;
      } else {
        EXPECT_EQ(found->second, 1) << found->first;
      }
    }
  }
  RecordProperty("calls", static_cast<int>(calls));
  EXPECT_GT(calls, 1000u);
  // A slow reader may lose records, and kernels that can preempt a program skip it meanwhile: both are counted. A swap
  // loses none beside.
  uint64_t dropped = DroppedRemovals(*kernel_) - dropped_before;
  EXPECT_GE(missing, dropped) << calls << " calls";
  EXPECT_LE(missing, dropped + Missed(*kernel_) - missed_before) << calls << " calls";
  EXPECT_EQ(generations.count(2) + generations.count(3), 2u);
  EXPECT_TRUE(IdentityHolds(*kernel_));
}

}  // namespace
}  // namespace ks::kernel

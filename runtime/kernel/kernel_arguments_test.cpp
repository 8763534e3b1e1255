// Arguments that were in no page table when an event was told are read a moment later, and are of that process and program or of none.
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

#include "bpf/schema/arguments.h"
#include "runtime/kernel/kernel_testing.h"
#include "runtime/kernel/silent_file_testing.h"

namespace ks::kernel {
namespace {

// Far below on the stack: the pages of the arguments may hold the frames of whoever called.
[[gnu::noinline]] void FarBelow(const std::function<void()>& act) {
  [[maybe_unused]] volatile char room[1 << 16];
  room[0] = 0;
  act();
  room[0] = 1;
}

class KernelArgumentsTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (IsSkipped()) return;
    if (const std::string why = reader().why_not(); !why.empty()) GTEST_SKIP() << why;
    place_ = PlaceOfArguments();
    if (place_.first == 0) GTEST_SKIP() << "the kernel does not say where arguments are";
    before_ = reader().counts();
  }
  void TearDown() override {
    End();
    KernelTest::TearDown();
  }

  static ArgumentReader& reader() { return *kernel_->arguments(); }
  size_t bytes() const { return place_.second - place_.first; }
  // What our child shows, as long as ours.
  std::string Shown() const {
    std::string text(bytes(), 'x');
    text.back() = '\0';
    return text;
  }

  // Pages that show that, where our arguments are.
  std::string Pages() const {
    std::string pages(Size(), '?');
    return pages.replace(place_.first - First(), bytes(), Shown());
  }
  uintptr_t First() const { return place_.first / kPage * kPage; }
  size_t Size() const { return (place_.second - First() + kPage - 1) / kPage * kPage; }
  // Puts something over the arguments of the process that calls it.
  using Cover = std::function<void()>;
  Cover File(const std::string& path, int protection = PROT_READ) const {
    return [=, this] {
      const int file = ::open(path.c_str(), O_RDONLY);
      void* at = reinterpret_cast<void*>(First());
      if (::mmap(at, Size(), protection, MAP_PRIVATE | MAP_FIXED, file, 0) != at) ::_exit(1);
    };
  }
  Cover PagesOfAFile(int protection = PROT_READ) const {
    std::ofstream(Path("page")) << Pages();
    return File(Path("page"), protection);
  }

  // A child that covers its arguments by what nobody has touched when it makes a system call; then it does `then` when it is told to, or
  // waits. Its record, with unknown arguments.
  Seen Hide(const Cover& cover, const std::function<void()>& then = [] {}) {
    EXPECT_EQ(::pipe2(go_, O_CLOEXEC), 0);
    const auto act = [&] {
      int ready[2] = {};
      EXPECT_EQ(::pipe2(ready, O_CLOEXEC), 0);
      child_ = ::fork();
      if (child_ == 0) {
        // What it would hold open of a file system that this process serves.
        for (int fd = STDERR_FILENO + 1; fd < 1024; ++fd) {
          if (fd != ready[1] && fd != go_[0]) ::close(fd);
        }
        FarBelow([&] { Show(cover, then, ready[1]); });
      }
      ::close(ready[1]);
      ready_ = ready[0];
      Await();
    };
    std::vector<Seen> seen = Record(KS_KIND_syscall, act, 0);
    std::erase_if(seen, [&](const Seen& one) { return one.Int(KS_FIELD_process_pid) != child_; });
    EXPECT_EQ(seen.size(), 1u);
    if (seen.empty()) return {};
    EXPECT_EQ(seen[0].StatusOf(KS_FIELD_process_args), KS_UNKNOWN);
    return seen[0];
  }
  // In the child. Never comes back. By copies and on another stack: what callers have may be covered.
  void Show(const Cover& cover, const std::function<void()>& then, int ready_end) const {
    std::thread([=, this] {
      char go = 0;
      cover();
      ::syscall(SYS_getppid);
      if (::write(ready_end, "r", 1) != 1 || ::read(go_[0], &go, 1) != 1) ::_exit(0);
      ::dup2(go_[0], STDIN_FILENO);
      ::dup2(ready_end, STDOUT_FILENO);
      then();
      ::syscall(SYS_getppid);
      if (::write(ready_end, "r", 1) == 1) ::pause();
      ::_exit(0);
    }).detach();
    while (true) ::pause();
  }
  void Await() const {
    char word = 0;
    pollfd ready{.fd = ready_, .events = POLLIN, .revents = 0};
    EXPECT_EQ(::poll(&ready, 1, 20'000), 1);
    EXPECT_TRUE(ready.revents != 0 && ::read(ready_, &word, 1) == 1);
  }
  void Go() const { EXPECT_EQ(::write(go_[1], "g", 1), 1); }
  void End() {
    if (child_ > 0) {
      ::kill(child_, SIGKILL);
      ::waitpid(child_, nullptr, 0);
      child_ = 0;
    }
    for (int* fd : {&ready_, &go_[0], &go_[1]}) {
      if (*fd >= 0) ::close(std::exchange(*fd, -1));
    }
  }
  std::optional<Arguments> Ask(const Seen& seen) const { return reader().Read(seen.head.time_ns, static_cast<uint16_t>(seen.head.cpu)); }
  ArgumentCounts Since() const {
    const ArgumentCounts now = reader().counts();
    return {now.asked - before_.asked,     now.answered - before_.answered, now.gone - before_.gone,
            now.refused - before_.refused, now.late - before_.late,         now.beyond - before_.beyond};
  }

  static constexpr size_t kPage = 4096;
  std::pair<uintptr_t, uintptr_t> place_;
  ArgumentCounts before_;
  pid_t child_ = 0;
  int ready_ = -1, go_[2] = {-1, -1};
};

TEST_F(KernelArgumentsTest, WhatNobodyHadFetchedIsRead) {
  const Seen seen = Hide(PagesOfAFile());
  const std::optional<Arguments> read = Ask(seen);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->bytes, Shown().substr(0, KS_ARGS_CAPTURE));
  EXPECT_EQ(read->cut, bytes() > KS_ARGS_CAPTURE);
  EXPECT_EQ(Since().asked, 1u);
  EXPECT_EQ(Since().answered, 1u);
  // A record is answered once; and from now on the page is there.
  EXPECT_FALSE(Ask(seen));
  EXPECT_EQ(Since().asked, 1u);
  std::vector<Seen> later = Record(KS_KIND_syscall, [&] { Go(), Await(); }, child_);
  ASSERT_EQ(later.size(), 1u);
  EXPECT_EQ(later[0].At(KS_FIELD_process_args).bytes, read->bytes);
}

TEST_F(KernelArgumentsTest, OfAProcessThatEndedTheyAreUnknown) {
  const Seen seen = Hide(PagesOfAFile());
  End();
  EXPECT_FALSE(Ask(seen));
  EXPECT_EQ(Since().gone, 1u);
}

TEST_F(KernelArgumentsTest, OfAnotherProgramTheyAreUnknown) {
  const Seen seen = Hide(PagesOfAFile(), [] {
    // Our environment may lie where the file is now.
    char* const none[] = {nullptr};
    char* const words[] = {const_cast<char*>("sh"), const_cast<char*>("-c"), const_cast<char*>("echo; read word"), nullptr};
    ::execve("/bin/sh", words, none);
    ::_exit(1);
  });
  Go();
  Await();
  EXPECT_FALSE(Ask(seen));
  EXPECT_EQ(Since().gone, 1u);
}

TEST_F(KernelArgumentsTest, WhatCannotBeReadIsUnknown) {
  const Seen seen = Hide(PagesOfAFile(PROT_NONE));
  EXPECT_FALSE(Ask(seen));
  EXPECT_EQ(Since().refused, 1u);
}

// The process itself would have to bring the page, and does not.
TEST_F(KernelArgumentsTest, AProcessThatServesItsOwnPagesIsNotWaitedFor) {
  const int probe = static_cast<int>(::syscall(SYS_userfaultfd, O_CLOEXEC));
  if (probe < 0) GTEST_SKIP() << "no userfaultfd here";
  ::close(probe);
  const Seen seen = Hide([this] {
    const int fd = static_cast<int>(::syscall(SYS_userfaultfd, O_CLOEXEC));
    uffdio_api api{.api = UFFD_API};
    void* at = reinterpret_cast<void*>(First());
    if (::ioctl(fd, UFFDIO_API, &api) != 0) ::_exit(1);
    if (::mmap(at, Size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != at) ::_exit(1);
    uffdio_register of{.range = {First(), Size()}, .mode = UFFDIO_REGISTER_MODE_MISSING};
    if (::ioctl(fd, UFFDIO_REGISTER, &of) != 0) ::_exit(1);
  });
  EXPECT_FALSE(Ask(seen));
  EXPECT_EQ(Since().refused, 1u);
  EXPECT_EQ(Since().late, 0u);
}

// As a process can bring it about on purpose: only the thread that reads waits for it.
TEST_F(KernelArgumentsTest, AFileSystemThatDoesNotAnswerHoldsNobodyUp) {
  const std::string folder = Path("silent");
  ASSERT_EQ(::mkdir(folder.c_str(), 0755), 0);
  SilentFile silent(folder, Pages());
  if (!silent.mounted()) GTEST_SKIP() << "no FUSE here";
  const Seen seen = Hide(File(silent.path()));
  const auto took = [](const std::function<void()>& act) {
    const auto begun = std::chrono::steady_clock::now();
    act();
    return std::chrono::steady_clock::now() - begun;
  };
  EXPECT_LT(took([&] { EXPECT_FALSE(Ask(seen)); }), std::chrono::seconds(15)) << "1.5 s, and what the machine is late";
  EXPECT_TRUE(silent.waited_for());
  EXPECT_EQ(Since().late, 1u);
  // While it is waited for nobody else is asked; nor is the late answer given to the next.
  End();
  const Seen other = Hide(PagesOfAFile());
  EXPECT_LT(took([&] { EXPECT_FALSE(Ask(other)); }), std::chrono::seconds(1));
  EXPECT_EQ(Since().late, 2u);
  silent.Answer();
  End();
  for (uint64_t tries = 0; Since().answered == 0 && tries < 100; ++tries) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    const Seen next = Hide(PagesOfAFile());
    if (const auto read = Ask(next)) {
      EXPECT_EQ(read->bytes, Shown().substr(0, KS_ARGS_CAPTURE));
    }
    End();
  }
  EXPECT_EQ(Since().answered, 1u);
}

TEST_F(KernelArgumentsTest, ARecordThatLacksNoneIsNotAskedFor) {
  const Seen seen = RecordOne(KS_KIND_syscall, [] { ::syscall(SYS_getppid); });
  EXPECT_NE(seen.StatusOf(KS_FIELD_process_args), KS_UNKNOWN);
  EXPECT_FALSE(Ask(seen));
  EXPECT_EQ(Since().asked, 0u);
}

}  // namespace
}  // namespace ks::kernel

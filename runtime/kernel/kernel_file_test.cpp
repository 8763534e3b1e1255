// What the kernel half says of files, against what the kernel says by other ways.
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <thread>

#include "runtime/kernel/kernel_testing.h"

namespace ks::kernel {
namespace {

constexpr int64_t kRead = 1, kWrite = 2, kAppend = 4, kCreated = 8, kTruncate = 16, kPathOnly = 32;

TEST_F(KernelTest, OpenTellsPathAccessAndInode) {
  std::string path = Create("plain");
  struct stat about{};
  ASSERT_EQ(::stat(path.c_str(), &about), 0);
  Seen seen = RecordOne(KS_KIND_open, [&] { ::close(::open(path.c_str(), O_RDONLY)); });
  EXPECT_EQ(seen.Text(KS_FIELD_file_path), path);
  EXPECT_EQ(seen.Text(KS_FIELD_file_canonical), path);
  EXPECT_EQ(seen.Int(KS_FIELD_file_inode), static_cast<int64_t>(about.st_ino));
  EXPECT_EQ(seen.Int(KS_FIELD_file_device), static_cast<int64_t>(major(about.st_dev) << 20 | minor(about.st_dev)));
  EXPECT_EQ(seen.Int(KS_FIELD_event_access), kRead);
  EXPECT_EQ(seen.Int(KS_FIELD_event_result), 0);
  EXPECT_EQ(seen.Int(KS_FIELD_event_errno), 0);
  EXPECT_EQ(seen.Int(KS_FIELD_event_syscall), SYS_openat);
  EXPECT_EQ(seen.head.generation, 1u);
}

TEST_F(KernelTest, OpenTellsWhatTheFileCanDo) {
  std::string path = Path("fresh");
  auto access = [&](int flags) {
    return RecordOne(KS_KIND_open, [&] { ::close(::open(path.c_str(), flags, 0600)); }).Int(KS_FIELD_event_access);
  };
  EXPECT_EQ(access(O_RDWR | O_CREAT), kRead | kWrite | kCreated);
  EXPECT_EQ(access(O_RDWR | O_CREAT), kRead | kWrite);
  EXPECT_EQ(access(O_WRONLY | O_APPEND), kWrite | kAppend);
  EXPECT_EQ(access(O_WRONLY | O_TRUNC), kWrite | kTruncate);
  EXPECT_EQ(access(O_PATH), kPathOnly);
  EXPECT_EQ(RecordOne(KS_KIND_open, [&] { ::close(::creat(path.c_str(), 0600)); }).Int(KS_FIELD_event_access),
            kWrite | kTruncate);
}

TEST_F(KernelTest, OpenFollowsLinksFoldersAndDescriptors) {
  std::string path = Create("real");
  std::filesystem::create_symlink(path, Path("link"));
  std::filesystem::create_directory(Path("sub"));
  int folder = ::open(Path("sub").c_str(), O_RDONLY | O_DIRECTORY);
  ASSERT_GE(folder, 0);
  auto opened = [&](const std::function<int()>& act) {
    return RecordOne(KS_KIND_open,
                     [&] {
                       int fd = act();
                       EXPECT_GE(fd, 0) << std::strerror(errno);
                       ::close(fd);
                     })
        .Text(KS_FIELD_file_path);
  };
  EXPECT_EQ(opened([&] { return ::open(Path("link").c_str(), O_RDONLY); }), path);
  EXPECT_EQ(opened([&] { return ::open(Path("sub/.././/real").c_str(), O_RDONLY); }), path);
  EXPECT_EQ(opened([&] { return ::openat(folder, "../link", O_RDONLY); }), path);
  EXPECT_EQ(opened([&] {
              std::filesystem::path before = std::filesystem::current_path();
              std::filesystem::current_path(Path("sub"));
              int fd = ::open("../real", O_RDONLY);
              std::filesystem::current_path(before);
              return fd;
            }),
            path);
  EXPECT_EQ(opened([&] {
              open_how how{.flags = O_RDONLY, .mode = 0, .resolve = RESOLVE_BENEATH};
              return static_cast<int>(::syscall(SYS_openat2, folder, ".", &how, sizeof(how)));
            }),
            Path("sub"));
  EXPECT_EQ(opened([&] { return static_cast<int>(::syscall(SYS_open, path.c_str(), O_RDONLY)); }), path);
  std::string memory(sizeof(file_handle) + MAX_HANDLE_SZ, '\0');
  auto* handle = reinterpret_cast<file_handle*>(memory.data());
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount = 0;
  if (::getuid() == 0 && ::name_to_handle_at(AT_FDCWD, path.c_str(), handle, &mount, 0) == 0) {
    EXPECT_EQ(opened([&] { return ::open_by_handle_at(folder, handle, O_RDONLY); }), path);
  }
  ::close(folder);
}

TEST_F(KernelTest, AHardLinkHasTheNameThatThePolicyGave) {
  std::string path = Create("secret");
  std::filesystem::create_hard_link(path, Path("harmless"));
  struct stat about{};
  ASSERT_EQ(::stat(path.c_str(), &about), 0);
  uint64_t device = static_cast<uint64_t>(major(about.st_dev)) << 20 | minor(about.st_dev);
  auto open = [&] { return RecordOne(KS_KIND_open, [&] { ::close(::open(Path("harmless").c_str(), O_RDONLY)); }); };
  ASSERT_TRUE(kernel_->SetInodes({{device, about.st_ino, "/etc/shadow"}}));
  Seen named = open();
  EXPECT_EQ(named.Text(KS_FIELD_file_canonical), "/etc/shadow");
  EXPECT_EQ(named.Text(KS_FIELD_file_path), Path("harmless"));
  ASSERT_TRUE(kernel_->SetInodes({{device, about.st_ino + 1, "/etc/other"}}));
  EXPECT_EQ(open().Text(KS_FIELD_file_canonical), Path("harmless"));
  ASSERT_TRUE(kernel_->SetInodes({}));
}

TEST_F(KernelTest, TooManyInodesAreRefused) {
  std::vector<NamedInode> many;
  for (uint64_t i = 0; i < 1025; ++i) many.push_back({1, i, "/x"});
  Status set = kernel_->SetInodes(many);
  ASSERT_FALSE(set);
  EXPECT_EQ(set.error().code, "kernel-map");
  ASSERT_TRUE(kernel_->SetInodes({}));
}

TEST_F(KernelTest, AnOpenThatFailedHasThePathOfItsArgument) {
  Seen absent = RecordOne(KS_KIND_open, [&] { ::open(Path("nothing").c_str(), O_RDWR | O_TRUNC); });
  EXPECT_EQ(absent.Text(KS_FIELD_file_path), Path("nothing"));
  EXPECT_EQ(absent.Int(KS_FIELD_event_result), 1);
  EXPECT_EQ(absent.Int(KS_FIELD_event_errno), ENOENT);
  EXPECT_EQ(absent.Int(KS_FIELD_event_access), kRead | kWrite | kTruncate);
  EXPECT_EQ(absent.StatusOf(KS_FIELD_file_inode), KS_ABSENT);
  int folder = ::open(folder_.c_str(), O_PATH | O_DIRECTORY);
  EXPECT_EQ(RecordOne(KS_KIND_open, [&] { ::openat(folder, ".none", O_RDONLY); }).Text(KS_FIELD_file_path),
            Path(".none"));
  for (const char* odd : {"../none", "./none", "a//none", "a/..", "a/.", "a/", "", ".", ".."}) {
    Seen seen = RecordOne(KS_KIND_open, [&] { ::openat(folder, odd, O_RDWR); });
    EXPECT_EQ(seen.StatusOf(KS_FIELD_file_path), KS_RAW) << odd;
    EXPECT_EQ(seen.At(KS_FIELD_file_path).bytes, folder_ + "/" + odd);
  }
  for (const char* even : {"...", "..a", "a..", ".a./b", "a/.b", "a/..b/c"}) {
    Seen seen = RecordOne(KS_KIND_open, [&] { ::openat(folder, even, O_RDONLY); });
    EXPECT_EQ(seen.Text(KS_FIELD_file_path), folder_ + "/" + even);
  }
  ::close(folder);
  Seen unreadable = RecordOne(KS_KIND_open, [&] { ::syscall(SYS_openat, AT_FDCWD, 8, O_RDONLY); });
  EXPECT_EQ(unreadable.StatusOf(KS_FIELD_file_path), KS_UNKNOWN);
  EXPECT_EQ(unreadable.Int(KS_FIELD_event_errno), EFAULT);
}

TEST_F(KernelTest, ALongPathKeepsItsTail) {
  std::filesystem::path long_path = folder_;
  int at = ::open(folder_.c_str(), O_PATH | O_DIRECTORY);
  for (int depth = 0; depth < 12; ++depth) {
    std::string name(60, static_cast<char>('a' + depth));
    ASSERT_EQ(::mkdirat(at, name.c_str(), 0755), 0);
    int next = ::openat(at, name.c_str(), O_PATH | O_DIRECTORY);
    ::close(at);
    at = next;
    long_path /= name;
    Seen seen = RecordOne(KS_KIND_open, [&] { ::close(::open(long_path.c_str(), O_RDONLY)); });
    std::string whole = long_path;
    bool fits = whole.size() <= 512;
    EXPECT_EQ(seen.StatusOf(KS_FIELD_file_path), fits ? KS_OK : KS_TRUNCATED) << whole.size();
    EXPECT_EQ(seen.At(KS_FIELD_file_path).bytes, fits ? whole : whole.substr(whole.size() - 512));
  }
  ::close(at);
}

TEST_F(KernelTest, APathOfExactlyTheCaptureIsWhole) {
  std::filesystem::path path = folder_;
  while (path.native().size() < 512 - 101) path /= std::string(100, 'x');
  for (size_t length : {511u, 512u, 513u}) {
    std::filesystem::path file = path / std::string(length - path.native().size() - 1, 'y');
    std::filesystem::create_directories(path);
    for (bool exists : {true, false}) {
      // Once from the opened file, once from the argument.
      Seen seen =
          RecordOne(KS_KIND_open, [&] { ::close(::open(file.c_str(), O_RDWR | (exists ? O_CREAT : 0), 0600)); });
      EXPECT_EQ(seen.StatusOf(KS_FIELD_file_path), length <= 512 ? KS_OK : KS_TRUNCATED) << length << exists;
      EXPECT_EQ(seen.At(KS_FIELD_file_path).bytes.size(), std::min<size_t>(length, 512)) << length << exists;
      ::unlink(file.c_str());
    }
  }
}

TEST_F(KernelTest, ManyComponentsAreCutNotLost) {
  int at = ::open(folder_.c_str(), O_PATH | O_DIRECTORY);
  for (int depth = 0; depth < 150; ++depth) {
    ASSERT_EQ(::mkdirat(at, "d", 0755), 0);
    int next = ::openat(at, "d", O_PATH | O_DIRECTORY);
    ::close(at);
    at = next;
  }
  Seen seen = RecordOne(KS_KIND_open, [&] { ::close(::openat(at, ".", O_RDONLY)); });
  EXPECT_EQ(seen.StatusOf(KS_FIELD_file_path), KS_TRUNCATED);
  EXPECT_TRUE(seen.At(KS_FIELD_file_path).bytes.ends_with("/d/d/d/d/d/d"));
  ::close(at);
}

TEST_F(KernelTest, APathRewrittenDuringTheCallIsTheOneThatWasOpened) {
  std::string first = Create("aaaa"), second = Create("bbbb");
  // The kernel reads the path once; the thread writes all the time.
  char path[512];
  std::strcpy(path, first.c_str());
  std::atomic<bool> stop{false};
  std::thread rewriter([&] {
    size_t name = first.size() - 4;
    while (!stop.load(std::memory_order_relaxed)) {
      std::memcpy(path + name, "bbbb", 4);
      std::memcpy(path + name, "aaaa", 4);
    }
  });
  std::vector<std::string> truth;
  std::vector<Seen> all = Record(KS_KIND_open, [&] {
    for (int i = 0; i < 2000; ++i) {
      int fd = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, O_RDONLY));
      char name[512] = {};
      // A torn name may not exist; then the call fails and is told apart by its result.
      if (fd < 0) continue;
      ASSERT_GT(::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), name, sizeof(name) - 1), 0);
      truth.push_back(name);
      ::close(fd);
    }
  });
  stop = true;
  rewriter.join();
  std::vector<std::string> told;
  for (const Seen& seen : all) {
    if (seen.Int(KS_FIELD_event_result) == 0) told.push_back(seen.Text(KS_FIELD_file_path));
  }
  EXPECT_EQ(told, truth);
}

TEST_F(KernelTest, RemovedRenamedAndChangedFilesHavePaths) {
  std::string path = Create("one");
  int folder = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY);
  Seen renamed =
      RecordOne(KS_KIND_rename, [&] { EXPECT_EQ(::renameat(folder, "one", AT_FDCWD, Path("two").c_str()), 0); });
  EXPECT_EQ(renamed.Text(KS_FIELD_file_old_path), path);
  EXPECT_EQ(renamed.Text(KS_FIELD_file_path), Path("two"));
  renamed = RecordOne(KS_KIND_rename, [&] { EXPECT_EQ(::rename(Path("two").c_str(), path.c_str()), 0); });
  EXPECT_EQ(renamed.Text(KS_FIELD_file_old_path), Path("two"));
  EXPECT_EQ(renamed.Text(KS_FIELD_file_path), path);

  Seen changed = RecordOne(KS_KIND_chmod, [&] { EXPECT_EQ(::chmod(path.c_str(), 04755), 0); });
  EXPECT_EQ(changed.Text(KS_FIELD_file_path), path);
  EXPECT_EQ(changed.Int(KS_FIELD_event_mode), 04755);
  changed = RecordOne(KS_KIND_chmod, [&] { EXPECT_EQ(::fchmodat(folder, "one", 0600, 0), 0); });
  EXPECT_EQ(changed.Text(KS_FIELD_file_path), path);
  int fd = ::open(path.c_str(), O_RDONLY);
  changed = RecordOne(KS_KIND_chmod, [&] { EXPECT_EQ(::fchmod(fd, 0611), 0); });
  EXPECT_EQ(changed.Text(KS_FIELD_file_path), path);
  EXPECT_EQ(changed.Int(KS_FIELD_event_mode), 0611);
  constexpr long kFchmodat2 = 452;
  changed = RecordOne(KS_KIND_chmod, [&] { ::syscall(kFchmodat2, fd, "", 0640, AT_EMPTY_PATH); });
  EXPECT_EQ(changed.Text(KS_FIELD_file_path), path);
  ::close(fd);

  Seen removed = RecordOne(KS_KIND_unlink, [&] { EXPECT_EQ(::unlink(path.c_str()), 0); });
  EXPECT_EQ(removed.Text(KS_FIELD_file_path), path);
  EXPECT_EQ(removed.Int(KS_FIELD_event_result), 0);
  std::filesystem::create_directory(Path("folder"));
  removed = RecordOne(KS_KIND_rmdir, [&] { EXPECT_EQ(::unlinkat(folder, "folder", AT_REMOVEDIR), 0); });
  EXPECT_EQ(removed.Text(KS_FIELD_file_path), Path("folder"));
  removed = RecordOne(KS_KIND_rmdir, [&] { EXPECT_EQ(::rmdir("/proc/nothing"), -1); });
  EXPECT_EQ(removed.Text(KS_FIELD_file_path), "/proc/nothing");
  EXPECT_EQ(removed.Int(KS_FIELD_event_result), 1);
  ::close(folder);
}

TEST_F(KernelTest, FilesOnOtherMountsHaveThePathOfTheNamespace) {
  Seen seen = RecordOne(KS_KIND_open, [&] { ::close(::open("/proc/self/status", O_RDONLY)); });
  EXPECT_EQ(seen.Text(KS_FIELD_file_path), "/proc/" + std::to_string(::getpid()) + "/status");
  seen = RecordOne(KS_KIND_open, [&] { ::close(::open("/", O_RDONLY)); });
  EXPECT_EQ(seen.Text(KS_FIELD_file_path), "/");
}

// The open that a child made after `before`, which may change where it lives.
Seen OpenInChild(const std::vector<Seen>& all, pid_t child) {
  for (const Seen& seen : all) {
    if (seen.Int(KS_FIELD_process_pid) == child) return seen;
  }
  ADD_FAILURE() << "the child's open was not seen";
  return {};
}

TEST_F(KernelTest, AChangedRootHidesNothing) {
  if (::getuid() != 0) GTEST_SKIP() << "needs root to change the root folder";
  Create("inside");
  for (const char* name : {"/inside", "/none"}) {
    pid_t child = 0;
    std::vector<Seen> all = Record(
        KS_KIND_open,
        [&] {
          child = ::fork();
          if (child == 0) {
            ::_exit(::chroot(folder_.c_str()) == 0 && ::open(name, O_RDONLY) >= 0 ? 0 : 1);
          }
          ::waitpid(child, nullptr, 0);
        },
        0);
    EXPECT_EQ(OpenInChild(all, child).Text(KS_FIELD_file_path), folder_ + name);
  }
}

TEST_F(KernelTest, MountsAreCrossedToTheRootOfTheNamespace) {
  if (::getuid() != 0) GTEST_SKIP() << "needs root to mount";
  std::filesystem::create_directories(Path("a/b"));
  pid_t child = 0;
  int status = 0;
  std::vector<Seen> all = Record(
      KS_KIND_open,
      [&] {
        child = ::fork();
        if (child == 0) {
          // A namespace of its own, which goes with the child.
          if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
            ::_exit(2);
          if (::mount("one", Path("a").c_str(), "tmpfs", 0, nullptr) != 0 || ::mkdir(Path("a/b").c_str(), 0755) != 0)
            ::_exit(2);
          if (::mount("two", Path("a/b").c_str(), "tmpfs", 0, nullptr) != 0) ::_exit(2);
          ::_exit(::open(Path("a/b/c").c_str(), O_RDWR | O_CREAT, 0600) >= 0 ? 0 : 1);
        }
        ::waitpid(child, &status, 0);
      },
      0);
  if (WEXITSTATUS(status) == 2) GTEST_SKIP() << "no mount namespaces here";
  EXPECT_EQ(OpenInChild(all, child).Text(KS_FIELD_file_path), Path("a/b/c"));
}

#ifdef __x86_64__
TEST_F(KernelTest, CallsOfThe32BitAbiAreSeen) {
  constexpr long kGetpid = 20, kOpen = 5, kClose = 6;
  if (!HasCalls32()) GTEST_SKIP() << "this kernel has no i386 calls";
  Seen called = RecordOne(KS_KIND_syscall, [] { Call32(kGetpid, 0, 0, 0); });
  EXPECT_EQ(called.StatusOf(KS_FIELD_event_syscall), KS_FOREIGN);
  EXPECT_EQ(called.At(KS_FIELD_event_syscall).bytes, std::string("\x14\0\0\0\0\0\0\0", 8));

  // socketcall stands for twenty, some of them events of their own; 21 is no call.
  void* arguments = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  ASSERT_NE(arguments, MAP_FAILED);
  const auto socketcall = [&](long which) {
    constexpr long kSocketCall = 102;
    Drain();
    Call32(kSocketCall, which, reinterpret_cast<long>(arguments), 0);
    const std::vector<Seen> all = Drain();
    EXPECT_EQ(all.size(), 1u) << which;
    return all.empty() ? Seen{} : all.back();
  };
  static_cast<int32_t*>(arguments)[0] = -1;
  constexpr long kCalls[] = {SYS_socket,   SYS_bind,     SYS_connect, SYS_listen,     SYS_accept,     SYS_getsockname, SYS_getpeername,
                             SYS_socketpair, SYS_sendto, SYS_recvfrom, SYS_sendto,    SYS_recvfrom,   SYS_shutdown,    SYS_setsockopt,
                             SYS_getsockopt, SYS_sendmsg, SYS_recvmsg, SYS_accept4,   SYS_recvmmsg,   SYS_sendmmsg};
  for (size_t i = 0; i < std::size(kCalls); ++i) {
    EXPECT_EQ(socketcall(static_cast<long>(i) + 1).Int(KS_FIELD_event_syscall), kCalls[i]) << i + 1;
  }
  EXPECT_EQ(socketcall(21).StatusOf(KS_FIELD_event_syscall), KS_FOREIGN);
  ::munmap(arguments, 4096);

  std::string path = Create("thirty-two");
  void* low = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  ASSERT_NE(low, MAP_FAILED);
  std::strcpy(static_cast<char*>(low), path.c_str());
  Seen opened = RecordOne(KS_KIND_open, [&] {
    long fd = Call32(kOpen, reinterpret_cast<long>(low), O_RDWR, 0);
    EXPECT_GE(fd, 0);
    Call32(kClose, fd, 0, 0);
  });
  EXPECT_EQ(opened.Text(KS_FIELD_file_path), path);
  EXPECT_EQ(opened.Int(KS_FIELD_event_access), kRead | kWrite);
  std::strcat(static_cast<char*>(low), "-none");
  opened = RecordOne(KS_KIND_open, [&] { EXPECT_LT(Call32(kOpen, reinterpret_cast<long>(low), O_RDWR, 0), 0); });
  EXPECT_EQ(opened.Text(KS_FIELD_file_path), path + "-none");
  ::munmap(low, 4096);
}
#endif

}  // namespace
}  // namespace ks::kernel

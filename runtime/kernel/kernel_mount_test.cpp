// Calls that change where things are: told by the path as it was. And files that the kernel reads for calls by their descriptor. What
// holds in both tiers, and what trampolines add: no other thread has a say.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/kexec.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <thread>

#include "runtime/kernel/kernel_testing.h"

namespace ks::kernel {
namespace {

class KernelTierMountTest : public KernelTest {
 protected:
  std::string MakeFolder(const std::string& name) const {
    EXPECT_EQ(::mkdir(Path(name).c_str(), 0755), 0) << std::strerror(errno);
    return Path(name);
  }
  // What races are run for: to be right with trampolines. Without them they show how often a caller's word is another by then.
  static bool Holds(schema::EventKind kind) { return HasTrampoline(*kernel_, kind); }
  static int Tries(schema::EventKind kind, int tries) { return Holds(kind) ? tries : tries / 4; }
};

// Writes the last letter of `name` all the time: one of two.
class Rewriter {
 public:
  explicit Rewriter(std::string& name, char one = 'e', char other = 'E')
      : thread_([this, &name, one, other] {
          for (int i = 0; !ended_; ++i) *const_cast<volatile char*>(&name.back()) = i & 1 ? one : other;
        }) {}
  ~Rewriter() {
    ended_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

int CountWrong(const std::vector<Seen>& all, const std::vector<std::string>& truth) {
  int wrong = 0;
  for (size_t i = 0; i < truth.size() && i < all.size(); ++i) wrong += all[i].Text(KS_FIELD_file_path) != truth[i];
  return wrong;
}

#define EXPECT_NONE_WRONG(kind, wrong, of)                                                                            \
  do {                                                                                                                \
    if (!Holds(kind)) GTEST_SKIP() << (wrong) << " of " << (of) << " wrong here: " << kernel_->WhyNoTrampolines();    \
    EXPECT_EQ(wrong, 0) << "of " << (of);                                                                             \
  } while (0)

TEST_F(KernelTierMountTest, PlacesAreToldAsTheyWereBeforeTheCall) {
  if (::getuid() != 0) GTEST_SKIP() << "needs root to mount";
  const std::string a = MakeFolder("a"), c = MakeFolder("c");
  constexpr long kOpenTree = 428, kMoveMount = 429, kCloneTree = 1, kFromEmptyPath = 4;
  pid_t child = 0;
  int status = 0;
  const auto act = [&] {
    child = ::fork();
    if (child == 0) {
      // In mounts of its own, which go with it.
      if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) ::_exit(100);
      if (::mount("first", a.c_str(), "tmpfs", 0, nullptr) != 0 || ::chdir(a.c_str()) != 0) ::_exit(1);
      if (::mkdir("sub", 0755) != 0 || ::mkdir("new", 0755) != 0) ::_exit(2);
      if (::mount("second", "sub", "tmpfs", MS_NOSUID, nullptr) != 0) ::_exit(3);
      if (::mount((a + "/sub").c_str(), (a + "/new").c_str(), nullptr, MS_BIND, nullptr) != 0) ::_exit(4);
      const long tree = ::syscall(kOpenTree, AT_FDCWD, "sub", kCloneTree);
      if (tree < 0 || ::syscall(kMoveMount, tree, "", AT_FDCWD, c.c_str(), kFromEmptyPath) != 0) ::_exit(5);
      ::close(static_cast<int>(tree));
      if (::umount(c.c_str()) != 0 || ::umount2("sub", MNT_DETACH) != 0) ::_exit(6);
      if (::umount((a + "/none").c_str()) == 0) ::_exit(7);
      if (::chroot(a.c_str()) != 0 || ::mkdir("/new/old", 0755) != 0) ::_exit(8);
      if (::syscall(SYS_pivot_root, "/new", "/new/old") != 0) ::_exit(9);
      ::_exit(0);
    }
    ::waitpid(child, &status, 0);
  };
  Drain();
  act();
  if (WEXITSTATUS(status) == 100) GTEST_SKIP() << "no mount namespaces here";
  ASSERT_EQ(status, 0) << WEXITSTATUS(status);
  std::vector<std::string> told;
  for (const Seen& seen : Drain()) {
    if (seen.Int(KS_FIELD_process_pid) != child) continue;
    const auto text = [&](ks_field field) {
      // "/" as an argument is one of those that userspace makes plain.
      if (seen.StatusOf(field) == KS_RAW) return seen.At(field).bytes;
      return seen.StatusOf(field) == KS_ABSENT ? std::string("-") : seen.Text(field);
    };
    if (seen.head.kind == KS_KIND_mount) {
      told.push_back(fmt::format("mount {} {} {}", text(KS_FIELD_file_path), text(KS_FIELD_file_source),
                                 text(KS_FIELD_event_fs_type)));
    } else if (seen.head.kind == KS_KIND_umount) {
      told.push_back("umount " + text(KS_FIELD_file_path));
    } else if (seen.head.kind == KS_KIND_chroot) {
      told.push_back("chroot " + text(KS_FIELD_file_path));
    }
  }
  const std::vector<std::string> truth = {
      "mount / none -",
      "mount " + a + " first tmpfs",
      "mount " + a + "/sub second tmpfs",
      "mount " + a + "/new " + a + "/sub -",
      "mount " + c + " - -",
      "umount " + c,
      "umount " + a + "/sub",
      "umount " + a + "/none",
      "chroot " + a,
      "chroot " + a + "/new",
  };
  EXPECT_EQ(told, truth);
}

// By way of a symbolic link: the kernel has followed it.
TEST_F(KernelTierMountTest, PlacesAreThoseThatTheKernelFound) {
  if (!Holds(schema::EventKind::mount_)) GTEST_SKIP() << kernel_->WhyNoTrampolines();
  EXPECT_TRUE(Holds(schema::EventKind::umount_) && Holds(schema::EventKind::chroot_)) << kernel_->WhyNoTrampolines();
  const std::string real = MakeFolder("real"), way = Path("way");
  ASSERT_EQ(::symlink(real.c_str(), way.c_str()), 0);
  Seen seen = RecordOne(KS_KIND_mount, [&] { ASSERT_EQ(::mount("x", way.c_str(), "tmpfs", 0, nullptr), 0); });
  EXPECT_EQ(seen.Text(KS_FIELD_file_path), real);
  seen = RecordOne(KS_KIND_umount, [&] { EXPECT_EQ(::umount(way.c_str()), 0) << std::strerror(errno); });
  EXPECT_EQ(seen.Text(KS_FIELD_file_path), real);
  pid_t child = 0;
  seen = RecordOne(
      KS_KIND_chroot,
      [&] {
        child = ::fork();
        if (child == 0) ::_exit(::chroot(way.c_str()));
        ::waitpid(child, nullptr, 0);
      },
      0);
  EXPECT_EQ(seen.Int(KS_FIELD_process_pid), child);
  EXPECT_EQ(seen.Text(KS_FIELD_file_path), real);
}

// Then the walk ends at the root of that mount, which is no "/".
TEST_F(KernelTierMountTest, WhatIsMountedNowhereHasNoPath) {
  if (!Holds(schema::EventKind::chroot_)) GTEST_SKIP() << kernel_->WhyNoTrampolines();
  const std::string folder = MakeFolder("folder");
  int status = 0;
  const Seen seen = RecordOne(
      KS_KIND_chroot,
      [&] {
        const pid_t child = ::fork();
        if (child == 0) {
          if (::unshare(CLONE_NEWNS) != 0) ::_exit(1);
          if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) ::_exit(1);
          if (::mount("x", folder.c_str(), "tmpfs", 0, nullptr) != 0 || ::chdir(folder.c_str()) != 0) ::_exit(2);
          ::_exit(::umount2(folder.c_str(), MNT_DETACH) == 0 && ::chroot(".") == 0 ? 0 : 3);
        }
        ::waitpid(child, &status, 0);
      },
      0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(seen.StatusOf(KS_FIELD_file_path), KS_UNKNOWN);
}

// As long as its descriptor is held, such a tree is in a mount namespace of its own.
TEST_F(KernelTierMountTest, WhatWasNeverMountedHasNoPath) {
  if (!Holds(schema::EventKind::chroot_)) GTEST_SKIP() << kernel_->WhyNoTrampolines();
  const std::string folder = MakeFolder("folder");
  int status = 0;
  const Seen seen = RecordOne(
      KS_KIND_chroot,
      [&] {
        const pid_t child = ::fork();
        if (child == 0) {
          constexpr int kClone = 1;  // OPEN_TREE_CLONE
          const auto tree = static_cast<int>(::syscall(SYS_open_tree, AT_FDCWD, folder.c_str(), kClone));
          ::_exit(tree < 0 ? 1 : ::fchdir(tree) != 0 ? 2 : ::chroot(".") != 0 ? 3 : 0);
        }
        ::waitpid(child, &status, 0);
      },
      0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(seen.StatusOf(KS_FIELD_file_path), KS_UNKNOWN);
}

// The name is written by another thread all the time: what is told must be where it was mounted.
TEST_F(KernelTierMountTest, AMountIsToldWhereItIs) {
  const std::string one = MakeFolder("one"), two = MakeFolder("onE");
  struct stat plain{};
  ASSERT_EQ(::stat(one.c_str(), &plain), 0);
  std::vector<std::string> truth;
  std::vector<Seen> all;
  {
    std::string name = one;
    Rewriter other(name);
    all = Record(KS_KIND_mount, [&] {
      for (int i = 0; i < Tries(schema::EventKind::mount_, 400); ++i) {
        if (::mount("x", name.c_str(), "tmpfs", 0, "size=4k") != 0) break;
        struct stat now{};
        ::stat(one.c_str(), &now);
        truth.push_back(now.st_dev == plain.st_dev ? two : one);
        if (::umount2(truth.back().c_str(), MNT_DETACH) != 0) break;
      }
    });
  }
  if (truth.empty()) GTEST_SKIP() << "no tmpfs here: " << std::strerror(errno);
  const int wrong = CountWrong(all, truth);
  EXPECT_NONE_WRONG(schema::EventKind::mount_, wrong, truth.size());
  EXPECT_EQ(all.size(), truth.size());
}

// Likewise of whose file was given away.
TEST_F(KernelTierMountTest, AFileIsToldThatWasGivenAway) {
  if (::getuid() != 0) GTEST_SKIP() << "needs root to give files away";
  const std::string one = Create("one"), two = Create("onE");
  std::vector<std::string> truth;
  std::vector<Seen> all;
  {
    std::string name = one;
    Rewriter other(name);
    all = Record(KS_KIND_chown, [&] {
      for (uid_t i = 1; static_cast<int>(i) <= Tries(schema::EventKind::chown_, 2000); ++i) {
        ASSERT_EQ(::chown(name.c_str(), i, -1), 0) << std::strerror(errno);
        struct stat now{};
        ::stat(one.c_str(), &now);
        truth.push_back(now.st_uid == i ? one : two);
      }
    });
  }
  const int wrong = CountWrong(all, truth);
  EXPECT_NONE_WRONG(schema::EventKind::chown_, wrong, truth.size());
  ASSERT_EQ(all.size(), truth.size());
  // By descriptor the file is known in either tier.
  const int fd = ::open(two.c_str(), O_RDONLY);
  const Seen seen = RecordOne(KS_KIND_chown, [&] { EXPECT_EQ(::fchown(fd, 3, 4), 0); });
  EXPECT_EQ(seen.Text(KS_FIELD_file_path), two);
  ::close(fd);
}

// With AT_EMPTY_PATH an empty name is the folder itself: whether it was empty is for the kernel to say.
TEST_F(KernelTierMountTest, AnEmptyNameIsToldAsWhatItWas) {
  if (::getuid() != 0) GTEST_SKIP() << "needs root to give files away";
  const std::string file = Create("e");
  const int folder = ::open(folder_.c_str(), O_PATH | O_DIRECTORY);
  std::vector<std::string> truth;
  std::vector<Seen> all;
  {
    std::string name = "e";
    Rewriter other(name, 'e', '\0');
    all = Record(KS_KIND_chown, [&] {
      for (uid_t i = 1; static_cast<int>(i) <= Tries(schema::EventKind::chown_, 1000); ++i) {
        ASSERT_EQ(::fchownat(folder, name.c_str(), i, -1, AT_EMPTY_PATH), 0) << std::strerror(errno);
        struct stat now{};
        ::stat(file.c_str(), &now);
        truth.push_back(now.st_uid == i ? file : folder_);
      }
    });
  }
  ::close(folder);
  const int wrong = CountWrong(all, truth);
  EXPECT_NONE_WRONG(schema::EventKind::chown_, wrong, truth.size());
  EXPECT_EQ(all.size(), truth.size());
}

// Files that are no program of any kind, from which the kernel turns away after it has read them, while another thread puts a folder
// in the descriptor's place, which it does not read.
TEST_F(KernelTierMountTest, FilesThatTheKernelReadAreTold) {
  if (::getuid() != 0) GTEST_SKIP() << "needs root to load modules";
  const std::string file = Create("garbage");
  int fd = ::open(file.c_str(), O_RDWR);
  const std::string garbage(4096, 'x');
  ASSERT_EQ(::write(fd, garbage.data(), garbage.size()), 4096);
  ::close(fd);
  fd = ::open(file.c_str(), O_RDONLY);
  const int decoy = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY), number = ::dup(fd);
  const auto race = [&](ks_kind kind, schema::EventKind which, auto call) {
    // Honest first.
    Seen seen = RecordOne(kind, [&] { call(fd); });
    EXPECT_EQ(seen.Text(KS_FIELD_file_path), file);
    EXPECT_EQ(seen.Int(KS_FIELD_event_errno), ENOEXEC);
    std::atomic<bool> ended{false};
    std::thread other([&] {
      while (!ended) {
        ::dup2(decoy, number);
        ::dup2(fd, number);
      }
    });
    const std::vector<Seen> all = Record(kind, [&] {
      for (int i = 0; i < Tries(which, 200); ++i) call(number);
    });
    ended = true;
    other.join();
    int wrong = 0, read = 0;
    for (const Seen& one : all) {
      if (one.Int(KS_FIELD_event_errno) != ENOEXEC) continue;
      ++read;
      wrong += one.Text(KS_FIELD_file_path) != file;
    }
    std::cout << fmt::format("{}: {} read, {} told as another\n", schema::Row(which).name, read, wrong);
    EXPECT_GT(read, 0);
    EXPECT_TRUE(wrong == 0 || !Holds(which)) << wrong << " of " << read;
  };
  int raced = 0;
  const auto if_there = [&](ks_kind kind, schema::EventKind which, auto call) {
    if (call(fd) != 0 && errno == ENOEXEC) {
      ++raced;
      return race(kind, which, call);
    }
    std::cout << schema::Row(which).name << ": not to be had here: " << std::strerror(errno) << "\n";
  };
  if_there(KS_KIND_module_load, schema::EventKind::module_load_,
           [](int file_fd) { return ::syscall(SYS_finit_module, file_fd, "", 0); });
  if_there(KS_KIND_kexec, schema::EventKind::kexec_, [](int file_fd) {
    return ::syscall(SYS_kexec_file_load, file_fd, -1, 0L, nullptr, KEXEC_FILE_NO_INITRAMFS);
  });
  for (int each : {fd, decoy, number}) ::close(each);
  if (raced == 0) GTEST_SKIP() << "neither a module nor a kernel can be loaded here";
}

}  // namespace
}  // namespace ks::kernel

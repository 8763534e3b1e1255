// What trampolines bring: the kernel's own copy of what a call was about, whatever other threads do meanwhile.
#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <thread>

#include "runtime/kernel/kernel_testing.h"

namespace ks::kernel {
namespace {

class KernelTierTest : public KernelTest {
 protected:
  static bool Has(schema::EventKind kind) { return HasTrampoline(*kernel_, kind); }
  static bool IsAttached(const std::string& hook) {
    for (const HookStatus& one : kernel_->Hooks()) {
      if (one.hook == hook) return one.attached;
    }
    return false;
  }
};

TEST_F(KernelTierTest, WhatIsToBeHadIsAttached) {
  EXPECT_EQ(IsAttached("security_file_open"), Has(schema::EventKind::open_));
  EXPECT_EQ(IsAttached("security_socket_connect") && IsAttached("security_socket_sendmsg"),
            Has(schema::EventKind::connect_));
  EXPECT_EQ(IsAttached("security_socket_bind"), Has(schema::EventKind::bind_));
  bool all = true;
  for (const KindTier& one : kernel_->Tiers()) all &= one.tier == Tier::Trampoline;
  EXPECT_EQ(kernel_->WhyNoTrampolines().empty(), all) << kernel_->WhyNoTrampolines();
}

TEST_F(KernelTierTest, TrampolinesAreRefusedOrDemanded) {
  Result<std::unique_ptr<Kernel>> without = OpenLibbpfKernel({.tiers = KernelOptions::Tiers::Tracepoint});
  ASSERT_TRUE(without) << without.error().ToString();
  for (const KindTier& one : (*without)->Tiers()) EXPECT_EQ(one.tier, Tier::Tracepoint);
  EXPECT_EQ((*without)->WhyNoTrampolines(), "not asked for");
  Result<std::unique_ptr<Kernel>> with = OpenLibbpfKernel({.tiers = KernelOptions::Tiers::Trampoline});
  if (with) {
    // Linux before 6.1 does not attach to what chown passes through.
    bool chown = true;
    for (const KindTier& one : (*with)->Tiers()) {
      if (one.kind == schema::EventKind::chown_) {
        chown = one.tier == Tier::Trampoline;
      } else {
        EXPECT_EQ(one.tier, Tier::Trampoline) << schema::Row(one.kind).name;
      }
    }
    EXPECT_EQ((*with)->WhyNoTrampolines().empty(), chown) << (*with)->WhyNoTrampolines();
  } else {
    EXPECT_EQ(with.error().code, "kernel-tier") << with.error().ToString();
    EXPECT_NE(with.error().cause, "");
  }
}

// Another thread puts a decoy in the descriptor's place before the call returns.
TEST_F(KernelTierTest, AnOpenedFileIsToldWhateverIsPutInItsPlace) {
  if (!Has(schema::EventKind::open_)) GTEST_SKIP() << kernel_->WhyNoTrampolines();
  const std::string secret = Create("secret"), decoy = Create("decoy");
  struct stat about{};
  ASSERT_EQ(::stat(secret.c_str(), &about), 0);
  const int decoy_fd = ::open(decoy.c_str(), O_RDONLY);
  const int number = ::dup(decoy_fd);
  ::close(number);
  std::atomic<bool> ended{false};
  std::thread other([&] {
    while (!ended) {
      if (::fcntl(number, F_GETFD) >= 0) ::dup2(decoy_fd, number);
    }
  });
  constexpr int kTries = 2000;
  int done = 0;
  const std::vector<Seen> all = Record(KS_KIND_open, [&] {
    for (int i = 0; i < kTries; ++i) {
      const int fd = ::open(secret.c_str(), O_RDONLY | O_APPEND);
      if (fd >= 0) ++done;
      if (fd >= 0) ::close(fd);
    }
  });
  ended = true;
  other.join();
  ::close(decoy_fd);
  ASSERT_EQ(all.size(), static_cast<size_t>(done));
  int wrong = 0;
  for (const Seen& seen : all) {
    wrong += seen.Text(KS_FIELD_file_path) != secret || seen.Text(KS_FIELD_file_canonical) != secret ||
             seen.Int(KS_FIELD_file_inode) != static_cast<int64_t>(about.st_ino) ||
             seen.Int(KS_FIELD_event_access) != (1 | 4);
  }
  EXPECT_EQ(wrong, 0) << "of " << done;
}

// What a thread opened before is not taken for what it opens now: O_PATH has no copy of its own.
TEST_F(KernelTierTest, OldCopiesAreNotTaken) {
  const std::string first = Create("first"), second = Create("second");
  ::close(::open(first.c_str(), O_RDONLY));
  Seen seen = RecordOne(KS_KIND_open, [&] { ::close(::open(second.c_str(), O_PATH)); });
  EXPECT_EQ(seen.Text(KS_FIELD_file_path), second);
  seen = RecordOne(KS_KIND_open, [&] { EXPECT_LT(::open(Path("none").c_str(), O_RDONLY), 0); });
  EXPECT_EQ(seen.Text(KS_FIELD_file_path), Path("none"));
}

// By way of a symbolic link: the kernel has followed it.
TEST_F(KernelTierTest, NamesAreThoseThatTheKernelFound) {
  if (!Has(schema::EventKind::rename_)) GTEST_SKIP() << kernel_->WhyNoTrampolines();
  const std::string real = Path("real"), way = Path("way");
  ASSERT_EQ(::mkdir(real.c_str(), 0755), 0);
  ASSERT_EQ(::symlink(real.c_str(), way.c_str()), 0);
  Create("real/file");
  const auto given = [&](const char* name) { return way + "/" + name; };
  const auto found = [&](const char* name) { return real + "/" + name; };
  const auto told = [&](ks_kind kind, auto act) {
    return RecordOne(kind, [&] { EXPECT_EQ(act(), 0) << std::strerror(errno); });
  };
  for (const Seen& seen : {told(KS_KIND_chmod, [&] { return ::chmod(given("file").c_str(), 0640); }),
                           told(KS_KIND_truncate, [&] { return ::truncate(given("file").c_str(), 11); })}) {
    EXPECT_EQ(seen.Text(KS_FIELD_file_path), found("file"));
  }
  if (Has(schema::EventKind::chown_)) {
    for (const Seen& seen : {told(KS_KIND_chown, [&] { return ::chown(given("file").c_str(), -1, -1); }),
                             told(KS_KIND_chown, [&] { return ::lchown(given("file").c_str(), -1, -1); })}) {
      EXPECT_EQ(seen.Text(KS_FIELD_file_path), found("file"));
    }
  }
  Seen seen = told(KS_KIND_rename, [&] { return ::rename(given("file").c_str(), given("renamed").c_str()); });
  EXPECT_EQ(seen.Text(KS_FIELD_file_path), found("renamed"));
  EXPECT_EQ(seen.Text(KS_FIELD_file_old_path), found("file"));
  seen = told(KS_KIND_link, [&] { return ::link(given("renamed").c_str(), given("link").c_str()); });
  EXPECT_EQ(seen.Text(KS_FIELD_file_path), found("link"));
  EXPECT_EQ(seen.Text(KS_FIELD_file_old_path), found("renamed"));
  seen = told(KS_KIND_symlink, [&] { return ::symlink("over/there", given("soft").c_str()); });
  EXPECT_EQ(seen.Text(KS_FIELD_file_path), found("soft"));
  EXPECT_EQ(seen.Text(KS_FIELD_file_target), "over/there");
  for (const char* name : {"renamed", "link", "soft"}) {
    seen = told(KS_KIND_unlink, [&] { return ::unlink(given(name).c_str()); });
    EXPECT_EQ(seen.Text(KS_FIELD_file_path), found(name));
  }
  seen = told(KS_KIND_mkdir, [&] { return ::mkdir(given("folder").c_str(), 0751); });
  EXPECT_EQ(seen.Text(KS_FIELD_file_path), found("folder"));
  seen = told(KS_KIND_rmdir, [&] { return ::rmdir((given("folder") + "/").c_str()); });
  EXPECT_EQ(seen.Text(KS_FIELD_file_path), found("folder"));
  seen = told(KS_KIND_mknod, [&] { return ::mknod(given("pipe").c_str(), S_IFIFO | 0600, 0); });
  EXPECT_EQ(seen.Text(KS_FIELD_file_path), found("pipe"));
  // What is not there never comes to where it is captured.
  seen = RecordOne(KS_KIND_unlink, [&] { EXPECT_LT(::unlink(given("none").c_str()), 0); });
  EXPECT_EQ(seen.Text(KS_FIELD_file_path), given("none"));
}

// overlayfs copies a file up before it renames or links it, and looks into a folder before it removes it: it opens what lies beneath.
TEST_F(KernelTierTest, NamesOfAnOverlayAreItsOwn) {
  if (!Has(schema::EventKind::rename_)) GTEST_SKIP() << kernel_->WhyNoTrampolines();
  const auto make = [&](const std::string& name) {
    EXPECT_EQ(::mkdir(Path(name).c_str(), 0755), 0) << std::strerror(errno);
    return Path(name);
  };
  const std::string base = make("base");
  if (::mount("overlay-base", base.c_str(), "tmpfs", 0, nullptr) != 0) GTEST_SKIP() << "no tmpfs here: " << std::strerror(errno);
  const std::string lower = make("base/lower"), upper = make("base/upper"), work = make("base/work"), merged = make("merged");
  make("base/lower/folder");
  for (const char* name : {"base/lower/one", "base/lower/two"}) {
    const int fd = ::open(Path(name).c_str(), O_WRONLY | O_CREAT, 0644);
    EXPECT_EQ(::write(fd, "text", 4), 4);
    ::close(fd);
  }
  const std::string options = "lowerdir=" + lower + ",upperdir=" + upper + ",workdir=" + work;
  bool mounted = false;
  const Seen made = RecordOne(KS_KIND_mount, [&] {
    mounted = ::mount("overlay", merged.c_str(), "overlay", 0, options.c_str()) == 0;
  });
  EXPECT_EQ(made.Text(KS_FIELD_file_path), merged);
  if (mounted) {
    const auto in = [&](const char* name) { return merged + "/" + name; };
    const auto told = [&](ks_kind kind, auto act) {
      return RecordOne(kind, [&] { EXPECT_EQ(act(), 0) << std::strerror(errno); });
    };
    Seen seen = told(KS_KIND_rename, [&] { return ::rename(in("one").c_str(), in("renamed").c_str()); });
    EXPECT_EQ(seen.Text(KS_FIELD_file_path), in("renamed"));
    EXPECT_EQ(seen.Text(KS_FIELD_file_old_path), in("one"));
    seen = told(KS_KIND_link, [&] { return ::link(in("two").c_str(), in("link").c_str()); });
    EXPECT_EQ(seen.Text(KS_FIELD_file_path), in("link"));
    EXPECT_EQ(seen.Text(KS_FIELD_file_old_path), in("two"));
    seen = told(KS_KIND_rmdir, [&] { return ::rmdir(in("folder").c_str()); });
    EXPECT_EQ(seen.Text(KS_FIELD_file_path), in("folder"));
    EXPECT_EQ(::umount2(merged.c_str(), MNT_DETACH), 0);
  }
  EXPECT_EQ(::umount2(base.c_str(), MNT_DETACH), 0);
  if (!mounted) GTEST_SKIP() << "no overlayfs here";
}

// The name is written by another thread all the time: what is told must be what is gone.
TEST_F(KernelTierTest, ARemovedFileIsToldAsTheOneThatIsGone) {
  if (!Has(schema::EventKind::unlink_)) GTEST_SKIP() << kernel_->WhyNoTrampolines();
  std::string name = Path("one");
  const std::string one = name, two = Path("onE");
  std::atomic<bool> ended{false};
  std::thread other([&] {
    for (int i = 0; !ended; ++i) *const_cast<volatile char*>(&name.back()) = i & 1 ? 'e' : 'E';
  });
  std::vector<std::string> gone;
  const std::vector<Seen> all = Record(KS_KIND_unlink, [&] {
    for (int i = 0; i < 1000; ++i) {
      Create("one");
      Create("onE");
      if (::unlink(name.c_str()) == 0) gone.push_back(::access(one.c_str(), F_OK) == 0 ? two : one);
    }
  });
  ended = true;
  other.join();
  ASSERT_EQ(all.size(), gone.size());
  int wrong = 0;
  for (size_t i = 0; i < all.size(); ++i) wrong += all[i].Text(KS_FIELD_file_path) != gone[i];
  EXPECT_EQ(wrong, 0) << "of " << all.size();
}

// The address is written by another thread all the time: what is told must be what was sent to.
TEST_F(KernelTierTest, AnAddressIsToldAsItWasSentTo) {
  if (!Has(schema::EventKind::sendto_)) GTEST_SKIP() << kernel_->WhyNoTrampolines();
  const int to[2] = {::socket(AF_INET, SOCK_DGRAM, 0), ::socket(AF_INET, SOCK_DGRAM, 0)};
  uint16_t ports[2];
  for (int i = 0; i < 2; ++i) {
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(own);
    ASSERT_EQ(::bind(to[i], reinterpret_cast<sockaddr*>(&own), sizeof(own)), 0);
    ASSERT_EQ(::getsockname(to[i], reinterpret_cast<sockaddr*>(&own), &size), 0);
    ports[i] = own.sin_port;
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = ports[0];
  std::atomic<bool> ended{false};
  std::thread other([&] {
    for (int i = 0; !ended; ++i) *const_cast<volatile uint16_t*>(&address.sin_port) = ports[i & 1];
  });
  const int from = ::socket(AF_INET, SOCK_DGRAM, 0);
  std::string received, told;
  const std::vector<Seen> all = Record(KS_KIND_sendto, [&] {
    for (int i = 0; i < 2000; ++i) {
      if (::sendto(from, "x", 1, 0, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 1) continue;
      char byte = 0;
      while (true) {
        if (::recv(to[0], &byte, 1, MSG_DONTWAIT) == 1) {
          received += '0';
          break;
        }
        if (::recv(to[1], &byte, 1, MSG_DONTWAIT) == 1) {
          received += '1';
          break;
        }
      }
    }
  });
  ended = true;
  other.join();
  for (const Seen& seen : all) {
    const std::string endpoint = seen.Endpoint(KS_FIELD_event_dst);
    told += endpoint == fmt::format("127.0.0.1:{}", ntohs(ports[0]))   ? '0'
            : endpoint == fmt::format("127.0.0.1:{}", ntohs(ports[1])) ? '1'
                                                                       : '?';
  }
  EXPECT_EQ(told, received);
  for (int fd : {to[0], to[1], from}) ::close(fd);
}

}  // namespace
}  // namespace ks::kernel

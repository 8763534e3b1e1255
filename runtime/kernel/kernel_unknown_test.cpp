// What cannot be read, or is longer than what is read, is unknown or cut, and never something else: each way forced.
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "runtime/kernel/kernel_testing.h"

namespace ks::kernel {
namespace {

constexpr size_t kPage = 4096, kCapture = 512;

// An address where nothing is mapped, nor will be by another thread: so low that nobody gets it who does not ask for it.
char* Unmapped() { return reinterpret_cast<char*>(kPage); }

// A page of a file, which is in no page table until somebody reads it: the kernel, for the call, or nobody.
class AbsentPage {
 public:
  AbsentPage(const std::string& file, std::string_view bytes) {
    std::ofstream(file) << bytes;
    int fd = ::open(file.c_str(), O_RDONLY);
    page_ = ::mmap(nullptr, kPage, PROT_READ, MAP_PRIVATE, fd, 0);
    ::close(fd);
    EXPECT_NE(page_, MAP_FAILED);
    ::madvise(page_, kPage, MADV_DONTNEED);
  }
  ~AbsentPage() { ::munmap(page_, kPage); }
  AbsentPage(const AbsentPage&) = delete;
  AbsentPage& operator=(const AbsentPage&) = delete;
  const char* text() const { return static_cast<const char*>(page_); }
  void* get() const { return page_; }

 private:
  void* page_;
};

long Call(long number, const void* a, long b = 0, long c = 0) { return ::syscall(number, a, b, c); }
long At(const void* pointer) { return reinterpret_cast<long>(pointer); }

TEST_F(KernelTest, UnmappedPathsAreUnknown) {
  const char* bad = Unmapped();
  const std::string good = Create("good");
  struct Case {
    ks_kind kind;
    ks_field field;
    std::function<long()> call;
  };
  const Case cases[] = {
      {KS_KIND_open, KS_FIELD_file_path, [&] { return Call(SYS_open, bad, O_RDONLY); }},
      {KS_KIND_mkdir, KS_FIELD_file_path, [&] { return Call(SYS_mkdir, bad, 0700); }},
      {KS_KIND_rmdir, KS_FIELD_file_path, [&] { return Call(SYS_rmdir, bad); }},
      {KS_KIND_unlink, KS_FIELD_file_path, [&] { return Call(SYS_unlink, bad); }},
      {KS_KIND_mknod, KS_FIELD_file_path, [&] { return Call(SYS_mknod, bad, S_IFIFO | 0600); }},
      {KS_KIND_chmod, KS_FIELD_file_path, [&] { return Call(SYS_chmod, bad, 0600); }},
      {KS_KIND_chown, KS_FIELD_file_path, [&] { return Call(SYS_chown, bad, -1, -1); }},
      {KS_KIND_truncate, KS_FIELD_file_path, [&] { return Call(SYS_truncate, bad, 0); }},
      {KS_KIND_chroot, KS_FIELD_file_path, [&] { return Call(SYS_chroot, bad); }},
      {KS_KIND_umount, KS_FIELD_file_path, [&] { return Call(SYS_umount2, bad, 0); }},
      {KS_KIND_rename, KS_FIELD_file_path, [&] { return Call(SYS_rename, good.c_str(), At(bad)); }},
      {KS_KIND_rename, KS_FIELD_file_old_path, [&] { return Call(SYS_rename, bad, At(good.c_str())); }},
      {KS_KIND_link, KS_FIELD_file_path, [&] { return Call(SYS_link, good.c_str(), At(bad)); }},
      {KS_KIND_link, KS_FIELD_file_old_path, [&] { return Call(SYS_link, bad, At(good.c_str())); }},
      {KS_KIND_symlink, KS_FIELD_file_path, [&] { return Call(SYS_symlink, "x", At(bad)); }},
      {KS_KIND_symlink, KS_FIELD_file_target, [&] { return Call(SYS_symlink, bad, At(Path("s").c_str())); }},
  };
  for (const Case& one : cases) {
    const Seen seen = RecordOne(one.kind, [&] { EXPECT_EQ(one.call(), -1); });
    EXPECT_EQ(seen.StatusOf(one.field), KS_UNKNOWN) << one.kind << " " << one.field;
    EXPECT_EQ(seen.At(one.field).bytes, "") << one.kind << " " << one.field;
    EXPECT_EQ(seen.Int(KS_FIELD_event_result), 1) << one.kind;
  }
}

TEST_F(KernelTest, UnmappedTextsAndNumbersAreUnknown) {
  const char* bad = Unmapped();
  Seen seen = RecordOne(KS_KIND_mount, [&] { ::syscall(SYS_mount, bad, folder_.c_str(), bad, 0, nullptr); });
  EXPECT_EQ(seen.StatusOf(KS_FIELD_file_source), KS_UNKNOWN);
  EXPECT_EQ(seen.StatusOf(KS_FIELD_event_fs_type), KS_UNKNOWN);
  EXPECT_EQ(seen.Text(KS_FIELD_file_path), folder_);

  // Not "opened to read", which is what no flags would mean.
  const std::string path = Path("none");
  seen = RecordOne(KS_KIND_open, [&] { ::syscall(SYS_openat2, AT_FDCWD, path.c_str(), bad, sizeof(open_how)); });
  EXPECT_EQ(seen.StatusOf(KS_FIELD_event_access), KS_UNKNOWN);
  EXPECT_EQ(seen.Text(KS_FIELD_file_path), path);

  seen = RecordOne(KS_KIND_capset, [&] { ::syscall(SYS_capset, bad, bad); });
  EXPECT_EQ(seen.StatusOf(KS_FIELD_target_caps), KS_UNKNOWN);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  seen = RecordOne(KS_KIND_capset, [&] { ::syscall(SYS_capset, &header, bad); });
  EXPECT_EQ(seen.StatusOf(KS_FIELD_target_caps), KS_UNKNOWN);
}

TEST_F(KernelTest, UnmappedAddressesAreUnknownAndNoReasonToLookAway) {
  const char* bad = Unmapped();
  const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0) GTEST_SKIP() << "no sockets here";
  const auto of = [&](ks_kind kind, const std::function<void()>& act, ks_field field) {
    EXPECT_EQ(RecordOne(kind, act).StatusOf(field), KS_UNKNOWN) << kind;
  };
  of(KS_KIND_connect, [&] { ::syscall(SYS_connect, fd, bad, sizeof(sockaddr_in)); }, KS_FIELD_event_dst);
  of(KS_KIND_bind, [&] { ::syscall(SYS_bind, fd, bad, sizeof(sockaddr_in)); }, KS_FIELD_event_src);
  of(KS_KIND_sendto, [&] { ::syscall(SYS_sendto, fd, "x", 1, 0, bad, sizeof(sockaddr_in)); }, KS_FIELD_event_dst);
  // The message whose first member would say where the address is.
  of(KS_KIND_sendto, [&] { ::syscall(SYS_sendmsg, fd, bad, 0); }, KS_FIELD_event_dst);
  ::close(fd);
  // Nor is it one that the descriptor is gone, too.
  of(KS_KIND_connect, [&] { ::syscall(SYS_connect, fd, bad, sizeof(sockaddr_in)); }, KS_FIELD_event_dst);
}

TEST_F(KernelTest, WhatTheKernelHadToFetchIsRead) {
  const std::string folder = Path("fetched");
  const AbsentPage made(Path("page"), std::string(folder) + '\0');
  const Seen seen = RecordOne(KS_KIND_mkdir, [&] { EXPECT_EQ(Call(SYS_mkdir, made.text(), 0700), 0); });
  EXPECT_EQ(seen.Text(KS_FIELD_file_path), folder);

  const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0) return;
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(9);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const AbsentPage address(Path("address"), {reinterpret_cast<const char*>(&to), sizeof(to)});
  const Seen sent = RecordOne(KS_KIND_sendto, [&] { ::syscall(SYS_sendto, fd, "x", 1, 0, address.get(), sizeof(to)); });
  EXPECT_EQ(sent.Endpoint(KS_FIELD_event_dst), "127.0.0.1:9");
  ::close(fd);
}

TEST_F(KernelTest, WhatNobodyHasFetchedIsUnknown) {
  // Refused for their flags, before the path is looked at.
  const std::string path = Create("there");
  const AbsentPage page(Path("page"), std::string(path) + '\0');
  Seen seen = RecordOne(KS_KIND_open, [&] { EXPECT_EQ(Call(SYS_open, page.text(), O_TMPFILE | O_RDONLY), -1); });
  EXPECT_EQ(seen.StatusOf(KS_FIELD_file_path), KS_UNKNOWN);
  EXPECT_EQ(seen.Int(KS_FIELD_event_errno), EINVAL);
  seen = RecordOne(KS_KIND_unlink, [&] { EXPECT_EQ(::syscall(SYS_unlinkat, AT_FDCWD, page.text(), 0x40000000), -1); });
  EXPECT_EQ(seen.StatusOf(KS_FIELD_file_path), KS_UNKNOWN);
  // Somebody has: the same calls tell it.
  EXPECT_EQ(page.text(), path);
  seen = RecordOne(KS_KIND_open, [&] { EXPECT_EQ(Call(SYS_open, page.text(), O_TMPFILE | O_RDONLY), -1); });
  EXPECT_EQ(seen.Text(KS_FIELD_file_path), path);
}

// Cut: a part of the truth, and as long as may be.
void ExpectPart(const Seen& seen, ks_field field, const std::string& whole) {
  EXPECT_EQ(seen.StatusOf(field), KS_TRUNCATED) << field;
  EXPECT_EQ(seen.At(field).bytes.size(), kCapture) << field;
  EXPECT_NE(whole.find(seen.At(field).bytes), std::string::npos) << field << ": " << seen.At(field).bytes;
}

TEST_F(KernelTest, PathsOf4095BytesAreCut) {
  const std::string good = Create("good");
  std::string path;
  for (char name = 'a'; path.size() < 4095 - 101; name = name == 'z' ? 'a' : static_cast<char>(name + 1)) {
    path += "/" + std::string(100, name);
  }
  path += "/" + std::string(4095 - path.size() - 1, '0');
  ASSERT_EQ(path.size(), 4095u);
  const char* text = path.c_str();
  for (const auto& [kind, call] : {std::pair{KS_KIND_open, SYS_open},
                                   {KS_KIND_mkdir, SYS_mkdir},
                                   {KS_KIND_rmdir, SYS_rmdir},
                                   {KS_KIND_unlink, SYS_unlink},
                                   {KS_KIND_chmod, SYS_chmod},
                                   {KS_KIND_truncate, SYS_truncate},
                                   {KS_KIND_chroot, SYS_chroot},
                                   {KS_KIND_umount, SYS_umount2}}) {
    ExpectPart(RecordOne(kind, [&] { EXPECT_EQ(Call(call, text), -1); }), KS_FIELD_file_path, path);
  }
  Seen seen = RecordOne(KS_KIND_rename, [&] { Call(SYS_rename, text, At(good.c_str())); });
  ExpectPart(seen, KS_FIELD_file_old_path, path);
  EXPECT_EQ(seen.Text(KS_FIELD_file_path), good);
  seen = RecordOne(KS_KIND_link, [&] { Call(SYS_link, good.c_str(), At(text)); });
  ExpectPart(seen, KS_FIELD_file_path, path);
  EXPECT_EQ(seen.Text(KS_FIELD_file_old_path), good);
  // The longest text of a link that there can be.
  seen = RecordOne(KS_KIND_symlink, [&] { EXPECT_EQ(Call(SYS_symlink, text, At(Path("link").c_str())), 0); });
  ExpectPart(seen, KS_FIELD_file_target, path);
  EXPECT_EQ(seen.Text(KS_FIELD_file_path), Path("link"));
  // One more is too long for the kernel, too.
  path += "0";
  seen = RecordOne(KS_KIND_open, [&] { EXPECT_EQ(Call(SYS_open, path.c_str()), -1); });
  EXPECT_EQ(seen.Int(KS_FIELD_event_errno), ENAMETOOLONG);
  ExpectPart(seen, KS_FIELD_file_path, path);
}

TEST_F(KernelTest, Of300ComponentsThereAreTheLast) {
  std::string below = folder_;
  int at = ::open(folder_.c_str(), O_PATH | O_DIRECTORY);
  for (int depth = 0; depth < 300; ++depth) {
    ASSERT_EQ(::mkdirat(at, "d", 0755), 0);
    const int next = ::openat(at, "d", O_PATH | O_DIRECTORY);
    ::close(at);
    at = next;
    below += "/d";
  }
  const auto is_cut = [&](const Seen& seen, ks_field field, const std::string& whole) {
    EXPECT_EQ(seen.StatusOf(field), KS_TRUNCATED) << field;
    EXPECT_GE(seen.At(field).bytes.size(), 64u);
    EXPECT_TRUE(whole.ends_with(seen.At(field).bytes)) << seen.At(field).bytes;
  };
  is_cut(RecordOne(KS_KIND_open, [&] { ::close(::openat(at, ".", O_RDONLY)); }), KS_FIELD_file_path, below);
  is_cut(RecordOne(KS_KIND_mkdir, [&] { EXPECT_EQ(::mkdirat(at, "new", 0700), 0); }), KS_FIELD_file_path,
         below + "/new");
  is_cut(RecordOne(KS_KIND_rename, [&] { EXPECT_EQ(::renameat(at, "new", at, "old"), 0); }), KS_FIELD_file_old_path,
         below + "/new");
  is_cut(RecordOne(KS_KIND_create, [&] { ::close(::openat(at, "made", O_CREAT | O_WRONLY, 0600)); }),
         KS_FIELD_file_path, below + "/made");
  // Of a process that lives there, and one that is started from there.
  std::filesystem::copy_file("/proc/self/exe", Path("image"));
  ASSERT_EQ(::linkat(AT_FDCWD, Path("image").c_str(), at, "program", 0), 0);
  pid_t child = 0;
  const auto from_there = [&] {
    child = ::fork();
    if (child == 0) {
      ::close(STDOUT_FILENO);
      if (::fchdir(at) != 0) ::_exit(1);
      ::syscall(SYS_getppid);
      ::execl("./program", "program", "--gtest_list_tests", "--gtest_filter=none", nullptr);
      ::_exit(1);
    }
    ::waitpid(child, nullptr, 0);
  };
  std::vector<Seen> calls = Record(KS_KIND_syscall, from_there, 0);
  std::erase_if(calls, [&](const Seen& seen) {
    return seen.Int(KS_FIELD_process_pid) != child || seen.Int(KS_FIELD_event_syscall) != SYS_getppid;
  });
  ASSERT_GE(calls.size(), 1u);
  is_cut(calls[0], KS_FIELD_process_cwd, below);
  std::vector<Seen> started = Record(KS_KIND_exec, from_there, 0);
  std::erase_if(started, [&](const Seen& seen) { return seen.Int(KS_FIELD_process_pid) != child; });
  ASSERT_EQ(started.size(), 1u);
  is_cut(started[0], KS_FIELD_process_exe, below + "/program");
  is_cut(started[0], KS_FIELD_process_cwd, below);
  ::unlinkat(at, "program", 0);
  ::unlinkat(at, "made", 0);
  ::close(at);
}

TEST_F(KernelTest, ArgumentsThatTheProcessHidAreUnknown) {
  const auto [begin, end] = PlaceOfArguments();
  if (begin == 0) GTEST_SKIP() << "the kernel does not say where arguments are";
  pid_t child = 0;
  std::vector<Seen> calls = Record(
      KS_KIND_syscall,
      [&] {
        child = ::fork();
        if (child == 0) {
          const uintptr_t first = begin / kPage * kPage, bytes = (end - first + kPage - 1) / kPage * kPage;
          // On another stack: ours may lie in the same page.
          std::thread([first, bytes] {
            if (::mprotect(reinterpret_cast<void*>(first), bytes, PROT_NONE) != 0) ::_exit(2);
            ::syscall(SYS_getppid);
            ::_exit(0);
          }).join();
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        EXPECT_EQ(status, 0);
      },
      0);
  std::erase_if(calls, [&](const Seen& seen) {
    return seen.Int(KS_FIELD_process_pid) != child || seen.Int(KS_FIELD_event_syscall) != SYS_getppid;
  });
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls[0].StatusOf(KS_FIELD_process_args), KS_UNKNOWN);
}

}  // namespace
}  // namespace ks::kernel

// What is done through io_uring: with trampolines each operation is the event that its system call would have been.
#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "runtime/kernel/kernel_testing.h"

namespace ks::kernel {
namespace {

// Operations that the headers may not know yet.
enum : uint8_t { kFtruncate = 55, kBind = 56, kListen = 57 };

// One operation at a time, by the system calls alone.
class Ring {
 public:
  explicit Ring(unsigned flags = 0) {
    io_uring_params p{};
    p.flags = flags;
    fd_ = static_cast<int>(::syscall(SYS_io_uring_setup, 4, &p));
    if (fd_ < 0) return;
    sq_ = Map(p.sq_off.array + p.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
    cq_ = Map(p.cq_off.cqes + p.cq_entries * sizeof(io_uring_cqe), IORING_OFF_CQ_RING);
    sqes_ = Map(p.sq_entries * sizeof(io_uring_sqe), IORING_OFF_SQES);
    params_ = p;
  }
  ~Ring() {
    if (fd_ >= 0) ::close(fd_);
  }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  bool made() const { return fd_ >= 0; }
  // What it answers; with IOSQE_CQE_SKIP_SUCCESS it is not waited for, and 0.
  int Do(io_uring_sqe sqe) {
    auto* array = reinterpret_cast<unsigned*>(sq_ + params_.sq_off.array);
    auto* tail = reinterpret_cast<unsigned*>(sq_ + params_.sq_off.tail);
    auto* head = reinterpret_cast<unsigned*>(cq_ + params_.cq_off.head);
    const auto* completed = reinterpret_cast<unsigned*>(cq_ + params_.cq_off.tail);
    const unsigned slot = *tail & (params_.sq_entries - 1);
    std::memcpy(sqes_ + slot * sizeof(sqe), &sqe, sizeof(sqe));
    array[slot] = slot;
    __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
    const unsigned wait = (sqe.flags & IOSQE_CQE_SKIP_SUCCESS) == 0;
    unsigned flags = wait ? IORING_ENTER_GETEVENTS : 0;
    if (params_.flags & IORING_SETUP_SQPOLL) flags |= IORING_ENTER_SQ_WAKEUP;
    if (::syscall(SYS_io_uring_enter, fd_, 1, wait, flags, nullptr, 0) < 0) return -errno;
    if (!wait) return 0;
    // What was submitted is told also if the waiting was cut short.
    while (__atomic_load_n(completed, __ATOMIC_ACQUIRE) == *head) {
      if (::syscall(SYS_io_uring_enter, fd_, 0, 1, IORING_ENTER_GETEVENTS, nullptr, 0) < 0 && errno != EINTR) return -errno;
    }
    const auto* cqes = reinterpret_cast<io_uring_cqe*>(cq_ + params_.cq_off.cqes);
    const int result = cqes[*head & (params_.cq_entries - 1)].res;
    __atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
    return result;
  }

 private:
  char* Map(size_t size, off_t what) const {
    void* at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_, what);
    return at == MAP_FAILED ? nullptr : static_cast<char*>(at);
  }
  int fd_ = -1;
  char *sq_ = nullptr, *cq_ = nullptr, *sqes_ = nullptr;
  io_uring_params params_{};
};

io_uring_sqe Operation(uint8_t opcode, int fd) {
  io_uring_sqe sqe{};
  sqe.opcode = opcode;
  sqe.fd = fd;
  return sqe;
}
uint64_t Address(const void* what) { return reinterpret_cast<uint64_t>(what); }

// Each in the ways in which the kernel may do it: at once, by a worker, by the thread that polls the ring.
class KernelUringTest : public KernelTest, public ::testing::WithParamInterface<std::pair<unsigned, uint8_t>> {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (IsSkipped()) return;
    bool has = false;
    for (const KindTier& one : kernel_->Tiers())
      has |= one.kind == schema::EventKind::io_uring_ && one.tier == Tier::Trampoline;
    if (!has) {
      // By a host that permits none; but no verifier may refuse these.
      ASSERT_EQ(kernel_->WhyNoTrampolines().find("refused"), std::string::npos) << kernel_->WhyNoTrampolines();
      GTEST_SKIP() << kernel_->WhyNoTrampolines();
    }
    ring_ = std::make_unique<Ring>(GetParam().first);
    if (!ring_->made()) GTEST_SKIP() << "no io_uring here";
  }
  // Another thread may have completed it, as one sees, that has not come to the end of the function yet.
  static void AwaitTheEnd() { ::usleep(200'000); }
  // The one event of the kind, and what the operation answered. -EINVAL: this kernel has no such operation.
  Seen Do(io_uring_sqe sqe, ks_kind kind, int* result) {
    sqe.flags |= GetParam().second;
    const std::vector<Seen> all = Record(kind, [&] {
      *result = ring_->Do(sqe);
      AwaitTheEnd();
    });
    if (*result == -EINVAL && all.empty()) return {};
    EXPECT_EQ(all.size(), 1u) << "of kind " << kind;
    if (all.size() != 1) return {};
    EXPECT_EQ(all[0].StatusOf(KS_FIELD_event_syscall), KS_ABSENT);
    EXPECT_EQ(all[0].Text(KS_FIELD_process_name), "kst-test");
    EXPECT_EQ(all[0].Int(KS_FIELD_event_errno), *result < 0 ? -*result : 0);
    return all[0];
  }
  std::unique_ptr<Ring> ring_;
};

TEST_P(KernelUringTest, FilesAreOpenedAndMade) {
  const std::string there = Create("there"), made = Path("made"), none = Path("none");
  struct stat about{};
  ASSERT_EQ(::stat(there.c_str(), &about), 0);
  int result = 0;
  io_uring_sqe sqe = Operation(IORING_OP_OPENAT, AT_FDCWD);
  sqe.addr = Address(there.c_str());
  Seen seen = Do(sqe, KS_KIND_open, &result);
  EXPECT_EQ(seen.Text(KS_FIELD_file_path), there);
  EXPECT_EQ(seen.Int(KS_FIELD_file_inode), static_cast<int64_t>(about.st_ino));
  EXPECT_EQ(seen.Int(KS_FIELD_event_access), 1);
  if (result >= 0) ::close(result);

  sqe.addr = Address(none.c_str());
  seen = Do(sqe, KS_KIND_open, &result);
  EXPECT_EQ(result, -ENOENT);
  EXPECT_EQ(seen.Text(KS_FIELD_file_path), none);

  sqe.addr = Address(made.c_str());
  sqe.open_flags = O_CREAT | O_WRONLY;
  sqe.len = 0640;
  seen = Do(sqe, KS_KIND_create, &result);
  EXPECT_EQ(seen.Text(KS_FIELD_file_path), made);
  EXPECT_EQ(seen.Int(KS_FIELD_event_mode), 0640 & ~022);
  if (result >= 0) ::close(result);
}

TEST_P(KernelUringTest, NamesAreThoseOfTheCall) {
  const std::string file = Create("file"), link = Path("link"), soft = Path("soft"), renamed = Path("renamed"),
                    folder = Path("folder");
  int result = 0;
  io_uring_sqe sqe = Operation(IORING_OP_LINKAT, AT_FDCWD);
  sqe.addr = Address(file.c_str());
  sqe.len = static_cast<uint32_t>(AT_FDCWD);
  sqe.addr2 = Address(link.c_str());
  Seen seen = Do(sqe, KS_KIND_link, &result);
  if (result == 0) {
    EXPECT_EQ(seen.Text(KS_FIELD_file_path), link);
    EXPECT_EQ(seen.Text(KS_FIELD_file_old_path), file);
  }
  sqe = Operation(IORING_OP_SYMLINKAT, AT_FDCWD);
  sqe.addr = Address("over/there");
  sqe.addr2 = Address(soft.c_str());
  seen = Do(sqe, KS_KIND_symlink, &result);
  if (result == 0) {
    EXPECT_EQ(seen.Text(KS_FIELD_file_path), soft);
    EXPECT_EQ(seen.Text(KS_FIELD_file_target), "over/there");
  }
  sqe = Operation(IORING_OP_MKDIRAT, AT_FDCWD);
  sqe.addr = Address(folder.c_str());
  sqe.len = 0751;
  seen = Do(sqe, KS_KIND_mkdir, &result);
  if (result == 0) {
    EXPECT_EQ(seen.Text(KS_FIELD_file_path), folder);
    EXPECT_EQ(seen.Int(KS_FIELD_event_mode), 0751);
    sqe = Operation(IORING_OP_UNLINKAT, AT_FDCWD);
    sqe.addr = Address(folder.c_str());
    sqe.unlink_flags = AT_REMOVEDIR;
    seen = Do(sqe, KS_KIND_rmdir, &result);
    EXPECT_EQ(result, 0);
    EXPECT_EQ(seen.Text(KS_FIELD_file_path), folder);
  }
  // By the folder's descriptor.
  const int dir = ::open(folder_.c_str(), O_PATH | O_DIRECTORY);
  sqe = Operation(IORING_OP_RENAMEAT, dir);
  sqe.addr = Address("file");
  sqe.len = static_cast<uint32_t>(AT_FDCWD);
  sqe.addr2 = Address(renamed.c_str());
  seen = Do(sqe, KS_KIND_rename, &result);
  EXPECT_EQ(result, 0);
  EXPECT_EQ(seen.Text(KS_FIELD_file_path), renamed);
  EXPECT_EQ(seen.Text(KS_FIELD_file_old_path), file);
  sqe = Operation(IORING_OP_UNLINKAT, dir);
  sqe.addr = Address("renamed");
  seen = Do(sqe, KS_KIND_unlink, &result);
  EXPECT_EQ(result, 0);
  EXPECT_EQ(seen.Text(KS_FIELD_file_path), renamed);
  ::close(dir);
  const int fd = ::open(Create("cut").c_str(), O_RDWR);
  sqe = Operation(kFtruncate, fd);
  sqe.off = 4711;
  seen = Do(sqe, KS_KIND_truncate, &result);
  if (result == 0) {
    EXPECT_EQ(seen.Text(KS_FIELD_file_path), Path("cut"));
    EXPECT_EQ(seen.Int(KS_FIELD_event_size), 4711);
  }
  ::close(fd);
}

TEST_P(KernelUringTest, SocketsTellBothEnds) {
  sockaddr_in own{}, far{};
  own.sin_family = AF_INET;
  own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(own);
  int result = 0;
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&own), sizeof(own)), 0);
  ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&own), &size), 0);
  const std::string to = fmt::format("127.0.0.1:{}", ntohs(own.sin_port));
  const int client = ::socket(AF_INET, SOCK_STREAM, 0);
  // Nobody listens yet.
  io_uring_sqe sqe = Operation(IORING_OP_CONNECT, client);
  sqe.addr = Address(&own);
  sqe.off = sizeof(own);
  Seen seen = Do(sqe, KS_KIND_connect, &result);
  EXPECT_EQ(result, -ECONNREFUSED);
  EXPECT_EQ(seen.Endpoint(KS_FIELD_event_dst), to);
  sqe = Operation(kListen, listener);
  sqe.len = 7;
  seen = Do(sqe, KS_KIND_listen, &result);
  if (result == 0) {
    EXPECT_EQ(seen.Int(KS_FIELD_event_backlog), 7);
    EXPECT_EQ(seen.Endpoint(KS_FIELD_event_src), to);
  } else {
    ASSERT_EQ(::listen(listener, 7), 0);
  }
  sqe = Operation(IORING_OP_CONNECT, client);
  sqe.addr = Address(&own);
  sqe.off = sizeof(own);
  seen = Do(sqe, KS_KIND_connect, &result);
  EXPECT_EQ(result, 0);
  EXPECT_EQ(seen.Endpoint(KS_FIELD_event_dst), to);
  ASSERT_EQ(::getsockname(client, reinterpret_cast<sockaddr*>(&far), &size), 0);
  seen = Do(Operation(IORING_OP_ACCEPT, listener), KS_KIND_accept, &result);
  EXPECT_GE(result, 0);
  EXPECT_EQ(seen.Endpoint(KS_FIELD_event_dst), to);
  EXPECT_EQ(seen.Endpoint(KS_FIELD_event_src), fmt::format("127.0.0.1:{}", ntohs(far.sin_port)));
  if (result >= 0) ::close(result);

  const int datagrams = ::socket(AF_INET, SOCK_DGRAM, 0);
  iovec one{const_cast<char*>("x"), 1};
  msghdr message{};
  message.msg_name = &own;
  message.msg_namelen = sizeof(own);
  message.msg_iov = &one;
  message.msg_iovlen = 1;
  sqe = Operation(IORING_OP_SENDMSG, datagrams);
  sqe.addr = Address(&message);
  sqe.len = 1;
  seen = Do(sqe, KS_KIND_sendto, &result);
  EXPECT_EQ(result, 1);
  EXPECT_EQ(seen.Endpoint(KS_FIELD_event_dst), to);
  sockaddr_in any = own;
  any.sin_port = 0;
  sqe = Operation(kBind, datagrams);
  sqe.addr = Address(&any);
  sqe.off = sizeof(any);
  const int fresh = ::socket(AF_INET, SOCK_DGRAM, 0);
  sqe.fd = fresh;
  seen = Do(sqe, KS_KIND_bind, &result);
  if (result == 0) {
    ASSERT_EQ(::getsockname(fresh, reinterpret_cast<sockaddr*>(&far), &size), 0);
    EXPECT_EQ(seen.Endpoint(KS_FIELD_event_src), fmt::format("127.0.0.1:{}", ntohs(far.sin_port)));
  }
  for (int fd : {listener, client, datagrams, fresh}) ::close(fd);
}

// No completion is ever shown to the process.
TEST_P(KernelUringTest, WhatTellsNoSuccessIsTold) {
  const std::string file = Create("file");
  io_uring_sqe sqe = Operation(IORING_OP_UNLINKAT, AT_FDCWD);
  sqe.addr = Address(file.c_str());
  sqe.flags = GetParam().second | IOSQE_CQE_SKIP_SUCCESS;
  const std::vector<Seen> all = Record(KS_KIND_unlink, [&] {
    ring_->Do(sqe);
    for (int i = 0; i < 200 && ::access(file.c_str(), F_OK) == 0; ++i) ::usleep(10000);
    AwaitTheEnd();
  });
  if (::access(file.c_str(), F_OK) == 0) GTEST_SKIP() << "this kernel has no such flag";
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].Text(KS_FIELD_file_path), file);
  EXPECT_EQ(all[0].Int(KS_FIELD_event_result), 0);
}

INSTANTIATE_TEST_SUITE_P(ByWhom, KernelUringTest,
                         ::testing::Values(std::pair<unsigned, uint8_t>{0, 0},
                                           std::pair<unsigned, uint8_t>{0, IOSQE_ASYNC},
                                           std::pair<unsigned, uint8_t>{IORING_SETUP_SQPOLL, 0}));

}  // namespace
}  // namespace ks::kernel

// What the kernel half says of sockets. All traffic stays on the loopback device.
#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include "runtime/kernel/kernel_testing.h"

namespace ks::kernel {
namespace {

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  uint16_t port() const { return ntohs(reinterpret_cast<const sockaddr_in*>(&storage)->sin_port); }
};

Address Loopback(int family, uint16_t port) {
  Address address;
  if (family == AF_INET) {
    auto* in = reinterpret_cast<sockaddr_in*>(&address.storage);
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.size = sizeof(*in);
  } else {
    auto* in = reinterpret_cast<sockaddr_in6*>(&address.storage);
    in->sin6_family = AF_INET6;
    in->sin6_port = htons(port);
    in->sin6_addr = in6addr_loopback;
    address.size = sizeof(*in);
  }
  return address;
}

Address Named(int fd) {
  Address address;
  address.size = sizeof(address.storage);
  EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.size), 0);
  return address;
}

std::string Text(int family, uint16_t port) {
  return fmt::format("{}:{}", family == AF_INET ? "127.0.0.1" : "[::1]", port);
}

class SocketTest : public KernelTest, public ::testing::WithParamInterface<int> {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (IsSkipped()) return;
    listener_ = ::socket(GetParam(), SOCK_STREAM | SOCK_CLOEXEC, 0);
    Address any = Loopback(GetParam(), 0);
    if (listener_ < 0 || ::bind(listener_, any.get(), any.size) != 0 || ::listen(listener_, 8) != 0) {
      GTEST_SKIP() << "no loopback of this family here";
    }
    port_ = Named(listener_).port();
  }
  void TearDown() override {
    if (listener_ >= 0) ::close(listener_);
    KernelTest::TearDown();
  }
  int listener_ = -1;
  uint16_t port_ = 0;
};

TEST_P(SocketTest, ConnectAndAcceptTellBothEnds) {
  int family = GetParam();
  int client = ::socket(family, SOCK_STREAM, 0);
  Address to = Loopback(family, port_);
  Seen connected = RecordOne(KS_KIND_connect, [&] { EXPECT_EQ(::connect(client, to.get(), to.size), 0); });
  std::string near = Text(family, Named(client).port());
  EXPECT_EQ(connected.Endpoint(KS_FIELD_event_dst), Text(family, port_));
  EXPECT_EQ(connected.Endpoint(KS_FIELD_event_src), near);
  EXPECT_EQ(connected.Int(KS_FIELD_event_transport), IPPROTO_TCP);
  EXPECT_EQ(connected.Int(KS_FIELD_event_result), 0);
  int server = -1;
  Seen accepted = RecordOne(KS_KIND_accept, [&] { server = ::accept4(listener_, nullptr, nullptr, 0); });
  EXPECT_EQ(accepted.Endpoint(KS_FIELD_event_src), near);
  EXPECT_EQ(accepted.Endpoint(KS_FIELD_event_dst), Text(family, port_));
  EXPECT_EQ(accepted.Int(KS_FIELD_event_syscall), SYS_accept4);

  // The same socket as a shell's standard input.
  pid_t child = 0;
  std::vector<Seen> calls = Record(
      KS_KIND_syscall,
      [&] {
        child = ::fork();
        if (child == 0) {
          ::dup2(client, 0);
          ::dup2(client, 2);
          ::syscall(SYS_getppid);
          ::_exit(0);
        }
        ::waitpid(child, nullptr, 0);
      },
      0);
  std::erase_if(calls, [&](const Seen& seen) { return seen.Int(KS_FIELD_process_pid) != child; });
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls[0].Int(KS_FIELD_process_stdin), 3);
  EXPECT_EQ(calls[0].Endpoint(KS_FIELD_process_stdin_peer), Text(family, port_));
  EXPECT_EQ(calls[0].Int(KS_FIELD_process_stderr), 3);
  EXPECT_EQ(calls[0].Endpoint(KS_FIELD_process_stderr_peer), Text(family, port_));
  ::close(client);
  ::close(server);
}

TEST_P(SocketTest, AConnectThatFailedTellsWhatWasTried) {
  int family = GetParam();
  ::close(listener_);
  listener_ = -1;
  int client = ::socket(family, SOCK_STREAM, 0);
  Address to = Loopback(family, port_);
  Seen seen = RecordOne(KS_KIND_connect, [&] { EXPECT_EQ(::connect(client, to.get(), to.size), -1); });
  EXPECT_EQ(seen.Endpoint(KS_FIELD_event_dst), Text(family, port_));
  EXPECT_EQ(seen.Int(KS_FIELD_event_errno), ECONNREFUSED);
  ::close(client);
  // The descriptor is no socket any more when the call returns: the argument still tells.
  seen = RecordOne(KS_KIND_connect, [&] { ::connect(client, to.get(), to.size); });
  EXPECT_EQ(seen.Endpoint(KS_FIELD_event_dst), Text(family, port_));
  EXPECT_EQ(seen.StatusOf(KS_FIELD_event_src), KS_UNKNOWN);
  EXPECT_EQ(seen.Int(KS_FIELD_event_errno), EBADF);
}

TEST_P(SocketTest, AConnectInTheBackgroundHasItsEnds) {
  int family = GetParam();
  int client = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
  Address to = Loopback(family, port_);
  Seen seen = RecordOne(KS_KIND_connect, [&] { ::connect(client, to.get(), to.size); });
  EXPECT_EQ(seen.Endpoint(KS_FIELD_event_dst), Text(family, port_));
  EXPECT_EQ(seen.Endpoint(KS_FIELD_event_src), Text(family, Named(client).port()));
  ::close(client);
}

TEST_P(SocketTest, DatagramSocketsConnectToo) {
  int family = GetParam();
  int client = ::socket(family, SOCK_DGRAM, 0);
  Address to = Loopback(family, 53);
  Seen seen = RecordOne(KS_KIND_connect, [&] { EXPECT_EQ(::connect(client, to.get(), to.size), 0); });
  EXPECT_EQ(seen.Endpoint(KS_FIELD_event_dst), Text(family, 53));
  EXPECT_EQ(seen.Int(KS_FIELD_event_transport), IPPROTO_UDP);
  // To "no family": the connection is dissolved, none is made.
  sockaddr none{};
  none.sa_family = AF_UNSPEC;
  EXPECT_TRUE(Record(KS_KIND_connect, [&] { EXPECT_EQ(::connect(client, &none, sizeof(none)), 0); }).empty());
  ::close(client);
}

TEST_P(SocketTest, BindTellsTheOwnEnd) {
  int family = GetParam();
  int server = ::socket(family, SOCK_STREAM, 0);
  Address any = Loopback(family, 0);
  Seen bound = RecordOne(KS_KIND_bind, [&] { EXPECT_EQ(::bind(server, any.get(), any.size), 0); });
  EXPECT_EQ(bound.Endpoint(KS_FIELD_event_src), Text(family, Named(server).port()));
  Address taken = Loopback(family, port_);
  int second = ::socket(family, SOCK_STREAM, 0);
  bound = RecordOne(KS_KIND_bind, [&] { EXPECT_EQ(::bind(second, taken.get(), taken.size), -1); });
  EXPECT_EQ(bound.Endpoint(KS_FIELD_event_src), Text(family, port_));
  EXPECT_EQ(bound.Int(KS_FIELD_event_errno), EADDRINUSE);
  ::close(server);
  ::close(second);
}

TEST_P(SocketTest, AnAcceptThatFailedHasNoFarEnd) {
  ASSERT_EQ(::fcntl(listener_, F_SETFL, O_NONBLOCK), 0);
  Seen seen = RecordOne(KS_KIND_accept, [&] { EXPECT_EQ(::accept(listener_, nullptr, nullptr), -1); });
  EXPECT_EQ(seen.Int(KS_FIELD_event_errno), EAGAIN);
  EXPECT_EQ(seen.StatusOf(KS_FIELD_event_src), KS_ABSENT);
  EXPECT_EQ(seen.Endpoint(KS_FIELD_event_dst), Text(GetParam(), port_));
}

INSTANTIATE_TEST_SUITE_P(Families, SocketTest, ::testing::Values(AF_INET, AF_INET6),
                         [](const auto& of) { return of.param == AF_INET ? "v4" : "v6"; });

TEST_F(KernelTest, AVersion6SocketSpeaksVersion4) {
  int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  Address any = Loopback(AF_INET, 0);
  ASSERT_EQ(::bind(listener, any.get(), any.size), 0);
  ASSERT_EQ(::listen(listener, 1), 0);
  uint16_t port = Named(listener).port();
  int client = ::socket(AF_INET6, SOCK_STREAM, 0);
  if (client < 0) GTEST_SKIP() << "no IPv6 here";
  Address mapped = Loopback(AF_INET6, port);
  ::inet_pton(AF_INET6, "::ffff:127.0.0.1", &reinterpret_cast<sockaddr_in6*>(&mapped.storage)->sin6_addr);
  Seen seen = RecordOne(KS_KIND_connect, [&] { EXPECT_EQ(::connect(client, mapped.get(), mapped.size), 0); });
  EXPECT_EQ(seen.Endpoint(KS_FIELD_event_dst), Text(AF_INET, port));
  EXPECT_EQ(seen.Endpoint(KS_FIELD_event_src), Text(AF_INET, Named(client).port()));
  ::close(client);
  ::close(listener);
}

#ifdef __x86_64__
TEST_F(KernelTest, TheI386SocketcallIsTheCallThatItStandsFor) {
  if (!HasCalls32()) GTEST_SKIP() << "this kernel has no i386 calls";
  struct Low {
    uint32_t arguments[6];
    sockaddr_in address;
  };
  void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  ASSERT_NE(page, MAP_FAILED);
  auto* low = static_cast<Low*>(page);
  low->address.sin_family = AF_INET;
  low->address.sin_port = htons(9);
  low->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int client = ::socket(AF_INET, SOCK_DGRAM, 0);
  low->arguments[0] = static_cast<uint32_t>(client);
  low->arguments[1] = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(&low->address));
  low->arguments[2] = sizeof(low->address);
  constexpr long kSocketcall = 102, kConnect = 3;
  std::vector<Seen> all = Record(
      KS_KIND_connect, [&] { Call32(kSocketcall, kConnect, static_cast<long>(reinterpret_cast<uintptr_t>(low->arguments)), 0); });
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].Endpoint(KS_FIELD_event_dst), "127.0.0.1:9");
  EXPECT_EQ(all[0].Int(KS_FIELD_event_syscall), SYS_connect);
  ::close(client);
  ::munmap(page, 4096);
}
#endif

TEST_F(KernelTest, SocketsOfOtherFamiliesAreNoEvents) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, Path("socket").c_str(), sizeof(address.sun_path) - 1);
  const auto* to = reinterpret_cast<const sockaddr*>(&address);
  int listener = ::socket(AF_UNIX, SOCK_STREAM, 0), client = ::socket(AF_UNIX, SOCK_STREAM, 0);
  auto all = [&] {
    EXPECT_EQ(::bind(listener, to, sizeof(address)), 0);
    EXPECT_EQ(::listen(listener, 1), 0);
    EXPECT_EQ(::connect(client, to, sizeof(address)), 0);
    ::close(::accept(listener, nullptr, nullptr));
  };
  Drain();
  all();
  for (const Seen& seen : Drain()) {
    if (seen.Int(KS_FIELD_process_pid) != ::getpid()) continue;
    EXPECT_NE(seen.head.kind, KS_KIND_bind);
    EXPECT_NE(seen.head.kind, KS_KIND_connect);
    EXPECT_NE(seen.head.kind, KS_KIND_accept);
  }
  ::close(listener);
  ::close(client);
}

}  // namespace
}  // namespace ks::kernel

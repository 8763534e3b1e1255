// One endpoint, reached by calls that are not connect, or whose address does not look like it.
#include <arpa/inet.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "evade.h"

#ifndef TCP_FASTOPEN_CONNECT
#define TCP_FASTOPEN_CONNECT 30
#endif

static struct sockaddr_in there;

static struct sockaddr *address(void) {
  there = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(secret_port)};
  there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return (struct sockaddr *)&there;
}

static int tcp(void) { return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); }
static int udp(void) { return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); }

// 1 if the socket's other end is the secret one, by the kernel.
static int reaches(int fd) {
  struct sockaddr_storage peer;
  socklen_t size = sizeof peer;
  memset(&peer, 0, sizeof peer);
  if (getpeername(fd, (struct sockaddr *)&peer, &size) != 0) return 0;
  uint16_t port = peer.ss_family == AF_INET ? ((struct sockaddr_in *)&peer)->sin_port : ((struct sockaddr_in6 *)&peer)->sin6_port;
  return ntohs(port) == secret_port;
}

static int by_connect(void) {
  int fd = tcp();
  return connect(fd, address(), sizeof there) == 0 ? reaches(fd) : kFailed;
}
static int by_nonblocking(void) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (connect(fd, address(), sizeof there) != 0 && errno != EINPROGRESS) return kFailed;
  usleep(20000);
  return reaches(fd);
}
static int by_v6(void) {
  struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = htons(secret_port)};
  mapped.sin6_addr.s6_addr[10] = mapped.sin6_addr.s6_addr[11] = 0xff;
  mapped.sin6_addr.s6_addr[12] = 127, mapped.sin6_addr.s6_addr[15] = 1;
  int fd = socket(AF_INET6, SOCK_STREAM, 0);
  if (fd < 0) return kNotHere;
  return connect(fd, (struct sockaddr *)&mapped, sizeof mapped) == 0 ? reaches(fd) : kFailed;
}
static int by_mptcp(void) {
  int fd = socket(AF_INET, SOCK_STREAM, 262);
  if (fd < 0) return kNotHere;
  return connect(fd, address(), sizeof there) == 0 ? reaches(fd) : kFailed;
}
static int by_int80(void) {
  struct sockaddr_in *low = memory32(4096);
  address();
  *low = there;
  int fd = tcp();
  long done = call32(362, fd, (long)low, sizeof *low, 0, 0);
  return done == -ENOSYS ? kNotHere : done == 0 ? reaches(fd) : kFailed;
}
static int by_socketcall(void) {
  char *memory = memory32(4096);
  uint32_t *arg = (uint32_t *)(memory + 256);
  int fd = tcp();
  memcpy(memory, address(), sizeof there);
  arg[0] = (uint32_t)fd, arg[1] = (uint32_t)(uintptr_t)memory, arg[2] = sizeof there;
  long done = call32(102, 3, (long)arg, 0, 0, 0);
  return done == -ENOSYS ? kNotHere : done == 0 ? reaches(fd) : kFailed;
}

// TCP fast open: the first bytes make the connection.
static int fast_open(ssize_t sent, int fd) {
  if (sent < 0 && errno != EINPROGRESS) return errno == EOPNOTSUPP ? kNotHere : kFailed;
  usleep(20000);
  return reaches(fd);
}
static int by_fastopen_sendto(void) {
  int fd = tcp();
  return fast_open(sendto(fd, "x", 1, MSG_FASTOPEN, address(), sizeof there), fd);
}
static struct iovec one = {"x", 1};
static struct msghdr message(void) {
  return (struct msghdr){.msg_name = address(), .msg_namelen = sizeof there, .msg_iov = &one, .msg_iovlen = 1};
}
static int by_fastopen_sendmsg(void) {
  int fd = tcp();
  struct msghdr m = message();
  return fast_open(sendmsg(fd, &m, MSG_FASTOPEN), fd);
}
static int by_fastopen_connect(void) {
  int fd = tcp(), on = 1;
  if (setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on) != 0) return kNotHere;
  if (connect(fd, address(), sizeof there) != 0) return kFailed;
  return fast_open(write(fd, "x", 1), fd);
}

static int by_udp_connect(void) {
  int fd = udp();
  return connect(fd, address(), sizeof there) == 0 ? reaches(fd) : kFailed;
}
static int by_sendto(void) { return sendto(udp(), "x", 1, 0, address(), sizeof there) == 1 ? 1 : kFailed; }
static int by_sendmsg(void) {
  struct msghdr m = message();
  return sendmsg(udp(), &m, 0) == 1 ? 1 : kFailed;
}
static int by_sendmmsg(void) {
  struct mmsghdr m = {.msg_hdr = message()};
  return sendmmsg(udp(), &m, 1, 0) == 1 ? 1 : kFailed;
}
// The second message of a call goes there, the first elsewhere.
static int by_second_message(void) {
  struct sockaddr_in elsewhere;
  struct mmsghdr m[2] = {{.msg_hdr = message()}, {.msg_hdr = message()}};
  elsewhere = there;
  elsewhere.sin_port = htons(decoy_port);
  m[0].msg_hdr.msg_name = &elsewhere;
  return sendmmsg(udp(), m, 2, 0) == 2 ? 1 : kFailed;
}
static int by_sendto_int80(void) {
  char *memory = memory32(4096);
  uint32_t *arg = (uint32_t *)(memory + 256);
  memcpy(memory, address(), sizeof there);
  arg[0] = (uint32_t)udp(), arg[1] = (uint32_t)(uintptr_t)(memory + 512), arg[2] = 1, arg[3] = 0;
  arg[4] = (uint32_t)(uintptr_t)memory, arg[5] = sizeof there;
  long done = call32(102, 11, (long)arg, 0, 0, 0);
  return done == -ENOSYS ? kNotHere : done == 1 ? 1 : kFailed;
}

static void fill_connect(struct io_uring_sqe *sqe, void *fd) {
  sqe->opcode = IORING_OP_CONNECT;
  sqe->fd = *(int *)fd;
  sqe->addr = (uint64_t)(uintptr_t)address();
  sqe->off = sizeof there;
}
static int uring_connect(int flags) {
  int fd = tcp();
  long done = uring_do(flags, fill_connect, &fd);
  return done == kNoRing ? kNotHere : done == 0 ? reaches(fd) : kFailed;
}
static int by_uring_connect(void) { return uring_connect(kInline); }
static int by_uring_connect_async(void) { return uring_connect(kAsync); }
static int by_uring_connect_sqpoll(void) { return uring_connect(kSqpoll); }

static struct msghdr uring_message;
static void fill_sendmsg(struct io_uring_sqe *sqe, void *fd) {
  uring_message = message();
  sqe->opcode = IORING_OP_SENDMSG;
  sqe->fd = *(int *)fd;
  sqe->addr = (uint64_t)(uintptr_t)&uring_message;
}
static int uring_sendmsg(int flags) {
  int fd = udp();
  long done = uring_do(flags, fill_sendmsg, &fd);
  return done == kNoRing ? kNotHere : done == 1 ? 1 : kFailed;
}
static int by_uring_sendmsg(void) { return uring_sendmsg(kInline); }
static int by_uring_sendmsg_sqpoll(void) { return uring_sendmsg(kSqpoll); }

const struct way connect_ways[] = {{"connect", by_connect},
                                   {"connect, not waited for", by_nonblocking},
                                   {"v4-mapped v6", by_v6},
                                   {"MPTCP", by_mptcp},
                                   {"int 0x80 connect", by_int80},
                                   {"int 0x80 socketcall", by_socketcall},
                                   {"fast open by sendto", by_fastopen_sendto},
                                   {"fast open by sendmsg", by_fastopen_sendmsg},
                                   {"fast open by connect", by_fastopen_connect},
                                   {"UDP connect", by_udp_connect},
                                   {"UDP sendto", by_sendto},
                                   {"UDP sendmsg", by_sendmsg},
                                   {"UDP sendmmsg", by_sendmmsg},
                                   {"UDP sendmmsg, second message", by_second_message},
                                   {"UDP int 0x80 sendto", by_sendto_int80},
                                   {"io_uring connect", by_uring_connect},
                                   {"io_uring connect, worker", by_uring_connect_async},
                                   {"io_uring connect, sqpoll", by_uring_connect_sqpoll},
                                   {"UDP io_uring sendmsg", by_uring_sendmsg},
                                   {"UDP io_uring sendmsg, sqpoll", by_uring_sendmsg_sqpoll},
                                   {NULL, NULL}};

#include "tools/kubesentryd/write_ready.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <string>

namespace ks::agent {

int OwnTerminal(int fd) {
  if (isatty(fd) == 0) return fd;
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  const int own = open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  return own < 0 ? fd : own;
}

ssize_t WriteReady(int fd, std::string_view bytes, int timeout_ms) {
  struct stat info{};
  if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    return written < 0 && errno == EINTR ? 0 : written;
  }
  // A pipe that polls writable takes PIPE_BUF bytes.
  pollfd ready{fd, POLLOUT, 0};
  if (poll(&ready, 1, timeout_ms) <= 0) return 0;
  bytes = bytes.substr(0, PIPE_BUF);
  // Unless another writer was faster: kernels that can are told not to wait then either (pipes: since 6.4).
  const iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  ssize_t written = pwritev2(fd, &part, 1, -1, RWF_NOWAIT);
  if (written < 0 && errno == EOPNOTSUPP) written = write(fd, bytes.data(), bytes.size());
  return written < 0 && (errno == EINTR || errno == EAGAIN) ? 0 : written;
}

}  // namespace ks::agent

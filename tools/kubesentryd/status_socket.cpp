#include "tools/kubesentryd/status_socket.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "tools/kubesentryd/clock.h"

namespace ks::agent {
namespace {

constexpr size_t kMaxDocument = 1 << 20;
constexpr int kAnswerMs = 5000;
constexpr size_t kMaxClients = 16, kMaxRequest = 256;
constexpr uint64_t kPatienceNs = 1'000'000'000;

Error SocketError(const char* tried, const std::string& path, std::string cause, std::string advice) {
  return {tried, path, std::move(cause), std::move(advice), "status-socket"};
}

std::optional<sockaddr_un> Address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) return std::nullopt;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

const sockaddr* Generic(const sockaddr_un& address) { return reinterpret_cast<const sockaddr*>(&address); }

// 0 if someone listens there, else why not.
int WhyNobodyListens(const sockaddr_un& address) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno;
  const int error = connect(fd, Generic(address), sizeof(address)) == 0 ? 0 : errno;
  close(fd);
  return error;
}

}  // namespace

Result<StatusSocket> StatusSocket::Listen(const std::string& path) {
  const char* kTried = "listen for `kubesentryd status` at";
  const auto address = Address(path);
  if (!address)
    return SocketError(kTried, path, "a socket's path has 1 to 107 bytes", "give a shorter --status-socket");
  const size_t slash = path.rfind('/');
  // The folder is ours to make, its parents are not.
  if (slash != std::string::npos && slash > 0) mkdir(path.substr(0, slash).c_str(), 0700);

  struct stat info{};
  if (lstat(path.c_str(), &info) == 0) {
    if (!S_ISSOCK(info.st_mode))
      return SocketError(kTried, path, "something else is there", "give another --status-socket");
    // Busy (EAGAIN) is alive, too.
    if (WhyNobodyListens(*address) != ECONNREFUSED) {
      return SocketError(kTried, path, "another kubesentryd answers there", "stop it, or give another --status-socket");
    }
    unlink(path.c_str());
  }
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return SocketError(kTried, path, std::strerror(errno), "");
  const mode_t before = umask(0177);
  const bool bound = bind(fd, Generic(*address), sizeof(*address)) == 0 && listen(fd, 8) == 0;
  const int error = errno;
  umask(before);
  if (!bound) {
    close(fd);
    return SocketError(kTried, path, std::strerror(error),
                       "give a --status-socket in a folder that this user may write to");
  }
  return StatusSocket(fd, path);
}

StatusSocket::StatusSocket(StatusSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), clients_(std::exchange(other.clients_, {})), path_(std::move(other.path_)) {}

StatusSocket& StatusSocket::operator=(StatusSocket&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(clients_, other.clients_);
  std::swap(path_, other.path_);
  return *this;
}

StatusSocket::~StatusSocket() {
  for (const Client& client : clients_) close(client.fd);
  if (fd_ < 0) return;
  unlink(path_.c_str());
  close(fd_);
}

void StatusSocket::Serve(const std::function<std::string(std::string_view)>& answer) {
  int fd = -1;
  while (clients_.size() < kMaxClients && (fd = accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    clients_.push_back({fd, BootNs(), ""});
  }
  std::erase_if(clients_, [&](Client& client) {
    if (!Hear(client, answer)) return false;
    close(client.fd);
    return true;
  });
}

// Whether that is all that is to be said.
bool StatusSocket::Hear(Client& client, const std::function<std::string(std::string_view)>& answer) {
  char buffer[kMaxRequest];
  const ssize_t got = recv(client.fd, buffer, sizeof(buffer), MSG_DONTWAIT);
  if (got > 0) client.sent.append(buffer, static_cast<size_t>(got));
  const size_t end = client.sent.find('\n');
  if (end == std::string::npos) {
    const bool waits = got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
    return !waits || client.sent.size() > kMaxRequest || BootNs() - client.since_ns > kPatienceNs;
  }
  pollfd gone{client.fd, 0, 0};
  if (poll(&gone, 1, 0) > 0 && (gone.revents & (POLLHUP | POLLERR)) != 0) return true;
  const std::string text = answer(std::string_view(client.sent).substr(0, end));
  (void)send(client.fd, text.data(), text.size(), MSG_NOSIGNAL);
  return true;
}

namespace {

// Of the daemon at the other end. The kernel keeps who began to listen.
Status CheckPeer(int fd, const char* tried, const std::string& path, std::optional<uid_t> user) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return SocketError(tried, path, std::strerror(errno), "");
  if (peer.uid == 0 || peer.uid == geteuid() || peer.uid == user) return Ok();
  return SocketError(tried, path,
                     fmt::format("who listens there is user {} (pid {}), which is neither root nor who asks", peer.uid, peer.pid),
                     fmt::format("if the daemon runs as that user, say so with --user {}; else somebody has taken its place", peer.uid));
}

}  // namespace

Result<std::string> Ask(const std::string& path, std::string_view request, std::optional<uid_t> user) {
  const char* kTried = "ask the daemon at";
  const auto address = Address(path);
  if (!address) return SocketError(kTried, path, "a socket's path has 1 to 107 bytes", "");
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return SocketError(kTried, path, std::strerror(errno), "");
  std::string text;
  Result<std::string> result = text;
  if (connect(fd, Generic(*address), sizeof(*address)) != 0) {
    const int error = errno;
    result = SocketError(kTried, path,
                         error == ENOENT || error == ECONNREFUSED ? "no daemon runs there" : std::strerror(error),
                         error == EACCES ? "ask as the user that runs the daemon, or as root"
                                         : "start one with `kubesentryd run`, or give its --status-socket");
  } else if (const Status known = CheckPeer(fd, kTried, path, user); !known) {
    result = known.error();
  } else {
    const std::string line = std::string(request) + "\n";
    (void)send(fd, line.data(), line.size(), MSG_NOSIGNAL);  // an old daemon answers and closes before
    char buffer[4096];
    ssize_t got = 0;
    pollfd readable{fd, POLLIN, 0};
    while (text.size() < kMaxDocument && poll(&readable, 1, kAnswerMs) > 0 &&
           (got = read(fd, buffer, sizeof(buffer))) > 0) {
      text.append(buffer, static_cast<size_t>(got));
    }
    if (text.empty() || text.back() != '\n') {
      result = SocketError(kTried, path, "it did not answer in full within 5 s",
                           "whether it does later what was asked is not known: look at what it writes to stderr, or ask for its status");
    } else {
      result = text;
    }
  }
  close(fd);
  return result;
}

}  // namespace ks::agent

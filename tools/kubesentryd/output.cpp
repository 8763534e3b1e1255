#include "tools/kubesentryd/output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "tools/kubesentryd/clock.h"
#include "tools/kubesentryd/write_ready.h"

namespace ks::agent {
namespace {

constexpr size_t kKeep = 64 * 1024;
constexpr uint64_t kSecondNs = 1000000000;
constexpr uint64_t kLastWaitNs = 2 * kSecondNs;

Error CannotWrite(const std::string& name, std::string cause) {
  return {"write alerts to", name, std::move(cause), "alerts have nowhere to go; give --alerts another file", "alerts"};
}

// False if it cannot be written. A file that may not be read is left as it is.
bool EndLastLine(const std::string& path, int fd) {
  struct stat info{};
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size == 0) return true;
  const int reader = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  char last = '\n';
  const bool cut = reader >= 0 && pread(reader, &last, 1, info.st_size - 1) == 1 && last != '\n';
  if (reader >= 0) close(reader);
  return !cut || write(fd, "\n", 1) == 1;
}

}  // namespace

Result<Output> Output::Open(const std::string& path, int stop_fd) {
  if (path == "-") {
    const int flags = fcntl(STDOUT_FILENO, F_GETFL);
    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY) return CannotWrite("standard output", "it is closed, or not open for writing");
    return Output(OwnTerminal(STDOUT_FILENO), "standard output", stop_fd);
  }
  // O_NONBLOCK: to open a FIFO must not wait for its reader, beyond the reach of a signal; a regular file ignores it.
  const int fd = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
  if (fd < 0) {
    const int error = errno;
    struct stat info{};
    if (error == ENXIO && stat(path.c_str(), &info) == 0 && S_ISFIFO(info.st_mode)) {
      return Error{"write alerts to", path, "it is a FIFO that nobody reads", "start its reader first", "alerts"};
    }
    return CannotWrite(path, std::strerror(error));
  }
  if (!EndLastLine(path, fd)) {
    const int error = errno;
    close(fd);
    return CannotWrite(path, std::strerror(error));
  }
  return Output(fd, path, stop_fd);
}

Output::Output(int fd, std::string name, int stop_fd) : fd_(fd), name_(std::move(name)), stop_fd_(stop_fd) {}

Output::Output(Output&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      name_(std::move(other.name_)),
      stop_fd_(other.stop_fd_),
      kept_(std::move(other.kept_)),
      last_wait_since_(other.last_wait_since_),
      unwritten_(other.unwritten_),
      on_wait_(std::move(other.on_wait_)) {}

Output& Output::operator=(Output&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(name_, other.name_);
  std::swap(stop_fd_, other.stop_fd_);
  std::swap(kept_, other.kept_);
  std::swap(last_wait_since_, other.last_wait_since_);
  std::swap(unwritten_, other.unwritten_);
  std::swap(on_wait_, other.on_wait_);
  return *this;
}

Output::~Output() {
  if (fd_ > STDERR_FILENO) close(fd_);
}

bool Output::is_terminal() const { return isatty(fd_) == 1; }

bool Output::full() const { return kept_.size() >= kKeep / 2; }

Status Output::Line(std::string_view line) {
  kept_.append(line);
  kept_ += '\n';
  return kept_.size() < kKeep ? Ok() : Flush();
}

Error Output::GiveUp(std::string_view rest, std::string_view cause) {
  const auto lines = static_cast<uint64_t>(std::count(rest.begin(), rest.end(), '\n'));
  unwritten_ += lines;
  kept_.clear();
  return CannotWrite(name_, fmt::format("{}; {} alerts are given up", cause, lines));
}

Status Output::Flush() {
  std::string_view rest = kept_;
  const uint64_t since = BootNs();
  uint64_t next_word = since + kSecondNs;
  const auto is_over = [&] { return last_wait_since_ != 0 && BootNs() - last_wait_since_ > kLastWaitNs; };
  while (!rest.empty()) {
    const ssize_t written = WriteReady(fd_, rest, is_over() ? 0 : 100);
    if (written < 0) return GiveUp(rest, std::strerror(errno));
    if (written == 0) {
      const uint64_t now = BootNs();
      pollfd stop{stop_fd_, POLLIN, 0};
      if (last_wait_since_ == 0 && poll(&stop, 1, 0) > 0) last_wait_since_ = now;
      if (is_over()) return GiveUp(rest, "its reader is not reading");
      if (now >= next_word) {
        next_word = now + kSecondNs;
        if (on_wait_) on_wait_((now - since) / 1000000);
      }
      continue;
    }
    last_wait_since_ = 0;
    rest.remove_prefix(static_cast<size_t>(written));
  }
  kept_.clear();
  return Ok();
}

}  // namespace ks::agent

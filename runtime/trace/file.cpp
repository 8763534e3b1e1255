#include "runtime/trace/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace ks::trace {
namespace {

Error Failed(const char* tried, const std::string& path, const std::string& cause, const char* code) {
  return {tried, path, cause, "", code};
}

}  // namespace

Result<File> File::OpenToRead(const std::string& path) {
  // O_NONBLOCK: opening a FIFO must not hang; it has no effect on regular files.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return Failed("read", path, std::strerror(errno), "trace-open");
  File file(fd, path, 0);
  struct stat info{};
  if (::fstat(fd, &info) != 0) return Failed("read", path, std::strerror(errno), "trace-open");
  if (!S_ISREG(info.st_mode)) return Failed("read", path, "it is not a regular file", "trace-open");
  file.size_ = static_cast<uint64_t>(info.st_size);
  return file;
}

Result<File> File::Create(const std::string& path) {
  // Only for the owner: a trace holds paths and arguments.
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0600);
  if (fd < 0) return Failed("write", path, std::strerror(errno), "trace-write");
  File file(fd, path, 0);
  struct stat info{};
  if (::fstat(fd, &info) != 0) return Failed("write", path, std::strerror(errno), "trace-write");
  if (!S_ISREG(info.st_mode)) return Failed("write", path, "it is not a regular file", "trace-write");
  return file;
}

File::File(File&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)), size_(other.size_) {}

File& File::operator=(File&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  std::swap(size_, other.size_);
  return *this;
}

File::~File() {
  if (fd_ >= 0) ::close(fd_);
}

Status File::Refresh() {
  struct stat info{};
  if (::fstat(fd_, &info) != 0) return Failed("read", path_, std::strerror(errno), "trace-read");
  const auto size = static_cast<uint64_t>(info.st_size);
  if (size < size_) return Failed("read", path_, "it became shorter while it was read", "trace-read");
  size_ = size;
  return Ok();
}

Result<std::string> File::ReadAt(uint64_t offset, size_t size) const {
  std::string bytes(size, '\0');
  for (size_t done = 0; done < size;) {
    const ssize_t n = ::pread(fd_, bytes.data() + done, size - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Failed("read", path_, std::strerror(errno), "trace-read");
    if (n == 0) return Failed("read", path_, "it became shorter while it was read", "trace-read");
    done += static_cast<size_t>(n);
  }
  return bytes;
}

Status File::Append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Failed("write", path_, std::strerror(errno), "trace-write");
    bytes.remove_prefix(static_cast<size_t>(n));
    size_ += static_cast<uint64_t>(n);
  }
  return Ok();
}

Status File::Sync() {
  if (::fsync(fd_) != 0) return Failed("write", path_, std::strerror(errno), "trace-write");
  return Ok();
}

}  // namespace ks::trace

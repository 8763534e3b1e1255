#include "compiler/support/result.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace ks {
namespace {

Error FileError(const char* tried, const std::string& path, const std::string& cause, const char* code) {
  return {tried, path, cause, "", code};
}

bool WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

}  // namespace

std::string Error::ToString() const {
  std::string text = "could not " + tried;
  if (!on.empty()) text += " " + on;
  text += ": " + cause;
  if (!detail.empty()) text += "\n" + detail.substr(0, detail.find_last_not_of('\n') + 1);
  if (!advice.empty()) text += "\n  help: " + advice;
  return text;
}

void CheckFailed(const char* condition, const char* file, int line, const std::string& why) {
  std::fprintf(stderr, "kubesentry: internal error at %s:%d: %s (violated: %s). Please report it.\n", file, line,
               why.c_str(), condition);
  std::abort();
}

Result<std::string> ReadFile(const std::string& path, size_t limit) {
  // O_NONBLOCK: opening a FIFO must not hang; it has no effect on regular files.
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return FileError("read", path, std::strerror(errno), "file-open");
  struct stat info{};
  std::string bytes;
  Error error;
  if (::fstat(fd, &info) != 0) {
    error = FileError("read", path, std::strerror(errno), "file-read");
  } else if (!S_ISREG(info.st_mode)) {
    error = FileError("read", path, S_ISDIR(info.st_mode) ? "it is a folder" : "it is not a regular file", "file-kind");
  } else if (static_cast<size_t>(info.st_size) > limit) {
    error = FileError("read", path,
                      "it has " + std::to_string(info.st_size) + " bytes, more than the " + std::to_string(limit) +
                          " that are allowed",
                      "file-too-large");
  } else {
    char buffer[65536];
    for (;;) {
      ssize_t n = ::read(fd, buffer, sizeof buffer);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) error = FileError("read", path, std::strerror(errno), "file-read");
      if (n <= 0) break;
      bytes.append(buffer, static_cast<size_t>(n));
      if (bytes.size() > limit) {
        error = FileError("read", path, "it grew beyond the allowed size while it was read", "file-too-large");
        break;
      }
    }
  }
  ::close(fd);
  if (!error.code.empty()) return error;
  return bytes;
}

Status WriteFile(const std::string& path, std::string_view bytes, unsigned mode) {
  // The rename below would put a plain file in the place of a device or a pipe.
  struct stat there{};
  if (::lstat(path.c_str(), &there) == 0 && !S_ISREG(there.st_mode) && !S_ISLNK(there.st_mode)) {
    return FileError("write", path, S_ISDIR(there.st_mode) ? "it is a folder" : "it is not a regular file",
                     "file-kind");
  }
  std::string temporary = path + ".tmp." + std::to_string(::getpid());
  int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0) return FileError("write", path, std::strerror(errno), "file-write");
  bool written = ::fchmod(fd, mode) == 0 && WriteAll(fd, bytes) && ::fsync(fd) == 0;
  int saved = errno;
  ::close(fd);
  if (written && ::rename(temporary.c_str(), path.c_str()) == 0) {
    size_t slash = path.rfind('/');
    std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    int dir = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir >= 0) {
      ::fsync(dir);
      ::close(dir);
    }
    return Ok();
  }
  if (written) saved = errno;
  ::unlink(temporary.c_str());
  return FileError("write", path, std::strerror(saved), "file-write");
}

}  // namespace ks

#include "tools/kubesentryd/watch.h"

#include <fmt/format.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace ks::agent {

Result<FileWatch> FileWatch::Create(const std::string& path, bool folder_may_be_missing) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  const int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  FileWatch watch(fd, folder, slash == std::string::npos ? path : path.substr(slash + 1));
  if (fd < 0 || (!watch.Begin() && !folder_may_be_missing)) {
    Error error{"watch", folder, std::strerror(errno), "the bundle's folder must be readable", "watch"};
    if (errno == ENOSPC) error.advice = "raise fs.inotify.max_user_watches";
    return error;
  }
  return watch;
}

// The folder is watched, not the file: a file that replaces it is another one.
bool FileWatch::Begin() {
  watch_ = inotify_add_watch(fd_, folder_.c_str(), IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVE_SELF | IN_ONLYDIR);
  return watch_ >= 0;
}

FileWatch::FileWatch(FileWatch&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      watch_(other.watch_),
      folder_(std::move(other.folder_)),
      name_(std::move(other.name_)) {}

FileWatch& FileWatch::operator=(FileWatch&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(watch_, other.watch_);
  std::swap(folder_, other.folder_);
  std::swap(name_, other.name_);
  return *this;
}

FileWatch::~FileWatch() {
  if (fd_ >= 0) close(fd_);
}

bool FileWatch::Changed() {
  bool changed = false;
  alignas(inotify_event) char buffer[4096];
  ssize_t size = 0;
  while ((size = read(fd_, buffer, sizeof(buffer))) > 0) {
    for (ssize_t at = 0; at < size;) {
      inotify_event head{};
      std::memcpy(&head, buffer + at, sizeof(head));
      // "..data" is what a Kubernetes volume renames when any of its files changes.
      const char* name = head.len > 0 ? buffer + at + sizeof(head) : "";
      if ((head.mask & IN_Q_OVERFLOW) != 0 || name_ == name || std::strcmp(name, "..data") == 0) changed = true;
      // The folder was moved away, or (IN_IGNORED) removed: another one may come in its place.
      if (head.wd == watch_ && (head.mask & IN_MOVE_SELF) != 0) inotify_rm_watch(fd_, watch_);
      if (head.wd == watch_ && (head.mask & (IN_MOVE_SELF | IN_IGNORED)) != 0) watch_ = -1;
      at += static_cast<ssize_t>(sizeof(head) + head.len);
    }
  }
  // What came into the folder before it was watched was not seen.
  if (!watches() && Begin()) changed = true;
  return changed;
}

}  // namespace ks::agent

// For tests: a file whose file system (FUSE) does not answer when it is read, until it is told to.
#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fuse.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/kernel/fd.h"

namespace ks::kernel {

class SilentFile {
 public:
  // Mounted on a folder that is there; not `mounted` where that is not allowed.
  SilentFile(std::string folder, std::string bytes) : folder_(std::move(folder)), bytes_(std::move(bytes)) {
    device_ = Fd(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
    if (!device_) return;
    const std::string options = fmt::format("fd={},rootmode=40000,user_id=0,group_id=0", device_.get());
    mounted_ = ::mount("silent", folder_.c_str(), "fuse", MS_NOSUID | MS_NODEV, options.c_str()) == 0;
    if (mounted_) server_ = std::thread([this] { Serve(); });
  }
  SilentFile(const SilentFile&) = delete;
  SilentFile& operator=(const SilentFile&) = delete;
  ~SilentFile() {
    if (!mounted_) return;
    Answer();
    ::umount2(folder_.c_str(), MNT_FORCE | MNT_DETACH);  // ends whatever waits, and the server
    server_.join();
  }
  bool mounted() const { return mounted_; }
  std::string path() const { return folder_ + "/file"; }
  // To all who read it, those that wait and those that come.
  void Answer() {
    const std::lock_guard lock(mutex_);
    silent_ = false;
    for (const Read& read : std::exchange(waiting_, {})) Tell(read);
  }
  bool waited_for() {
    const std::lock_guard lock(mutex_);
    return !waiting_.empty();
  }

 private:
  static constexpr uint64_t kFile = 2;
  struct Read {
    uint64_t unique, offset, size;
  };

  void Serve() {
    std::vector<char> request(1 << 18);
    while (true) {
      const ssize_t bytes = ::read(device_.get(), request.data(), request.size());
      if (bytes < 0 && (errno == EINTR || errno == ENOENT || errno == EAGAIN)) continue;
      if (bytes < static_cast<ssize_t>(sizeof(fuse_in_header))) return;
      fuse_in_header head{};
      std::memcpy(&head, request.data(), sizeof(head));
      Handle(head, request.data() + sizeof(head));
    }
  }
  void Handle(const fuse_in_header& head, const char* body) {
    switch (head.opcode) {
      case FUSE_INIT: {
        fuse_init_out out{};
        out.major = FUSE_KERNEL_VERSION;
        out.minor = 31;
        out.max_write = 4096;
        return Reply(head.unique, &out, sizeof(out));
      }
      case FUSE_LOOKUP: {
        fuse_entry_out out{};
        out.nodeid = kFile;
        out.entry_valid = out.attr_valid = 3600;
        out.attr = Attributes(kFile);
        return Reply(head.unique, &out, sizeof(out));
      }
      case FUSE_GETATTR: {
        fuse_attr_out out{};
        out.attr_valid = 3600;
        out.attr = Attributes(head.nodeid);
        return Reply(head.unique, &out, sizeof(out));
      }
      case FUSE_OPEN: {
        const fuse_open_out out{};
        return Reply(head.unique, &out, sizeof(out));
      }
      case FUSE_READ: {
        fuse_read_in in{};
        std::memcpy(&in, body, sizeof(in));
        const std::lock_guard lock(mutex_);
        if (silent_) return waiting_.push_back({head.unique, in.offset, in.size});
        return Tell({head.unique, in.offset, in.size});
      }
      case FUSE_FORGET:
      case FUSE_BATCH_FORGET:
      case FUSE_INTERRUPT:
        return;
      default:
        return Reply(head.unique, nullptr, 0, -ENOSYS);
    }
  }
  fuse_attr Attributes(uint64_t node) const {
    fuse_attr out{};
    out.ino = node;
    out.size = node == kFile ? bytes_.size() : 0;
    out.mode = node == kFile ? S_IFREG | 0444 : S_IFDIR | 0755;
    out.nlink = 1;
    return out;
  }
  void Tell(const Read& read) {
    const size_t from = std::min<size_t>(read.offset, bytes_.size());
    Reply(read.unique, bytes_.data() + from, std::min<size_t>(read.size, bytes_.size() - from));
  }
  void Reply(uint64_t unique, const void* bytes, size_t size, int error = 0) {
    const fuse_out_header head{static_cast<uint32_t>(sizeof(head) + size), error, unique};
    std::vector<char> out(sizeof(head) + size);
    std::memcpy(out.data(), &head, sizeof(head));
    if (size > 0) std::memcpy(out.data() + sizeof(head), bytes, size);
    // Whoever asked may be gone.
    [[maybe_unused]] const ssize_t written = ::write(device_.get(), out.data(), out.size());
  }

  const std::string folder_, bytes_;
  Fd device_;
  bool mounted_ = false;
  std::thread server_;
  std::mutex mutex_;
  bool silent_ = true;
  std::vector<Read> waiting_;
};

}  // namespace ks::kernel

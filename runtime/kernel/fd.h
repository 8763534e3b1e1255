// Things of the kernel that must be given back exactly once.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <utility>

namespace ks::kernel {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// A shared mapping of a part of a file.
class Mapping {
 public:
  Mapping() = default;
  // From a page on.
  Mapping(int fd, size_t bytes, int protection = PROT_READ | PROT_WRITE, off_t from = 0) : bytes_(bytes) {
    void* at = ::mmap(nullptr, bytes, protection, MAP_SHARED, fd, from);
    at_ = at == MAP_FAILED ? nullptr : at;
  }
  Mapping(Mapping&& other) noexcept : at_(std::exchange(other.at_, nullptr)), bytes_(other.bytes_) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(at_, other.at_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (at_) ::munmap(at_, bytes_);
  }
  void* get() const { return at_; }

 private:
  void* at_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace ks::kernel

// A file descriptor with the two things that traces do: read at a place, write at the end.
#pragma once

#include <string>
#include <string_view>

#include "compiler/support/result.h"

namespace ks::trace {

class File {
 public:
  static Result<File> OpenToRead(const std::string& path);
  static Result<File> Create(const std::string& path);
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();

  const std::string& path() const { return path_; }
  uint64_t size() const { return size_; }
  // How large it is by now, if another process writes it.
  Status Refresh();
  // Exactly `size` bytes; the caller has checked that they are there.
  Result<std::string> ReadAt(uint64_t offset, size_t size) const;
  Status Append(std::string_view bytes);
  Status Sync();

 private:
  File(int fd, std::string path, uint64_t size) : fd_(fd), path_(std::move(path)), size_(size) {}
  int fd_ = -1;
  std::string path_;
  uint64_t size_ = 0;
};

}  // namespace ks::trace

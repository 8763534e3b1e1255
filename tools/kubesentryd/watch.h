// Notices that a file was replaced (rename) or rewritten (closed after writing).
#pragma once

#include <string>

#include "compiler/support/result.h"

namespace ks::agent {

class FileWatch {
 public:
  static Result<FileWatch> Create(const std::string& path);
  FileWatch(FileWatch&& other) noexcept;
  FileWatch& operator=(FileWatch&& other) noexcept;
  ~FileWatch();

  // Whether it happened since the last call. Does not block.
  bool Changed();

 private:
  FileWatch(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}
  int fd_;
  std::string name_;  // within the folder that is watched
};

}  // namespace ks::agent

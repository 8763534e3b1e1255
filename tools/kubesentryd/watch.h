// Notices that a file was replaced (rename) or rewritten (closed after writing).
#pragma once

#include <string>

#include "compiler/support/result.h"

namespace ks::agent {

class FileWatch {
 public:
  // `folder_may_be_missing`: it is watched as soon as it can be.
  static Result<FileWatch> Create(const std::string& path, bool folder_may_be_missing = false);
  FileWatch(FileWatch&& other) noexcept;
  FileWatch& operator=(FileWatch&& other) noexcept;
  ~FileWatch();

  // Whether it happened since the last call, or the folder can be watched (again). Does not block.
  bool Changed();
  // Not if the folder is missing, or was removed or moved away.
  bool watches() const { return watch_ >= 0; }

 private:
  FileWatch(int fd, std::string folder, std::string name) : fd_(fd), folder_(std::move(folder)), name_(std::move(name)) {}
  bool Begin();
  int fd_;
  int watch_ = -1;
  std::string folder_, name_;  // that is watched; the file in it
};

}  // namespace ks::agent

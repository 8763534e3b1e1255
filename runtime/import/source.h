// The bytes of a foreign recording, one after the other: plain or gzip, as the first bytes say.
#pragma once

#include <memory>
#include <string>

#include "compiler/support/result.h"

namespace ks::import {

class Source {
 public:
  static Result<Source> Open(const std::string& path);
  Source(Source&&) noexcept;
  Source& operator=(Source&&) noexcept;
  ~Source();

  const std::string& path() const;
  // The first bytes, which Read gives all the same; fewer if there are no more.
  std::string Peek(size_t size);
  // Appends up to `size` bytes to *out; fewer at the end of the file, or where its compression is damaged.
  void Read(size_t size, std::string* out);
  // Of the bytes that Read gave, compression undone.
  uint64_t offset() const;
  // Why nothing more comes, if that is not the end of the file; else "".
  std::string Damage() const;

 private:
  struct State;
  explicit Source(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace ks::import

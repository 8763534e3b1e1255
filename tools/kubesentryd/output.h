// Where alert lines go. A reader that is slow holds us up, which fills the ring: noticed here, and by the ring's
// counters.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "compiler/support/result.h"

namespace ks::agent {

class Output {
 public:
  // "-" is stdout; a file is appended to, and made readable for its owner only. `stop_fd`: readable when the daemon is
  // to end.
  static Result<Output> Open(const std::string& path, int stop_fd);
  Output(Output&& other) noexcept;
  Output& operator=(Output&& other) noexcept;
  ~Output();

  // Keeps the line; a lot of them is written on.
  Status Line(std::string_view line);
  // Writes what was kept. Waits for a slow reader, but no longer than two seconds once the daemon is to end.
  Status Flush();

  // Milliseconds spent waiting for the reader since the last call.
  uint64_t TakeWaitedMs();
  bool is_terminal() const;

 private:
  Output(int fd, std::string name, int stop_fd);
  int fd_;
  std::string name_;
  int stop_fd_;
  bool regular_ = false;
  std::string kept_;
  uint64_t waited_ms_ = 0;
};

}  // namespace ks::agent

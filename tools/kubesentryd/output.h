// Where alert lines go. A reader that is slow holds us up, which fills the ring: noticed here, and by the ring's
// counters.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "compiler/support/result.h"

namespace ks::agent {

class Output {
 public:
  // "-" is stdout; a file is appended to, and made readable for its owner only. A last line without an end, of an agent that was
  // killed while it wrote, is ended. A FIFO has a reader already. `stop_fd`: readable when the daemon is to end.
  static Result<Output> Open(const std::string& path, int stop_fd);
  Output(Output&& other) noexcept;
  Output& operator=(Output&& other) noexcept;
  ~Output();

  // Keeps the line; a lot of them is written on.
  Status Line(std::string_view line);
  // Writes what was kept. Waits for a slow reader; once the daemon is to end, for two seconds in which nothing is read,
  // and from then on not at all.
  Status Flush();
  // Whether Line is about to write.
  bool full() const;
  // Lines that could not be written.
  uint64_t unwritten() const { return unwritten_; }

  // To be called with the milliseconds that it takes so far, after each second of waiting for the reader.
  void set_on_wait(std::function<void(uint64_t)> on_wait) { on_wait_ = std::move(on_wait); }
  bool is_terminal() const;

 private:
  Output(int fd, std::string name, int stop_fd);
  Error GiveUp(std::string_view rest, std::string_view cause);
  int fd_;
  std::string name_;
  int stop_fd_;
  std::string kept_;
  uint64_t last_wait_since_ = 0;  // the daemon is to end, and nothing was read since; 0: not so
  uint64_t unwritten_ = 0;
  std::function<void(uint64_t)> on_wait_;
};

}  // namespace ks::agent

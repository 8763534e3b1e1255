// A line on stderr that is rewritten in place, on a terminal, once the work takes longer than two seconds.
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>

namespace ks::ksc {

class ProgressLine {
 public:
  ProgressLine() : on_(isatty(STDERR_FILENO)) {}
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  ~ProgressLine() {
    if (shown_) fmt::print(stderr, "\r\x1b[K");
  }
  // Once for each event. `text`: seconds since the beginning → what to show; asked a few times a second.
  template <typename Text>
  void Tick(const Text& text) {
    if (!on_ || ++ticks_ % 4096 != 0) return;
    Show(text);
  }
  // Now and then.
  template <typename Text>
  void Show(const Text& text) {
    if (!on_) return;
    const auto now = std::chrono::steady_clock::now();
    if (now - start_ < std::chrono::seconds(2) || now - last_ < std::chrono::milliseconds(200)) return;
    last_ = now;
    shown_ = true;
    fmt::print(stderr, "\r\x1b[K{}", text(std::chrono::duration<double>(now - start_).count()));
  }

 private:
  bool on_, shown_ = false;
  uint64_t ticks_ = 0;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now(), last_ = start_;
};

}  // namespace ks::ksc

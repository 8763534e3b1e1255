// Reads arguments by a sleepable iterator over the threads of one process (bpf/hooks/arguments.bpf.c).
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "compiler/support/result.h"
#include "runtime/kernel/arguments.h"
#include "runtime/kernel/fd.h"

namespace ks::kernel {

// For one thread. The iterator runs on a thread of its own: the file system that a page comes from may never answer, and then only that
// thread waits for it, and nothing is read any more until it does.
class ArgumentIterator : public ArgumentReader {
 public:
  explicit ArgumentIterator(const ArgumentBounds& bounds = {}) : bounds_(bounds) {}
  ArgumentIterator(const ArgumentIterator&) = delete;
  ArgumentIterator& operator=(const ArgumentIterator&) = delete;
  ~ArgumentIterator() override;

  // Loads the program and tries it out, unless that has been done. `unread` is the map ks_unread_args, and outlives this. What is
  // missing is why_not().
  void Begin(int unread);

  std::optional<Arguments> Read(uint64_t boot_ns, uint16_t cpu) override;
  ArgumentCounts counts() const override { return counts_; }
  std::string why_not() const override { return why_not_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Desk;  // what both threads see

  Status Load();
  // How long may be waited for the next one. Zero: a bound is reached.
  std::chrono::milliseconds Allowance();

  const ArgumentBounds bounds_;
  int unread_ = -1;
  bool begun_ = false;
  std::string why_not_ = "no bundle has asked for any";
  ArgumentCounts counts_;
  Fd program_, map_;
  std::shared_ptr<Desk> desk_;
  Clock::time_point second_;  // the one that is counted
  uint32_t in_second_ = 0;
  Clock::duration waited_{};
};

}  // namespace ks::kernel

// Signals as files: nothing is interrupted, the loop looks when it is ready to.
#pragma once

#include <initializer_list>

namespace ks::agent {

class SignalFile {
 public:
  // Blocks the signals for this thread and those that it starts.
  explicit SignalFile(std::initializer_list<int> signals);
  SignalFile(const SignalFile&) = delete;
  SignalFile& operator=(const SignalFile&) = delete;
  ~SignalFile();

  // Whether one came since the last call.
  bool Came();
  int fd() const { return fd_; }

 private:
  int fd_;
};

}  // namespace ks::agent

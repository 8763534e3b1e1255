// A program that a command runs and listens to.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "compiler/support/result.h"

namespace ks::ksc {

struct Ended {
  int status = 0;  // its exit status; 128 and the signal's number if one ended it
  std::string out, err;
};

// Runs words[0] (a path) and waits for its end. `waiting` is told once a second for how many seconds it has run.
Result<Ended> RunChild(const std::vector<std::string>& words, const std::function<void(int)>& waiting);

// "verifying on 5.10 … 7 s" on stderr, from the third second on and if that is a terminal; gone when it ends.
class Progress {
 public:
  explicit Progress(std::string what) : what_(std::move(what)) {}
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void operator()(int seconds);

 private:
  std::string what_;
  bool shown_ = false;
};

}  // namespace ks::ksc

// Start-up and tear-down as a list: what was brought up is taken down in reverse, also when a later step fails.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "tools/kubesentryd/log.h"

namespace ks::agent {

struct Step {
  std::string_view name;  // "load"
  std::function<Status()> up;
  std::function<void()> down = nullptr;  // nothing to undo if empty
};

class Steps {
 public:
  Steps(std::vector<Step> steps, Log& log) : steps_(std::move(steps)), log_(log) {}
  Steps(const Steps&) = delete;
  Steps& operator=(const Steps&) = delete;
  ~Steps() { Down(); }

  // False if a step failed: it is logged, and what stood before it is down again.
  bool Up();
  void Down();

 private:
  std::vector<Step> steps_;
  size_t standing_ = 0;
  Log& log_;
};

}  // namespace ks::agent

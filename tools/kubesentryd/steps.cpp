#include "tools/kubesentryd/steps.h"

namespace ks::agent {

bool Steps::Up() {
  while (standing_ < steps_.size()) {
    const Step& step = steps_[standing_];
    if (Status done = step.up(); !done) {
      log_.Failure(step.name, done.error());
      Down();
      return false;
    }
    standing_++;
  }
  return true;
}

void Steps::Down() {
  while (standing_ > 0) {
    const Step& step = steps_[--standing_];
    if (step.down) step.down();
  }
}

}  // namespace ks::agent

#pragma once

#include "compiler/support/result.h"
#include "runtime/kernel/fd.h"

namespace ks::kernel {

// Waits until no CPU runs what ran before.
class GracePeriod {
 public:
  static Result<GracePeriod> Open();
  // Cannot fail once opened: by then the new programs are in force.
  void Wait() const;

 private:
  Fd inner_, outer_;
};

}  // namespace ks::kernel

// What `ksc check --fix` would write: decided in memory, and analysed again before any file is touched.
#pragma once

#include <string>
#include <vector>

#include "compiler/driver/driver.h"

namespace ks::driver {

struct ChangedFile {
  const SourceFile* file;
  std::string text;
};

struct RefusedFix {
  const Diagnostic* diagnostic;
  std::string why;  // the error that the policy would have with it
};

struct FixPlan {
  std::vector<ChangedFile> files;
  std::vector<const Diagnostic*> applied;  // in the order of the diagnostics
  std::vector<RefusedFix> refused;         // with them the policy would be worse than it is
  size_t left = 0;                         // findings whose fix touches what another one changes
};

// Of fixes that touch each other the first is taken; while there are errors, only fixes of errors. No file gets a
// mistake of syntax that had none, and the policy no more errors than it has: what would do that is refused, alone if
// it can be told from the rest.
FixPlan PlanFixes(const Analysis& analysis, const Options& options);

}  // namespace ks::driver

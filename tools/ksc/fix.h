// `ksc check --fix`, and findings for machines.
#pragma once

#include "tools/ksc/commands.h"

namespace ks::ksc {

struct FixOutcome {
  size_t applied = 0, left = 0;  // findings
};
// Applies the fixes that keep what the policy means, each file at once or not at all; those that touch what another fix
// changes are left for the next run. Says what it did on stderr; a dry run prints the lines that would change.
FixOutcome ApplyFixes(const driver::Analysis& analysis, const driver::Options& options, bool dry_run, int* exit_code);

// On stdout, "plain" or as Render (results.h) has it.
int ReportAs(const driver::Analysis& analysis, const std::string& format, bool strict);

}  // namespace ks::ksc

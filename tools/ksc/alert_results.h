// Alerts as findings for machines: what was raised, and how it compares with what was expected.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "compiler/ir/ir.h"
#include "runtime/replay/replay.h"
#include "tools/ksc/results.h"

namespace ks::ksc {

// Where each rule stands, by its id.
using RulePlaces = std::map<std::string, Place>;
// `files`: the policy's, if it came as sources; a bundle knows their logical names only.
RulePlaces RulePlacesOf(const ir::Program& program, const std::vector<std::unique_ptr<SourceFile>>& files);

// `raised`: lines of alert::Format. A finding each, of the sort of its rule, at the rule. Their level is the rule's
// severity (high and critical: error, medium: warning, else note), or for `format` "github" always a note: an alert of a
// replay is what was asked for, and no fault.
std::vector<Finding> FindingsOfAlerts(std::string_view format, const std::vector<std::string>& raised,
                                      const RulePlaces& places);

// A case for each alert that was raised or expected, of the suite of its rule: passed, "alert-missing" at its line of the
// file of expectations, "alert-unexpected" at the rule. `expected`: the text of the file `where`.
std::vector<Finding> FindingsOfComparison(const replay::Comparison& comparison, const std::vector<std::string>& raised,
                                          std::string_view expected, const std::string& where,
                                          const RulePlaces& places);

}  // namespace ks::ksc

// Work that may abort, in a child process.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "compiler/support/result.h"

namespace ks::codegen {

// For the child: hands the cause to the parent and ends the child.
using ReportFailure = std::function<void(const std::string& cause)>;

// Runs `work` in a child of this process and gives what it gave. An abort, a crash, a report, and
// work of more than ten minutes are Errors with a cause.
Result<std::vector<std::string>> RunIsolated(
    const std::function<Result<std::vector<std::string>>(const ReportFailure& report)>& work);

}  // namespace ks::codegen

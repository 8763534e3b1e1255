// Runs the cases of tests, each fed to the same engine that replay and the agent use: for `ksc test` and `ksc lsp`.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "compiler/driver/driver.h"

namespace ks::ksc {

struct TestOutcome {
  bool passed = true;
  std::string why;  // many lines
  Span span;        // of the expectation that failed
  const lower::TestCase* test = nullptr;
};

// The wanted cases of a policy without errors, in its order.
std::vector<TestOutcome> RunTests(const driver::Analysis& analysis,
                                  const std::function<bool(const lower::TestCase&)>& wanted);

}  // namespace ks::ksc

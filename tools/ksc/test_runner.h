// Runs the cases of tests, each fed to the same engine that replay and the agent use: for `ksc test` and `ksc lsp`.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "compiler/driver/driver.h"
#include "runtime/engine/engine.h"
#include "tools/ksc/test_explain.h"

namespace ks::ksc {

struct TestOutcome {
  bool passed = true;
  std::string why;  // many lines
  Span span;        // of the expectation that failed
  const sema::TestCase* test = nullptr;
};

// The wanted cases of a policy without errors, in its order, by so many threads.
std::vector<TestOutcome> RunTests(const driver::Analysis& analysis,
                                  const std::function<bool(const sema::TestCase&)>& wanted, unsigned jobs = 1);

struct CaseResult {
  TestOutcome outcome;
  std::vector<Fed> fed;        // the events of the case, those of traces, too; up to a bound
  std::vector<Raised> alerts;  // up to its end, or to the expectation that failed
};
// One case. Without `explain` the outcome does not say why.
CaseResult RunCase(const engine::Engine& engine, const lower::TestCase& test, bool explain);

}  // namespace ks::ksc

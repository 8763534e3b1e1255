// A mutant that no test notices, and the test that would.
#pragma once

#include <functional>

#include "tools/ksc/quality.h"
#include "tools/ksc/test_runner.h"

namespace ks::ksc {

class Witness {
 public:
  // Both must outlive it. `engine`: of the rule as it is.
  Witness(const Subject& subject, const engine::Engine& engine) : subject_(subject), engine_(engine) {}

  // Fills in `test`, or `why`. Cases are made of the rule's own ones by changing an event's field, its time or its place,
  // the one with the least changes first.
  void Find(const mutate::Mutant& mutant, Survivor* survivor) const;

 private:
  // Whether it was one that tells the two apart: then it is kept.
  using Try = std::function<bool(lower::TestCase)>;
  bool ByEvents(const mutate::Mutant& mutant, const Try& attempt) const;
  bool ByCases(const mutate::Mutant& mutant, const Try& attempt) const;
  bool ByFields(const mutate::Mutant& mutant, const lower::TestCase& base, const Try& attempt) const;
  bool ByTimes(const lower::TestCase& base, const Try& attempt) const;
  bool BySeveral(const lower::TestCase& base, int64_t gap, const Try& attempt) const;
  bool BySteps(const lower::TestCase& base, const Try& attempt) const;
  uint64_t AlertsOf(const engine::Engine& engine, const lower::TestCase& test) const;

  const Subject& subject_;
  const engine::Engine& engine_;
};

// ---- Cases as text (case_text.cpp)
// --------------------------------------------------------------------------------------------

// `open { process: { name: "sh" } }`: what CompleteRecord makes the record of.
std::string FeedText(schema::EventKind kind, const schema::Record& record);
// A test block of one case: all its events, then the expectation.
std::string TestText(const sema::Rule& rule, const std::string& environment, const std::string& name,
                     const lower::TestCase& test, uint64_t alerts);
// Reads such a block as if it stood in the rule's file. Nothing if it holds a mistake.
std::optional<lower::TestCase> ReadTest(const Subject& subject, const std::string& text);

}  // namespace ks::ksc

// How good a rule's tests are: which of its conditions they decide (MC/DC), and which mistakes in it they notice.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "compiler/driver/driver.h"
#include "compiler/mutate/mutants.h"

namespace ks::ksc {

// What the tests of a rule have not shown.
struct Gap {
  Span at;
  std::string condition;  // "`process.uid != 0`", "the step `call`"
  std::string missing;    // "never decided the rule to false by itself"
  std::string nearest;    // which event to change, and how; "" if none was found
};

struct Survivor {
  mutate::Operator op{};
  Span at;
  std::string about, diff;
  std::string test;  // a test block that passes on the rule and fails on the mutant; both were tried. Or
  std::string why;   // why there is none
};

struct Quality {
  std::string rule;  // id
  Span at;
  size_t cases = 0, failing = 0;  // while a case fails, nothing else is said
  size_t wanted = 0, covered = 0, impossible = 0;  // MC/DC: what can be shown, and was; and what no event can show
  std::vector<Gap> gaps;
  size_t mutants = 0, noticed = 0, equivalent = 0;  // mutants: those that are not equivalent
  std::vector<Survivor> survivors;
};
// Rounded down; of nothing, all.
unsigned Percent(size_t part, size_t whole);

struct QualityOptions {
  bool coverage = false, mutants = false;
  unsigned jobs = 1;
};
// Of every rule that `wanted` names, in the order of the policy, which is without errors. `on_rule` is called by any
// thread when a rule is done.
std::vector<Quality> Assess(const driver::Analysis& analysis, const std::function<bool(const std::string& rule)>& wanted,
                            const QualityOptions& options, const std::function<void()>& on_rule);

// ---- What both use
// ---------------------------------------------------------------------------------------------

// A rule that is assessed.
class Subject {
 public:
  // All must outlive it. `rule` is enabled.
  Subject(const driver::Analysis& analysis, const sema::CheckedModule& module, const sema::Rule& rule);

  const driver::Analysis& analysis() const { return analysis_; }
  const sema::Rule& rule() const { return rule_; }
  const sema::CheckedModule& module() const { return module_; }
  const std::vector<lower::TestCase>& cases() const { return cases_; }
  const mutate::Observed& observed() const { return observed_; }
  mutate::Context context() const;
  // This rule as it is, or as a mutant has it, beside those that its cases speak of.
  ir::Program ProgramOf(const sema::Rule& rule) const;
  // Whether a case fails.
  bool Notices(const sema::Rule& mutant) const;

 private:
  const driver::Analysis& analysis_;
  const sema::CheckedModule& module_;
  const sema::Rule& rule_;
  std::vector<lower::TestCase> cases_;
  std::vector<const ir::Rule*> others_;
  mutate::Observed observed_;
};

void AssessCoverage(const Subject& subject, const std::vector<mutate::Mutant>& mutants,
                    const std::vector<bool>& noticed, Quality* quality);

}  // namespace ks::ksc

#include "tools/ksc/quality.h"

#include <algorithm>
#include <set>

#include "compiler/ir/passes.h"
#include "tools/ksc/in_parallel.h"
#include "tools/ksc/test_runner.h"
#include "tools/ksc/witness.h"

namespace ks::ksc {

unsigned Percent(size_t part, size_t whole) {
  return whole == 0 ? 100 : static_cast<unsigned>(part * 100 / whole);
}

Subject::Subject(const driver::Analysis& analysis, const sema::CheckedModule& module, const sema::Rule& rule)
    : analysis_(analysis), module_(module), rule_(rule) {
  std::set<std::string> spoken_of;
  for (const sema::CheckedModule& one : analysis.checked) {
    for (const sema::TestCase& test : one.tests) {
      if (test.rule == rule.id && test.environment == analysis.environment) cases_.push_back(lower::LowerTest(test));
    }
  }
  for (const lower::TestCase& test : cases_) {
    for (const auto& step : test.steps) {
      if (const auto* expect = std::get_if<lower::Expect>(&step)) spoken_of.insert(expect->rule);
      if (const auto* feed = std::get_if<lower::Feed>(&step)) observed_.Add(feed->kind, feed->record);
    }
  }
  for (const ir::Rule& other : analysis.lowered.rules) {
    if (other.id != rule.id && spoken_of.contains(other.id)) others_.push_back(&other);
  }
}

mutate::Context Subject::context() const {
  mutate::Context context;
  for (const auto* modules : {&analysis_.modules, &analysis_.embedded_modules}) {
    for (const syntax::Module& module : *modules) {
      // An embedded package that the user gives, too, is not seen.
      bool hidden = modules == &analysis_.embedded_modules &&
                    std::any_of(analysis_.modules.begin(), analysis_.modules.end(), [&](const syntax::Module& own) {
                      return sema::PackageOf(own) == sema::PackageOf(module);
                    });
      if (!hidden) context.modules.push_back(&module);
    }
  }
  context.observed = &observed_;
  return context;
}

ir::Program Subject::ProgramOf(const sema::Rule& rule) const {
  std::vector<ir::Rule> rules;
  rules.push_back(mutate::Lower(rule, module_));
  for (const ir::Rule* other : others_) rules.push_back(*other);
  return ir::MakeProgram(std::move(rules));
}

bool Subject::Notices(const sema::Rule& mutant) const {
  const engine::Engine engine(ProgramOf(mutant));
  return std::any_of(cases_.begin(), cases_.end(),
                     [&](const lower::TestCase& test) { return !RunCase(engine, test, false).outcome.passed; });
}

namespace {

Quality AssessRule(const Subject& subject, const QualityOptions& options) {
  const sema::Rule& rule = subject.rule();
  Quality quality;
  quality.rule = rule.id;
  quality.at = rule.syntax->name.span;
  quality.cases = subject.cases().size();
  const engine::Engine engine(subject.ProgramOf(rule));
  for (const lower::TestCase& test : subject.cases()) {
    quality.failing += RunCase(engine, test, false).outcome.passed ? 0 : 1;
  }
  if (quality.failing > 0) return quality;
  std::vector<mutate::Mutant> mutants = mutate::MutantsOf(rule, subject.context());
  if (!options.mutants) std::erase_if(mutants, [](const mutate::Mutant& one) { return one.decision.has_value(); });
  std::vector<bool> noticed;
  for (const mutate::Mutant& mutant : mutants) noticed.push_back(subject.Notices(mutant.rule));
  if (options.mutants) {
    const Witness witness(subject, engine);
    for (size_t i = 0; i < mutants.size(); ++i) {
      if (!noticed[i] && mutate::IsEquivalent(rule, mutants[i], subject.module())) {
        ++quality.equivalent;
        continue;
      }
      ++quality.mutants;
      quality.noticed += noticed[i] ? 1 : 0;
      if (noticed[i]) continue;
      Survivor survivor{mutants[i].op, mutants[i].at, mutants[i].about, mutate::DiffOf(mutants[i]), "", ""};
      witness.Find(mutants[i], &survivor);
      quality.survivors.push_back(std::move(survivor));
    }
  }
  if (options.coverage) AssessCoverage(subject, mutants, noticed, &quality);
  return quality;
}

}  // namespace

std::vector<Quality> Assess(const driver::Analysis& analysis, const std::function<bool(const std::string&)>& wanted,
                            const QualityOptions& options, const std::function<void()>& on_rule) {
  std::vector<std::pair<const sema::CheckedModule*, const sema::Rule*>> rules;
  for (const sema::CheckedModule& module : analysis.checked) {
    for (const sema::Rule& rule : module.rules) {
      if (!rule.disabled && wanted(rule.id)) rules.emplace_back(&module, &rule);
    }
  }
  std::vector<Quality> out(rules.size());
  InParallel(options.jobs, rules.size(), [&](size_t i) {
    const Subject subject(analysis, *rules[i].first, *rules[i].second);
    out[i] = AssessRule(subject, options);
    on_rule();
  });
  return out;
}

}  // namespace ks::ksc

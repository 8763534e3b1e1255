// MC/DC of a rule over its tests: which comparisons decided, alone, and to which side; and of what is not a comparison,
// whether the tests notice that it is missing.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "compiler/lower/state.h"
#include "tools/ksc/quality.h"
#include "tools/ksc/results.h"
#include "tools/ksc/test_runner.h"

namespace ks::ksc {
namespace {

using mutate::Decision;
using mutate::Operator;
using mutate::RuleDecision;

constexpr size_t kMostFrames = 256;  // that one event is looked at in: which events the steps before were
constexpr size_t kMostNear = 64;     // events that are tried to be changed, for one gap

using Steps = std::vector<const schema::Record*>;

struct Seen {
  const Fed* fed;
  const lower::TestCase* test;
  Steps steps;
};

bool IsWithin(const Span& inner, const Span& outer) {
  return inner.file == outer.file && inner.begin >= outer.begin && inner.end <= outer.end;
}

class Coverage {
 public:
  Coverage(const Subject& subject, Quality* quality)
      : subject_(subject), quality_(*quality), decisions_(mutate::DecisionsOf(subject.rule())) {}

  void OfConditions() {
    const engine::Engine engine(subject_.ProgramOf(subject_.rule()));
    for (const lower::TestCase& test : subject_.cases()) runs_.push_back({RunCase(engine, test, false), &test});
    for (const RuleDecision& decision : decisions_) OfDecision(decision);
  }

 private:
  struct CaseRun {
    CaseResult result;
    const lower::TestCase* test;
  };

  void OfDecision(const RuleDecision& decision) {
    const std::vector<Seen> frames = decision.what == RuleDecision::What::Exceptions ? Completed() : Frames(decision);
    std::map<std::pair<const Decision*, bool>, bool> shown;
    for (const Seen& seen : frames) {
      // A sequence is complete with the event of its last step.
      const schema::Record* event = seen.fed != nullptr ? &seen.fed->event.record : seen.steps.back();
      const ir::Frame frame(event, seen.steps);
      mutate::ForEachDecisive(decision.root, frame,
                              [&](const Decision& one, bool value) { shown[{&one, value}] = true; });
    }
    for (const mutate::Obligation& obligation : mutate::ObligationsOf(decision.root)) {
      if (shown.contains({obligation.condition, obligation.value})) {
        ++quality_.wanted;
        ++quality_.covered;
        continue;
      }
      if (mutate::Impossible(obligation.goals)) {
        ++quality_.impossible;
        continue;
      }
      ++quality_.wanted;
      const sema::Condition& condition = *obligation.condition->condition;
      Gap gap;
      gap.at = condition.syntax != nullptr ? condition.syntax->span : condition.span;
      gap.condition = mutate::Shown(gap.at);
      // Within a def: which call of it.
      const bool called = condition.span.file != gap.at.file || condition.span.begin != gap.at.begin;
      if (called && !IsWithin(gap.at, condition.span)) gap.condition += " of " + mutate::Shown(condition.span);
      std::string what = decision.what == RuleDecision::What::Step ? "the step" : "the rule";
      gap.missing = fmt::format("never decided {} by being {} alone", what, obligation.value ? "true" : "false");
      gap.nearest = Nearest(obligation, frames);
      quality_.gaps.push_back(std::move(gap));
    }
  }

  // Every event of the decision's kinds, with each choice of events for the steps before.
  std::vector<Seen> Frames(const RuleDecision& decision) const {
    const sema::Rule& rule = subject_.rule();
    std::vector<Seen> out;
    const bool step = decision.what == RuleDecision::What::Step;
    const auto& kinds = step ? rule.sequence->steps[decision.step].kinds : rule.kinds;
    for (const CaseRun& run : runs_) {
      for (size_t i = 0; i < run.result.fed.size(); ++i) {
        const Fed& fed = run.result.fed[i];
        if (std::find(kinds.begin(), kinds.end(), fed.event.kind) == kinds.end()) continue;
        if (!step) {
          out.push_back({&fed, run.test, {}});
          continue;
        }
        std::vector<Steps> before = StepsBefore(decision.step, run.result.fed, i);
        for (Steps& steps : before) out.push_back({&fed, run.test, std::move(steps)});
      }
    }
    return out;
  }

  // Which events may have been the steps before that of event `at`: each is true of its event, with the same key.
  std::vector<Steps> StepsBefore(size_t step, const std::vector<Fed>& fed, size_t at) const {
    const sema::Sequence& sequence = *subject_.rule().sequence;
    std::vector<Steps> out = {{}};
    std::vector<size_t> last = {0};  // of each: from which event on the next step may be
    for (size_t k = 0; k < step; ++k) {
      const sema::Step& earlier = sequence.steps[k];
      if (earlier.syntax == nullptr || earlier.syntax->role != syntax::Step::Role::Match) continue;
      const Decision& root = decisions_[k].root;
      std::vector<Steps> longer;
      std::vector<size_t> ends;
      for (size_t one = 0; one < out.size(); ++one) {
        for (size_t i = sequence.syntax->unordered ? 0 : last[one]; i < fed.size(); ++i) {
          if (i == at || (!sequence.syntax->unordered && i > at) || longer.size() >= kMostFrames) continue;
          const event::Event& event = fed[i].event;
          if (std::find(earlier.kinds.begin(), earlier.kinds.end(), event.kind) == earlier.kinds.end()) continue;
          if (!SameKey(event.record, fed[at].event.record)) continue;
          if (ir::Eval(root.pred, ir::Frame(&event.record, out[one])) != ir::Truth::True) continue;
          longer.push_back(out[one]);
          longer.back().push_back(&event.record);
          ends.push_back(i + 1);
        }
      }
      out = std::move(longer);
      last = std::move(ends);
    }
    return out;
  }

  bool SameKey(const schema::Record& a, const schema::Record& b) const {
    const sema::Key& by = subject_.rule().sequence->by;
    return std::all_of(by.begin(), by.end(), [&](const sema::FieldRef& field) {
      const ir::Operand operand = lower::LowerField(field);
      return ir::ReadOperand(operand, a) == ir::ReadOperand(operand, b);
    });
  }

  // What the rule completes without its exceptions: the events of its steps.
  std::vector<Seen> Completed() {
    sema::Rule bare = subject_.rule();
    bare.exceptions.clear();
    bare.limit.reset();
    const engine::Engine engine(subject_.ProgramOf(bare));
    std::vector<Seen> out;
    for (const lower::TestCase& test : subject_.cases()) {
      // Expectations are those of the rule with its exceptions: the case goes on behind them.
      lower::TestCase fed_only = test;
      std::erase_if(fed_only.steps, [](const auto& step) { return std::holds_alternative<lower::Expect>(step); });
      bare_runs_.push_back({RunCase(engine, fed_only, false), &test});
    }
    for (const CaseRun& run : bare_runs_) {
      for (const Raised& alert : run.result.alerts) {
        if (alert.rule != subject_.rule().id) continue;
        Seen seen{nullptr, run.test, {}};
        for (const Raised::Step& step : alert.steps) {
          bool known = step.number > 0 && step.number <= run.result.fed.size();
          seen.steps.push_back(known ? &run.result.fed[step.number - 1].event.record : nullptr);
        }
        out.push_back(std::move(seen));
      }
    }
    return out;
  }

  // The event that needs the fewest changes.
  std::string Nearest(const mutate::Obligation& obligation, const std::vector<Seen>& frames) const {
    std::optional<mutate::Forced> best;
    const Seen* from = nullptr;
    size_t tried = 0;
    for (const Seen& seen : frames) {
      if (seen.fed == nullptr || ++tried > kMostNear) break;
      auto forced = mutate::Force(seen.fed->event.kind, seen.fed->event.record, obligation.goals, subject_.observed(),
                                  seen.steps);
      if (!forced || (best && best->changed.size() <= forced->changed.size())) continue;
      best = std::move(forced);
      from = &seen;
      if (best->changed.size() == 1) break;
    }
    if (!best) return "";
    std::string changes;
    for (schema::FieldId field : best->changed) {
      const schema::FieldRow& row = schema::Row(field);
      const schema::FieldValue& value = best->record[field];
      changes += fmt::format("{}{} {}", changes.empty() ? "" : ", ", row.dotted,
                             value.status == schema::Status::Absent
                                 ? "absent"
                                 : "= " + schema::ToString(value.value, row.type, row.enumeration));
    }
    return fmt::format("in \"{}\", the {} at {} with {}", from->test->name, schema::Row(from->fed->event.kind).name,
                       from->fed->place, changes);
  }

  const Subject& subject_;
  Quality& quality_;
  const std::vector<RuleDecision> decisions_;
  std::vector<CaseRun> runs_, bare_runs_;  // frames point into them
};

std::string Missing(Operator op) {
  switch (op) {
    case Operator::ThresholdUp:
      return "no case has just as many";
    case Operator::ThresholdDown:
      return "no case has one less";
    default:
      return "no case is decided by it";
  }
}

}  // namespace

void AssessCoverage(const Subject& subject, const std::vector<mutate::Mutant>& mutants,
                    const std::vector<bool>& noticed, Quality* quality) {
  Coverage(subject, quality).OfConditions();
  for (size_t i = 0; i < mutants.size(); ++i) {
    const Operator op = mutants[i].op;
    if (op != Operator::DeleteStep && op != Operator::DropException && op != Operator::ThresholdUp &&
        op != Operator::ThresholdDown) {
      continue;
    }
    if (!noticed[i] && mutate::IsEquivalent(subject.rule(), mutants[i], subject.module())) {
      ++quality->impossible;
      continue;
    }
    ++quality->wanted;
    quality->covered += noticed[i] ? 1 : 0;
    if (!noticed[i]) quality->gaps.push_back({mutants[i].at, mutate::Shown(mutants[i].at), Missing(op), ""});
  }
}

}  // namespace ks::ksc

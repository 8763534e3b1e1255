// Lints of whole rules, and of rules against each other.
#include <algorithm>
#include <bitset>
#include <map>

#include "compiler/ir/passes.h"
#include "compiler/lint/attack.h"
#include "compiler/lint/conditions.h"
#include "compiler/lint/lint.h"
#include "compiler/lower/state.h"
#include "compiler/sema/literals.h"

namespace ks::lint {
namespace {

using ir::Pred;
using sema::Condition;
using sema::Shorten;

void LintAttack(const syntax::Rule& rule, Diagnostics& diagnostics) {
  for (const syntax::Name& id : rule.attack) {
    if (IsAttackId(id.text)) continue;
    if (std::optional<std::string_view> now = AttackReplacement(id.text)) {
      Diagnostic& d = diagnostics.Report<Diag::AttackRevoked>(id.span, id.text);
      d.help = now->empty() ? "nothing took its place: remove it" : fmt::format("it is {} now", *now);
      if (now->empty()) continue;
      d.fixes.push_back({id.span, std::string(*now)});
      d.machine_applicable = true;
      continue;
    }
    diagnostics.Report<Diag::AttackUnknown>(id.span, AttackVersion(), id.text).help =
        "look it up at attack.mitre.org; of a later version, `allow K0711` with the version as the reason";
  }
}

class RuleLint {
 public:
  RuleLint(Solver& solver, Diagnostics& diagnostics)
      : diagnostics_(diagnostics), solver_(solver), conditions_(solver, diagnostics) {}

  void Visit(const sema::Rule& rule) {
    LintAttack(*rule.syntax, diagnostics_);
    std::vector<Unit> units = UnitsOf(rule.where);
    bool asks = rule.where.span.file != nullptr;
    bool holds = !asks || conditions_.Visit(units, {});
    if (asks && !rule.syntax->ons.empty() && rule.syntax->ons[0].where) {
      conditions_.VisitLiterals(*rule.syntax->ons[0].where, rule.where);
    }
    if (rule.sequence) VisitSteps(*rule.sequence);
    if (rule.sequence && !rule.sequence->syntax->unordered) VisitRuns(*rule.sequence);
    if (rule.aggregate) VisitAggregate(rule);
    if (!holds) return;
    ConditionLint::Context where;
    for (const Unit& unit : units) where.push_back(&unit.pred);
    for (size_t i = 0; i < rule.exceptions.size(); ++i) VisitException(rule, i, where);
  }

  bool TakeSkipped() { return conditions_.TakeSkipped(); }

 private:
  void VisitSteps(const sema::Sequence& sequence) {
    for (const sema::Step& step : sequence.steps) {
      if (step.syntax == nullptr || !step.syntax->where) continue;
      conditions_.Visit(UnitsOf(step.where), {});
      conditions_.VisitLiterals(*step.syntax->where, step.where);
    }
  }

  // Steps after each other that ask for the same.
  void VisitRuns(const sema::Sequence& sequence) {
    auto plain = [](const sema::Step& step) {
      return step.syntax != nullptr && step.syntax->role == syntax::Step::Role::Match && !step.syntax->repeat;
    };
    const std::vector<sema::Step>& steps = sequence.steps;
    for (size_t i = 0, end = 0; i < steps.size(); i = end) {
      end = i + 1;
      if (!plain(steps[i])) continue;
      const Pred first = lower::LowerCondition(steps[i].where);
      while (end < steps.size() && plain(steps[end]) && steps[end].kinds == steps[i].kinds &&
             lower::LowerCondition(steps[end].where) == first) {
        ++end;
      }
      if (end - i < 2) continue;
      auto name = [&](size_t k) {
        return steps[k].syntax->name ? fmt::format("`{}`", steps[k].syntax->name->text) : std::to_string(k + 1);
      };
      Diagnostic& d = diagnostics_.Report<Diag::StepsIdentical>(steps[i + 1].syntax->span, name(i), name(i + 1));
      d.related.push_back({steps[i].syntax->span, "this one"});
      d.help = fmt::format("one step with `repeat {}` says so", end - i);
      // A name may be used elsewhere.
      bool named = std::any_of(steps.begin() + static_cast<ptrdiff_t>(i), steps.begin() + static_cast<ptrdiff_t>(end),
                               [](const sema::Step& step) { return step.syntax->name.has_value(); });
      if (named) continue;
      const Span head = steps[i].syntax->span, last = steps[end - 1].syntax->span;
      d.fixes.push_back({{head.file, head.end, last.end}, fmt::format(" repeat {}", end - i)});
      d.machine_applicable = std::string_view(head.file->text()).substr(head.end, last.end - head.end).find('#') ==
                             std::string_view::npos;
    }
  }

  void VisitAggregate(const sema::Rule& rule) {
    const sema::Aggregate& aggregate = *rule.aggregate;
    if (aggregate.function != sema::Aggregate::Function::Count || aggregate.at_least != 1) return;
    Diagnostic& d = diagnostics_.Report<Diag::CountOfOne>(aggregate.syntax->span);
    d.label = "one event is what a rule alerts on anyway";
    d.help = "remove the `when`, or count to more; `limit` is what bounds alerts";
    d.fixes.push_back({aggregate.syntax->span, ""});
    d.machine_applicable = rule.syntax->span.text().find("{count}") == std::string_view::npos;
  }

  void VisitException(const sema::Rule& rule, size_t index, const ConditionLint::Context& where) {
    const sema::Exception& exception = rule.exceptions[index];
    const syntax::Exception& syntax = *exception.syntax;
    if (!syntax.condition) return;
    std::vector<Unit> units = UnitsOf(exception.condition);
    ConditionLint::Context all = where;
    for (const Unit& unit : units) all.push_back(&unit.pred);
    if (solver_.Refutes(all, nullptr)) {
      Diagnostic& d = diagnostics_.Report<Diag::ExceptionDead>(syntax.why_span, Shorten(syntax.why), "");
      d.label = "no event that the rule asks for has this";
      d.help = "remove it, or correct its condition";
      RemoveException(d, syntax);
      return;
    }
    Pred excepted = lower::LowerCondition(exception.condition);
    if (!rule.sequence && solver_.Refutes(where, &excepted)) {
      Diagnostic& d =
          diagnostics_.Report<Diag::ExceptionSwallows>(syntax.why_span, Shorten(syntax.why), rule.syntax->name.text);
      d.label = "holds of every event that the rule asks for";
      d.related.push_back({rule.syntax->name.span, "this rule"});
      d.help = "narrow the exception; a rule that is not wanted is better removed";
      return;
    }
    for (size_t i = 0; i < index; ++i) {
      const sema::Exception& earlier = rule.exceptions[i];
      if (!earlier.syntax->condition) continue;
      // One that expires leaves the other its work.
      bool outlives = !earlier.expires_ns || (exception.expires_ns && *exception.expires_ns <= *earlier.expires_ns);
      Pred covering = lower::LowerCondition(earlier.condition);
      if (!outlives || !solver_.Refutes(all, &covering)) continue;
      Diagnostic& d =
          diagnostics_.Report<Diag::ExceptionDead>(syntax.why_span, Shorten(syntax.why), " that another does not");
      d.related.push_back({earlier.syntax->why_span, "this one excepts it already"});
      d.help = "remove it";
      RemoveException(d, syntax);
      return;
    }
    conditions_.Visit(units, where);
    conditions_.VisitLiterals(*syntax.condition, exception.condition);
  }

  void RemoveException(Diagnostic& d, const syntax::Exception& syntax) {
    d.fixes.push_back({syntax.span, ""});
    d.machine_applicable = true;
  }

  Diagnostics& diagnostics_;
  Solver& solver_;
  ConditionLint conditions_;
};

// ---- Rules against each other

using FieldSet = std::bitset<schema::kFieldCount>;

FieldSet FieldsOf(const Pred& pred) {
  FieldSet fields;
  if (pred.atom) {
    fields.set(static_cast<size_t>(pred.atom->operand.field));
    if (pred.atom->other) fields.set(static_cast<size_t>(pred.atom->other->field));
  }
  for (const Pred& operand : pred.operands) fields |= FieldsOf(operand);
  return fields;
}

struct Candidate {
  const sema::Rule* rule = nullptr;
  const ir::Rule* lowered = nullptr;
  std::bitset<schema::kKindCount> kinds;
  std::vector<Pred> conjuncts;
  std::vector<FieldSet> fields;  // by conjunct
  FieldSet all_fields;
};

class Subsumption {
 public:
  // Whether `narrow` implies every conjunct of `wide`. Each is asked of those conjuncts of `narrow` that share a field
  // with it, directly or through others: what has no field in common cannot help, as `narrow` itself can hold.
  bool Implies(const Candidate& narrow, const Candidate& wide) {
    solver_.Charge(1);
    if ((narrow.kinds & ~wide.kinds).any()) return false;
    for (const FieldSet& fields : wide.fields) {
      if ((fields & narrow.all_fields).none()) return false;
    }
    for (size_t i = 0; i < wide.conjuncts.size(); ++i) {
      FieldSet reached = wide.fields[i];
      for (bool grown = true; grown;) {
        grown = false;
        for (const FieldSet& fields : narrow.fields) {
          if ((fields & reached).none() || (fields & ~reached).none()) continue;
          reached |= fields;
          grown = true;
        }
      }
      std::vector<const Pred*> given;
      for (size_t k = 0; k < narrow.conjuncts.size(); ++k) {
        if ((narrow.fields[k] & reached).any()) given.push_back(&narrow.conjuncts[k]);
      }
      if (!solver_.Refutes(given, &wide.conjuncts[i])) return false;
    }
    return true;
  }

  bool NeverTrue(const Pred& pred) { return solver_.NeverTrue(pred); }
  bool exhausted() const { return solver_.exhausted(); }

 private:
  Solver solver_;
};

Candidate MakeCandidate(const sema::Rule& rule, const ir::Rule& lowered) {
  Candidate out;
  out.rule = &rule;
  out.lowered = &lowered;
  for (ir::EventKind kind : lowered.kinds) out.kinds.set(static_cast<size_t>(kind));
  Pred when = ir::Simplify(ir::Nnf(lowered.when));
  if (when.op == Pred::Op::And) {
    out.conjuncts = std::move(when.operands);
  } else if (when.op != Pred::Op::True) {
    out.conjuncts.push_back(std::move(when));
  }
  for (const Pred& conjunct : out.conjuncts) {
    out.fields.push_back(FieldsOf(conjunct));
    out.all_fields |= out.fields.back();
  }
  return out;
}

void ReportExhausted(const sema::Rule& rule, std::string_view what, Diagnostics& diagnostics) {
  diagnostics.Report<Diag::NotAllJudged>(rule.syntax->name.span, what).help =
      "the rest is checked as ever; a smaller policy, or flatter conditions, would be looked at as a whole";
}

}  // namespace

void LintModules(std::span<const sema::CheckedModule> modules, Diagnostics& diagnostics) {
  Solver solver;
  for (const sema::CheckedModule& module : modules) {
    RuleLint lint(solver, diagnostics);
    for (const sema::Rule& rule : module.rules) {
      lint.Visit(rule);
      if (lint.TakeSkipped()) ReportExhausted(rule, "conditions of this rule", diagnostics);
      if (solver.exhausted()) return ReportExhausted(rule, "this rule and those after it", diagnostics);
    }
  }
}

void LintRules(std::span<const sema::CheckedModule> modules, std::span<const ir::Rule> rules,
               Diagnostics& diagnostics) {
  std::map<std::string_view, const ir::Rule*> by_id;
  for (const ir::Rule& rule : rules) by_id.emplace(rule.id, &rule);
  Subsumption subsumption;
  std::vector<Candidate> candidates;
  for (const sema::CheckedModule& module : modules) {
    for (const sema::Rule& rule : module.rules) {
      auto lowered = by_id.find(rule.id);
      // Rules over several events say more than their conditions; they are not compared.
      if (lowered == by_id.end() || rule.disabled || rule.sequence || rule.aggregate) continue;
      if (subsumption.NeverTrue(lowered->second->when)) continue;
      candidates.push_back(MakeCandidate(rule, *lowered->second));
    }
  }
  for (size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& narrow = candidates[i];
    const Candidate* cover = nullptr;
    bool same = false;
    for (size_t k = 0; k < candidates.size(); ++k) {
      const Candidate& wide = candidates[k];
      // A narrower rule that is more severe is meant so: it says how bad this case of the wider one is.
      if (k == i || wide.rule->severity < narrow.rule->severity || wide.rule->limit) continue;
      if (!subsumption.Implies(narrow, wide)) continue;
      bool equal = subsumption.Implies(wide, narrow) && wide.rule->severity == narrow.rule->severity;
      if (equal && (k > i || narrow.rule->limit)) continue;  // of two equal ones the later is told
      cover = &wide;
      same = equal;
      break;
    }
    if (subsumption.exhausted()) {
      return ReportExhausted(*narrow.rule, "this rule and those after it beside others", diagnostics);
    }
    if (cover == nullptr) continue;
    const syntax::Name &name = narrow.rule->syntax->name, &other = cover->rule->syntax->name;
    Diagnostic& d = same ? diagnostics.Report<Diag::RuleDuplicate>(name.span, name.text, other.text)
                         : diagnostics.Report<Diag::RuleSubsumed>(name.span, name.text, other.text);
    d.related.push_back({other.span, same ? "the same events, with as severe an alert"
                                          : "alerts on all of its events, and no less severely"});
    d.help = same ? "remove one of the two"
                  : "remove it, except its events from the wider rule, or make it the more severe one";
  }
}

void LintCost(std::span<const sema::CheckedModule> modules, const ir::Program& program, Diagnostics& diagnostics) {
  std::multimap<std::string_view, const ir::SplitRule*> by_id;
  for (const ir::SplitRule& split : program.rules) by_id.emplace(split.rule.id, &split);
  for (const sema::CheckedModule& module : modules) {
    for (const sema::Rule& rule : module.rules) {
      auto [begin, end] = by_id.equal_range(rule.id);
      for (auto it = begin; it != end; ++it) {
        for (const std::string& reason : it->second->reasons) {
          const syntax::Name& name = rule.syntax->name;
          diagnostics.Report<Diag::Cost>(name.span, name.text, reason).help =
              "every event that passes the rest of the condition reaches userspace for it";
        }
      }
    }
  }
}

}  // namespace ks::lint

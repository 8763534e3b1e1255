// Sequences: their steps, what each may be, and what it knows of those before it.
#include <algorithm>

#include "compiler/sema/literals.h"
#include "compiler/sema/rules.h"

namespace ks::sema {
namespace {

using Role = syntax::Step::Role;

bool Matches(const Step& step) { return step.syntax != nullptr && step.syntax->role == Role::Match; }

std::string_view Word(Role role) { return role == Role::Without ? "without" : "until"; }

// `own == step.field` that must hold: what a join goes by.
bool Joins(const Condition& condition) {
  if (condition.op == Condition::Op::And) {
    return std::any_of(condition.operands.begin(), condition.operands.end(), Joins);
  }
  if (condition.op != Condition::Op::Compare || condition.compare != OperatorId::Equal) return false;
  auto* right = std::get_if<FieldRef>(&condition.right);
  return right != nullptr && (condition.left.step == 0) != (right->step == 0);
}

bool HoldsProcess(const Key& key) {
  std::vector<FieldId> identity = IdentityOf(ObjectId::process_);
  return std::all_of(identity.begin(), identity.end(), [&](FieldId field) {
    return std::any_of(key.begin(), key.end(), [&](const FieldRef& of) { return of.field == field; });
  });
}

}  // namespace

Steps StepsOf(const Sequence& sequence) {
  Steps out;
  for (const Step& step : sequence.steps) {
    if (!Matches(step) || out.matching.size() == kMaxMatchingSteps) continue;
    // A name that means something else was refused, and keeps its meaning.
    std::string_view name = step.syntax->name ? std::string_view(step.syntax->name->text) : "";
    if (schema::FindField(name) || schema::FindObject(name)) name = "";
    out.matching.push_back({name, step.kinds, step.syntax->span});
  }
  return out;
}

void ShareFacts(const Key& key, size_t steps, Facts* facts) {
  for (const FieldRef& field : key) {
    const schema::ObjectRow& row = schema::Row(schema::Row(field.field).object);
    if (row.guard == schema::Guard::Exists) facts->Share(schema::GuardObject(row.id), steps);
  }
}

void RuleChecker::CheckRoles(const syntax::Sequence& sequence, const Scope& scope) {
  const auto& steps = sequence.steps;
  auto first = std::find_if(steps.begin(), steps.end(), [](const auto& step) { return step.role == Role::Match; });
  for (auto it = steps.begin(); it != first; ++it) {
    Diagnostic& d = scope.Report<Diag::FirstStep>(it->span, Word(it->role));
    if (it->role == Role::Without) {
      d.help =
          "put a step in front of it: absence is observed from an event on, and until the next step or the end of "
          "the window";
    } else {
      d.help = "put it behind the step whose event it ends";
    }
  }
  if (steps.empty()) {
    scope.Report<Diag::FirstStep>(sequence.head, "}").help = "name the events that make it up, as in `run: exec`";
  }
  for (const syntax::Step& step : steps) {
    if (!sequence.unordered) continue;
    if (step.role == Role::Without) {
      scope.Report<Diag::NeedsOrder>(step.span, "without").help =
          "remove `unordered`, or say `until`, which ends it at any time";
    }
    if (step.repeat) {
      scope.Report<Diag::NeedsOrder>(step.repeat->span, "repeat").help =
          "remove `unordered`, or write the step as often as it must happen";
    }
  }
  bool one = steps.size() == 1 && first != steps.end() && (!first->repeat || first->repeat->literal.text == "1");
  if (one) {
    scope.Report<Diag::SequenceOfOne>(sequence.head).help = "that is `on … where …`, without a window";
  }
}

void RuleChecker::CheckSteps(const syntax::Sequence& sequence, const Scope& scope, Sequence* out) {
  Steps before;
  size_t matching = 0;
  for (const syntax::Step& syntax : sequence.steps) {
    bool match = syntax.role == Role::Match;
    matching += match;
    if (matching > kMaxMatchingSteps || out->steps.size() == kMaxSteps) {
      bool many = matching > kMaxMatchingSteps;
      scope.Report<Diag::TooManySteps>(syntax.span, many ? kMaxMatchingSteps : kMaxSteps,
                                       many ? "that match" : "in one sequence");
      break;
    }
    Step step;
    step.syntax = &syntax;
    step.kinds = CheckKinds(syntax.kinds, scope);
    if (syntax.repeat) {
      step.repeat = static_cast<uint32_t>(CheckNumber(*syntax.repeat, 1, kMaxRepeat, "repeat", scope).value_or(1));
    }
    if (match) {
      if (syntax.name) names_.CheckStepName(*syntax.name, before, scope);
      before.matching.push_back({syntax.name ? std::string_view(syntax.name->text) : "", {}, syntax.span});
    }
    out->steps.push_back(std::move(step));
  }
}

void RuleChecker::CheckStepConditions(const Scope& module_scope, Sequence* out, bool* failed) {
  Steps steps = StepsOf(*out);
  Facts given;
  for (Step& step : out->steps) {
    bool match = Matches(step);
    steps.current = match ? steps.known + 1 : 0;
    Scope scope = module_scope;
    scope.kinds = &step.kinds;
    scope.steps = &steps;
    if (step.syntax->where) {
      step.where = expander_.Expand(*step.syntax->where, scope);
      bool broken = expander_.TakeFailed();
      *failed = *failed || broken;
      if (broken) given = Facts::All();
      CheckGuards(step.where, given, *scope.diagnostics, &steps);
    }
    if (!match) continue;
    ++steps.known;
    given |= FactsOf(step.where).AsStep(static_cast<uint8_t>(steps.known));
    ShareFacts(out->by, steps.known, &given);
  }
}

// A process that has ended does nothing more. Not if a step asks for exits itself.
void RuleChecker::ImplyUntilExit(Sequence* out) {
  if (!HoldsProcess(out->by)) return;
  for (const Step& step : out->steps) {
    if (std::find(step.kinds.begin(), step.kinds.end(), EventKind::exit_) != step.kinds.end()) return;
  }
  for (const FieldRef& field : out->by) {
    if (!schema::Has(EventKind::exit_, field.field)) return;
  }
  Step step;
  step.kinds = {EventKind::exit_};
  out->steps.push_back(std::move(step));
}

void RuleChecker::CheckSequence(const syntax::Sequence& sequence, const Scope& scope, Rule* out, bool* failed) {
  Sequence& checked = out->sequence.emplace();
  checked.syntax = &sequence;
  checked.within_ns = CheckWindow(sequence.within, sequence.head, "this sequence", scope);
  CheckRoles(sequence, scope);
  CheckSteps(sequence, scope, &checked);
  if (sequence.by) {
    std::vector<KindsAt> all;
    for (const Step& step : checked.steps) all.push_back({&step.kinds, step.syntax->span});
    checked.by = CheckKey(sequence.by->paths, scope, all);
  }
  CheckStepConditions(scope, &checked, failed);
  bool several = checked.steps.size() > 1 || (checked.steps.size() == 1 && checked.steps[0].repeat > 1);
  bool joined = std::any_of(checked.steps.begin(), checked.steps.end(), [](const Step& s) { return Joins(s.where); });
  if (several && !sequence.by && !joined && !*failed) {
    Diagnostic& d = scope.Report<Diag::SharesNothing>(sequence.head);
    d.label = "events of any two processes on the node make it up";
    d.help =
        "say what they have in common, as in `by process` or `by container.id`, or compare with an earlier step: "
        "`file.path == drop.file.path`";
  }
  ImplyUntilExit(&checked);
}

}  // namespace ks::sema

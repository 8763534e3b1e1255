#include "compiler/lint/conditions.h"

#include <algorithm>

#include "compiler/lower/state.h"
#include "compiler/sema/literals.h"

namespace ks::lint {
namespace {

constexpr size_t kMaxOperands = 96;  // of one `and` or `or`, each against the others

using ir::Pred;
using sema::Condition;
using sema::Shorten;

bool SameSpan(const Span& a, const Span& b) { return a.file == b.file && a.begin == b.begin && a.end == b.end; }

// Its operands stand in the text of the rule, not in that of a def that was called.
bool IsWritten(const Condition& condition) {
  return std::none_of(condition.operands.begin(), condition.operands.end(),
                      [&](const Condition& operand) { return SameSpan(operand.span, condition.span); });
}

void AddUnits(const Condition& condition, const Condition* parent, size_t index, std::vector<Unit>* units) {
  if (condition.op == Condition::Op::And && IsWritten(condition)) {
    for (size_t i = 0; i < condition.operands.size(); ++i) AddUnits(condition.operands[i], &condition, i, units);
    return;
  }
  units->push_back({&condition, lower::LowerCondition(condition), parent, index});
}

// What the language demands before a field may be used is no mistake if it is implied by that use.
bool IsGuard(const Condition& condition) {
  if (condition.op == Condition::Op::Exists) return true;
  if (condition.op != Condition::Op::Compare) return false;
  return std::any_of(schema::Objects().begin(), schema::Objects().end(), [&](const schema::ObjectRow& row) {
    return row.guard == schema::Guard::Socket && schema::GuardField(row.id) == condition.left.field;
  });
}

std::string Quoted(const Condition& condition) { return fmt::format("`{}`", Shorten(condition.span.text())); }

}  // namespace

std::vector<Unit> UnitsOf(const Condition& condition) {
  std::vector<Unit> units;
  AddUnits(condition, nullptr, 0, &units);
  return units;
}

void ConditionLint::FixByRemoving(Diagnostic& diagnostic, const Condition& parent, size_t index) {
  const Span& own = parent.operands[index].span;
  const Span& other = parent.operands[index == 0 ? 1 : index - 1].span;
  if (own.file == nullptr || own.file != other.file) return;
  Span between = index == 0 ? Span{own.file, own.end, other.begin} : Span{own.file, other.end, own.begin};
  if (between.begin > between.end) return;
  std::string_view word = between.text();
  size_t first = word.find_first_not_of(" \t\r\n"), last = word.find_last_not_of(" \t\r\n");
  if (first == std::string_view::npos) return;
  word = word.substr(first, last + 1 - first);
  if (word != "and" && word != "or") return;
  Span gone = index == 0 ? Span{own.file, own.begin, other.begin} : Span{own.file, other.end, own.end};
  diagnostic.fixes.push_back({gone, ""});
  diagnostic.machine_applicable = true;
}

void ConditionLint::ReportNever(const std::vector<Unit>& units, const Context& context) {
  // The fewest operands that contradict each other: each is left out if the rest does without it.
  std::vector<bool> needed(units.size(), true);
  bool with_context = !context.empty();
  auto refuted = [&] {
    Context all = with_context ? context : Context{};
    for (size_t i = 0; i < units.size(); ++i) {
      if (needed[i]) all.push_back(&units[i].pred);
    }
    return solver_.Refutes(all, nullptr);
  };
  if (with_context) {
    with_context = false;
    with_context = !refuted();
  }
  for (size_t i = 0; i < units.size(); ++i) {
    needed[i] = false;
    needed[i] = !refuted();
  }
  std::vector<const Unit*> core;
  for (size_t i = 0; i < units.size(); ++i) {
    if (needed[i]) core.push_back(&units[i]);
  }
  if (core.empty()) return;  // the context alone: it was reported
  const Condition& last = *core.back()->condition;
  std::string beside;
  if (core.size() > 1) beside = fmt::format(" beside {}", Quoted(*core.front()->condition));
  if (core.size() > 2) beside += " and the rest";
  if (core.size() == 1 && with_context) beside = " here";
  Diagnostic& d = diagnostics_.Report<Diag::NeverTrue>(last.span, Quoted(last), beside);
  d.label = core.size() > 1 || with_context ? "no event has both" : "no event has this";
  if (core.size() > 2) d.label = "no event has all of these";
  for (size_t i = 0; i + 1 < core.size(); ++i) {
    if (!SameSpan(core[i]->condition->span, last.span)) d.related.push_back({core[i]->condition->span, "and this"});
  }
  d.help = "the rule can never alert by this: correct or remove it";
}

bool ConditionLint::Visit(const std::vector<Unit>& units, const Context& context) {
  if (units.size() + context.size() > kMaxOperands) {
    skipped_ = true;
    return true;
  }
  Context all = context;
  for (const Unit& unit : units) all.push_back(&unit.pred);
  if (solver_.Refutes(all, nullptr)) {
    ReportNever(units, context);
    return false;
  }
  std::vector<bool> kept(units.size(), true);
  auto others = [&](size_t without) {
    Context some = context;
    for (size_t i = 0; i < units.size(); ++i) {
      if (i != without && kept[i]) some.push_back(&units[i].pred);
    }
    return some;
  };
  for (size_t i = units.size(); i-- > 0;) {
    const Unit& unit = units[i];
    if (solver_.AlwaysTrue(unit.pred)) {
      Diagnostic& d = diagnostics_.Report<Diag::AlwaysTrue>(unit.condition->span, Shorten(unit.condition->span.text()));
      d.label = "every event has this";
      d.help = unit.parent != nullptr ? "remove it" : "ask for something, or leave out the `where`";
      if (unit.parent != nullptr) FixByRemoving(d, *unit.parent, unit.index);
      kept[i] = false;
      continue;
    }
    Context rest = others(i);
    if (rest.empty() || !solver_.Refutes(rest, &unit.pred)) continue;
    if (IsGuard(*unit.condition)) continue;
    kept[i] = false;
    // Who says so already: as few as the proof needs.
    std::vector<bool> needed = kept;
    auto proved = [&] {
      Context some = context;
      for (size_t k = 0; k < units.size(); ++k) {
        if (needed[k]) some.push_back(&units[k].pred);
      }
      return solver_.Refutes(some, &unit.pred);
    };
    for (size_t k = 0; k < units.size(); ++k) {
      if (!needed[k]) continue;
      needed[k] = false;
      needed[k] = !proved();
    }
    Diagnostic& d = diagnostics_.Report<Diag::NoEffect>(unit.condition->span, Shorten(unit.condition->span.text()));
    d.label = "holds wherever the rest does";
    for (size_t k = 0; k < units.size(); ++k) {
      if (needed[k]) d.related.push_back({units[k].condition->span, "because of this"});
    }
    d.help = "remove it, or correct what makes it needless";
    if (unit.parent != nullptr) FixByRemoving(d, *unit.parent, unit.index);
  }
  for (size_t i = 0; i < units.size(); ++i) {
    if (kept[i]) VisitAlternatives(units[i], others(i));
  }
  return true;
}

void ConditionLint::VisitAlternatives(const Unit& unit, const Context& context) {
  const Condition& condition = *unit.condition;
  if (condition.op != Condition::Op::Or || !IsWritten(condition)) return;
  if (condition.operands.size() > kMaxOperands) {
    skipped_ = true;
    return;
  }
  std::vector<Pred> preds;
  for (const Condition& operand : condition.operands) preds.push_back(lower::LowerCondition(operand));
  std::vector<bool> kept(preds.size(), true);
  for (size_t i = preds.size(); i-- > 0;) {
    Context with = context;
    with.push_back(&preds[i]);
    const Condition& operand = condition.operands[i];
    if (solver_.Refutes(with, nullptr)) {
      kept[i] = false;
      std::vector<Unit> units = UnitsOf(operand);
      ReportNever(units, context);
      continue;
    }
    std::vector<Pred> rest;
    for (size_t k = 0; k < preds.size(); ++k) {
      if (k != i && kept[k]) rest.push_back(preds[k]);
    }
    if (rest.empty()) continue;
    Pred covered = ir::MakeOr(std::move(rest));
    if (!solver_.Refutes(with, &covered)) continue;
    kept[i] = false;
    Diagnostic& d = diagnostics_.Report<Diag::NoEffect>(operand.span, Shorten(operand.span.text()));
    d.label = "another alternative holds wherever this does";
    for (size_t k = 0; k < preds.size(); ++k) {
      if (kept[k] && solver_.Refutes(with, &preds[k])) d.related.push_back({condition.operands[k].span, "this one"});
    }
    d.help = "remove it, or correct what makes it needless";
    FixByRemoving(d, condition, i);
  }
  for (size_t i = 0; i < preds.size(); ++i) {
    if (kept[i]) Visit(UnitsOf(condition.operands[i]), context);
  }
}

}  // namespace ks::lint

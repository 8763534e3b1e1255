#include "compiler/lower/state.h"

#include <algorithm>

namespace ks::lower {
namespace {

ir::Key Lower(const sema::Key& key) {
  ir::Key out;
  for (const sema::FieldRef& field : key) out.push_back(LowerField(field));
  return out;
}

bool ReadsSteps(const ir::Pred& pred) {
  if (pred.atom) {
    const ir::Atom& atom = *pred.atom;
    return atom.operand.step != ir::kThisEvent || (atom.other && atom.other->step != ir::kThisEvent);
  }
  return std::any_of(pred.operands.begin(), pred.operands.end(), ReadsSteps);
}

// `own == step.field`, either way round.
std::optional<ir::Join> JoinOf(const ir::Pred& pred) {
  if (!pred.atom || pred.atom->test != ir::Test::EqualField || !pred.atom->other) return std::nullopt;
  const ir::Operand &left = pred.atom->operand, &right = *pred.atom->other;
  if ((left.step == ir::kThisEvent) == (right.step == ir::kThisEvent)) return std::nullopt;
  return left.step == ir::kThisEvent ? ir::Join{left, right} : ir::Join{right, left};
}

ir::Step Lower(const sema::Step& step) {
  ir::Step out;
  out.kinds = step.kinds;
  out.repeat = step.repeat;
  if (step.syntax == nullptr) {
    out.role = ir::Step::Role::Until;  // until exit, as the key implies
  } else {
    out.role = static_cast<ir::Step::Role>(step.syntax->role);
    if (step.syntax->name) out.name = step.syntax->name->text;
  }
  SplitStep(LowerCondition(step.where), &out);
  return out;
}

}  // namespace

void SplitStep(const ir::Pred& where, ir::Step* step) {
  std::vector<ir::Pred> conjuncts;
  if (where.op == ir::Pred::Op::And) {
    conjuncts = where.operands;
  } else {
    conjuncts.push_back(where);
  }
  std::vector<ir::Pred> when, cross;
  for (ir::Pred& conjunct : conjuncts) {
    if (!ReadsSteps(conjunct)) {
      when.push_back(std::move(conjunct));
    } else if (std::optional<ir::Join> join = JoinOf(conjunct)) {
      if (std::find(step->joins.begin(), step->joins.end(), *join) == step->joins.end()) step->joins.push_back(*join);
    } else {
      cross.push_back(std::move(conjunct));
    }
  }
  step->when = ir::MakeAnd(std::move(when));
  step->cross = ir::MakeAnd(std::move(cross));
}

void LowerState(const sema::Rule& rule, ir::Rule* out) {
  if (rule.sequence) {
    ir::Sequence& sequence = out->sequence.emplace();
    sequence.unordered = rule.sequence->syntax->unordered;
    sequence.by = Lower(rule.sequence->by);
    sequence.within_ns = rule.sequence->within_ns;
    for (const sema::Step& step : rule.sequence->steps) sequence.steps.push_back(Lower(step));
  }
  if (rule.aggregate) {
    const sema::Aggregate& from = *rule.aggregate;
    ir::Aggregate& aggregate = out->aggregate.emplace();
    aggregate.function = static_cast<ir::Aggregate::Function>(from.function);
    aggregate.of = Lower(from.of);
    aggregate.at_least = from.at_least;
    aggregate.by = Lower(from.by);
    aggregate.within_ns = from.within_ns;
  }
  if (rule.limit) out->limit = ir::Limit{rule.limit->count, rule.limit->per_ns, Lower(rule.limit->by)};
  if (rule.max_keys) out->max_keys = *rule.max_keys;
}

}  // namespace ks::lower

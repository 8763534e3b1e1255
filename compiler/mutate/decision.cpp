#include "compiler/mutate/decision.h"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "compiler/ir/passes.h"
#include "compiler/lint/solver.h"
#include "compiler/lower/state.h"

namespace ks::mutate {
namespace {

using ir::Pred;
using ir::Truth;
using sema::Condition;

// What was written as one comparison may have become several conditions (`not in`, `has all`).
bool IsOne(const Condition& condition) {
  if (condition.operands.empty()) return true;
  return condition.syntax != nullptr && std::holds_alternative<syntax::Compare>(condition.syntax->node);
}

bool IsConstant(const Decision& decision) {
  return decision.pred.op == Pred::Op::True || decision.pred.op == Pred::Op::False;
}

Decision Join(Decision::Op op, std::vector<Decision> operands) {
  if (operands.size() == 1 && op != Decision::Op::Not) return std::move(operands.front());
  Decision out;
  out.op = op;
  std::vector<Pred> preds;
  for (const Decision& operand : operands) preds.push_back(operand.pred);
  out.pred = op == Decision::Op::Not   ? ir::MakeNot(std::move(preds[0]))
             : op == Decision::Op::And ? ir::MakeAnd(std::move(preds))
                                       : ir::MakeOr(std::move(preds));
  out.operands = std::move(operands);
  return out;
}

// `not` the exception, while it holds.
Decision Without(const sema::Exception& exception) {
  std::vector<Decision> both;
  both.push_back(DecisionOf(exception.condition));
  if (exception.expires_ns) {
    ir::Atom atom;
    atom.operand.field = schema::FieldId::event_time;
    atom.test = ir::Test::Range;
    atom.literals = {std::numeric_limits<int64_t>::min(), *exception.expires_ns - 1};
    Decision expiry;
    expiry.pred = ir::MakeAtom(std::move(atom));
    both.push_back(std::move(expiry));
  }
  std::vector<Decision> one;
  one.push_back(Join(Decision::Op::And, std::move(both)));
  return Join(Decision::Op::Not, std::move(one));
}

// What the operand beside has to be for this one to decide: of Not there is none.
bool Neutral(Decision::Op op) { return op == Decision::Op::And; }

void AddObligations(const Decision& at, std::vector<Pred>* around, std::vector<Obligation>* out) {
  if (at.op == Decision::Op::Condition) {
    if (at.condition == nullptr || IsConstant(at)) return;
    for (bool value : {true, false}) {
      Obligation one{&at, value, *around};
      one.goals.push_back(value ? at.pred : ir::MakeNot(at.pred));
      out->push_back(std::move(one));
    }
    return;
  }
  for (size_t i = 0; i < at.operands.size(); ++i) {
    size_t before = around->size();
    for (size_t k = 0; k < at.operands.size(); ++k) {
      if (k == i) continue;
      const Pred& beside = at.operands[k].pred;
      around->push_back(Neutral(at.op) ? beside : ir::MakeNot(beside));
    }
    AddObligations(at.operands[i], around, out);
    around->resize(before);
  }
}

void VisitDecisive(const Decision& at, const ir::Frame& frame,
                   const std::function<void(const Decision&, bool)>& visit) {
  if (at.op == Decision::Op::Condition) {
    Truth truth = at.condition == nullptr ? Truth::Unknown : ir::Eval(at.pred, frame);
    if (truth != Truth::Unknown && !IsConstant(at)) visit(at, truth == Truth::True);
    return;
  }
  if (at.op == Decision::Op::Not) return VisitDecisive(at.operands[0], frame, visit);
  // Whose value is not the neutral one hides all others; two of them hide everything.
  const Truth neutral = Neutral(at.op) ? Truth::True : Truth::False;
  size_t others = 0, which = 0;
  for (size_t i = 0; i < at.operands.size() && others < 2; ++i) {
    if (ir::Eval(at.operands[i].pred, frame) == neutral) continue;
    ++others;
    which = i;
  }
  if (others == 1) VisitDecisive(at.operands[which], frame, visit);
  if (others > 0) return;
  for (const Decision& operand : at.operands) VisitDecisive(operand, frame, visit);
}

void AddOperands(const Pred& pred, std::vector<ir::Operand>* out) {
  if (pred.atom) {
    out->push_back(pred.atom->operand);
    if (pred.atom->other) out->push_back(*pred.atom->other);
  }
  for (const Pred& operand : pred.operands) AddOperands(operand, out);
}

Pred Test(schema::FieldId field, uint8_t step, ir::Test test, std::vector<schema::Value> literals) {
  ir::Atom atom;
  atom.operand.field = field;
  atom.operand.step = step;
  atom.test = test;
  atom.literals = std::move(literals);
  return ir::MakeAtom(std::move(atom));
}

}  // namespace

Decision DecisionOf(const Condition& condition) {
  if (IsOne(condition)) {
    Decision out;
    out.pred = lower::LowerCondition(condition);
    out.condition = &condition;
    return out;
  }
  Decision out;
  out.op = condition.op == Condition::Op::And  ? Decision::Op::And
           : condition.op == Condition::Op::Or ? Decision::Op::Or
                                               : Decision::Op::Not;
  for (const Condition& operand : condition.operands) out.operands.push_back(DecisionOf(operand));
  out.pred = lower::LowerCondition(condition);
  out.condition = &condition;
  return out;
}

std::vector<RuleDecision> DecisionsOf(const sema::Rule& rule) {
  std::vector<Decision> without;
  for (const sema::Exception& exception : rule.exceptions) without.push_back(Without(exception));
  std::vector<RuleDecision> out;
  if (!rule.sequence) {
    without.insert(without.begin(), DecisionOf(rule.where));
    out.push_back({RuleDecision::What::Where, 0, Join(Decision::Op::And, std::move(without))});
    return out;
  }
  for (size_t i = 0; i < rule.sequence->steps.size(); ++i) {
    out.push_back({RuleDecision::What::Step, i, DecisionOf(rule.sequence->steps[i].where)});
  }
  if (!without.empty()) {
    out.push_back({RuleDecision::What::Exceptions, 0, Join(Decision::Op::And, std::move(without))});
  }
  return out;
}

std::vector<Obligation> ObligationsOf(const Decision& root) {
  std::vector<Obligation> out;
  std::vector<Pred> around;
  AddObligations(root, &around, &out);
  return out;
}

void ForEachDecisive(const Decision& root, const ir::Frame& frame,
                     const std::function<void(const Decision& condition, bool value)>& visit) {
  if (ir::Eval(root.pred, frame) != Truth::Unknown) VisitDecisive(root, frame, visit);
}

std::vector<Pred> AxiomsOf(const std::vector<Pred>& preds) {
  std::vector<ir::Operand> operands;
  for (const Pred& pred : preds) AddOperands(pred, &operands);
  std::set<std::pair<schema::FieldId, uint8_t>> seen;
  std::vector<Pred> out;
  for (const ir::Operand& operand : operands) {
    // A call has an error number just if it failed.
    const auto ok = schema::EnumeratorValue("result", "ok");
    if (operand.field == schema::FieldId::event_errno && ok && seen.emplace(operand.field, operand.step).second) {
      const Pred none = Test(operand.field, operand.step, ir::Test::In, {int64_t{0}});
      const Pred succeeded = Test(schema::FieldId::event_result, operand.step, ir::Test::In, {*ok});
      out.push_back(ir::MakeOr({ir::MakeNot(none), succeeded}));
      out.push_back(ir::MakeOr({none, ir::MakeNot(succeeded)}));
    }
    const schema::FieldRow& row = schema::Row(operand.field);
    const schema::ObjectRow& object = schema::Row(row.object);
    if (object.guard == schema::Guard::Always || !seen.emplace(operand.field, operand.step).second) continue;
    Pred guard;
    if (object.guard == schema::Guard::Exists) {
      schema::FieldId presence = schema::PresenceField(schema::GuardObject(row.object));
      if (presence == operand.field) continue;
      guard = Test(presence, operand.step, ir::Test::Present, {});
    } else {
      schema::FieldId field = schema::GuardField(row.object);
      auto socket = schema::EnumeratorValue(schema::Row(field).enumeration, "socket");
      if (!socket) continue;
      guard = Test(field, operand.step, ir::Test::In, {*socket});
    }
    out.push_back(ir::MakeOr({ir::MakeNot(Test(operand.field, operand.step, ir::Test::Present, {})), std::move(guard)}));
  }
  return out;
}

bool Impossible(const std::vector<Pred>& goals) {
  std::vector<Pred> axioms = AxiomsOf(goals);
  std::vector<const Pred*> all;
  for (const Pred& goal : goals) all.push_back(&goal);
  for (const Pred& axiom : axioms) all.push_back(&axiom);
  lint::Solver solver;
  return solver.Refutes(all, nullptr);
}

bool Equivalent(const Pred& a, const Pred& b) {
  if (ir::Simplify(a) == ir::Simplify(b)) return true;
  return Impossible({a, ir::MakeNot(b)}) && Impossible({ir::MakeNot(a), b});
}

}  // namespace ks::mutate

#include "runtime/engine/engine.h"

#include <algorithm>

#include "compiler/ir/eval.h"
#include "compiler/ir/passes.h"
#include "runtime/engine/message.h"

namespace ks::engine {
namespace {

using ir::Pred;
using ir::Test;
using ir::Truth;
using schema::DataClass;
using schema::Decided;
using schema::FieldId;
using FieldStatus = schema::Status;

event::RuleInfo MakeInfo(const ir::Rule& rule) {
  event::RuleInfo info{
      rule.id, rule.package, rule.name, rule.title, std::string(ir::Name(rule.severity)), rule.attack, {}};
  for (const ir::Disclosure& disclosure : rule.disclosures) info.disclosed.push_back(disclosure.field);
  return info;
}

std::string_view MeasureName(const ir::Rule& rule) {
  if (!rule.aggregate) return "";
  switch (rule.aggregate->function) {
    case ir::Aggregate::Function::Count:
      return "count";
    case ir::Aggregate::Function::Distinct:
      return "distinct";
    case ir::Aggregate::Function::Sum:
      return "sum";
    case ir::Aggregate::Function::First:
      break;
  }
  return "";
}

void PositiveAtoms(const Pred& pred, bool positive, std::vector<const ir::Atom*>* atoms) {
  if (pred.op == Pred::Op::Not) positive = !positive;
  if (pred.atom && positive) atoms->push_back(&*pred.atom);
  for (const Pred& operand : pred.operands) PositiveAtoms(operand, positive, atoms);
}

bool IsKernelField(FieldId field) { return schema::Row(field).decided == Decided::Kernel; }

bool Contains(const std::vector<FieldId>& fields, FieldId field) { return std::ranges::count(fields, field) != 0; }

// Whether a record that carries `copies` also tells this field.
bool Told(FieldId field, const std::vector<FieldId>& copies) {
  if (IsKernelField(field)) return Contains(copies, field);
  return std::ranges::all_of(schema::DerivedFrom(field), [&](FieldId from) { return Contains(copies, from); });
}

const ir::KindPlan* FindPlan(const ir::Plan& plan, schema::EventKind kind) {
  for (const ir::KindPlan& kind_plan : plan.kinds) {
    if (kind_plan.kind == kind) return &kind_plan;
  }
  return nullptr;
}

}  // namespace

Engine::Engine(ir::Program program) : program_(std::move(program)) {
  Result<ir::Plan> plan = ir::MakePlan(program_);
  if (plan) {
    plan_ = std::move(*plan);
  } else {
    plan_status_ = plan.error();
  }
  for (const ir::SplitRule& split : program_.rules) rules_.push_back(MakeInfo(split.rule));
  for (const ir::Machine& machine : program_.machines) {
    for (uint32_t probe : machine.probes) rules_[probe].measure = MeasureName(machine.rule);
  }
  for (const schema::EventRow& row : schema::Events()) {
    Kind& kind = kinds_[static_cast<size_t>(row.kind)];
    const ir::KindPlan* kind_plan = FindPlan(plan_, row.kind);
    std::vector<const ir::RulePlan*> rule_plans(program_.rules.size());
    for (size_t bit = 0; kind_plan && bit < kind_plan->rules.size(); ++bit) {
      rule_plans[kind_plan->rules[bit].rule] = &kind_plan->rules[bit];
    }
    for (uint32_t i = 0; i < program_.rules.size(); ++i) {
      if (!std::ranges::count(program_.rules[i].rule.kinds, row.kind)) continue;
      // Bits are in the order of the rules.
      if (rule_plans[i]) kind.by_bit.push_back(kind.rules.size());
      kind.rules.push_back(Prepare(i, row.kind, kind_plan, rule_plans[i]));
    }
  }
}

Engine::Prepared Engine::Prepare(uint32_t rule, schema::EventKind kind, const ir::KindPlan* kind_plan,
                                 const ir::RulePlan* rule_plan) const {
  const ir::SplitRule& split = program_.rules[rule];
  Prepared prepared;
  prepared.rule = rule;
  prepared.asked = ir::FieldsOf(ir::MakeAnd({split.kernel, split.residual}));
  for (FieldId field : prepared.asked) {
    prepared.silent.push_back(IsKernelField(field) && rule_plan && !Contains(rule_plan->copies, field));
  }
  for (const schema::FieldRow& row : schema::Fields()) {
    const bool may_leave = row.data_class == DataClass::Metadata || Contains(rules_[rule].disclosed, row.id);
    if (may_leave && schema::Has(kind, row.id) && (!rule_plan || Told(row.id, rule_plan->copies))) {
      prepared.shown.push_back(row.id);
    }
  }
  std::vector<const ir::Atom*> atoms;
  PositiveAtoms(split.kernel, true, &atoms);
  PositiveAtoms(split.residual, true, &atoms);
  for (const ir::Atom* atom : atoms) {
    const FieldId field = atom->operand.field;
    const bool match_only = schema::Row(field).data_class == DataClass::MatchOnly;
    // A named test of metadata speaks if the record tells its value, so that it speaks live as in a replay.
    const bool told = !rule_plan || Told(field, rule_plan->copies);
    if (!ir::AsksOfSet(atom->test) || !(match_only || (told && !atom->label.empty()))) continue;
    Speaker speaker{atom, std::nullopt};
    for (size_t i = 0; kind_plan && match_only && i < kind_plan->atoms.size(); ++i) {
      if (kind_plan->reported[i] && kind_plan->atoms[i].SameAs(*atom)) speaker.reported_as = static_cast<uint16_t>(i);
    }
    prepared.speakers.push_back(speaker);
  }
  return prepared;
}

std::vector<event::Match> Engine::DecidePassed(const event::Event& event) const {
  KS_CHECK(plan_status_, "events of the kernel are decided without the plan that it runs");
  const Kind& kind = kinds_[static_cast<size_t>(event.kind)];
  std::vector<event::Match> matches;
  for (size_t bit = 0; bit < kind.by_bit.size() && bit / 64 < event.passed.size(); ++bit) {
    if (!(event.passed[bit / 64] >> (bit % 64) & 1)) continue;
    const Prepared& prepared = kind.rules[kind.by_bit[bit]];
    const ir::SplitRule& split = program_.rules[prepared.rule];
    // Fields that the kernel did not send are unknown here, which never turns what it passed into False. What it sent
    // because it could not read it may.
    if (ir::Eval(split.kernel, event.record) == Truth::False) continue;
    if (ir::Eval(split.residual, event.record) == Truth::False) continue;
    matches.push_back(MakeMatch(event, prepared, /*from_ring=*/true));
  }
  return matches;
}

std::vector<event::Match> Engine::DecideAll(const event::Event& event) const {
  std::vector<event::Match> matches;
  for (const Prepared& prepared : kinds_[static_cast<size_t>(event.kind)].rules) {
    if (ir::Eval(program_.rules[prepared.rule].rule.when, event.record) == Truth::False) continue;
    matches.push_back(MakeMatch(event, prepared, /*from_ring=*/false));
  }
  return matches;
}

event::Match Engine::MakeMatch(const event::Event& event, const Prepared& prepared, bool from_ring) const {
  event::Match match;
  match.event = &event;
  match.rule = &rules_[prepared.rule];
  match.shown = prepared.shown;
  match.probe = prepared.rule;
  match.time_ns = event.time_ns;
  const ir::SplitRule& split = program_.rules[prepared.rule];
  if (!split.machine) {  // else it is said when the machine has decided
    match.message = FillTemplate(split.rule.alert, event.record, match.rule->disclosed);
    if (match.message.empty()) match.message = PlainMessage(*match.rule);
  }
  for (size_t i = 0; i < prepared.asked.size(); ++i) {
    const FieldStatus status = event.record[prepared.asked[i]].status;
    const bool missing = status == FieldStatus::Unread && !(from_ring && prepared.silent[i]);
    if (missing || (status != FieldStatus::Ok && status != FieldStatus::Absent && status != FieldStatus::Unread)) {
      match.uncertain.push_back(prepared.asked[i]);
    }
  }
  const auto say = [&](const ir::Atom& atom, uint32_t index) {
    std::string word = MatchedWord(atom, index);
    if (!std::ranges::count(match.matched, word)) match.matched.push_back(std::move(word));
  };
  for (const Speaker& speaker : prepared.speakers) {
    const ir::AtomResult result = ir::EvalAtom(*speaker.atom, event.record);
    if (result.truth == Truth::True) {
      say(*speaker.atom, result.index);
    } else if (result.truth == Truth::Unknown && from_ring && speaker.reported_as) {
      for (const event::AtomMatch& reported : event.atoms) {
        if (reported.atom == *speaker.reported_as) say(*speaker.atom, reported.index);
      }
    }
  }
  return match;
}

}  // namespace ks::engine

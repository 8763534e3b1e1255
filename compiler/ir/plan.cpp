#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_map>

#include "compiler/ir/eval.h"
#include "compiler/ir/hash.h"
#include "compiler/ir/passes.h"

namespace ks::ir {
namespace {

constexpr uint32_t kShortText = 64;

// What one evaluation costs, the reading of its field included.
enum class Cost : uint8_t { Int, Address, ShortText, LongText, Automaton };

Cost CostOf(const Operand& operand, Test test) {
  switch (schema::Row(TypeOf(operand)).slot) {
    case schema::Slot::Ip:
    case schema::Slot::Endpoint:
      return Cost::Address;
    case schema::Slot::Text:
      if (schema::Row(operand.field).capture <= kShortText) return Cost::ShortText;
      if (test == Test::Like || test == Test::Contains || test == Test::HasElement) return Cost::Automaton;
      return Cost::LongText;
    case schema::Slot::Int:
      return operand.part == Part::Port ? Cost::Address : Cost::Int;
    case schema::Slot::None:
      break;
  }
  return Cost::Int;
}

Cost CostOf(const Atom& atom) {
  Cost cost = CostOf(atom.operand, atom.test);
  return atom.other ? std::max(cost, CostOf(*atom.other, atom.test)) : cost;
}

// Fields that every alert shows if its kind has them.
constexpr FieldId kAlways[] = {
    FieldId::event_result,        FieldId::event_errno,        FieldId::event_syscall,  FieldId::event_src,
    FieldId::event_dst,           FieldId::process_pid,        FieldId::process_tid,    FieldId::process_name,
    FieldId::process_uid,         FieldId::process_start_time, FieldId::process_cgroup, FieldId::process_parent_pid,
    FieldId::process_parent_name,
};

bool InKernel(FieldId field) { return schema::Row(field).decided == schema::Decided::Kernel; }

void AddKernelFields(FieldId field, std::set<FieldId>* fields) {
  if (InKernel(field)) {
    fields->insert(field);
  } else {
    for (FieldId source : schema::DerivedFrom(field)) fields->insert(source);
  }
}

void FillCopies(const SplitRule& split, EventKind kind, RulePlan* plan) {
  std::vector<FieldId> fields = CarriedFields(split);
  for (FieldId field : fields) {
    if (schema::Has(kind, field)) plan->copies.push_back(field);
  }
  for (FieldId field : FieldsOf(split.kernel)) {
    if (!std::binary_search(fields.begin(), fields.end(), field)) plan->tested.push_back(field);
  }
}

// Atoms of one kind, each once, numbered as they come.
class AtomTable {
 public:
  uint32_t Number(const Atom& atom) {
    size_t hash = HashOf(atom);
    auto [begin, end] = numbers_.equal_range(hash);
    for (auto it = begin; it != end; ++it) {
      if (atoms_[it->second].SameAs(atom)) return it->second;
    }
    auto number = static_cast<uint32_t>(atoms_.size());
    atoms_.push_back(atom);
    reported_.push_back(false);
    numbers_.emplace(hash, number);
    return number;
  }

  Formula MakeFormula(const Pred& pred) {
    Formula formula;
    if (pred.op == Pred::Op::Atom || pred.op == Pred::Op::Not) {
      formula.negated = pred.op == Pred::Op::Not;
      const Atom& atom = formula.negated ? *pred.operands.front().atom : *pred.atom;
      formula.atom = Number(atom);
      if (!formula.negated && AsksOfSet(atom.test) &&
          schema::Row(atom.operand.field).data_class == schema::DataClass::MatchOnly) {
        reported_[formula.atom] = true;
      }
      return formula;
    }
    formula.op = pred.op == Pred::Op::And ? Formula::Op::And : Formula::Op::Or;
    for (const Pred& operand : pred.operands) formula.operands.push_back(MakeFormula(operand));
    return formula;
  }

  size_t size() const { return atoms_.size(); }

  // Moves the atoms to the plan, cheapest first, and renumbers its formulas.
  void Finish(KindPlan* plan) {
    std::vector<uint32_t> order(atoms_.size());
    for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
    auto key = [&](uint32_t number) {
      const Atom& atom = atoms_[number];
      return std::make_tuple(CostOf(atom), atom.operand.field, atom.operand.part, number);
    };
    std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return key(a) < key(b); });
    std::vector<uint32_t> renumbered(atoms_.size());
    for (uint32_t i = 0; i < order.size(); ++i) {
      renumbered[order[i]] = i;
      plan->atoms.push_back(std::move(atoms_[order[i]]));
      plan->reported.push_back(reported_[order[i]]);
    }
    for (RulePlan& rule : plan->rules) {
      for (Formula& conjunct : rule.conjuncts) Renumber(renumbered, &conjunct);
    }
  }

 private:
  static void Renumber(const std::vector<uint32_t>& renumbered, Formula* formula) {
    if (formula->op == Formula::Op::Literal) formula->atom = renumbered[formula->atom];
    for (Formula& operand : formula->operands) Renumber(renumbered, &operand);
  }

  std::vector<Atom> atoms_;
  std::vector<bool> reported_;
  std::unordered_multimap<size_t, uint32_t> numbers_;
};

Error TooLarge(EventKind kind, std::string cause) {
  return Error{"plan the kernel half", fmt::format("event {}", schema::Row(kind).name), std::move(cause),
               "spread the rules over several bundles", "plan-too-large"};
}

Result<KindPlan> MakeKindPlan(const Program& program, EventKind kind) {
  KindPlan plan;
  plan.kind = kind;
  AtomTable atoms;
  for (uint32_t i = 0; i < program.rules.size(); ++i) {
    const SplitRule& split = program.rules[i];
    const std::vector<EventKind>& kinds = split.rule.kinds;
    if (split.kernel.op == Pred::Op::False || std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) continue;
    RulePlan rule;
    rule.rule = i;
    rule.id = split.rule.id;
    rule.source = split.rule.source;
    if (split.kernel.op == Pred::Op::And) {
      for (const Pred& conjunct : split.kernel.operands) rule.conjuncts.push_back(atoms.MakeFormula(conjunct));
    } else if (split.kernel.op != Pred::Op::True) {
      rule.conjuncts.push_back(atoms.MakeFormula(split.kernel));
    }
    FillCopies(split, kind, &rule);
    plan.rules.push_back(std::move(rule));
    if (plan.rules.size() > kMaxRulesOfKind)
      return TooLarge(kind, fmt::format("more than {} rules ask for it", kMaxRulesOfKind));
    if (atoms.size() > kMaxAtomsOfKind) {
      return TooLarge(kind, fmt::format("its rules make more than {} distinct tests", kMaxAtomsOfKind));
    }
  }
  atoms.Finish(&plan);
  return plan;
}

size_t DepthOf(const Pred& pred) {
  size_t below = 0;
  for (const Pred& operand : pred.operands) below = std::max(below, DepthOf(operand));
  return below + 1;
}

// The agent reads the program as text and would refuse it.
Status CheckDepth(const Program& program) {
  auto check = [](const Rule& rule, std::initializer_list<const Pred*> preds) -> Status {
    size_t depth = 0;
    for (const Pred* pred : preds) depth = std::max(depth, DepthOf(*pred));
    if (depth <= kMaxPredDepth) return Ok();
    return Error{"plan the kernel half", fmt::format("rule {}, {}", rule.id, rule.source),
                 fmt::format("its condition nests {} deep, and {} is the most", depth, kMaxPredDepth),
                 "write the condition flatter, with fewer definitions inside of definitions", "plan-too-large"};
  };
  for (const SplitRule& split : program.rules) {
    if (Status ok = check(split.rule, {&split.rule.when, &split.kernel, &split.residual}); !ok) return ok;
  }
  for (const Machine& machine : program.machines) {
    if (Status ok = check(machine.rule, {&machine.rule.when}); !ok) return ok;
    if (!machine.rule.sequence) continue;
    for (const Step& step : machine.rule.sequence->steps) {
      if (Status ok = check(machine.rule, {&step.cross}); !ok) return ok;
    }
  }
  return Ok();
}

void AddNames(const Pred& pred, std::set<std::string>* names) {
  if (pred.atom && pred.atom->operand.field == FieldId::file_canonical && pred.atom->test == Test::In &&
      !pred.atom->operand.lower) {
    for (const Value& literal : pred.atom->literals) names->insert(std::get<std::string>(literal));
  }
  for (const Pred& operand : pred.operands) AddNames(operand, names);
}

}  // namespace

std::vector<FieldId> CarriedFields(const SplitRule& split) {
  std::set<FieldId> fields;
  if (split.shown) fields.insert(std::begin(kAlways), std::end(kAlways));
  for (FieldId field : FieldsOf(split.residual)) AddKernelFields(field, &fields);
  for (const TemplatePart& part : split.rule.alert) {
    if (part.operand && part.operand->step == kThisEvent) AddKernelFields(part.operand->field, &fields);
  }
  for (const Operand& operand : split.needs) AddKernelFields(operand.field, &fields);
  if (!split.shown) return {fields.begin(), fields.end()};
  for (const Disclosure& disclosure : split.rule.disclosures) AddKernelFields(disclosure.field, &fields);
  return {fields.begin(), fields.end()};
}

Result<Plan> MakePlan(const Program& program) {
  if (Status depth = CheckDepth(program); !depth) return depth.error();
  Plan plan;
  for (const schema::EventRow& event : schema::Events()) {
    Result<KindPlan> kind = MakeKindPlan(program, event.kind);
    if (!kind) return kind.error();
    if (!kind->rules.empty()) plan.kinds.push_back(std::move(*kind));
  }
  std::set<std::string> names;
  for (const SplitRule& split : program.rules) {
    AddNames(split.kernel, &names);
    AddNames(split.residual, &names);
  }
  for (const Machine& machine : program.machines) {
    AddNames(machine.rule.when, &names);
    if (!machine.rule.sequence) continue;
    for (const Step& step : machine.rule.sequence->steps) AddNames(step.cross, &names);
  }
  plan.names.assign(names.begin(), names.end());
  return plan;
}

}  // namespace ks::ir

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_map>

#include "compiler/ir/eval.h"
#include "compiler/ir/glob.h"
#include "compiler/ir/hash.h"
#include "compiler/ir/index.h"
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

// Of which a few words tell nearly always that it does not match.
bool BeginsWithText(const Atom& atom) {
  return atom.test == Test::Like && std::ranges::none_of(atom.literals, [](const Value& pattern) {
           return GlobPrefix(ParseGlob(std::get<std::string>(pattern))).empty();
         });
}

Cost CostOf(const Atom& atom) {
  Cost cost = CostOf(atom.operand, atom.test);
  if (cost == Cost::Automaton && BeginsWithText(atom)) cost = Cost::LongText;
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
    std::set<FieldId> certain;
    for (const RulePlan& rule : plan->rules) {
      std::set<FieldId> fields;
      for (const Formula& conjunct : rule.conjuncts) AddCostly(conjunct, &fields);
      if (fields.size() == 1) certain.insert(*fields.begin());
    }
    std::vector<uint32_t> order(atoms_.size());
    for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
    auto key = [&](uint32_t number) {
      const Atom& atom = atoms_[number];
      const Cost cost = CostOf(atom);
      // What has been read in any case is asked before anything else is read.
      const bool later = cost == Cost::Automaton || !certain.contains(atom.operand.field) || atom.other;
      return std::make_tuple(cost != Cost::Int, later, cost, atom.operand.field, atom.operand.part, number);
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
  // Fields that one evaluation of the formula may have to read, numbers apart.
  void AddCostly(const Formula& formula, std::set<FieldId>* fields) const {
    for (const Formula& operand : formula.operands) AddCostly(operand, fields);
    if (formula.op != Formula::Op::Literal) return;
    const Atom& atom = atoms_[formula.atom];
    if (CostOf(atom) == Cost::Int) return;
    fields->insert(atom.operand.field);
    if (atom.other) fields->insert(atom.other->field);
  }

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

bool IsReportedBy(const Dimension& dimension, const Atom& atom) {
  using Class = Dimension::Class;
  if (dimension.what == Class::Test) return dimension.atom->SameAs(atom);
  if (!(dimension.operand == atom.operand)) return false;
  switch (atom.test) {
    case Test::In:
      return dimension.what != Class::Under && dimension.what != Class::AnyFound && dimension.what != Class::NoneFound;
    case Test::Under:
      return dimension.what == Class::Under;
    default:
      return dimension.what == Class::AnyFound;
  }
}

void AddReported(const Pred& pred, const Index& index, std::set<uint32_t>* dimensions) {
  if (pred.op == Pred::Op::Not) return;
  for (const Pred& operand : pred.operands) AddReported(operand, index, dimensions);
  if (pred.op != Pred::Op::Atom || !AsksOfSet(pred.atom->test) ||
      schema::Row(pred.atom->operand.field).data_class != schema::DataClass::MatchOnly) {
    return;
  }
  for (uint32_t d = 0; d < index.dimensions.size(); ++d) {
    if (IsReportedBy(index.dimensions[d], *pred.atom)) dimensions->insert(d);
  }
}

// One index for all rules of the kind. What it lets pass without being asked, userspace must be able to refuse.
void MakeIndex(const Program& program, KindPlan* plan) {
  std::vector<IndexRule> rules;
  rules.reserve(plan->rules.size());
  for (uint32_t i = 0; i < plan->rules.size(); ++i) rules.push_back({i, &program.rules[plan->rules[i].rule].kernel});
  IndexOptions options;
  options.test_patterns = false;  // each would be another pass over the text; what they let through userspace proves
  options.states = 16'384;  // rather a large automaton, of which a text sees little, than two passes
  options.cells = 262'144;
  auto index = std::make_shared<Index>(BuildIndex(rules, options));
  for (uint32_t i = 0; i < plan->rules.size(); ++i) {
    RulePlan& rule = plan->rules[i];
    rule.conjuncts.clear();
    std::set<uint32_t> reported;
    AddReported(program.rules[rule.rule].kernel, *index, &reported);
    rule.reported.assign(reported.begin(), reported.end());
    if (index->FindWidened(i) == nullptr) continue;
    // All of them: an alternative that always passes hides what the others say.
    for (FieldId field : FieldsOf(program.rules[rule.rule].kernel)) {
      if (!InKernel(field) || !schema::Has(plan->kind, field)) continue;
      const auto at = std::lower_bound(rule.copies.begin(), rule.copies.end(), field);
      if (at == rule.copies.end() || *at != field) rule.copies.insert(at, field);
      std::erase(rule.tested, field);
    }
  }
  plan->index = std::move(index);
}

bool AlertsByOneEvent(const Rule& rule) { return !rule.sequence && !rule.aggregate; }

Result<KindPlan> MakeKindPlan(const Program& program, EventKind kind, Strategy strategy) {
  const auto is_asked = [&](const SplitRule& split) {
    return split.kernel.op != Pred::Op::False && std::ranges::count(split.rule.kinds, kind) != 0;
  };
  const auto count = static_cast<size_t>(std::ranges::count_if(program.rules, is_asked));
  if (count > kMaxRulesOfKind) return TooLarge(kind, fmt::format("more than {} rules ask for it", kMaxRulesOfKind));
  bool rows = strategy == Strategy::Rows || (strategy == Strategy::Auto && count > kMaxStraightRules);
  KindPlan plan;
  plan.kind = kind;
  AtomTable atoms;
  for (uint32_t i = 0; i < program.rules.size(); ++i) {
    const SplitRule& split = program.rules[i];
    if (!is_asked(split)) continue;
    RulePlan rule;
    rule.rule = i;
    rule.id = split.rule.id;
    rule.source = split.rule.source;
    rule.alerts = !split.machine || AlertsByOneEvent(program.machines[*split.machine].rule);
    if (rows) {
      // Nothing: the index has it.
    } else if (split.kernel.op == Pred::Op::And) {
      for (const Pred& conjunct : split.kernel.operands) rule.conjuncts.push_back(atoms.MakeFormula(conjunct));
    } else if (split.kernel.op != Pred::Op::True) {
      rule.conjuncts.push_back(atoms.MakeFormula(split.kernel));
    }
    FillCopies(split, kind, &rule);
    plan.rules.push_back(std::move(rule));
    if (strategy == Strategy::Auto && atoms.size() > KS_MAX_ATOMS) rows = true;
  }
  if (rows && !plan.rules.empty()) {
    MakeIndex(program, &plan);
  } else {
    atoms.Finish(&plan);
  }
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

Result<Plan> MakePlan(const Program& program, Strategy strategy) {
  if (Status depth = CheckDepth(program); !depth) return depth.error();
  Plan plan;
  for (const schema::EventRow& event : schema::Events()) {
    Result<KindPlan> kind = MakeKindPlan(program, event.kind, strategy);
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

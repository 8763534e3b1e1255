#include "runtime/engine/engine.h"

#include <algorithm>
#include <bit>
#include <mutex>
#include <unordered_map>

#include "compiler/ir/eval.h"
#include "compiler/ir/hash.h"
#include "compiler/ir/index.h"
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
  event::RuleInfo info{rule.id, rule.package, rule.name, rule.title, std::string(ir::Name(rule.severity)), rule.attack,
                       {}};
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

// Of this thread, so that deciding takes no memory once it has been used.
struct Scratch {
  ir::IndexMatcher::Scratch index;
  Prover::Memo memo;
  std::vector<uint32_t> proven;
  std::vector<uint64_t> passed;
};
Scratch& OfThread() {
  thread_local Scratch scratch;
  return scratch;
}

}  // namespace

// By kind, made when they are first asked for: who decides only what the kernel passed needs none.
struct Engine::Indexes {
  struct One {
    std::once_flag once;
    std::optional<ir::IndexMatcher> matcher;
    std::vector<bool> widened;  // by position in Kind::rules
    Prover prover;              // that of the kind, and behind its predicates those of the rules as a whole
  };
  std::array<One, schema::kKindCount> kinds;
};

// The kernel half of one kind, and its reported atoms by hash.
struct Engine::PlanOf {
  PlanOf(const ir::Plan& plan, schema::EventKind of_kind) {
    for (const ir::KindPlan& kind_plan : plan.kinds) {
      if (kind_plan.kind == of_kind) kind = &kind_plan;
    }
    for (size_t i = 0; kind && i < kind->atoms.size(); ++i) {
      if (kind->reported[i]) reported.emplace(ir::HashOf(kind->atoms[i]), static_cast<uint16_t>(i));
    }
  }
  std::optional<uint16_t> Reported(const ir::Atom& atom) const {
    const auto [begin, end] = reported.equal_range(ir::HashOf(atom));
    for (auto at = begin; at != end; ++at) {
      if (kind->atoms[at->second].SameAs(atom)) return at->second;
    }
    return std::nullopt;
  }
  const ir::KindPlan* kind = nullptr;
  std::unordered_multimap<size_t, uint16_t> reported;
};

Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

Engine::Engine(ir::Program program) : program_(std::move(program)), indexes_(std::make_unique<Indexes>()) {
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
    const PlanOf plan_of(plan_, row.kind);
    kind.plan = plan_of.kind;
    std::vector<const ir::RulePlan*> rule_plans(program_.rules.size());
    for (size_t bit = 0; plan_of.kind && bit < plan_of.kind->rules.size(); ++bit) {
      rule_plans[plan_of.kind->rules[bit].rule] = &plan_of.kind->rules[bit];
    }
    for (uint32_t i = 0; i < program_.rules.size(); ++i) {
      if (!std::ranges::count(program_.rules[i].rule.kinds, row.kind)) continue;
      // Bits are in the order of the rules.
      if (rule_plans[i]) kind.by_bit.push_back(static_cast<uint32_t>(kind.rules.size()));
      kind.rules.push_back(Prepare(i, row.kind, plan_of, rule_plans[i]));
      kind.prover.Add(program_.rules[i].kernel);
      kind.prover.Add(program_.rules[i].residual);
    }
  }
}

Engine::Prepared Engine::Prepare(uint32_t rule, schema::EventKind kind, const PlanOf& plan_of,
                                 const ir::RulePlan* rule_plan) {
  const ir::SplitRule& split = program_.rules[rule];
  Kind& own = kinds_[static_cast<size_t>(kind)];
  Prepared prepared;
  prepared.rule = rule;
  const std::vector<FieldId> kernel = ir::FieldsOf(split.kernel), residual = ir::FieldsOf(split.residual);
  std::ranges::set_union(kernel, residual, std::back_inserter(prepared.asked));
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
    Speaker speaker{atom, own.prover.AddAtom(*atom), std::nullopt, nullptr};
    if (match_only) speaker.reported_as = plan_of.Reported(*atom);
    const auto [words, are_new] = own.words.try_emplace({speaker.number, atom->label});
    for (uint32_t i = 0; are_new && i <= atom->literals.size(); ++i) words->second.push_back(MatchedWord(*atom, i));
    speaker.words = &words->second;
    prepared.speakers.push_back(speaker);
  }
  return prepared;
}

// Of clauses: their rules, each once.
std::span<const uint64_t> Engine::PassedRules(const event::Event& event, const Kind& kind) {
  if (kind.plan == nullptr || (kind.plan->index != nullptr) != event.by_clause) return {};
  if (!event.by_clause) return event.passed;
  std::vector<uint64_t>& rules = OfThread().passed;
  rules.assign((kind.plan->rules.size() + 63) / 64, 0);
  for (size_t word = 0; word < event.passed.size(); ++word) {
    for (uint64_t left = event.passed[word]; left != 0; left &= left - 1) {
      const size_t clause = word * 64 + static_cast<size_t>(std::countr_zero(left));
      if (clause >= kind.plan->index->clauses.size()) break;
      const uint32_t rule = kind.plan->index->clauses[clause].rule;
      if (rule == ir::Clause::kGap) continue;
      rules[rule / 64] |= uint64_t{1} << rule % 64;
    }
  }
  return rules;
}

std::vector<event::Match> Engine::DecidePassed(const event::Event& event) const {
  KS_CHECK(plan_status_, "events of the kernel are decided without the plan that it runs");
  const Kind& kind = Of(event.kind);
  Prover::Memo& memo = OfThread().memo;
  memo.Forget();
  const std::span<const uint64_t> passed = PassedRules(event, kind);
  std::vector<event::Match> matches;
  for (size_t word = 0, bit = 0; word < passed.size(); ++word) {
    for (uint64_t left = passed[word]; left != 0; left &= left - 1) {
      bit = word * 64 + static_cast<size_t>(std::countr_zero(left));
      if (bit >= kind.by_bit.size()) break;
      const uint32_t rule = kind.by_bit[bit];
      // Fields that the kernel did not send are unknown here, which never turns what it passed into False. What it sent
      // because it could not read it may.
      if (kind.prover.Prove(2 * rule, event.record, &memo) == Truth::False) continue;
      if (kind.prover.Prove(2 * rule + 1, event.record, &memo) == Truth::False) continue;
      MakeMatch(event, kind, kind.rules[rule], /*from_ring=*/true, &memo, &matches);
    }
  }
  return matches;
}

const ir::IndexMatcher* Engine::IndexOf(schema::EventKind kind) const {
  const std::vector<Prepared>& rules = Of(kind).rules;
  if (rules.empty() || rules.size() > ir::kMaxIndexClauses) return nullptr;
  Indexes::One& one = indexes_->kinds[static_cast<size_t>(kind)];
  std::call_once(one.once, [&] {
    std::vector<ir::IndexRule> all;
    all.reserve(rules.size());
    for (uint32_t i = 0; i < rules.size(); ++i) all.push_back({i, &program_.rules[rules[i].rule].rule.when});
    ir::IndexOptions options;
    options.test_patterns = false;  // what the texts between its stars let through is proven
    one.matcher.emplace(ir::BuildIndex(all, options));
    one.widened.resize(rules.size());
    for (const ir::Widened& widened : one.matcher->index().widened) one.widened[widened.rule] = true;
    one.prover = Of(kind).prover;
    for (const ir::IndexRule& rule : all) one.prover.Add(*rule.when);
  });
  return &*one.matcher;
}

std::span<const uint32_t> Engine::MatchingRules(const event::Event& event) const {
  Scratch& scratch = OfThread();
  std::vector<uint32_t>& proven = scratch.proven;
  proven.clear();
  scratch.memo.Forget();
  const ir::IndexMatcher* index = IndexOf(event.kind);
  const std::vector<Prepared>& rules = Of(event.kind).rules;
  if (index == nullptr) {
    for (uint32_t i = 0; i < rules.size(); ++i) {
      if (ir::Eval(program_.rules[rules[i].rule].rule.when, event.record) != Truth::False) proven.push_back(i);
    }
    return proven;
  }
  const std::span<const uint32_t> candidates = index->Match(event.record, &scratch.index);
  if (candidates.empty()) return {};
  const Indexes::One& one = indexes_->kinds[static_cast<size_t>(event.kind)];
  const auto first = static_cast<uint32_t>(2 * rules.size());
  for (const uint32_t candidate : candidates) {
    const bool holds = scratch.index.exact && !one.widened[candidate];
    if (holds || one.prover.Prove(first + candidate, event.record, &scratch.memo) != Truth::False) {
      proven.push_back(candidate);
    }
  }
  return proven;
}

size_t Engine::CountMatches(const event::Event& event) const { return MatchingRules(event).size(); }

std::vector<event::Match> Engine::DecideAll(const event::Event& event) const {
  std::vector<event::Match> matches;
  const Kind& kind = Of(event.kind);
  const std::span<const uint32_t> matching = MatchingRules(event);
  matches.reserve(matching.size());
  for (const uint32_t rule : matching) {
    MakeMatch(event, kind, kind.rules[rule], /*from_ring=*/false, &OfThread().memo, &matches);
  }
  return matches;
}

std::vector<event::Match> Engine::DecideAllByReference(const event::Event& event) const {
  std::vector<event::Match> matches;
  const Kind& kind = Of(event.kind);
  Prover::Memo& memo = OfThread().memo;
  memo.Forget();
  for (const Prepared& prepared : kind.rules) {
    if (ir::Eval(program_.rules[prepared.rule].rule.when, event.record) == Truth::False) continue;
    MakeMatch(event, kind, prepared, /*from_ring=*/false, &memo, &matches);
  }
  return matches;
}

// Which literal of the atom matched, by what the kernel says of the index's dimensions.
std::optional<uint32_t> Engine::ReportedLiteral(const event::Event& event, const Kind& kind, const ir::Atom& atom) {
  if (schema::Row(atom.operand.field).data_class != DataClass::MatchOnly) return std::nullopt;
  if (kind.plan == nullptr || !kind.plan->index) return std::nullopt;
  const ir::Index& index = *kind.plan->index;
  for (size_t i = 0; i < event.atoms.size(); ++i) {
    const uint16_t number = event.atoms[i].atom;
    if (number >= index.dimensions.size()) continue;
    const ir::Dimension& dimension = index.dimensions[number];
    if (dimension.what == ir::Dimension::Class::Test) {
      if (dimension.atom->SameAs(atom) && event.atoms[i].index < atom.literals.size()) return event.atoms[i].index;
      continue;
    }
    std::vector<uint32_t> outcomes;
    for (const event::AtomMatch& one : event.atoms) {
      if (one.atom == number && one.index < dimension.row_of.size()) outcomes.push_back(one.index);
    }
    if (const auto literal = ir::WhichLiteral(index, dimension, outcomes, atom)) return literal;
  }
  return std::nullopt;
}

void Engine::MakeMatch(const event::Event& event, const Kind& kind, const Prepared& prepared, bool from_ring,
                       Prover::Memo* memo, std::vector<event::Match>* matches) const {
  event::Match& match = matches->emplace_back();
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
  const auto say = [&](const Speaker& speaker, uint32_t index) {
    const std::vector<std::string>& words = *speaker.words;
    const std::string_view word = words[std::min<size_t>(index, words.size() - 1)];
    if (!std::ranges::count(match.matched, word)) match.matched.push_back(word);
  };
  for (const Speaker& speaker : prepared.speakers) {
    const ir::AtomResult result = kind.prover.Ask(speaker.number, event.record, memo);
    if (result.truth == Truth::True) {
      say(speaker, result.index);
    } else if (result.truth == Truth::Unknown && from_ring && event.by_clause) {
      if (const auto index = ReportedLiteral(event, kind, *speaker.atom)) say(speaker, *index);
    } else if (result.truth == Truth::Unknown && from_ring && speaker.reported_as) {
      for (const event::AtomMatch& reported : event.atoms) {
        if (reported.atom == *speaker.reported_as) say(speaker, reported.index);
      }
    }
  }
}

}  // namespace ks::engine

#include "compiler/ir/limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "bpf/schema/limits.h"
#include "compiler/ir/eval.h"
#include "compiler/ir/index.h"

namespace ks::ir {
namespace {

std::string WhyNoKernelKey(const Operand& operand, EventKind kind) {
  const schema::FieldRow& row = schema::Row(operand.field);
  const auto because = [&](std::string_view why) { return fmt::format("{} of its key {}", row.dotted, why); };
  if (row.decided == schema::Decided::User) return because("is known in userspace only");
  if (!schema::Has(kind, operand.field)) return because(fmt::format("is not of {}", schema::Row(kind).name));
  if (operand.element >= 0) return because("is taken out of its list in userspace only");
  if (operand.lower) return because("is made lower in userspace only");
  if (row.type == schema::TypeId::StringList) return because("is a list");
  if (schema::Row(row.type).slot == schema::Slot::Text && row.capture > 8 * KS_LIMIT_PART_WORDS) return because("is too long");
  return "";
}

std::string WhyNotLimited(const Program& program, const Machine& machine, const KindPlan& kind, uint32_t position) {
  const SplitRule& probe = program.rules[kind.rules[position].rule];
  if (probe.residual.op != Pred::Op::True) return "userspace decides a part of its condition";
  if (machine.rule.limit->by.size() > KS_LIMIT_PARTS)
    return fmt::format("its key has {} parts, and the kernel half takes {}", machine.rule.limit->by.size(), +KS_LIMIT_PARTS);
  for (const Operand& operand : machine.rule.limit->by) {
    if (std::string why = WhyNoKernelKey(operand, kind.kind); !why.empty()) return why;
  }
  if (FieldsOf(probe.kernel).size() > KS_LIMIT_FIELDS)
    return fmt::format("its condition reads more than {} fields", +KS_LIMIT_FIELDS);
  if (!kind.index) return "";
  if (kind.index->FindWidened(position) != nullptr) return "the index lets more pass than its condition";
  const auto clauses = std::ranges::count(kind.index->clauses, position, &Clause::rule);
  if (clauses != 1) return fmt::format("its condition is {} alternatives in the index", clauses);
  return "";
}

}  // namespace

KernelLimits LimitsInKernel(const Program& program, const Plan& plan) {
  KernelLimits all;
  std::map<uint64_t, uint32_t> machines;  // by id; those of which there are two: none
  constexpr uint32_t kTwo = UINT32_MAX;
  for (uint32_t i = 0; i < program.machines.size(); ++i) {
    const Rule& rule = program.machines[i].rule;
    if (!rule.limit || rule.sequence || rule.aggregate) continue;
    const auto [known, is_new] = machines.emplace(LimitId(program.machines[i]), i);
    if (!is_new) known->second = kTwo;
  }
  for (const KindPlan& kind : plan.kinds) {
    for (uint32_t position = 0; position < kind.rules.size(); ++position) {
      const SplitRule& probe = program.rules[kind.rules[position].rule];
      if (!probe.machine || !program.machines[*probe.machine].rule.limit) continue;
      const Machine& machine = program.machines[*probe.machine];
      LimitPlace place{*probe.machine, kind.kind, "it takes several events to alert"};
      if (!machine.rule.sequence && !machine.rule.aggregate) {
        const uint64_t id = LimitId(machine);
        place.why_not = machines.at(id) == kTwo ? "another rule has the same hash" : WhyNotLimited(program, machine, kind, position);
        if (place.why_not.empty()) {
          all.limits.push_back({kind.kind, position, id, FieldsOf(probe.kernel), machine.rule.limit->by});
        }
      }
      all.places.push_back(std::move(place));
    }
  }
  return all;
}

}  // namespace ks::ir

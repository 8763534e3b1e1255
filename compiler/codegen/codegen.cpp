#include "compiler/codegen/codegen.h"

#include <fmt/format.h>

#include <algorithm>

#include "codegen_accessors.h"
#include "codegen_evaluate.h"
#include "codegen_limits.h"
#include "codegen_match.h"
#include "codegen_rows.h"
#include "compiler/codegen/automata.h"
#include "compiler/codegen/backend.h"
#include "compiler/codegen/btf_order.h"
#include "compiler/codegen/kinds.h"
#include "compiler/codegen/limits.h"
#include "compiler/codegen/programs.h"
#include "compiler/codegen/rows.h"
#include "compiler/codegen/stats.h"
#include "compiler/ir/index.h"

namespace ks::codegen {
namespace {

Status CheckLimits(const ir::Plan& plan) {
  for (const ir::KindPlan& kind : plan.kinds) {
    const auto too_many = [&](const char* what, size_t count, size_t limit) {
      return Error{"generate the kernel half", fmt::format("rules on {}", schema::Row(kind.kind).name),
                   fmt::format("{} {}, and the kernel half of one event kind takes {}", count, what, limit),
                   "divide the policy into several bundles", "codegen-limit"};
    };
    if (kind.index) {
      if (kind.index->dimensions.size() > KS_ROWS_DIMENSIONS)
        return too_many("tables", kind.index->dimensions.size(), KS_ROWS_DIMENSIONS);
      if (kind.index->scanners.size() > KS_ROWS_SCANNERS)
        return too_many("automata", kind.index->scanners.size(), KS_ROWS_SCANNERS);
      continue;
    }
    if (kind.rules.size() > 64 * KS_RULE_WORDS) return too_many("rules", kind.rules.size(), 64 * KS_RULE_WORDS);
    if (kind.atoms.size() > KS_MAX_ATOMS) return too_many("distinct conditions", kind.atoms.size(), KS_MAX_ATOMS);
  }
  return Ok();
}

Status LinkParts(Unit& unit) {
  const bool hooks = unit.target() == Target::Hooks;
  // First: it uses the agent's maps, which come with the accessors.
  if (Status linked = unit.Link(embedded::codegen_limits(), "limits"); !linked) return linked;
  const std::string_view fields = hooks ? embedded::codegen_accessors() : embedded::codegen_evaluate();
  if (Status linked = unit.Link(fields, hooks ? "accessors" : "evaluate"); !linked) return linked;
  if (Status linked = unit.Link(embedded::codegen_match(), "match"); !linked) return linked;
  if (Status linked = unit.Link(embedded::codegen_rows(), "rows"); !linked) return linked;
  return unit.CheckComplete();
}

}  // namespace

Result<BpfObject> Emit(const ir::Plan& plan, const EmitOptions& options) {
  if (Status within = CheckLimits(plan); !within) return within.error();
  Unit unit(options.target, plan);
  Automata automata(unit);
  Rows rows(unit, plan, options.broken);
  if (!rows.fit()) {
    return Error{"generate the kernel half", "the tables of its rules",
                 fmt::format("an object holds {} maps of {} bytes, and a kind's tables lie in one", kMaxTableMaps,
                             kMaxTableBytes),
                 "divide the policy into several bundles", "codegen-limit"};
  }
  Limits limits(unit, plan, options.limits);
  std::vector<llvm::Function*> functions;
  functions.reserve(plan.kinds.size());
  for (const ir::KindPlan& kind : plan.kinds) functions.push_back(WriteKind(unit, automata, rows, limits, kind, options));
  automata.Finish();
  if (options.target == Target::Hooks) {
    WriteHookPrograms(unit, plan, functions);
  } else {
    WriteEvaluatePrograms(unit, plan, functions);
  }
  unit.FinishDebugInformation();
  if (Status linked = LinkParts(unit); !linked) return linked.error();
  Result<Compiled> compiled = Compile(unit.module(), options);
  if (!compiled) return compiled.error();
  BpfObject object;
  object.decisions = unit.TakeDecisions();
  object.elf = std::move(compiled->elf);
  object.llvm = std::move(compiled->llvm);
  object.assembly = std::move(compiled->assembly);
  KS_CHECK(OrderForwardDeclarations(object.elf), "LLVM wrote BTF");
  if (Status measured = Measure(object); !measured) return measured.error();
  return object;
}

std::string_view Name(Break broken) {
  switch (broken) {
    case Break::None:
      break;
    case Break::Under:
      return "under";
    case Break::Length:
      return "length";
    case Break::Negation:
      return "negation";
    case Break::Unknown:
      return "unknown";
    case Break::Prefix:
      return "prefix";
  }
  return "none";
}

std::vector<uint32_t> PassedRules(const ir::KindPlan& kind, const ks_scratch& scratch) {
  std::vector<uint32_t> passed;
  if (!kind.index) {
    for (uint32_t i = 0; i < kind.rules.size(); i++) {
      if (scratch.alive[i / 64] >> i % 64 & 1) passed.push_back(i);
    }
    return passed;
  }
  for (size_t w = 0; w < kind.index->words; w++) {
    if ((scratch.rows.alive[w / 64] >> w % 64 & 1) == 0) continue;
    for (size_t bit = 0; bit < 64; bit++) {
      if (scratch.rows.words[w] >> bit & 1) passed.push_back(kind.index->clauses[64 * w + bit].rule);
    }
  }
  std::sort(passed.begin(), passed.end());
  passed.erase(std::unique(passed.begin(), passed.end()), passed.end());
  return passed;
}

ir::Plan RecordingPlan(const std::vector<ir::EventKind>& kinds) {
  ir::Plan plan;
  for (ir::EventKind kind : kinds) {
    ir::RulePlan everything;
    everything.id = fmt::format("record {}", schema::Row(kind).name);
    for (const schema::FieldRow& field : schema::Fields()) {
      if (field.decided == schema::Decided::Kernel && schema::Has(kind, field.id))
        everything.copies.push_back(field.id);
    }
    ir::KindPlan kind_plan;
    kind_plan.kind = kind;
    kind_plan.rules.push_back(std::move(everything));
    plan.kinds.push_back(std::move(kind_plan));
  }
  return plan;
}

}  // namespace ks::codegen

#include "tools/ksc/budget.h"

#include <fmt/format.h>

#include <map>
#include <optional>

#include "bpf/schema/schema.h"
#include "compiler/support/json.h"

namespace ks::ksc {
namespace {

// Of the texts and numbers that a rule is compared with: what fills tables.
uint64_t LiteralBytes(const ir::Pred& pred) {
  uint64_t bytes = 0;
  for (const ir::Pred& operand : pred.operands) bytes += LiteralBytes(operand);
  if (!pred.atom) return bytes;
  for (const schema::Value& literal : pred.atom->literals) {
    const auto* text = std::get_if<std::string>(&literal);
    bytes += text ? text->size() : sizeof(uint64_t);
  }
  return bytes;
}

struct Costliest {
  std::string rule, place, text, share;
};

// The rule with most of the literals that this hook's events are compared with.
std::optional<Costliest> ByLiterals(const driver::Analysis& analysis, const std::string& hook) {
  uint64_t all = 0, most = 0;
  const ir::RulePlan* costliest = nullptr;
  for (const ir::KindPlan& kind : analysis.plan.kinds) {
    if (schema::Row(kind.kind).hook != hook) continue;
    for (const ir::RulePlan& rule : kind.rules) {
      const uint64_t bytes = LiteralBytes(analysis.program.rules[rule.rule].kernel);
      all += bytes;
      if (costliest && bytes <= most) continue;
      most = bytes;
      costliest = &rule;
    }
  }
  if (costliest == nullptr) return std::nullopt;
  return Costliest{costliest->id, costliest->source, "",
                   fmt::format("{} of {} bytes of what its events are compared with", most, all)};
}

std::optional<Costliest> ByInstructions(const codegen::ProgramStats& program,
                                        const std::vector<codegen::ConditionCost>& conditions) {
  if (conditions.empty()) return std::nullopt;
  const codegen::ConditionCost& first = conditions.front();
  return Costliest{first.rule, fmt::format("{}:{}", first.file, first.line), first.text,
                   fmt::format("{} of {} instructions", first.instructions, program.instructions)};
}

std::string HookOf(const codegen::ProgramStats& program) {
  return program.section.substr(program.section.find('/') + 1);
}

// One that is over its budget says so.
std::string Cell(uint64_t value, uint64_t of) { return fmt::format("{} / {}{}", value, of, value > of ? " !" : ""); }

}  // namespace

std::string ReadBudget(const std::string& text, Budget* budget) {
  const std::map<std::string, uint64_t*> parts = {
      {"instructions", &budget->instructions}, {"stack", &budget->stack}, {"maps", &budget->maps}};
  std::map<std::string, bool> seen;
  size_t begin = 0;
  while (begin <= text.size()) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    const size_t equals = std::min(part.find('='), part.size());
    const std::string name = part.substr(0, equals), value = part.substr(std::min(equals + 1, part.size()));
    const auto found = parts.find(name);
    if (found == parts.end()) {
      return fmt::format("`{}` is none of instructions=N, stack=N and maps=N, with commas between them", part);
    }
    if (value.empty() || value.size() > 18 || value.find_first_not_of("0123456789") != std::string::npos) {
      return fmt::format("`{}` is no whole number: {}=N", value, name);
    }
    if (std::exchange(seen[name], true)) return fmt::format("{} is there twice", name);
    *found->second = std::stoull(value);
    begin = end + 1;
  }
  return "";
}

std::string BudgetTable(const codegen::BpfObject& object, const Budget& budget) {
  std::string out = fmt::format("  {:<28} {:>22} {:>14} {:>22}   {}\n", "hook", "instructions (budget)",
                                "stack (budget)", "maps (budget)", "most instructions for");
  for (const codegen::ProgramStats& program : object.programs) {
    std::string most = "tables of many rules";
    if (!program.conditions.empty()) {
      most = fmt::format("{}: {}", program.conditions.front().rule, program.conditions.front().instructions);
    }
    out += fmt::format("  {:<28} {:>22} {:>14} {:>22}   {}\n", program.section,
                       Cell(program.instructions, budget.instructions), Cell(program.stack_bytes, budget.stack),
                       Cell(program.map_bytes, budget.maps), most);
  }
  return out;
}

std::string BudgetJson(const codegen::BpfObject& object, const Budget& budget) {
  std::string hooks;
  for (const codegen::ProgramStats& program : object.programs) {
    std::string most;
    if (!program.conditions.empty()) {
      const codegen::ConditionCost& first = program.conditions.front();
      most = fmt::format(R"(,"costliest":{{"rule":{},"file":{},"line":{},"text":{},"instructions":{}}})",
                         JsonString(first.rule), JsonString(first.file), first.line, JsonString(first.text),
                         first.instructions);
    }
    hooks += fmt::format(
        R"({}{{"hook":{},"instructions":{},"stack_bytes":{},"map_bytes":{},"budget":{{"instructions":{},"stack_bytes":{},"map_bytes":{}}}{}}})",
        hooks.empty() ? "" : ",", JsonString(program.section), program.instructions, program.stack_bytes,
        program.map_bytes, budget.instructions, budget.stack, budget.maps, most);
  }
  return "[" + hooks + "]";
}

std::vector<Error> OverBudget(const driver::Analysis& analysis, const codegen::BpfObject& object,
                              const Budget& budget) {
  std::vector<Error> errors;
  for (const codegen::ProgramStats& program : object.programs) {
    const auto report = [&](const char* what, uint64_t value, uint64_t of, std::optional<Costliest> costliest) {
      if (value <= of) return;
      if (!costliest) costliest = ByLiterals(analysis, HookOf(program));
      Error error{
          "keep within its budget", program.section,
          fmt::format("it needs {} {}, and the budget is {}", value, what, of),
          "make that rule simpler, move it into a bundle of its own, or raise the budget (--budget); `ksc compile "
          "--explain` shows how each test is decided",
          "over-budget"};
      error.facts = {
          {"hook", program.section}, {"what", what}, {"value", std::to_string(value)}, {"budget", std::to_string(of)}};
      if (costliest) {
        error.detail = fmt::format("  most of it is for rule {}: {}\n    --> {}{}\n", costliest->rule, costliest->share,
                                   costliest->place, costliest->text.empty() ? "" : ": " + costliest->text);
        error.facts.emplace_back("rule", costliest->rule);
        error.facts.emplace_back("place", costliest->place);
      }
      errors.push_back(std::move(error));
    };
    report("instructions", program.instructions, budget.instructions, ByInstructions(program, program.conditions));
    report("bytes of stack", program.stack_bytes, budget.stack, ByInstructions(program, program.deepest_conditions));
    if (program.stack_bytes > budget.stack) {
      std::string calls;
      for (const auto& [function, bytes] : program.deepest) {
        calls += fmt::format("{}{} {}", calls.empty() ? "" : ", ", function, bytes);
      }
      errors.back().detail =
          fmt::format("  it goes down to: {}\n  in these calls ", calls) + errors.back().detail.substr(2);
      errors.back().facts.emplace_back("calls", calls);
    }
    report("bytes of maps", program.map_bytes, budget.maps, ByLiterals(analysis, HookOf(program)));
  }
  return errors;
}

}  // namespace ks::ksc

#include "compiler/codegen/rule_sets.h"

#include <fmt/format.h>

#include <algorithm>

namespace ks::codegen {
namespace {

template <typename Visit>
void ForEachLiteral(const ir::Formula& formula, const Visit& visit) {
  if (formula.op == ir::Formula::Op::Literal) return visit(formula);
  for (const ir::Formula& operand : formula.operands) ForEachLiteral(operand, visit);
}

// Equal for equal formulas.
std::string Spell(const ir::Formula& formula) {
  if (formula.op == ir::Formula::Op::Literal) return fmt::format("{}{}", formula.negated ? "!" : "", formula.atom);
  std::string text = formula.op == ir::Formula::Op::And ? "(&" : "(|";
  for (const ir::Formula& operand : formula.operands) text += " " + Spell(operand);
  return text + ")";
}

size_t AliveOffset(size_t word) { return offsetof(ks_scratch, alive) + 8 * word; }

}  // namespace

void RuleSet::Add(const RuleSet& other) {
  for (size_t i = 0; i < words.size(); i++) words[i] |= other.words[i];
}

bool RuleSet::empty() const {
  return std::all_of(words.begin(), words.end(), [](uint64_t word) { return word == 0; });
}

llvm::Value* AnyAlive(Code& code, const RuleSet& rules) {
  llvm::Value* any = code.b.getInt64(0);
  for (size_t i = 0; i < rules.words.size(); i++) {
    if (rules.words[i] != 0)
      any = code.b.CreateOr(any, code.b.CreateAnd(code.Load(64, AliveOffset(i)), rules.words[i]));
  }
  return code.b.CreateICmpNE(any, code.b.getInt64(0));
}

void ClearUnless(Code& code, llvm::Value* stays, const RuleSet& rules) {
  llvm::Value* all_if_goes = code.b.CreateSub(stays, code.b.getInt64(1));  // 1 → 0, 0 → all ones
  for (size_t i = 0; i < rules.words.size(); i++) {
    if (rules.words[i] == 0) continue;
    llvm::Value* cleared = code.b.CreateAnd(all_if_goes, rules.words[i]);
    code.Store(code.b.CreateAnd(code.Load(64, AliveOffset(i)), code.b.CreateNot(cleared)), AliveOffset(i));
  }
}

void Clear(Code& code, const RuleSet& rules) {
  for (size_t i = 0; i < rules.words.size(); i++) {
    if (rules.words[i] == 0) continue;
    code.Store(code.b.CreateAnd(code.Load(64, AliveOffset(i)), ~rules.words[i]), AliveOffset(i));
  }
}

Usage::Usage(const ir::KindPlan& plan)
    : readers(plan.atoms.size()),
      asserters(plan.atoms.size()),
      combined(plan.atoms.size()),
      decided_at(plan.atoms.size()) {
  std::vector<std::map<std::string, size_t>> known(plan.atoms.size());
  for (size_t rule = 0; rule < plan.rules.size(); rule++) {
    for (const ir::Formula& formula : plan.rules[rule].conjuncts) {
      uint32_t last = 0;
      ForEachLiteral(formula, [&](const ir::Formula& literal) {
        KS_CHECK(literal.atom < plan.atoms.size(), "a formula names atoms of its plan");
        last = std::max(last, literal.atom);
        readers[literal.atom].Add(rule);
        if (!literal.negated) asserters[literal.atom].Add(rule);
        if (formula.op != ir::Formula::Op::Literal) combined[literal.atom] = true;
      });
      const auto [place, is_new] = known[last].try_emplace(Spell(formula), decided_at[last].size());
      if (is_new) decided_at[last].push_back({&formula, {}});
      decided_at[last][place->second].rules.Add(rule);
    }
  }
}

bool CanBeTrue(uint8_t can, const ir::Formula& literal, Break broken) {
  static_assert(KS_CAN_BE_TRUE == 1 && KS_CAN_BE_FALSE == 2);
  const bool negated = literal.negated && broken != Break::Negation;
  return (can & (negated ? KS_CAN_BE_FALSE : KS_CAN_BE_TRUE)) != 0;
}

llvm::Value* CanBeTrue(Code& code, const ir::Formula& formula, Break broken) {
  if (formula.op == ir::Formula::Op::Literal) {
    llvm::Value* can = code.b.CreateZExt(code.Load(8, offsetof(ks_scratch, can) + formula.atom), code.b.getInt64Ty());
    static_assert(KS_CAN_BE_TRUE == 1 && KS_CAN_BE_FALSE == 2);
    if (formula.negated && broken != Break::Negation) can = code.b.CreateLShr(can, 1);
    return code.b.CreateAnd(can, 1);
  }
  llvm::Value* all = nullptr;
  for (const ir::Formula& operand : formula.operands) {
    llvm::Value* one = CanBeTrue(code, operand, broken);
    if (all == nullptr) {
      all = one;
    } else {
      all = formula.op == ir::Formula::Op::And ? code.b.CreateAnd(all, one) : code.b.CreateOr(all, one);
    }
  }
  KS_CHECK(all != nullptr, "And and Or of a plan have operands");
  return all;
}

}  // namespace ks::codegen

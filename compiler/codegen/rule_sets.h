// Which rules use what, as bits of alive[].
#pragma once

#include <array>
#include <map>
#include <vector>

#include "compiler/codegen/unit.h"

namespace ks::codegen {

// A bit per rule of one kind.
struct RuleSet {
  std::array<uint64_t, KS_RULE_WORDS> words{};
  void Add(size_t rule) { words[rule / 64] |= uint64_t{1} << rule % 64; }
  void Add(const RuleSet& other);
  bool empty() const;
  auto operator<=>(const RuleSet&) const = default;
};

// Whether any rule of the set is alive, as an i1.
llvm::Value* AnyAlive(Code& code, const RuleSet& rules);
// Clears the rules' bits unless `stays` (i64, 0 or 1) is 1. No branch: the verifier would follow each combination of
// bits.
void ClearUnless(Code& code, llvm::Value* stays, const RuleSet& rules);
void Clear(Code& code, const RuleSet& rules);

// A conjunct that several rules may share, to be decided after its last atom.
struct Conjunct {
  const ir::Formula* formula = nullptr;
  RuleSet rules;
};

// What codegen asks of a kind's plan.
struct Usage {
  explicit Usage(const ir::KindPlan& plan);
  std::vector<RuleSet> readers;                   // by atom: rules of which a conjunct names it
  std::vector<RuleSet> asserters;                 // by atom: rules that name it without negation
  std::vector<bool> combined;                     // by atom: some conjunct names it together with others
  std::vector<std::vector<Conjunct>> decided_at;  // by atom: conjuncts of which it is the last
};

// Whether a conjunct that is an atom or its negation is possibly true, of an atom that can be this.
bool CanBeTrue(uint8_t can, const ir::Formula& literal, Break broken);
// Whether a conjunct is possibly true, by can[], as an i64 of 0 or 1.
llvm::Value* CanBeTrue(Code& code, const ir::Formula& formula, Break broken);

}  // namespace ks::codegen

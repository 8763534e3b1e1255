// Limits of rules that the kernel half applies: their table, and the calls of bpf/limits.bpf.c.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "compiler/codegen/rule_sets.h"
#include "compiler/codegen/unit.h"

namespace ks::codegen {

class Limits {
 public:
  // Lays out the table.
  Limits(Unit& unit, const ir::Plan& plan, const std::vector<ir::KernelLimit>& limits);

  bool Any(const ir::KindPlan& kind) const { return kinds_.contains(kind.kind); }
  // Fields of the keys, which must have been read.
  const std::set<ir::FieldId>& Fields(const ir::KindPlan& kind) const { return kinds_.at(kind.kind).fields; }
  // Whether any limited rule passed (i1).
  llvm::Value* IsAsked(Code& code, const ir::KindPlan& kind) const;
  // Takes those out that are over their limits. Whether any rule is left (i1).
  llvm::Value* Apply(Code& code, const ir::KindPlan& kind);

 private:
  struct Kind {
    std::map<size_t, uint64_t> masks;  // by word: bits of limited rules, or of their clauses
    std::set<ir::FieldId> fields;
    uint32_t head = 0;  // place in the table
  };
  llvm::Function* Part();
  llvm::Function* Over();
  llvm::Function* Word();
  llvm::Function* Clauses();

  Unit& unit_;
  std::map<ir::EventKind, Kind> kinds_;
  llvm::GlobalVariable* table_ = nullptr;
  uint32_t size_ = 0;
};

}  // namespace ks::codegen

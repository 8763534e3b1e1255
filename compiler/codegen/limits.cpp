#include "compiler/codegen/limits.h"

#include <bit>
#include <cstring>

#include "bpf/schema/limits.h"
#include "compiler/codegen/atoms.h"
#include "compiler/ir/index.h"

namespace ks::codegen {
namespace {

ks_limit_what WhatOf(const ir::Operand& operand) {
  switch (schema::Row(schema::Row(operand.field).type).slot) {
    case schema::Slot::Ip:
      return KS_LIMIT_ADDRESS;
    case schema::Slot::Endpoint:
      if (operand.part == ir::Part::Whole) return KS_LIMIT_ENDPOINT;
      return operand.part == ir::Part::Ip ? KS_LIMIT_ADDRESS : KS_LIMIT_PORT;
    case schema::Slot::Text:
      return KS_LIMIT_TEXT;
    case schema::Slot::Int:
    case schema::Slot::None:
      break;
  }
  return KS_LIMIT_NUMBER;
}

ks_limit_rule RowOf(const ir::KernelLimit& limit) {
  KS_CHECK(limit.tested.size() <= KS_LIMIT_FIELDS && limit.by.size() <= KS_LIMIT_PARTS, "ir::LimitsInKernel has counted them");
  ks_limit_rule row{};
  row.id = limit.id;
  for (ir::FieldId field : limit.tested) row.field[row.fields++] = static_cast<uint8_t>(field);
  for (const ir::Operand& operand : limit.by) {
    row.part[row.parts++] = {static_cast<uint8_t>(operand.field), static_cast<uint8_t>(WhatOf(operand)),
                             static_cast<uint16_t>(FieldOffset(operand.field))};
  }
  return row;
}

template <typename T>
void Append(std::string* bytes, T value) {
  bytes->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

}  // namespace

Limits::Limits(Unit& unit, const ir::Plan& plan, const std::vector<ir::KernelLimit>& limits) : unit_(unit) {
  if (limits.empty()) return;
  std::string table;
  for (const ir::KernelLimit& limit : limits) Append(&table, RowOf(limit));
  for (const ir::KindPlan& plan_of : plan.kinds) {
    std::map<uint32_t, uint16_t> numbers;  // by position
    for (size_t i = 0; i < limits.size(); i++) {
      if (limits[i].kind == plan_of.kind) numbers[limits[i].rule] = static_cast<uint16_t>(i);
    }
    if (numbers.empty()) continue;
    Kind& kind = kinds_[plan_of.kind];
    for (const ir::KernelLimit& limit : limits) {
      if (limit.kind != plan_of.kind) continue;
      for (const ir::Operand& operand : limit.by) kind.fields.insert(operand.field);
    }
    const size_t bits = plan_of.index ? plan_of.index->clauses.size() : plan_of.rules.size();
    const size_t words = (bits + 63) / 64;
    std::vector<uint16_t> by_bit(64 * words);
    for (size_t bit = 0; bit < bits; bit++) {
      const auto known = numbers.find(plan_of.index ? plan_of.index->clauses[bit].rule : static_cast<uint32_t>(bit));
      if (known == numbers.end()) continue;
      kind.masks[bit / 64] |= uint64_t{1} << bit % 64;
      by_bit[bit] = known->second;
    }
    kind.head = static_cast<uint32_t>(table.size());
    const size_t masks = (table.size() + 12 + 7) / 8 * 8;
    Append(&table, static_cast<uint32_t>(plan_of.index ? offsetof(ks_scratch, rows.words) : offsetof(ks_scratch, alive)));
    Append(&table, static_cast<uint32_t>(masks));
    Append(&table, static_cast<uint32_t>(masks + 8 * words));
    table.resize(masks);
    for (size_t word = 0; word < words; word++) {
      const auto known = kind.masks.find(word);
      Append(&table, known == kind.masks.end() ? uint64_t{0} : known->second);
    }
    for (uint16_t number : by_bit) Append(&table, number);
  }
  table.resize(std::bit_ceil(table.size()));
  size_ = static_cast<uint32_t>(table.size());
  table_ = unit_.Constant("ks_limit_table", table, 8, ".rodata.limits");
}

llvm::Value* Limits::IsAsked(Code& code, const ir::KindPlan& plan) const {
  llvm::Value* any = code.b.getInt64(0);
  const auto add = [&](size_t at, uint64_t mask) {
    any = code.b.CreateOr(any, code.b.CreateAnd(code.Load(64, at), mask));
  };
  const std::map<size_t, uint64_t>& masks = kinds_.at(plan.kind).masks;
  if (!plan.index) {
    for (const auto& [word, mask] : masks) add(offsetof(ks_scratch, alive) + 8 * word, mask);
  } else {  // words that have any
    std::map<size_t, uint64_t> summaries;
    for (const auto& [word, mask] : masks) summaries[word / 64] |= uint64_t{1} << word % 64;
    for (const auto& [word, mask] : summaries) add(offsetof(ks_scratch, rows.alive) + 8 * word, mask);
  }
  return code.b.CreateICmpNE(any, code.b.getInt64(0));
}

llvm::Value* Limits::Apply(Code& code, const ir::KindPlan& plan) {
  const Kind& kind = kinds_.at(plan.kind);
  llvm::IRBuilder<>& b = code.b;
  if (!plan.index) {
    RuleSet all;
    for (size_t rule = 0; rule < plan.rules.size(); rule++) all.Add(rule);
    for (const auto& [word, mask] : kind.masks) {
      b.CreateCall(Word(), {code.hook, b.getInt32(kind.head), b.getInt32(static_cast<uint32_t>(word))});
    }
    return AnyAlive(code, all);
  }
  llvm::Value* any = b.getInt32(0);
  for (uint32_t i = 0; i < plan.index->summary_words; i++) {
    any = b.CreateOr(any, b.CreateCall(Clauses(), {code.hook, b.getInt32(kind.head), b.getInt32(i)}));
  }
  return b.CreateICmpNE(any, b.getInt32(0));
}

llvm::Function* Limits::Part() {
  constexpr char kName[] = "ks_limit_part";
  if (llvm::Function* known = unit_.Find(kName)) return known;
  Code code = unit_.BeginGlobal(kName, {"number", "part"});
  unit_.Note(code, "reads a part of a limit's key");
  llvm::Type* u32 = code.b.getInt32Ty();
  llvm::Type* pointer = code.b.getPtrTy();
  code.b.CreateRet(code.b.CreateCall(
      unit_.Linked("ks_limits_part", u32, {pointer, pointer, u32, u32, u32}),
      {code.scratch, table_, code.b.getInt32(size_), code.function->getArg(1), code.function->getArg(2)}));
  return code.function;
}

llvm::Function* Limits::Over() {
  constexpr char kName[] = "ks_limit_over";
  if (llvm::Function* known = unit_.Find(kName)) return known;
  llvm::Function* part = Part();
  Code code = unit_.BeginGlobal(kName, {"number"});
  unit_.Note(code, "whether a rule is over its limit");
  llvm::Type* u32 = code.b.getInt32Ty();
  llvm::Type* pointer = code.b.getPtrTy();
  code.b.CreateRet(code.b.CreateCall(
      unit_.Linked("ks_limits_over", u32, {pointer, u32, pointer, u32, u32, pointer}),
      {code.scratch, code.hook, table_, code.b.getInt32(size_), code.function->getArg(1), part}));
  return code.function;
}

llvm::Function* Limits::Word() {
  constexpr char kName[] = "ks_limit_word";
  if (llvm::Function* known = unit_.Find(kName)) return known;
  llvm::Function* over = Over();
  Code code = unit_.BeginGlobal(kName, {"kind", "word"});
  unit_.Note(code, "which rules are over their limits");
  llvm::Type* u32 = code.b.getInt32Ty();
  llvm::Type* pointer = code.b.getPtrTy();
  code.b.CreateRet(code.b.CreateCall(
      unit_.Linked("ks_limits_word", u32, {pointer, u32, pointer, u32, u32, u32, pointer}),
      {code.scratch, code.hook, table_, code.b.getInt32(size_), code.function->getArg(1), code.function->getArg(2), over}));
  return code.function;
}

// Of one word of an index's summary: as its rows are settled, by what the limits leave of each word.
llvm::Function* Limits::Clauses() {
  constexpr char kName[] = "ks_limit_clauses";
  if (llvm::Function* known = unit_.Find(kName)) return known;
  llvm::Function* word = Word();
  Code code = unit_.BeginGlobal(kName, {"kind", "number"});
  unit_.Note(code, "which rules are over their limits");
  llvm::Type* u32 = code.b.getInt32Ty();
  llvm::Type* pointer = code.b.getPtrTy();
  code.b.CreateRet(code.b.CreateCall(
      unit_.Linked("ks_rows_settle", u32, {pointer, u32, u32, u32, pointer}),
      {code.scratch, code.hook, code.function->getArg(1), code.function->getArg(2), word}));
  return code.function;
}

}  // namespace ks::codegen

#include "compiler/codegen/automata.h"

#include <fmt/format.h>
#include <llvm/IR/Module.h>

#include <algorithm>
#include <numeric>

namespace ks::codegen {
namespace {

constexpr uint32_t kDeadState = 1;

void Append16(std::string* bytes, uint32_t value) {
  KS_CHECK(value <= 0xffff, "cells of automata have 16 bits");
  bytes->push_back(static_cast<char>(value & 0xff));
  bytes->push_back(static_cast<char>(value >> 8));
}

}  // namespace

uint32_t LongestCapture() {
  uint32_t longest = 0;
  for (const schema::FieldRow& field : schema::Fields()) {
    if (field.decided == schema::Decided::Kernel) longest = std::max(longest, field.capture);
  }
  return longest;
}

// The layout is that of match.bpf.c: dead row, rows that go on, rows that have decided.
Automata::Table Automata::Place(const ir::Dfa& dfa) {
  const uint32_t states = static_cast<uint32_t>(dfa.accept.size());
  const uint32_t row_cells = dfa.class_count + 1;
  const auto decided = [&](uint32_t state) { return dfa.stops && dfa.accept[state] >= 0; };
  std::vector<uint32_t> order(states);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    const auto rank = [&](uint32_t state) { return state == kDeadState ? 0 : decided(state) ? 2 : 1; };
    return rank(a) < rank(b);
  });
  std::vector<uint32_t> row(states);
  for (uint32_t i = 0; i < states; i++) row[order[i]] = i * row_cells;

  std::string bytes(dfa.classes.begin(), dfa.classes.end());
  KS_CHECK(bytes.size() == 256, "an automaton has a class for every byte");
  Table table;
  table.first = row[0];
  table.final = states * row_cells;
  for (uint32_t state : order) {
    if (decided(state)) table.final = std::min(table.final, row[state]);
    Append16(&bytes, dfa.accept[state] < 0 ? kNone : static_cast<uint32_t>(dfa.accept[state]));
    for (uint32_t c = 0; c < dfa.class_count; c++) Append16(&bytes, row[dfa.next[state * dfa.class_count + c]]);
  }
  bytes += fmt::format(" {} {}", table.first, table.final);  // part of the identity, not of the table
  const auto [known, is_new] = placed_.try_emplace(bytes, table);
  if (is_new) {
    known->second.at = static_cast<uint32_t>(bytes_.size());
    bytes_.append(bytes, 0, 256 + 2 * size_t{states} * row_cells);
  }
  last_ = fmt::format("{} table of {} bytes, {} states", is_new ? "a" : "the shared",
                      256 + 2 * size_t{states} * row_cells, states);
  return known->second;
}

llvm::Value* Automata::Run(Code& code, const ir::Dfa& dfa, size_t text) {
  if (!function_) {
    function_ = std::make_unique<Code>(unit_.BeginGlobal("ks_match_dfa", {"text", "table", "first", "final"}));
    unit_.Note(*function_, "runs an automaton over a text");
  }
  const Table table = Place(dfa);
  return code.b.CreateCall(function_->function,
                           {code.hook, code.b.getInt32(static_cast<uint32_t>(text)), code.b.getInt32(table.at),
                            code.b.getInt32(table.first), code.b.getInt32(table.final)});
}

void Automata::Finish() {
  if (!function_) return;
  Code& code = *function_;
  llvm::Type* u32 = code.b.getInt32Ty();
  llvm::Type* pointer = code.b.getPtrTy();
  const auto run = unit_.Linked("ks_dfa_run", u32, {pointer, u32, u32, pointer, u32, u32, u32, u32});
  llvm::GlobalVariable* tables = unit_.Constant("ks_automata", bytes_, 8);
  llvm::Function& function = *code.function;
  code.b.CreateRet(code.b.CreateCall(run, {code.scratch, function.getArg(1), code.b.getInt32(LongestCapture()), tables,
                                           code.b.getInt32(static_cast<uint32_t>(bytes_.size())), function.getArg(2),
                                           function.getArg(3), function.getArg(4)}));
}

}  // namespace ks::codegen

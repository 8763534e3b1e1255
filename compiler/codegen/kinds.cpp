#include "compiler/codegen/kinds.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "compiler/codegen/atoms.h"
#include "compiler/codegen/rule_sets.h"

namespace ks::codegen {
namespace {

class KindWriter {
 public:
  KindWriter(Unit& unit, Automata& automata, const ir::KindPlan& plan, const EmitOptions& options)
      : unit_(unit),
        automata_(automata),
        plan_(plan),
        options_(options),
        usage_(plan),
        name_(schema::Row(plan.kind).name) {
    for (size_t rule = 0; rule < plan.rules.size(); rule++) all_.Add(rule);
  }

  llvm::Function* Write() {
    const std::vector<Range> ranges = Split();
    std::vector<llvm::Function*> parts;
    if (ranges.size() > 1) {
      for (size_t i = 0; i < ranges.size(); i++) parts.push_back(WritePart(i, ranges[i]));
    }
    Code code = unit_.BeginGlobal("ks_kind_" + name_);
    llvm::BasicBlock* filtered = code.Block("filtered");
    if (Hooks()) Count(code, "ks_count_seen");
    for (size_t i = 0; i * 64 < plan_.rules.size(); i++) {
      code.Store(code.b.getInt64(all_.words[i]), offsetof(ks_scratch, alive) + 8 * i);
    }
    for (llvm::Function* part : parts) {
      llvm::BasicBlock* next = code.Block("next");
      llvm::Value* alive = code.b.CreateCall(part, {code.hook});
      code.b.CreateCondBr(code.b.CreateICmpNE(alive, code.b.getInt32(0)), next, filtered);
      code.b.SetInsertPoint(next);
    }
    if (parts.empty()) {
      for (const Range& range : ranges) WriteAtoms(code, range, filtered);
    }
    Unlocated(code);
    BranchIfNone(code, all_, filtered);
    if (Hooks()) WriteRecord(code);
    code.b.CreateRet(code.b.getInt32(1));
    code.b.SetInsertPoint(filtered);
    if (Hooks()) Count(code, "ks_count_filtered");
    code.b.CreateRet(code.b.getInt32(0));
    return code.function;
  }

 private:
  struct Range {
    size_t begin, end;
  };

  bool Hooks() const { return options_.target == Target::Hooks; }

  std::vector<Range> Split() const {
    std::vector<Range> ranges;
    size_t weight = 0;
    for (size_t atom = 0; atom < plan_.atoms.size(); atom++) {
      // A set beyond that gets functions of its own.
      const size_t own = std::min(WeightOf(plan_.atoms[atom]), kFunctionWeight);
      weight += own;
      if (ranges.empty() || weight > kFunctionWeight) {
        ranges.push_back({atom, atom});
        weight = own;
      }
      ranges.back().end = atom + 1;
    }
    return ranges;
  }

  void Unlocated(Code& code) {
    code.b.SetCurrentDebugLocation(llvm::DILocation::get(code.b.getContext(), 0, 0, code.function->getSubprogram()));
  }

  void BranchIfNone(Code& code, const RuleSet& rules, llvm::BasicBlock* none) {
    llvm::BasicBlock* some = code.Block("alive");
    code.b.CreateCondBr(AnyAlive(code, rules), some, none);
    code.b.SetInsertPoint(some);
  }

  llvm::Value* KindNumber(Code& code) { return code.b.getInt32(static_cast<uint32_t>(plan_.kind)); }

  void Count(Code& code, const char* counter) {
    code.b.CreateCall(unit_.Linked(counter, code.b.getVoidTy(), {code.b.getInt32Ty()}), {KindNumber(code)});
  }

  llvm::Function* WritePart(size_t number, const Range& range) {
    Code code = unit_.BeginGlobal(fmt::format("ks_kind_{}_{}", name_, number));
    llvm::BasicBlock* none = code.Block("none");
    WriteAtoms(code, range, none);
    Unlocated(code);
    code.b.CreateRet(code.b.getInt32(1));
    code.b.SetInsertPoint(none);
    code.b.CreateRet(code.b.getInt32(0));
    return code.function;
  }

  // Atoms of one field that follow each other share the reading of it; after them all rules may be dead.
  void WriteAtoms(Code& code, const Range& range, llvm::BasicBlock* none) {
    for (size_t begin = range.begin; begin < range.end;) {
      size_t end = begin;
      RuleSet readers;
      for (; end < range.end && plan_.atoms[end].operand.field == plan_.atoms[begin].operand.field; end++) {
        readers.Add(usage_.readers[end]);
      }
      if (readers.empty()) {  // no rule names these
        begin = end;
        continue;
      }
      llvm::BasicBlock* behind = code.Block("behind_field");
      LocateFirst(code, readers);
      BranchIfNone(code, readers, behind);
      Read(code, plan_.atoms[begin].operand.field);
      for (size_t atom = begin; atom < end; atom++) WriteOne(code, atom, end - begin > 1);
      code.b.CreateBr(behind);
      code.b.SetInsertPoint(behind);
      Unlocated(code);
      if (end < range.end || range.end < plan_.atoms.size()) BranchIfNone(code, all_, none);
      begin = end;
    }
  }

  void WriteOne(Code& code, size_t atom, bool may_be_unused) {
    const RuleSet& readers = usage_.readers[atom];
    if (readers.empty()) return;
    LocateFirst(code, readers);
    llvm::BasicBlock* behind = may_be_unused ? code.Block("behind_atom") : nullptr;
    if (behind) BranchIfNone(code, readers, behind);
    if (plan_.atoms[atom].other) Read(code, plan_.atoms[atom].other->field);
    const AtomOptions options{!Hooks() || plan_.reported[atom],
                              {fmt::format("ks_part_{}_{}", name_, atom), options_.broken}};
    WriteAtom(unit_, code, plan_.atoms[atom], static_cast<uint32_t>(atom), automata_, options);
    for (const Conjunct& conjunct : usage_.decided_at[atom]) {
      LocateFirst(code, conjunct.rules);
      ClearUnless(code, CanBeTrue(code, *conjunct.formula, options_.broken), conjunct.rules);
    }
    if (behind) {
      code.b.CreateBr(behind);
      code.b.SetInsertPoint(behind);
    }
  }

  void LocateFirst(Code& code, const RuleSet& rules) {
    for (size_t i = 0; i < rules.words.size(); i++) {
      if (rules.words[i] == 0) continue;
      unit_.Locate(code, plan_.rules[64 * i + static_cast<size_t>(__builtin_ctzll(rules.words[i]))]);
      return;
    }
  }

  void Read(Code& code, ir::FieldId field) {
    if (!Hooks()) return;
    const schema::FieldRow& row = schema::Row(field);
    KS_CHECK(row.decided == schema::Decided::Kernel, "the kernel half names only what the kernel decides");
    llvm::BasicBlock* read = code.Block("read");
    llvm::BasicBlock* is_read = code.Block("is_read");
    code.b.CreateCondBr(code.b.CreateICmpEQ(code.Load(8, StatusOffset(field)), code.b.getInt8(KS_UNREAD)), read,
                        is_read);
    code.b.SetInsertPoint(read);
    code.b.CreateCall(unit_.Linked(std::string(row.accessor), code.b.getVoidTy(), {code.b.getPtrTy()}), {code.scratch});
    code.b.CreateBr(is_read);
    code.b.SetInsertPoint(is_read);
  }

  // ---- The record
  // -----------------------------------------------------------------------------------------------------

  void WriteRecord(Code& code) {
    llvm::Type* none = code.b.getVoidTy();
    llvm::Type* pointer = code.b.getPtrTy();
    llvm::Type* u32 = code.b.getInt32Ty();
    llvm::Value* generation = code.b.CreateLoad(u32, unit_.LinkedVariable("ks_generation", u32), /*isVolatile=*/true);
    llvm::Value* words = code.b.getInt32(static_cast<uint32_t>((plan_.rules.size() + 63) / 64));
    code.b.CreateCall(unit_.Linked("ks_record_begin", none, {pointer, u32, u32, u32}),
                      {code.scratch, KindNumber(code), words, generation});
    WriteCopies(code);
    WriteReported(code);
    code.b.CreateCall(unit_.Linked("ks_record_send", none, {pointer, u32}), {code.scratch, KindNumber(code)});
  }

  // A field that a passed rule wants copied is copied. One that it only tested leaves a trace in the record if the test
  // was not certain: its value if userspace can read what BPF could not, else its state.
  void WriteCopies(Code& code) {
    std::map<ir::FieldId, RuleSet> copied, tested;
    for (size_t rule = 0; rule < plan_.rules.size(); rule++) {
      for (ir::FieldId field : plan_.rules[rule].copies) copied[field].Add(rule);
      for (ir::FieldId field : plan_.rules[rule].tested) tested[field].Add(rule);
    }
    for (const auto& [field, rules] : copied) tested.try_emplace(field);
    for (const auto& [field, rules] : tested) {
      llvm::BasicBlock* copy = code.Block("copy");
      llvm::BasicBlock* behind = code.Block("behind_copy");
      if (const auto wanted = copied.find(field); wanted != copied.end()) {
        llvm::BasicBlock* doubt = code.Block("doubt");
        code.b.CreateCondBr(AnyAlive(code, wanted->second), copy, doubt);
        code.b.SetInsertPoint(doubt);
      }
      if (rules.empty()) {
        code.b.CreateBr(behind);
      } else {
        BranchIfNone(code, rules, behind);
        WriteDoubt(code, field, copy, behind);
      }
      code.b.SetInsertPoint(copy);
      code.b.CreateCall(CopyFunction(field), {code.hook});
      code.b.CreateBr(behind);
      code.b.SetInsertPoint(behind);
    }
  }

  void WriteDoubt(Code& code, ir::FieldId field, llvm::BasicBlock* copy, llvm::BasicBlock* behind) {
    llvm::BasicBlock* state = code.Block("state");
    llvm::SwitchInst* branch = code.b.CreateSwitch(code.Load(8, StatusOffset(field)), behind, 4);
    branch->addCase(code.b.getInt8(KS_RAW), copy);
    branch->addCase(code.b.getInt8(KS_FOREIGN), copy);
    branch->addCase(code.b.getInt8(KS_TRUNCATED), state);
    branch->addCase(code.b.getInt8(KS_UNKNOWN), state);
    code.b.SetInsertPoint(state);
    llvm::Type* pointer = code.b.getPtrTy();
    code.b.CreateCall(unit_.Linked("ks_record_status", code.b.getVoidTy(), {pointer, code.b.getInt32Ty()}),
                      {code.scratch, code.b.getInt32(static_cast<uint32_t>(field))});
    code.b.CreateBr(behind);
  }

  // `u32 ks_copy_<field>(u32 hook)`: reads the field and appends it. Shared by all kinds, and off the way of events
  // that do not pass.
  llvm::Function* CopyFunction(ir::FieldId field) {
    const schema::FieldRow& row = schema::Row(field);
    const std::string name = "ks_copy_" + std::string(row.accessor.substr(std::string_view("ks_get_").size()));
    if (llvm::Function* known = unit_.Find(name)) return known;
    Code code = unit_.BeginGlobal(name);
    Read(code, field);
    const char* by_slot[] = {nullptr, "ks_record_int", "ks_record_ip", "ks_record_endpoint", "ks_record_text"};
    llvm::Type* pointer = code.b.getPtrTy();
    const auto record = unit_.Linked(by_slot[static_cast<size_t>(schema::Row(row.type).slot)], code.b.getVoidTy(),
                                     {pointer, code.b.getInt32Ty(), pointer});
    llvm::Value* value = code.b.CreateConstInBoundsGEP1_64(code.b.getInt8Ty(), code.scratch, FieldOffset(field));
    code.b.CreateCall(record, {code.scratch, code.b.getInt32(static_cast<uint32_t>(field)), value});
    code.b.CreateRet(code.b.getInt32(1));
    return code.function;
  }

  // Which literal matched, of atoms that are true, not merely possible.
  void WriteReported(Code& code) {
    for (uint32_t atom = 0; atom < plan_.atoms.size(); atom++) {
      if (!plan_.reported[atom] || usage_.asserters[atom].empty()) continue;
      llvm::BasicBlock* behind = code.Block("behind_report");
      BranchIfNone(code, usage_.asserters[atom], behind);
      llvm::BasicBlock* report = code.Block("report");
      llvm::Value* can = code.Load(8, offsetof(ks_scratch, can) + atom);
      code.b.CreateCondBr(code.b.CreateICmpEQ(can, code.b.getInt8(KS_CAN_BE_TRUE)), report, behind);
      code.b.SetInsertPoint(report);
      const auto record = unit_.Linked("ks_record_atom", code.b.getVoidTy(), {code.b.getPtrTy(), code.b.getInt32Ty()});
      code.b.CreateCall(record, {code.scratch, code.b.getInt32(atom)});
      code.b.CreateBr(behind);
      code.b.SetInsertPoint(behind);
    }
  }

  Unit& unit_;
  Automata& automata_;
  const ir::KindPlan& plan_;
  const EmitOptions& options_;
  const Usage usage_;
  const std::string name_;
  RuleSet all_;
};

}  // namespace

llvm::Function* WriteKind(Unit& unit, Automata& automata, const ir::KindPlan& plan, const EmitOptions& options) {
  return KindWriter(unit, automata, plan, options).Write();
}

}  // namespace ks::codegen

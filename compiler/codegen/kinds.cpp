#include "compiler/codegen/kinds.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "compiler/codegen/atoms.h"
#include "compiler/codegen/refused.h"
#include "compiler/codegen/rule_sets.h"

namespace ks::codegen {
namespace {

class KindWriter {
 public:
  KindWriter(Unit& unit, Automata& automata, Rows& rows, Limits& limits, const ir::KindPlan& plan,
             const EmitOptions& options)
      : unit_(unit),
        automata_(automata),
        rows_(rows),
        limits_(limits),
        plan_(plan),
        options_(options),
        usage_(plan),
        name_(schema::Row(plan.kind).name) {
    for (size_t rule = 0; rule < plan.rules.size() && !plan.index; rule++) all_.Add(rule);
  }

  llvm::Function* Write() {
    const std::vector<Range> ranges = Split();
    std::vector<llvm::Function*> parts;
    if (ranges.size() > 1) {
      for (size_t i = 0; i < ranges.size(); i++) parts.push_back(WritePart(i, ranges[i]));
    }
    Code code = unit_.BeginGlobal("ks_kind_" + name_);
    llvm::BasicBlock* filtered = code.Block("filtered");
    for (size_t i = 0; i * 64 < plan_.rules.size() && !plan_.index; i++) {
      code.Store(code.b.getInt64(all_.words[i]), offsetof(ks_scratch, alive) + 8 * i);
    }
    for (llvm::Function* part : parts) {
      llvm::BasicBlock* next = code.Block("next");
      llvm::Value* alive = code.b.CreateCall(part, {code.hook});
      code.b.CreateCondBr(code.b.CreateICmpNE(alive, code.b.getInt32(0)), next, filtered);
      code.b.SetInsertPoint(next);
    }
    if (plan_.index) {
      WriteDimensions(code, filtered);
    } else if (parts.empty()) {
      for (const Range& range : ranges) WriteAtoms(code, range, filtered);
    }
    NoteKind(code, "whether any rule is left");
    if (!plan_.index) BranchIfNone(code, all_, filtered);
    if (Hooks() && limits_.Any(plan_)) WriteLimits(code);
    NoteKind(code, "what its record carries");
    if (Hooks()) WriteRecord(code);
    code.b.CreateRet(code.b.getInt32(1));
    NoteKind(code, "counting what no rule asks for");
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

  void NoteKind(Code& code, const std::string& what) { unit_.Note(code, "event " + name_ + ": " + what); }

  void BranchIfNone(Code& code, const RuleSet& rules, llvm::BasicBlock* none) {
    llvm::BasicBlock* some = code.Block("alive");
    code.b.CreateCondBr(AnyAlive(code, rules), some, none);
    code.b.SetInsertPoint(some);
  }

  llvm::Value* KindNumber(Code& code) { return code.b.getInt32(static_cast<uint32_t>(plan_.kind)); }

  void Count(Code& code, const char* counter) {
    llvm::Type* u32 = code.b.getInt32Ty();
    code.b.CreateCall(unit_.Linked(counter, code.b.getVoidTy(), {code.b.getPtrTy(), u32}), {code.scratch, KindNumber(code)});
  }

  llvm::Function* WritePart(size_t number, const Range& range) {
    Code code = unit_.BeginGlobal(fmt::format("ks_kind_{}_{}", name_, number));
    llvm::BasicBlock* none = code.Block("none");
    WriteAtoms(code, range, none);
    NoteKind(code, "whether any rule is left");
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
      Locate(code, readers, begin);
      BranchIfNone(code, readers, behind);
      Read(code, plan_.atoms[begin].operand.field);
      for (size_t atom = begin; atom < end; atom++) WriteOne(code, atom, end - begin > 1);
      code.b.CreateBr(behind);
      code.b.SetInsertPoint(behind);
      NoteKind(code, "whether any rule is left");
      if (end < range.end || range.end < plan_.atoms.size()) BranchIfNone(code, all_, none);
      begin = end;
    }
  }

  void WriteOne(Code& code, size_t atom, bool may_be_unused) {
    const RuleSet& readers = usage_.readers[atom];
    if (readers.empty()) return;
    Locate(code, readers, atom);
    if (!refused_ && plan_.atoms[atom].place) {
      WriteRefused(unit_, code, options_.refused);
      refused_ = true;
    }
    llvm::BasicBlock* behind = may_be_unused ? code.Block("behind_atom") : nullptr;
    if (behind) BranchIfNone(code, readers, behind);
    if (plan_.atoms[atom].other) Read(code, plan_.atoms[atom].other->field);
    const auto number = static_cast<uint32_t>(atom);
    const AtomOptions options{!Hooks() || plan_.reported[atom],
                              [&](uint8_t can) { Settle(code, number, can); },
                              {fmt::format("ks_part_{}_{}", name_, atom), options_.broken}};
    unit_.Decided(plan_.kind, number, WriteAtom(unit_, code, plan_.atoms[atom], number, automata_, options));
    for (const Conjunct& conjunct : usage_.decided_at[atom]) {
      if (IsAlone(conjunct)) continue;  // settled
      Locate(code, conjunct.rules, atom);
      ClearUnless(code, CanBeTrue(code, *conjunct.formula, options_.broken), conjunct.rules);
    }
    if (behind) {
      code.b.CreateBr(behind);
      code.b.SetInsertPoint(behind);
    }
  }

  static bool IsAlone(const Conjunct& conjunct) { return conjunct.formula->op == ir::Formula::Op::Literal; }

  static void StoreCan(Code& code, uint32_t atom, uint8_t can) {
    code.Store(code.b.getInt8(can), offsetof(ks_scratch, can) + atom);
  }

  // Where an atom is decided, rules that ask for no more than the opposite go. can[] is for conjuncts of several
  // atoms, and for telling later which literal matched.
  void Settle(Code& code, uint32_t atom, uint8_t can) {
    const bool told = plan_.reported[atom] && (can & KS_CAN_BE_TRUE) != 0;
    if (!Hooks() || usage_.combined[atom] || told) StoreCan(code, atom, can);
    RuleSet refuted;
    for (const Conjunct& conjunct : usage_.decided_at[atom]) {
      if (IsAlone(conjunct) && !CanBeTrue(can, *conjunct.formula, options_.broken)) refuted.Add(conjunct.rules);
    }
    Clear(code, refuted);
  }

  // At an atom, as the first of these rules asks it.
  void Locate(Code& code, const RuleSet& rules, size_t atom) {
    for (size_t i = 0; i < rules.words.size(); i++) {
      if (rules.words[i] == 0) continue;
      const size_t first = 64 * i + static_cast<size_t>(__builtin_ctzll(rules.words[i]));
      unit_.Locate(code, plan_.rules[first], plan_.atoms[atom]);
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

  // ---- Rows (of a kind with an index)
  // -----------------------------------------------------------------------------------------------------

  void BranchIf(Code& code, llvm::Value* left, llvm::BasicBlock* none) {
    llvm::BasicBlock* some = code.Block("left");
    code.b.CreateCondBr(left, some, none);
    code.b.SetInsertPoint(some);
  }

  // Dimension by dimension the summaries are ANDed; what they leave is decided before the first long text is read, if
  // that is little, and at the end.
  void WriteDimensions(Code& code, llvm::BasicBlock* filtered) {
    const ir::Index& index = *plan_.index;
    NoteKind(code, "beginning of its tables");
    rows_.Begin(code, plan_);
    bool settled = false;
    for (size_t d = 0; d < index.dimensions.size(); d++) {
      const ir::Dimension& dimension = index.dimensions[d];
      // Of many rules: of none of them more than of another.
      NoteKind(code, fmt::format("table of {} rules: {}", dimension.rules, dimension.note));
      if (d == 0) WriteRefused(unit_, code, options_.refused);
      if (Hooks() && IsEverReported(d)) rows_.Forget(code, d);
      if (d > 0 && !settled && IsLongText(dimension.operand)) {
        BranchIf(code, rows_.Settle(code, plan_, /*few=*/true), filtered);
        settled = true;
      }
      llvm::BasicBlock* behind = code.Block("behind_dimension");
      BranchIf(code, rows_.IsAsked(code, dimension), behind);
      ReadOutOfLine(code, dimension.operand.field);
      if (dimension.atom && dimension.atom->other) ReadOutOfLine(code, dimension.atom->other->field);
      WriteDimension(code, d, behind, filtered);
      code.b.SetInsertPoint(behind);
    }
    NoteKind(code, "what its tables leave of the rules");
    BranchIf(code, rows_.Settle(code, plan_, /*few=*/false), filtered);
  }

  static bool IsLongText(const ir::Operand& operand) {
    constexpr uint32_t kShortText = 64;
    return SlotOf(operand) == schema::Slot::Text && schema::Row(operand.field).capture > kShortText;
  }

  // Several dimensions may read one field: the accessor is there once.
  void ReadOutOfLine(Code& code, ir::FieldId field) {
    if (!Hooks()) return;
    const std::string name = "ks_read_" + std::string(schema::Row(field).accessor.substr(sizeof("ks_get_") - 1));
    llvm::Function* function = unit_.Find(name);
    if (!function) {
      Code reads = unit_.BeginGlobal(name);
      unit_.Note(reads, fmt::format("reads {}", schema::Row(field).dotted));
      Read(reads, field);
      reads.b.CreateRet(reads.b.getInt32(1));
      function = reads.function;
    }
    llvm::BasicBlock* read = code.Block("read");
    llvm::BasicBlock* is_read = code.Block("is_read");
    llvm::Value* status = code.Load(8, StatusOffset(field));
    code.b.CreateCondBr(code.b.CreateICmpEQ(status, code.b.getInt8(KS_UNREAD)), read, is_read);
    code.b.SetInsertPoint(read);
    code.b.CreateCall(function, {code.hook});
    code.b.CreateBr(is_read);
    code.b.SetInsertPoint(is_read);
  }

  // Goes on in `behind`, the dimension's row being every bit if its value is not known.
  void WriteDimension(Code& code, size_t number, llvm::BasicBlock* behind, llvm::BasicBlock* filtered) {
    using Class = ir::Dimension::Class;
    const ir::Dimension& dimension = plan_.index->dimensions[number];
    llvm::BasicBlock* none = code.Block("none");
    llvm::BasicBlock* found = code.Block("found");
    llvm::Value* outcome = nullptr;
    if (dimension.what == Class::Test) {
      // What an atom of its own would be.
      const auto test = static_cast<uint32_t>(tests_++);
      const AtomOptions options{IsEverReported(number),
                                [&](uint8_t can) { StoreCan(code, test, can); },
                                {fmt::format("ks_part_{}_{}", name_, number), options_.broken}};
      unit_.Decided(plan_.kind, static_cast<uint32_t>(number),
                    WriteAtom(unit_, code, *dimension.atom, test, automata_, options));
      llvm::SwitchInst* branch = code.b.CreateSwitch(code.Load(8, offsetof(ks_scratch, can) + test), behind, 2);
      branch->addCase(code.b.getInt8(KS_CAN_BE_TRUE), found);
      branch->addCase(code.b.getInt8(KS_CAN_BE_FALSE), none);
      code.b.SetInsertPoint(found);
      if (IsEverReported(number)) {  // which literal
        outcome = code.b.CreateZExt(code.Load(16, offsetof(ks_scratch, which) + 2 * test), code.b.getInt32Ty());
      }
    } else {
      unit_.Decided(plan_.kind, static_cast<uint32_t>(number), rows_.Describe(plan_, number));
      llvm::BasicBlock* unknown = options_.broken == Break::Unknown ? none : behind;
      llvm::BasicBlock* value = code.Block("value");
      llvm::SwitchInst* branch = code.b.CreateSwitch(code.Load(8, StatusOffset(dimension.operand.field)), unknown, 3);
      branch->addCase(code.b.getInt8(KS_OK), value);
      branch->addCase(code.b.getInt8(KS_ABSENT), none);
      if (dimension.what == Class::Text) branch->addCase(code.b.getInt8(KS_TRUNCATED), none);
      code.b.SetInsertPoint(value);
      if (dimension.scanner) {
        rows_.Scan(code, plan_, number);
        code.b.CreateBr(found);
        code.b.SetInsertPoint(none);
        rows_.FindNothing(code, plan_, number);
        code.b.CreateBr(found);
        code.b.SetInsertPoint(found);
        code.b.CreateCondBr(rows_.AndFound(code, plan_, number), behind, filtered);
        return;
      }
      outcome = rows_.LookUp(code, plan_, number);
      code.b.CreateCondBr(code.b.CreateICmpEQ(outcome, code.b.getInt32(Rows::kNone)), none, found);
      code.b.SetInsertPoint(found);
    }
    if (IsEverReported(number)) {
      code.Store(code.b.CreateAdd(outcome, code.b.getInt32(1)), offsetof(ks_scratch, rows.outcome) + 4 * number);
    }
    llvm::Value* row = dimension.what == Class::Test ? code.b.getInt32(dimension.row_of.at(0))
                                                     : rows_.RowOf(code, plan_, number, outcome);
    code.b.CreateCondBr(rows_.And(code, plan_, row), behind, filtered);
    code.b.SetInsertPoint(none);
    code.b.CreateCondBr(rows_.AndNone(code, plan_, number), behind, filtered);
  }

  bool IsEverReported(size_t dimension) const {
    return std::any_of(plan_.rules.begin(), plan_.rules.end(), [&](const ir::RulePlan& rule) {
      return std::binary_search(rule.reported.begin(), rule.reported.end(), static_cast<uint32_t>(dimension));
    });
  }

  // What was read and not decided, userspace decides: a raw path, a text that is cut or has more hits than are told
  // apart. Then it needs the other fields, too: what was passed without asking may be refuted by all of them only.
  void WriteUndecided(Code& code, const std::map<ir::FieldId, bool>& fields) {
    llvm::BasicBlock* all = code.Block("undecided");
    llvm::BasicBlock* behind = code.Block("decided");
    for (const auto& [field, copied] : fields) {
      llvm::BasicBlock* next = code.Block("next");
      BranchIf(code, rows_.IsTested(code, field), next);
      const bool scanned = rows_.IsScanned(plan_, field);
      llvm::SwitchInst* branch = code.b.CreateSwitch(code.Load(8, StatusOffset(field)), next, 4);
      branch->addCase(code.b.getInt8(KS_RAW), all);
      branch->addCase(code.b.getInt8(KS_FOREIGN), all);
      if (scanned) {
        branch->addCase(code.b.getInt8(KS_TRUNCATED), all);
        llvm::BasicBlock* hits = code.Block("hits");
        branch->addCase(code.b.getInt8(KS_OK), hits);
        code.b.SetInsertPoint(hits);
        code.b.CreateCondBr(rows_.IsUndecided(code, plan_, field), all, next);
      }
      code.b.SetInsertPoint(next);
    }
    code.b.CreateBr(behind);
    code.b.SetInsertPoint(all);
    rows_.CopyTested(code);
    code.b.CreateBr(behind);
    code.b.SetInsertPoint(behind);
  }

  void WriteAsked(Code& code) {
    rows_.Collect(code, plan_);
    std::map<ir::FieldId, bool> fields;  // whether any rule copies it, not only tests it
    for (const ir::RulePlan& rule : plan_.rules) {
      for (ir::FieldId field : rule.copies) fields[field] = true;
      for (ir::FieldId field : rule.tested) fields.try_emplace(field, false);
    }
    WriteUndecided(code, fields);
    for (const auto& [field, copied] : fields) {
      llvm::BasicBlock* copy = code.Block("copy");
      llvm::BasicBlock* behind = code.Block("behind_copy");
      llvm::BasicBlock* doubt = code.Block("doubt");
      code.b.CreateCondBr(rows_.IsCopied(code, field), copy, doubt);
      code.b.SetInsertPoint(doubt);
      BranchIf(code, rows_.IsTested(code, field), behind);
      WriteDoubt(code, field, copy, behind);
      code.b.SetInsertPoint(copy);
      code.b.CreateCall(CopyFunction(field), {code.hook});
      code.b.CreateBr(behind);
      code.b.SetInsertPoint(behind);
    }
    llvm::Type* u32 = code.b.getInt32Ty();
    for (uint32_t d = 0; d < plan_.index->dimensions.size(); d++) {
      if (!IsEverReported(d)) continue;
      llvm::BasicBlock* behind = code.Block("behind_report");
      BranchIf(code, rows_.IsReported(code, d), behind);
      std::vector<llvm::Value*> arguments{code.scratch, code.b.getInt32(d)};
      std::vector<llvm::Type*> types{code.b.getPtrTy(), u32};
      const auto& scanner = plan_.index->dimensions[d].scanner;
      if (scanner) {
        arguments.push_back(code.b.getInt32(*scanner));
        types.push_back(u32);
      }
      code.b.CreateCall(unit_.Linked(scanner ? "ks_record_hits" : "ks_record_dimension", code.b.getVoidTy(), types),
                        arguments);
      code.b.CreateBr(behind);
      code.b.SetInsertPoint(behind);
    }
  }

  // ---- Limits
  // -----------------------------------------------------------------------------------------------------

  // Nothing more is done for an event of which all rules that passed are over their limits.
  void WriteLimits(Code& code) {
    NoteKind(code, "the limits of its rules");
    llvm::BasicBlock* limited = code.Block("limited");
    llvm::BasicBlock* behind = code.Block("behind_limits");
    BranchIf(code, limits_.IsAsked(code, plan_), behind);
    for (uint32_t i = 0; plan_.index && i < plan_.index->scanners.size(); i++) {
      // The text had too many hits: what passed by it is not certain.
      llvm::Value* hits = code.Load(8, offsetof(ks_scratch, rows.hit_count) + i);
      BranchIf(code, code.b.CreateICmpNE(hits, code.b.getInt8(static_cast<uint8_t>(KS_ROWS_UNDECIDED))), behind);
    }
    for (ir::FieldId field : limits_.Fields(plan_)) ReadOutOfLine(code, field);
    code.b.CreateCondBr(limits_.Apply(code, plan_), behind, limited);
    code.b.SetInsertPoint(limited);
    Count(code, "ks_count_limited");
    code.b.CreateRet(code.b.getInt32(0));
    code.b.SetInsertPoint(behind);
  }

  // ---- The record
  // -----------------------------------------------------------------------------------------------------

  void WriteRecord(Code& code) {
    llvm::Type* none = code.b.getVoidTy();
    llvm::Type* pointer = code.b.getPtrTy();
    llvm::Type* u32 = code.b.getInt32Ty();
    llvm::Value* generation = code.b.CreateLoad(u32, unit_.LinkedVariable("ks_generation", u32), /*isVolatile=*/true);
    llvm::Value* words = code.b.getInt32(plan_.index ? 0 : static_cast<uint32_t>((plan_.rules.size() + 63) / 64));
    code.b.CreateCall(unit_.Linked("ks_record_begin", none, {pointer, u32, u32, u32}),
                      {code.scratch, KindNumber(code), words, generation});
    if (plan_.index) {
      WriteAsked(code);
    } else {
      WriteCopies(code);
      WriteReported(code);
    }
    code.b.CreateCall(unit_.Linked("ks_record_send", none, {pointer, u32, u32}),
                      {code.scratch, KindNumber(code), Ring(code)});
  }

  // To which ring the record goes, by the rules that passed.
  llvm::Value* Ring(Code& code) {
    RuleSet alerting;
    bool all = true, any = false;
    for (size_t rule = 0; rule < plan_.rules.size(); rule++) {
      const bool alerts = plan_.rules[rule].alerts;
      all = all && alerts;
      any = any || alerts;
      if (alerts && !plan_.index) alerting.Add(rule);
    }
    if (all || !any) return code.b.getInt32(all ? KS_RING_ALERTS : KS_RING_CONTEXT);
    return code.b.CreateSelect(plan_.index ? rows_.IsAlert(code) : AnyAlive(code, alerting),
                               code.b.getInt32(KS_RING_ALERTS), code.b.getInt32(KS_RING_CONTEXT), "ring");
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
    unit_.Note(code, fmt::format("copies {} into the record", row.dotted));
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
  Rows& rows_;
  Limits& limits_;
  const ir::KindPlan& plan_;
  const EmitOptions& options_;
  const Usage usage_;
  const std::string name_;
  RuleSet all_;
  size_t tests_ = 0;  // of the index, written so far
  bool refused_ = false;
};

}  // namespace

llvm::Function* WriteKind(Unit& unit, Automata& automata, Rows& rows, Limits& limits, const ir::KindPlan& plan,
                          const EmitOptions& options) {
  return KindWriter(unit, automata, rows, limits, plan, options).Write();
}

}  // namespace ks::codegen

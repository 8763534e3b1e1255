#include "compiler/codegen/atoms.h"

#include <fmt/format.h>

#include "compiler/codegen/outcome.h"

namespace ks::codegen {
namespace {

using ir::Test;
using schema::Slot;

class AtomWriter {
 public:
  AtomWriter(Unit& unit, Code& code, const ir::Atom& atom, uint32_t number, Automata& automata,
             const AtomOptions& options)
      : unit_(unit),
        code_(code),
        b_(code.b),
        atom_(atom),
        automata_(automata),
        options_(options),
        outcome_(code, number, options.with_index, options.settle, options.lookup.broken) {}

  Emitted Write() {
    if (atom_.test == Test::Present) {
      emitted_ = {"inline", "its status"};
      ByStatus({KS_OK, KS_TRUNCATED, KS_RAW, KS_FOREIGN}, {}, outcome_.unknown());
      outcome_.Yes(uint32_t{0});
    } else if (atom_.literals.empty() && NeedsLiterals()) {
      emitted_ = {"inline", "nothing equals one of none"};
      b_.CreateBr(outcome_.no());
    } else if (atom_.other) {
      WriteComparison();
    } else if (SlotOf(atom_.operand) == Slot::Text) {
      WriteText();
    } else {
      ByStatus({KS_OK}, {}, outcome_.unknown());
      WriteNumber();
    }
    outcome_.Finish();
    return emitted_;
  }

 private:
  bool NeedsLiterals() const {
    return atom_.test != Test::Range && atom_.test != Test::EqualField && atom_.test != Test::LessField;
  }

  // Goes on where the status is one of `decided`; to "no" if it is one of `no` or the field is absent; else to
  // `otherwise`.
  void ByStatus(std::initializer_list<ks_status> decided, std::initializer_list<ks_status> no,
                llvm::BasicBlock* otherwise) {
    llvm::BasicBlock* on = code_.Block("decided");
    llvm::SwitchInst* branch = b_.CreateSwitch(code_.Load(8, StatusOffset(atom_.operand.field)), otherwise, 6);
    for (ks_status status : decided) branch->addCase(b_.getInt8(status), on);
    for (ks_status status : no) branch->addCase(b_.getInt8(status), outcome_.no());
    branch->addCase(b_.getInt8(KS_ABSENT), outcome_.no());
    b_.SetInsertPoint(on);
  }

  void Lookup() { emitted_ = WriteLookup(unit_, code_, atom_, outcome_, options_.lookup); }
  void Automaton(llvm::BasicBlock* miss) { emitted_ = WriteAutomaton(code_, atom_, automata_, outcome_, miss); }

  void Like() {
    const bool begins = WriteBeginsLike(code_, atom_, outcome_);
    Automaton(outcome_.no());
    if (begins) emitted_.with += ", of what begins as a match does";
  }

  void WriteText() {
    switch (atom_.test) {
      case Test::In:
        ByStatus({KS_OK}, {KS_TRUNCATED}, outcome_.unknown());
        return Lookup();
      case Test::Under:
        ByStatus({KS_OK}, {}, outcome_.unknown());
        return Lookup();
      case Test::Like:
        ByStatus({KS_OK}, {}, outcome_.unknown());
        return Like();
      case Test::Contains:
      case Test::HasElement: {
        // What a part of the text holds, the text holds; what it lacks, the rest may hold.
        ByStatus({KS_OK, KS_TRUNCATED}, {}, outcome_.unknown());
        llvm::BasicBlock* miss = code_.Block("not_found");
        Automaton(miss);
        b_.SetInsertPoint(miss);
        llvm::Value* whole = b_.CreateICmpEQ(code_.Load(8, StatusOffset(atom_.operand.field)), b_.getInt8(KS_OK));
        b_.CreateCondBr(whole, outcome_.no(), outcome_.unknown());
        return;
      }
      default:
        KS_CHECK(false, "a text has no such test");
    }
  }

  void WriteNumber() {
    switch (atom_.test) {
      case Test::In:
        return Lookup();
      case Test::Range: {
        emitted_ = {"inline", "two comparisons"};
        llvm::Value* value = LoadWord(code_, atom_.operand, 0);
        llvm::Value* above = b_.CreateICmpSGE(value, Number(0));
        return outcome_.YesIf(b_.CreateAnd(above, b_.CreateICmpSLE(value, Number(1))));
      }
      case Test::HasBits:
        return WriteHasBits();
      default:
        KS_CHECK(false, "a number has no such test");
    }
  }

  llvm::Value* Number(size_t literal) {
    return b_.getInt64(static_cast<uint64_t>(std::get<int64_t>(atom_.literals[literal])));
  }

  void WriteHasBits() {
    emitted_ = {"inline", atom_.literals.size() == 1 ? "a mask" : fmt::format("{} masks", atom_.literals.size())};
    for (uint32_t i = 0; i < atom_.literals.size(); i++) {
      llvm::BasicBlock* hit = code_.Block("bits");
      llvm::BasicBlock* next = code_.Block("other_bits");
      llvm::Value* mask = Number(i);
      b_.CreateCondBr(b_.CreateICmpEQ(b_.CreateAnd(LoadWord(code_, atom_.operand, 0), mask), mask), hit, next);
      b_.SetInsertPoint(hit);
      outcome_.Yes(i);
      b_.SetInsertPoint(next);
    }
    b_.CreateBr(outcome_.no());
  }

  // EqualField, LessField: absent if either is, unknown unless both are there.
  void WriteComparison() {
    emitted_ = {"inline", "a comparison of two fields"};
    llvm::BasicBlock* here = code_.Block("here");
    llvm::BasicBlock* both = code_.Block("both");
    llvm::BasicBlock* not_ok = code_.Block("not_ok");
    const auto status = [&](const ir::Operand& operand) { return code_.Load(8, StatusOffset(operand.field)); };
    b_.CreateCondBr(b_.CreateICmpEQ(status(atom_.operand), b_.getInt8(KS_ABSENT)), outcome_.no(), here);
    b_.SetInsertPoint(here);
    ByStatusOfOther(both, not_ok);
    b_.SetInsertPoint(both);
    llvm::BasicBlock* compare = code_.Block("compare");
    b_.CreateCondBr(b_.CreateICmpEQ(status(atom_.operand), b_.getInt8(KS_OK)), compare, not_ok);
    b_.SetInsertPoint(not_ok);
    b_.CreateBr(outcome_.unknown());
    b_.SetInsertPoint(compare);
    if (atom_.test == Test::LessField) {
      return outcome_.YesIf(b_.CreateICmpSLT(LoadWord(code_, atom_.operand, 0), LoadWord(code_, *atom_.other, 0)));
    }
    llvm::Value* difference = b_.getInt64(0);
    for (size_t word = 0; word < WordCount(SlotOf(atom_.operand)); word++) {
      llvm::Value* bits = b_.CreateXor(LoadWord(code_, atom_.operand, word), LoadWord(code_, *atom_.other, word));
      difference = b_.CreateOr(difference, bits);
    }
    outcome_.YesIf(b_.CreateICmpEQ(difference, b_.getInt64(0)));
  }

  void ByStatusOfOther(llvm::BasicBlock* ok, llvm::BasicBlock* not_ok) {
    llvm::SwitchInst* branch = b_.CreateSwitch(code_.Load(8, StatusOffset(atom_.other->field)), not_ok, 2);
    branch->addCase(b_.getInt8(KS_OK), ok);
    branch->addCase(b_.getInt8(KS_ABSENT), outcome_.no());
  }

  Unit& unit_;
  Code& code_;
  llvm::IRBuilder<>& b_;
  const ir::Atom& atom_;
  Automata& automata_;
  const AtomOptions& options_;
  Outcome outcome_;
  Emitted emitted_;
};

}  // namespace

Emitted WriteAtom(Unit& unit, Code& code, const ir::Atom& atom, uint32_t number, Automata& automata,
                  const AtomOptions& options) {
  return AtomWriter(unit, code, atom, number, automata, options).Write();
}

}  // namespace ks::codegen

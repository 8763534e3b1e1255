#include "compiler/codegen/atoms.h"

#include <algorithm>

#include "compiler/codegen/outcome.h"
#include "compiler/codegen/text.h"
#include "compiler/codegen/trie.h"

namespace ks::codegen {
namespace {

using ir::Test;
using schema::Slot;

constexpr size_t kPort = offsetof(ks_slot_Endpoint, port);

// What is compared of an operand: a number (one word), an address (two), an endpoint (three), or a text.
Slot SlotOf(const ir::Operand& operand) {
  if (operand.part == ir::Part::Ip) return Slot::Ip;
  if (operand.part == ir::Part::Port) return Slot::Int;
  return schema::Row(schema::Row(operand.field).type).slot;
}

size_t WordCount(Slot slot) { return slot == Slot::Int ? 1 : slot == Slot::Ip ? 2 : 3; }

llvm::Value* LoadWord(Code& code, const ir::Operand& operand, size_t word) {
  const size_t at = FieldOffset(operand.field);
  if (operand.part == ir::Part::Port || word == 2)
    return code.b.CreateZExt(code.Load(16, at + kPort), code.b.getInt64Ty());
  return code.Load(64, at + 8 * word);
}

std::vector<uint64_t> AddressWords(const schema::IpAddress& ip) {
  return WordsOf({reinterpret_cast<const char*>(ip.bytes.data()), ip.bytes.size()});
}

// The first `bits` bits of an address, as scratch holds it: in network order, so byte by byte.
std::vector<uint64_t> AddressMask(unsigned bits) {
  schema::IpAddress mask;
  for (unsigned i = 0; i < bits; i++) mask.bytes[i / 8] |= static_cast<uint8_t>(0x80 >> i % 8);
  return AddressWords(mask);
}

std::vector<uint64_t> LiteralWords(const schema::Value& literal) {
  if (const auto* number = std::get_if<int64_t>(&literal)) return {static_cast<uint64_t>(*number)};
  const auto& endpoint = std::get<schema::Endpoint>(literal);
  std::vector<uint64_t> words = AddressWords(endpoint.ip);
  words.push_back(endpoint.port);
  return words;
}

class AtomWriter {
 public:
  AtomWriter(Code& code, const ir::Atom& atom, uint32_t number, Automata& automata, const AtomOptions& options)
      : code_(code),
        b_(code.b),
        atom_(atom),
        automata_(automata),
        options_(options),
        outcome_(code, number, options.with_index) {}

  void Write() {
    if (atom_.test == Test::Present) {
      ByStatus({KS_OK, KS_TRUNCATED, KS_RAW, KS_FOREIGN}, {}, outcome_.unknown());
      outcome_.Yes(uint32_t{0});
    } else if (atom_.literals.empty() && NeedsLiterals()) {
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

  void WriteText() {
    const size_t text = FieldOffset(atom_.operand.field);
    switch (atom_.test) {
      case Test::In:
        ByStatus({KS_OK}, {KS_TRUNCATED}, outcome_.unknown());
        return WriteTextIn(code_, atom_, text, outcome_);
      case Test::Under:
        ByStatus({KS_OK}, {}, outcome_.unknown());
        return WriteUnder(code_, atom_, text, outcome_, options_.break_under);
      case Test::Like:
        ByStatus({KS_OK}, {}, outcome_.unknown());
        return WriteAutomaton(code_, atom_, text, automata_, outcome_, outcome_.no());
      case Test::Contains:
      case Test::HasElement: {
        // What a part of the text holds, the text holds; what it lacks, the rest may hold.
        ByStatus({KS_OK, KS_TRUNCATED}, {}, outcome_.unknown());
        llvm::BasicBlock* miss = code_.Block("not_found");
        WriteAutomaton(code_, atom_, text, automata_, outcome_, miss);
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
        return SlotOf(atom_.operand) == Slot::Ip ? WriteAddressIn() : WriteIn();
      case Test::Range: {
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

  void WriteTrieHere(const Trie& trie, llvm::BasicBlock* miss) {
    WriteTrie(
        code_, trie, [&](size_t word) { return LoadWord(code_, atom_.operand, word); },
        [&](uint32_t index) { outcome_.Yes(index); }, miss);
  }

  void WriteIn() {
    Trie trie{std::vector<uint64_t>(WordCount(SlotOf(atom_.operand)), ~uint64_t{0}), {}};
    for (uint32_t i = 0; i < atom_.literals.size(); i++) trie.entries.push_back({LiteralWords(atom_.literals[i]), i});
    WriteTrieHere(trie, outcome_.no());
  }

  // By length of the prefix, longest first, for that one is reported.
  void WriteAddressIn() {
    std::map<unsigned, std::vector<TrieEntry>, std::greater<>> lengths;
    for (uint32_t i = 0; i < atom_.literals.size(); i++) {
      if (const auto* cidr = std::get_if<schema::Cidr>(&atom_.literals[i])) {
        lengths[cidr->bits].push_back({AddressWords(cidr->base), i});
      } else {
        lengths[128].push_back({AddressWords(std::get<schema::IpAddress>(atom_.literals[i])), i});
      }
    }
    for (auto& [bits, entries] : lengths) {
      llvm::BasicBlock* next = code_.Block("shorter");
      WriteTrieHere({AddressMask(bits), std::move(entries)}, next);
      b_.SetInsertPoint(next);
    }
    b_.CreateBr(outcome_.no());
  }

  void WriteHasBits() {
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

  Code& code_;
  llvm::IRBuilder<>& b_;
  const ir::Atom& atom_;
  Automata& automata_;
  const AtomOptions& options_;
  Outcome outcome_;
};

}  // namespace

void WriteAtom(Code& code, const ir::Atom& atom, uint32_t number, Automata& automata, const AtomOptions& options) {
  AtomWriter(code, atom, number, automata, options).Write();
}

}  // namespace ks::codegen

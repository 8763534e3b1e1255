#include "compiler/codegen/text.h"

#include "compiler/codegen/trie.h"
#include "compiler/ir/eval.h"

namespace ks::codegen {
namespace {

constexpr size_t kData = 8;  // of a text's slot: len, padding, data

std::map<size_t, std::vector<TrieEntry>> ByLength(const ir::Atom& atom,
                                                  std::string_view (*part)(std::string_view literal)) {
  std::map<size_t, std::vector<TrieEntry>> lengths;
  for (uint32_t i = 0; i < atom.literals.size(); i++) {
    const std::string_view text = part(std::get<std::string>(atom.literals[i]));
    lengths[text.size()].push_back({WordsOf(text), i});
  }
  return lengths;
}

// Compares the first `length` bytes of the text.
void WriteWords(Code& code, size_t text, size_t length, bool whole_words, std::vector<TrieEntry> entries,
                Outcome& outcome, llvm::BasicBlock* miss) {
  Trie trie{std::vector<uint64_t>((length + 7) / 8, ~uint64_t{0}), std::move(entries)};
  if (!whole_words && length % 8 != 0) trie.masks.back() = (uint64_t{1} << length % 8 * 8) - 1;
  WriteTrie(
      code, trie, [&](size_t word) { return code.Load(64, text + kData + 8 * word); },
      [&](uint32_t index) { outcome.Yes(index); }, miss);
}

}  // namespace

// Behind a text are zeros, so its words equal a literal's as a whole.
void WriteTextIn(Code& code, const ir::Atom& atom, size_t text, Outcome& outcome) {
  auto lengths = ByLength(atom, [](std::string_view literal) { return literal; });
  llvm::SwitchInst* branch =
      code.b.CreateSwitch(code.Load(32, text), outcome.no(), static_cast<unsigned>(lengths.size()));
  for (auto& [length, entries] : lengths) {
    llvm::BasicBlock* block = code.Block("length");
    branch->addCase(code.b.getInt32(static_cast<uint32_t>(length)), block);
    code.b.SetInsertPoint(block);
    WriteWords(code, text, length, true, std::move(entries), outcome, outcome.no());
  }
}

// Shortest first: the shortest is the one that is reported, and a text that is shorter than one is shorter than the
// rest.
void WriteUnder(Code& code, const ir::Atom& atom, size_t text, Outcome& outcome, bool without_boundary) {
  for (auto& [length, entries] : ByLength(atom, ir::UnderPrefix)) {
    llvm::BasicBlock* long_enough = code.Block("long_enough");
    llvm::BasicBlock* boundary = code.Block("boundary");
    llvm::BasicBlock* next = code.Block("next");
    llvm::Value* len = code.Load(32, text);
    llvm::Value* wanted = code.b.getInt32(static_cast<uint32_t>(length));
    code.b.CreateCondBr(code.b.CreateICmpUGE(len, wanted), long_enough, outcome.no());
    code.b.SetInsertPoint(long_enough);
    llvm::Value* ends = code.b.CreateICmpEQ(len, wanted);
    llvm::Value* goes_on = code.b.CreateICmpEQ(code.Load(8, text + kData + length), code.b.getInt8('/'));
    llvm::Value* bounded = without_boundary ? code.b.getTrue() : code.b.CreateOr(ends, goes_on);
    code.b.CreateCondBr(bounded, boundary, next);
    code.b.SetInsertPoint(boundary);
    WriteWords(code, text, length, false, std::move(entries), outcome, next);
    code.b.SetInsertPoint(next);
  }
  code.b.CreateBr(outcome.no());
}

void WriteAutomaton(Code& code, const ir::Atom& atom, size_t text, Automata& automata, Outcome& outcome,
                    llvm::BasicBlock* miss) {
  const std::optional<ir::Dfa> dfa = ir::MakeDfa(atom.test, atom.literals, schema::Row(atom.operand.field).type);
  KS_CHECK(dfa.has_value(), "the split leaves no automaton beyond its cap to the kernel");
  llvm::Value* accepted = automata.Run(code, *dfa, text);
  llvm::BasicBlock* hit = code.Block("accepted");
  code.b.CreateCondBr(code.b.CreateICmpNE(accepted, code.b.getInt16(Automata::kNone)), hit, miss);
  code.b.SetInsertPoint(hit);
  outcome.Yes(accepted);
}

}  // namespace ks::codegen

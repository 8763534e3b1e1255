#include "compiler/codegen/lookup.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compiler/codegen/trie.h"
#include "compiler/ir/eval.h"
#include "compiler/ir/glob.h"

namespace ks::codegen {
namespace {

using ir::Test;
using schema::Slot;

constexpr size_t kPort = offsetof(ks_slot_Endpoint, port);
constexpr size_t kData = 8;  // of a text's slot: len, padding, data

struct Literal {
  uint32_t index = 0;  // in the atom
  const schema::Value* value = nullptr;
};
using Literals = std::vector<Literal>;

std::string_view TextOf(const ir::Atom& atom, const Literal& literal) {
  const auto& text = std::get<std::string>(*literal.value);
  return atom.test == Test::Under ? ir::UnderPrefix(text) : std::string_view(text);
}

size_t WeightOf(const schema::Value& literal) {
  const auto* text = std::get_if<std::string>(&literal);
  return text ? 2 + text->size() / 8 : 3;
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

unsigned BitsOf(const schema::Value& address) {
  const auto* cidr = std::get_if<schema::Cidr>(&address);
  return cidr ? cidr->bits : 128;
}

// One set, or a part of one, at code.b's place.
class LookupWriter {
 public:
  LookupWriter(Code& code, const ir::Atom& atom, Outcome& outcome, Break broken)
      : code_(code), b_(code.b), atom_(atom), outcome_(outcome), broken_(broken) {}

  void Write(const Literals& literals) {
    switch (SlotOf(atom_.operand)) {
      case Slot::Text:
        return atom_.test == Test::Under ? WriteUnder(literals) : WriteTextIn(literals);
      case Slot::Ip:
        return WriteAddressIn(literals);
      default:
        return WriteWordsIn(literals);
    }
  }

 private:
  size_t Text() const { return FieldOffset(atom_.operand.field); }

  std::map<size_t, std::vector<TrieEntry>> ByLength(const Literals& literals) const {
    std::map<size_t, std::vector<TrieEntry>> lengths;
    for (const Literal& literal : literals) {
      const std::string_view text = TextOf(atom_, literal);
      lengths[text.size()].push_back({WordsOf(text), literal.index});
    }
    return lengths;
  }

  void CompareText(const Trie& trie, llvm::BasicBlock* miss) {
    WriteTrie(
        code_, trie, [&](size_t word) { return code_.Load(64, Text() + kData + 8 * word); },
        [&](uint32_t index) { outcome_.Yes(index); }, miss);
  }

  void CompareWords(const Trie& trie, llvm::BasicBlock* miss) {
    WriteTrie(
        code_, trie, [&](size_t word) { return LoadWord(code_, atom_.operand, word); },
        [&](uint32_t index) { outcome_.Yes(index); }, miss);
  }

  // Behind a text are zeros, so its words equal a literal's as a whole.
  void WriteTextIn(const Literals& literals) {
    auto lengths = ByLength(literals);
    if (broken_ == Break::Length) return WriteBeginsWith(std::move(lengths));
    llvm::SwitchInst* branch =
        b_.CreateSwitch(code_.Load(32, Text()), outcome_.no(), static_cast<unsigned>(lengths.size()));
    for (auto& [length, entries] : lengths) {
      llvm::BasicBlock* block = code_.Block("length");
      branch->addCase(b_.getInt32(static_cast<uint32_t>(length)), block);
      b_.SetInsertPoint(block);
      CompareText({std::vector<uint64_t>((length + 7) / 8, ~uint64_t{0}), std::move(entries)}, outcome_.no());
    }
  }

  void WriteBeginsWith(std::map<size_t, std::vector<TrieEntry>> lengths) {
    for (auto& [length, entries] : lengths) {
      llvm::BasicBlock* next = code_.Block("next");
      Trie trie{std::vector<uint64_t>((length + 7) / 8, ~uint64_t{0}), std::move(entries)};
      if (length % 8 != 0) trie.masks.back() = (uint64_t{1} << length % 8 * 8) - 1;
      CompareText(trie, next);
      b_.SetInsertPoint(next);
    }
    b_.CreateBr(outcome_.no());
  }

  // Shortest first: the shortest is the one that is reported, and a text that is shorter than one is shorter than the
  // rest.
  void WriteUnder(const Literals& literals) {
    for (auto& [length, entries] : ByLength(literals)) {
      llvm::BasicBlock* long_enough = code_.Block("long_enough");
      llvm::BasicBlock* boundary = code_.Block("boundary");
      llvm::BasicBlock* next = code_.Block("next");
      llvm::Value* len = code_.Load(32, Text());
      llvm::Value* wanted = b_.getInt32(static_cast<uint32_t>(length));
      b_.CreateCondBr(b_.CreateICmpUGE(len, wanted), long_enough, outcome_.no());
      b_.SetInsertPoint(long_enough);
      llvm::Value* ends = b_.CreateICmpEQ(len, wanted);
      llvm::Value* goes_on = b_.CreateICmpEQ(code_.Load(8, Text() + kData + length), b_.getInt8('/'));
      b_.CreateCondBr(broken_ == Break::Under ? b_.getTrue() : b_.CreateOr(ends, goes_on), boundary, next);
      b_.SetInsertPoint(boundary);
      Trie trie{std::vector<uint64_t>((length + 7) / 8, ~uint64_t{0}), std::move(entries)};
      if (length % 8 != 0) trie.masks.back() = (uint64_t{1} << length % 8 * 8) - 1;
      CompareText(trie, next);
      b_.SetInsertPoint(next);
    }
    b_.CreateBr(outcome_.no());
  }

  void WriteWordsIn(const Literals& literals) {
    Trie trie{std::vector<uint64_t>(WordCount(SlotOf(atom_.operand)), ~uint64_t{0}), {}};
    for (const Literal& literal : literals) {
      std::vector<uint64_t> words;
      if (const auto* endpoint = std::get_if<schema::Endpoint>(literal.value)) {
        words = AddressWords(endpoint->ip);
        words.push_back(endpoint->port);
      } else {
        words = {static_cast<uint64_t>(std::get<int64_t>(*literal.value))};
      }
      trie.entries.push_back({std::move(words), literal.index});
    }
    CompareWords(trie, outcome_.no());
  }

  // By length of the prefix, longest first, for that one is reported.
  void WriteAddressIn(const Literals& literals) {
    std::map<unsigned, std::vector<TrieEntry>, std::greater<>> lengths;
    for (const Literal& literal : literals) {
      const auto* cidr = std::get_if<schema::Cidr>(literal.value);
      const schema::IpAddress& base = cidr ? cidr->base : std::get<schema::IpAddress>(*literal.value);
      lengths[BitsOf(*literal.value)].push_back({AddressWords(base), literal.index});
    }
    for (auto& [bits, entries] : lengths) {
      llvm::BasicBlock* next = code_.Block("shorter");
      const unsigned compared = broken_ == Break::Prefix && bits > 0 ? bits - 1 : bits;
      CompareWords({AddressMask(compared), std::move(entries)}, next);
      b_.SetInsertPoint(next);
    }
    b_.CreateBr(outcome_.no());
  }

  Code& code_;
  llvm::IRBuilder<>& b_;
  const ir::Atom& atom_;
  Outcome& outcome_;
  const Break broken_;
};

// In the order of precedence, for what is divided is asked part by part.
Literals InOrder(const ir::Atom& atom) {
  Literals literals;
  for (uint32_t i = 0; i < atom.literals.size(); i++) literals.push_back({i, &atom.literals[i]});
  const Slot slot = SlotOf(atom.operand);
  std::stable_sort(literals.begin(), literals.end(), [&](const Literal& a, const Literal& b) {
    if (slot == Slot::Text) return TextOf(atom, a).size() < TextOf(atom, b).size();
    return slot == Slot::Ip && BitsOf(*a.value) > BitsOf(*b.value);
  });
  return literals;
}

}  // namespace

Slot SlotOf(const ir::Operand& operand) { return schema::Row(ir::TypeOf(operand)).slot; }

size_t WordCount(Slot slot) { return slot == Slot::Int ? 1 : slot == Slot::Ip ? 2 : 3; }

llvm::Value* LoadWord(Code& code, const ir::Operand& operand, size_t word) {
  const size_t at = FieldOffset(operand.field);
  if (operand.part == ir::Part::Port || word == 2)
    return code.b.CreateZExt(code.Load(16, at + kPort), code.b.getInt64Ty());
  return code.Load(64, at + 8 * word);
}

size_t WeightOf(const ir::Atom& atom) {
  size_t weight = 4;
  for (const schema::Value& literal : atom.literals) weight += WeightOf(literal);
  return weight;
}

namespace {

// A switch of so few becomes comparisons.
constexpr size_t kFewValues = 4;

Emitted Describe(const ir::Atom& atom, const Literals& literals) {
  const size_t count = literals.size();
  if (SlotOf(atom.operand) != Slot::Text) {
    if (count == 1) return {"inline", "a comparison"};
    if (count <= kFewValues) return {"inline", fmt::format("{} comparisons", count)};
    return {"trie", fmt::format("a switch over {} values", count)};
  }
  std::set<size_t> lengths;
  for (const Literal& literal : literals) lengths.insert(TextOf(atom, literal).size());
  return {"trie", fmt::format("{} text{} of {} length{}, word by word", count, count == 1 ? "" : "s", lengths.size(),
                              lengths.size() == 1 ? "" : "s")};
}

}  // namespace

Emitted WriteLookup(Unit& unit, Code& code, const ir::Atom& atom, Outcome& outcome, const LookupOptions& options) {
  const Literals literals = InOrder(atom);
  if (WeightOf(atom) <= kFunctionWeight) {
    LookupWriter(code, atom, outcome, options.broken).Write(literals);
    return Describe(atom, literals);
  }
  size_t number = 0;
  for (size_t begin = 0; begin < literals.size(); number++) {
    Literals part;
    for (size_t weight = 0; begin < literals.size() && weight < kFunctionWeight; begin++) {
      part.push_back(literals[begin]);
      weight += WeightOf(*literals[begin].value);
    }
    Code looks_up = unit.BeginGlobal(fmt::format("{}_{}", options.name, number));
    Outcome found(looks_up);
    LookupWriter(looks_up, atom, found, options.broken).Write(part);
    found.Finish();
    llvm::BasicBlock* hit = code.Block("part");
    llvm::BasicBlock* next = code.Block("next_part");
    llvm::Value* index = code.b.CreateCall(looks_up.function, {code.hook});
    code.b.CreateCondBr(code.b.CreateICmpNE(index, code.b.getInt32(Outcome::kNone)), hit, next);
    code.b.SetInsertPoint(hit);
    outcome.Yes(index);
    code.b.SetInsertPoint(next);
  }
  code.b.CreateBr(outcome.no());
  Emitted emitted = Describe(atom, literals);
  emitted.with += fmt::format(", in {} functions", number);
  return emitted;
}

bool WriteBeginsLike(Code& code, const ir::Atom& atom, Outcome& outcome) {
  constexpr size_t kMostBeginnings = 4, kMostBytes = 32;
  const size_t most = std::min<size_t>(kMostBytes, schema::Row(atom.operand.field).capture);
  std::set<std::string> beginnings;
  for (const schema::Value& literal : atom.literals)
    beginnings.insert(ir::GlobPrefix(ir::ParseGlob(std::get<std::string>(literal))).substr(0, most));
  if (beginnings.contains("") || beginnings.size() > kMostBeginnings) return false;
  llvm::IRBuilder<>& b = code.b;
  std::vector<llvm::Value*> words;
  llvm::Value* any = b.getFalse();
  // No branches: the verifier would go on from each with all that it knows of the text.
  for (const std::string& beginning : beginnings) {
    llvm::Value* difference = b.getInt64(0);
    const std::vector<uint64_t> wanted = WordsOf(beginning);
    for (size_t i = 0; i < wanted.size(); i++) {
      if (i == words.size()) words.push_back(code.Load(64, FieldOffset(atom.operand.field) + kData + 8 * i));
      const size_t left = beginning.size() - 8 * i;
      const uint64_t mask = left < 8 ? (uint64_t{1} << 8 * left) - 1 : ~uint64_t{0};
      difference = b.CreateOr(difference, b.CreateAnd(b.CreateXor(words[i], wanted[i]), mask));
    }
    any = b.CreateOr(any, b.CreateICmpEQ(difference, b.getInt64(0)));
  }
  llvm::BasicBlock* begins = code.Block("begins_like");
  b.CreateCondBr(any, begins, outcome.no());
  b.SetInsertPoint(begins);
  return true;
}

Emitted WriteAutomaton(Code& code, const ir::Atom& atom, Automata& automata, Outcome& outcome, llvm::BasicBlock* miss) {
  const std::optional<ir::Dfa> dfa = ir::MakeDfa(atom.test, atom.literals, ir::TypeOf(atom.operand));
  KS_CHECK(dfa.has_value(), "the split leaves no automaton beyond its cap to the kernel");
  llvm::Value* accepted = automata.Run(code, *dfa, FieldOffset(atom.operand.field));
  llvm::BasicBlock* hit = code.Block("accepted");
  code.b.CreateCondBr(code.b.CreateICmpNE(accepted, code.b.getInt32(Automata::kNone)), hit, miss);
  code.b.SetInsertPoint(hit);
  outcome.Yes(accepted);
  return {"automaton", automata.last()};
}

}  // namespace ks::codegen

// Looking up fixed rows of 64-bit words in a set of such rows: one switch per word, so that the cost does not grow with
// the size of the set. Numbers, addresses, endpoints and texts are all compared this way.
#pragma once

#include <functional>
#include <vector>

#include "compiler/codegen/unit.h"

namespace ks::codegen {

struct TrieEntry {
  std::vector<uint64_t> words;
  uint32_t index = 0;  // which literal it is
};

struct Trie {
  std::vector<uint64_t> masks;     // a word is compared in these bits; as many as each entry has words
  std::vector<TrieEntry> entries;  // of equal ones the first wins
};

// A text's bytes as the words that scratch holds of it: zero-padded, little-endian.
std::vector<uint64_t> WordsOf(std::string_view bytes);

// Branches away from code.b's place: to what `on_hit` writes for the entry's index, or to `miss`.
void WriteTrie(Code& code, const Trie& trie, const std::function<llvm::Value*(size_t word)>& load,
               const std::function<void(uint32_t index)>& on_hit, llvm::BasicBlock* miss);

}  // namespace ks::codegen

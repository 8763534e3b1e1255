#include "compiler/codegen/trie.h"

#include <map>

namespace ks::codegen {
namespace {

struct Writer {
  Code& code;
  const std::vector<uint64_t>& masks;
  const std::function<llvm::Value*(size_t word)>& load;
  const std::function<void(uint32_t index)>& on_hit;
  llvm::BasicBlock* miss;

  void Write(const std::vector<const TrieEntry*>& entries, size_t level) {
    while (level < masks.size() && masks[level] == 0) level++;
    if (level == masks.size()) {
      on_hit(entries.front()->index);
      return;
    }
    std::map<uint64_t, std::vector<const TrieEntry*>> groups;
    for (const TrieEntry* entry : entries) groups[entry->words[level] & masks[level]].push_back(entry);
    llvm::Value* word = load(level);
    if (masks[level] != ~uint64_t{0}) word = code.b.CreateAnd(word, masks[level]);
    llvm::SwitchInst* branch = code.b.CreateSwitch(word, miss, static_cast<unsigned>(groups.size()));
    for (const auto& [value, group] : groups) {
      llvm::BasicBlock* block = code.Block("word");
      branch->addCase(code.b.getInt64(value), block);
      code.b.SetInsertPoint(block);
      Write(group, level + 1);
    }
  }
};

}  // namespace

std::vector<uint64_t> WordsOf(std::string_view bytes) {
  std::vector<uint64_t> words((bytes.size() + 7) / 8);
  for (size_t i = 0; i < bytes.size(); i++) words[i / 8] |= uint64_t{static_cast<uint8_t>(bytes[i])} << (i % 8 * 8);
  return words;
}

void WriteTrie(Code& code, const Trie& trie, const std::function<llvm::Value*(size_t word)>& load,
               const std::function<void(uint32_t index)>& on_hit, llvm::BasicBlock* miss) {
  if (trie.entries.empty()) {
    code.b.CreateBr(miss);
    return;
  }
  std::vector<const TrieEntry*> entries;
  entries.reserve(trie.entries.size());
  for (const TrieEntry& entry : trie.entries) entries.push_back(&entry);
  Writer{code, trie.masks, load, on_hit, miss}.Write(entries, 0);
}

}  // namespace ks::codegen

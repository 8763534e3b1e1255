// Hashing of predicates, so that repeats among thousands of operands are found without comparing each with each.
#pragma once

#include <unordered_map>

#include "compiler/ir/ir.h"

namespace ks::ir {

// Equal (by SameAs, by ==) gives equal hashes.
size_t HashOf(const Atom& atom);
size_t HashOf(const Pred& pred);

// Predicates, each once. Holds positions in a vector that the caller owns and only appends to.
class PredIndex {
 public:
  explicit PredIndex(const std::vector<Pred>& preds) : preds_(preds) {}
  // Position of an equal predicate that was added, or nothing.
  std::optional<size_t> Find(const Pred& pred, size_t hash) const {
    auto [begin, end] = positions_.equal_range(hash);
    for (auto it = begin; it != end; ++it) {
      if (preds_[it->second] == pred) return it->second;
    }
    return std::nullopt;
  }
  void Add(size_t position, size_t hash) { positions_.emplace(hash, position); }

 private:
  const std::vector<Pred>& preds_;
  std::unordered_multimap<size_t, size_t> positions_;
};

}  // namespace ks::ir

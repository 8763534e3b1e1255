// Whether a text can satisfy several tests at once: the tests' automata run side by side.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "compiler/ir/passes.h"

namespace ks::lint {

// A test on one text, or its negation.
struct TextTest {
  const ir::Atom* atom = nullptr;  // In, Under, Like, Contains; HasElement as In
  bool positive = true;
  bool lower = false;  // A to Z are read as a to z
};

class Languages {
 public:
  // Whether no text (of a path: that starts with a slash) passes all tests. Tests without an automaton of bearable size
  // are taken as passed, so that false proves nothing.
  bool IsEmpty(std::span<const TextTest> tests, bool path);

 private:
  std::shared_ptr<const ir::Dfa> Automaton(const ir::Atom& atom);
  std::unordered_multimap<size_t, std::pair<ir::Atom, std::shared_ptr<const ir::Dfa>>> automata_;
  // Rules of one shape ask the same again. The automata, each test's once, say what was asked: they live in the cache.
  using Question = std::vector<uintptr_t>;
  std::map<Question, bool> answers_;
};

}  // namespace ks::lint

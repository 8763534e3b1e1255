#include "compiler/lint/language.h"

#include <algorithm>
#include <array>
#include <deque>
#include <set>

#include "compiler/ir/eval.h"
#include "compiler/ir/glob.h"
#include "compiler/ir/hash.h"

namespace ks::lint {
namespace {

constexpr size_t kMaxSteps = 1 << 18;  // bytes tried in all states of one product
constexpr size_t kMaxLiterals = 256;   // of a test that becomes an automaton
constexpr size_t kMaxCachedAutomata = 4096;
constexpr size_t kMaxAnswers = 65'536;

std::vector<schema::Value> Globs(const ir::Atom& atom) {
  std::vector<schema::Value> globs;
  for (const schema::Value& literal : atom.literals) {
    const auto& text = std::get<std::string>(literal);
    if (atom.test == ir::Test::Like) {
      globs.emplace_back(text);
    } else if (atom.test == ir::Test::Under) {
      std::string prefix = ir::EscapedGlob(ir::UnderPrefix(text));
      globs.emplace_back(prefix);
      globs.emplace_back(prefix + "/*");
    } else {
      globs.emplace_back(ir::EscapedGlob(text));
    }
  }
  return globs;
}

uint8_t Lower(unsigned byte) { return static_cast<uint8_t>(byte >= 'A' && byte <= 'Z' ? byte + 32 : byte); }

constexpr uint16_t kDead = 1;

struct Runner {
  const ir::Dfa* dfa;
  bool positive;
  bool lower;
  uint16_t Next(uint16_t state, unsigned byte) const {
    uint8_t read = lower ? Lower(byte) : static_cast<uint8_t>(byte);
    return dfa->next[state * dfa->class_count + dfa->classes[read]];
  }
  uint8_t ClassOf(unsigned byte) const { return dfa->classes[lower ? Lower(byte) : byte]; }
  bool Accepts(uint16_t state) const { return (dfa->accept[state] >= 0) == positive; }
  // No continuation can pass.
  bool Lost(uint16_t state) const {
    if (positive) return state == kDead;
    return dfa->stops && dfa->accept[state] >= 0;
  }
};

// One byte of each class that all automata together tell apart; NUL is in no text.
std::vector<uint8_t> Representatives(const std::vector<Runner>& runners) {
  std::array<uint16_t, 256> group{};
  size_t groups = 1;
  std::vector<int16_t> renamed;
  for (const Runner& runner : runners) {
    renamed.assign(groups * runner.dfa->class_count, -1);
    int16_t count = 0;
    for (unsigned byte = 1; byte < 256; ++byte) {
      int16_t& name = renamed[group[byte] * runner.dfa->class_count + runner.ClassOf(byte)];
      if (name < 0) name = count++;
      group[byte] = static_cast<uint16_t>(name);
    }
    groups = static_cast<size_t>(count);
  }
  std::vector<bool> seen(groups, false);
  std::vector<uint8_t> bytes;
  for (unsigned byte = 1; byte < 256; ++byte) {
    if (seen[group[byte]]) continue;
    seen[group[byte]] = true;
    bytes.push_back(static_cast<uint8_t>(byte));
  }
  return bytes;
}

// Whether no text is accepted by all: a search over the states that they reach together.
bool RunTogether(const std::vector<Runner>& runners, bool path) {
  std::vector<uint8_t> bytes = Representatives(runners);
  using State = std::vector<uint16_t>;
  std::set<State> seen;
  std::deque<State> open;
  auto accepts = [&](const State& state) {
    for (size_t i = 0; i < runners.size(); ++i) {
      if (!runners[i].Accepts(state[i])) return false;
    }
    return true;
  };
  // Gives whether a text was found.
  auto visit = [&](State state) {
    for (size_t i = 0; i < runners.size(); ++i) {
      if (runners[i].Lost(state[i])) return false;
    }
    if (accepts(state)) return true;
    auto [it, fresh] = seen.insert(std::move(state));
    if (fresh) open.push_back(*it);
    return false;
  };
  auto step = [&](const State& from, uint8_t byte) {
    State to(from.size());
    for (size_t i = 0; i < runners.size(); ++i) to[i] = runners[i].Next(from[i], byte);
    return to;
  };
  State start(runners.size(), 0);
  if (visit(path ? step(start, '/') : start)) return false;
  for (size_t steps = 0; !open.empty(); open.pop_front()) {
    State from = open.front();
    steps += bytes.size();
    if (steps * runners.size() > kMaxSteps) return false;
    for (uint8_t byte : bytes) {
      if (visit(step(from, byte))) return false;
    }
  }
  return true;
}

}  // namespace

std::shared_ptr<const ir::Dfa> Languages::Automaton(const ir::Atom& atom) {
  size_t bytes = 0;
  for (const schema::Value& literal : atom.literals) bytes += std::get<std::string>(literal).size();
  if (atom.literals.size() > kMaxLiterals || bytes > 16 * kMaxLiterals) return nullptr;
  size_t hash = ir::HashOf(atom);
  auto [begin, end] = automata_.equal_range(hash);
  for (auto it = begin; it != end; ++it) {
    if (it->second.first.SameAs(atom)) return it->second.second;
  }
  std::optional<ir::Dfa> dfa = atom.test == ir::Test::Contains
                                   ? ir::MakeDfa(ir::Test::Contains, atom.literals, schema::TypeId::String)
                                   : ir::MakeDfa(ir::Test::Like, Globs(atom), schema::TypeId::String);
  auto shared = dfa ? std::make_shared<const ir::Dfa>(std::move(*dfa)) : nullptr;
  automata_.emplace(hash, std::make_pair(atom, shared));
  return shared;
}

bool Languages::IsEmpty(std::span<const TextTest> tests, bool path) {
  // Only here: while a question is asked its automata must not go, nor others take their addresses.
  if (automata_.size() >= kMaxCachedAutomata || answers_.size() >= kMaxAnswers) {
    automata_.clear();
    answers_.clear();
  }
  Question question{path ? uintptr_t{1} : uintptr_t{0}};
  std::vector<Runner> runners;
  std::vector<std::shared_ptr<const ir::Dfa>> held;
  for (const TextTest& test : tests) {
    std::shared_ptr<const ir::Dfa> dfa = Automaton(*test.atom);
    if (!dfa) continue;
    runners.push_back({dfa.get(), test.positive, test.lower});
    question.push_back(reinterpret_cast<uintptr_t>(dfa.get()));
    question.push_back((test.positive ? 2u : 0u) + (test.lower ? 1u : 0u));
    held.push_back(std::move(dfa));
  }
  if (runners.empty()) return false;
  auto [answer, fresh] = answers_.try_emplace(std::move(question), false);
  if (fresh) answer->second = RunTogether(runners, path);
  return answer->second;
}

}  // namespace ks::lint

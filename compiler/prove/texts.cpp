#include "compiler/prove/texts.h"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <set>

#include "compiler/ir/glob.h"

namespace ks::prove {
namespace {

using ir::Atom;
using ir::ByteSet;
using ir::Truth;
using schema::TypeId;

constexpr size_t kMaxStates = 400'000;  // of all automata together
constexpr size_t kTextsOfClass = 4;

uint8_t Lower(uint8_t byte) { return byte >= 'A' && byte <= 'Z' ? static_cast<uint8_t>(byte + 32) : byte; }

std::vector<std::string> GlobsOf(const Atom& atom) {
  std::vector<std::string> globs;
  for (const schema::Value& literal : atom.literals) {
    const auto& text = std::get<std::string>(literal);
    if (atom.test == ir::Test::Like) {
      globs.push_back(text);
    } else if (atom.test == ir::Test::Contains) {
      globs.push_back("*" + ir::EscapedGlob(text) + "*");
    } else if (atom.test == ir::Test::Under) {
      globs.push_back(ir::EscapedGlob(ir::UnderPrefix(text)));
      globs.push_back(globs.back() + "/*");
    } else {
      globs.push_back(ir::EscapedGlob(text));
    }
  }
  return globs;
}

// Many globs at once: a state is the set of places that have been reached, numbered when it is first seen.
class Globs {
 public:
  Globs(const std::vector<std::string>& patterns, bool lower) : lower_(lower) {
    for (const std::string& pattern : patterns) patterns_.push_back(ir::ParseGlob(pattern));
    Places start;
    for (size_t i = 0; i < patterns_.size(); ++i) Reach({i, 0}, &start);
    Number(std::move(start));
  }

  static constexpr int kStart = 0;
  bool Accepts(int state) const { return accepts_[static_cast<size_t>(state)]; }
  int Step(int state, uint8_t byte) {
    if (lower_) byte = Lower(byte);
    int& next = next_[static_cast<size_t>(state)][byte];
    if (next >= 0) return next;
    Places reached;
    for (const auto& [pattern, place] : places_[static_cast<size_t>(state)]) {
      if (place == patterns_[pattern].size()) continue;
      const ir::GlobToken& token = patterns_[pattern][place];
      if (token.star) Reach({pattern, place}, &reached);
      if (!token.star && token.bytes[byte]) Reach({pattern, place + 1}, &reached);
    }
    const int number = Number(std::move(reached));  // moves next_
    return next_[static_cast<size_t>(state)][byte] = number;
  }
  // What the patterns tell apart.
  void AddSets(std::set<std::string>* sets) const {
    for (const auto& pattern : patterns_) {
      for (const ir::GlobToken& token : pattern) {
        if (token.star) continue;
        ByteSet bytes;
        for (unsigned byte = 0; byte < 256; ++byte)
          bytes[byte] = token.bytes[lower_ ? Lower(static_cast<uint8_t>(byte)) : byte];
        sets->insert(bytes.to_string());
      }
    }
  }

 private:
  using Place = std::pair<size_t, size_t>;  // pattern, token
  using Places = std::set<Place>;
  void Reach(Place place, Places* places) const {
    while (places->insert(place).second && place.second < patterns_[place.first].size() &&
           patterns_[place.first][place.second].star) {
      ++place.second;
    }
  }
  int Number(Places places) {
    bool accepts = false, forever = false;
    for (const auto& [pattern, place] : places) {
      accepts |= place == patterns_[pattern].size();
      forever |= place + 1 == patterns_[pattern].size() && patterns_[pattern][place].star;
    }
    if (forever) places = {{SIZE_MAX, 0}};  // whatever follows: one state
    auto [it, fresh] = numbers_.emplace(places, static_cast<int>(places_.size()));
    if (fresh) {
      places_.push_back(forever ? Places() : places);
      accepts_.push_back(accepts);
      next_.emplace_back();
      next_.back().fill(forever ? it->second : -1);
    }
    return it->second;
  }

  std::vector<std::vector<ir::GlobToken>> patterns_;
  bool lower_;
  std::map<Places, int> numbers_;
  std::vector<Places> places_;
  std::vector<bool> accepts_;
  std::vector<std::array<int, 256>> next_;
};

// What an atom has to remember of a text: of a list, where in it.
class Runner {
 public:
  explicit Runner(const Atom& atom)
      : globs_(atom.test == ir::Test::Present ? std::vector<std::string>() : GlobsOf(atom), atom.operand.lower),
        element_(atom.operand.element),
        list_(schema::Row(atom.operand.field).type == TypeId::StringList && element_ < 0),
        contains_(atom.test == ir::Test::Contains) {}

  struct State {
    int globs = Globs::kStart;
    int16_t element = 0;  // which one it is in; of a whole list only whether something was found in an earlier one
    bool begun = false;   // of an element: it has a byte
    auto operator<=>(const State&) const = default;
  };
  State Step(State state, uint8_t byte) {
    if (list_) {
      if (state.element == 1) return state;
      if (contains_ && globs_.Accepts(state.globs)) return {0, 1, false};
      if (byte != 0) return {globs_.Step(state.globs, byte), 0, false};
      return globs_.Accepts(state.globs) ? State{0, 1, false} : State{};
    }
    if (element_ < 0) return {globs_.Step(state.globs, byte), 0, false};
    if (state.element > element_) return state;
    if (byte == 0) return {state.globs, static_cast<int16_t>(state.element + 1), false};
    return {state.element == element_ ? globs_.Step(state.globs, byte) : state.globs, state.element, true};
  }
  void AddSets(std::set<std::string>* sets) const { globs_.AddSets(sets); }

 private:
  Globs globs_;
  int16_t element_;
  bool list_, contains_;
};

// The nicest byte first: witnesses are read by people.
std::vector<uint8_t> ByNiceness() {
  std::vector<uint8_t> bytes(256);
  std::iota(bytes.begin(), bytes.end(), uint8_t{0});
  const auto rank = [](uint8_t byte) {
    if (byte >= 'a' && byte <= 'z') return byte == 'x' ? 0 : 1;
    if (byte >= '0' && byte <= '9') return 2;
    if (byte >= 'A' && byte <= 'Z') return 3;
    return byte > 0x20 && byte < 0x7f ? 4 : 5;
  };
  std::stable_sort(bytes.begin(), bytes.end(), [&](uint8_t a, uint8_t b) { return rank(a) < rank(b); });
  return bytes;
}

// One byte of each group that no automaton tells apart.
std::vector<uint8_t> Representatives(const std::vector<Runner>& runners, TypeId type, Events events) {
  const bool list = type == TypeId::StringList;
  std::set<std::string> sets;
  for (const Runner& runner : runners) runner.AddSets(&sets);
  std::array<size_t, 256> group{};
  if (list) group[0] = 1;
  if (type == TypeId::Path) group['/'] = 1;
  for (const std::string& text : sets) {
    const ByteSet bytes(text);
    std::map<std::pair<size_t, bool>, size_t> names;
    for (size_t byte = 0; byte < 256; ++byte)
      group[byte] = names.emplace(std::pair(group[byte], bool{bytes[byte]}), names.size()).first->second;
  }
  std::set<size_t> seen;
  std::vector<uint8_t> out;
  for (uint8_t byte : ByNiceness()) {
    const bool printable = byte >= 0x20 && byte < 0x7f;
    if (events == Events::Testable && !printable && !(list && byte == 0)) continue;
    if (list && byte != 0 && group[byte] == group[0]) continue;
    if (seen.insert(group[byte]).second) out.push_back(byte);
  }
  return out;
}

}  // namespace

bool SortsTexts(const Atom& atom) {
  if (atom.other || schema::Row(schema::Row(atom.operand.field).type).slot != schema::Slot::Text) return false;
  switch (atom.test) {
    case ir::Test::In:
    case ir::Test::Under:
    case ir::Test::Like:
    case ir::Test::Contains:
    case ir::Test::HasElement:
      return true;
    case ir::Test::Present:
      return atom.operand.element >= 0;
    default:
      return false;
  }
}

TextClasses SortTexts(const std::vector<Atom>& atoms, schema::FieldId field, Events events, Deadline deadline) {
  const schema::FieldRow& row = schema::Row(field);
  const bool list = row.type == TypeId::StringList;
  std::vector<Runner> runners;
  for (const Atom& atom : atoms) runners.emplace_back(atom);
  const std::vector<uint8_t> bytes = Representatives(runners, row.type, events);

  struct Node {
    size_t parent = 0;
    uint8_t byte = 0;
    uint32_t length = 0;
  };
  using States = std::vector<Runner::State>;
  std::map<States, size_t> seen;
  std::vector<const States*> states;
  std::vector<Node> nodes;
  TextClasses out;
  std::map<std::vector<Truth>, size_t> known;

  const auto text_of = [&](size_t node) {
    std::string text(nodes[node].length, '\0');
    for (size_t at = node; nodes[at].length > 0; at = nodes[at].parent)
      text[nodes[at].length - 1] = static_cast<char>(nodes[at].byte);
    return text;
  };
  const auto classify = [&](std::string text) {
    const bool path = row.type == TypeId::Path;
    if (events == Events::Testable &&
        ((path && !text.starts_with('/')) || (list && !text.empty() && text.back() != '\0')))
      return;
    std::vector<Truth> truths;
    for (schema::Status status : {schema::Status::Ok, schema::Status::Truncated}) {
      for (const Atom& atom : atoms) {
        schema::Record record;
        record.Set(atom.operand.field, text, status);
        truths.push_back(ir::EvalAtom(atom, record).truth);
      }
    }
    auto [it, fresh] = known.emplace(truths, out.classes.size());
    if (fresh) {
      const auto half = truths.begin() + static_cast<std::ptrdiff_t>(atoms.size());
      out.classes.push_back({{truths.begin(), half}, {half, truths.end()}, {}});
    }
    std::vector<std::string>& texts = out.classes[it->second].texts;
    if (texts.size() < kTextsOfClass && std::ranges::find(texts, text) == texts.end()) texts.push_back(std::move(text));
  };
  const auto reach = [&](States to, Node node) {
    auto [it, fresh] = seen.emplace(std::move(to), nodes.size());
    if (!fresh) {
      // Another text of the same class, for fields that must differ.
      if (nodes.size() < 4096 && node.length > 0) {
        std::string text = text_of(node.parent);
        classify(text + static_cast<char>(node.byte));
      }
      return;
    }
    states.push_back(&it->first);
    nodes.push_back(node);
    classify(text_of(nodes.size() - 1));
  };
  reach(States(runners.size() + 1), {});  // the last one: whether there is a byte at all
  for (size_t from = 0; from < nodes.size(); ++from) {
    if (events == Events::Testable && nodes[from].length >= row.capture) continue;
    if (nodes.size() > kMaxStates || (from % 256 == 0 && std::chrono::steady_clock::now() > deadline)) {
      out.why_incomplete =
          std::string("too many texts differ in what they make of the tests of ") + std::string(row.dotted);
      return out;
    }
    for (uint8_t byte : bytes) {
      // A path is asked for from its slash on.
      if (events == Events::Testable && row.type == TypeId::Path && nodes[from].length == 0 && byte != '/') continue;
      States to = *states[from];
      for (size_t i = 0; i < runners.size(); ++i) to[i] = runners[i].Step(to[i], byte);
      to.back().begun = true;
      reach(std::move(to), {from, byte, nodes[from].length + 1});
    }
  }
  return out;
}

}  // namespace ks::prove

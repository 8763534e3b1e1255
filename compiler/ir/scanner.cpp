// Aho and Corasick's automaton as a table: the trie of all literals, in which a byte that leads nowhere is taken from
// the longest suffix that is in the trie too.
#include <algorithm>

#include "compiler/ir/glob.h"
#include "compiler/ir/index_parts.h"

namespace ks::ir::index_parts {
namespace {

constexpr uint16_t kBegin = 256;  // of a text; no byte
constexpr size_t kMostHits = 0xfff0;

std::optional<Scanner::Literal> Piece(const std::vector<GlobToken>& tokens, size_t begin, size_t end) {
  Scanner::Literal piece;
  for (size_t i = begin; i < end; ++i) {
    if (tokens[i].star || tokens[i].bytes.count() != 1) return std::nullopt;
    size_t byte = 0;
    while (!tokens[i].bytes.test(byte)) ++byte;
    piece.text += static_cast<char>(byte);
  }
  piece.at_begin = begin == 0;
  piece.at_end = end == tokens.size();
  return piece;
}

// What stands before the last slash of a text that begins a path.
std::string FolderOf(const Scanner::Literal& piece) {
  const size_t slash = piece.text.rfind('/');
  return piece.at_begin && slash != std::string::npos ? piece.text.substr(0, slash) : "";
}

// The plain text with stars at its ends, or the plain pieces of anything else.
std::optional<Needle> NeedleOfPattern(const std::string& pattern) {
  const std::vector<GlobToken> tokens = ParseGlob(pattern);
  const size_t begin = !tokens.empty() && tokens.front().star ? 1 : 0;
  const size_t end = tokens.size() > begin && tokens.back().star ? tokens.size() - 1 : tokens.size();
  if (begin == end) return std::nullopt;
  if (std::optional<Scanner::Literal> whole = Piece(tokens, begin, end)) {
    std::string folder = FolderOf(*whole);
    return Needle{{std::move(*whole)}, true, std::move(folder)};
  }
  Needle needle{{}, false, ""};
  for (size_t from = 0; from < tokens.size();) {
    size_t to = from;
    while (to < tokens.size() && !tokens[to].star && tokens[to].bytes.count() == 1) ++to;
    if (to > from) needle.all.push_back(*Piece(tokens, from, to));
    from = to + 1;
  }
  if (needle.all.empty()) return std::nullopt;
  needle.folder = FolderOf(needle.all.front());
  std::stable_sort(needle.all.begin(), needle.all.end(),
                   [](const auto& a, const auto& b) { return a.text.size() > b.text.size(); });
  return needle;
}

}  // namespace

std::optional<Needle> NeedleOf(const Atom& atom, const Value& literal) {
  const auto& text = std::get<std::string>(literal);
  const bool list = TypeOf(atom.operand) == schema::TypeId::StringList;
  if (atom.test == Test::Like) {
    std::optional<Needle> needle = NeedleOfPattern(text);
    if (needle && list) needle->folder.clear();
    return needle;
  }
  if (list && text.find('\0') != std::string::npos) return std::nullopt;
  if (atom.test == Test::HasElement) return Needle{{{text, true, true}}, true, ""};
  if (text.empty()) return std::nullopt;
  return Needle{{{text, false, false}}, true, ""};
}

ScannerBuilder::ScannerBuilder(const Operand& operand, const IndexOptions& options)
    : most_states_(std::min<uint32_t>(options.states, 0xfff0)),
      most_cells_(options.cells),
      list_(TypeOf(operand) == schema::TypeId::StringList),
      nodes_(1) {
  scanner_.operand = operand;
}

// Of a list, elements begin and end at a NUL; the first as if there were one before it.
std::vector<uint16_t> ScannerBuilder::Symbols(const Scanner::Literal& literal) const {
  std::vector<uint16_t> symbols;
  if (literal.at_begin) symbols.push_back(list_ ? 0 : kBegin);
  for (char byte : literal.text) symbols.push_back(static_cast<uint8_t>(byte));
  if (literal.at_end && list_) symbols.push_back(0);
  return symbols;
}

std::optional<std::vector<uint32_t>> ScannerBuilder::Add(const std::vector<Scanner::Literal>& literals) {
  // What it would come to, counting nodes of these literals as if they shared none with each other.
  size_t more = 0;
  std::vector<bool> used = used_;
  uint32_t used_count = used_count_;
  for (const Scanner::Literal& literal : literals) {
    uint32_t node = 0;
    bool known = true;
    for (uint16_t symbol : Symbols(literal)) {
      if (symbol < 256 && !used[symbol]) used[symbol] = true, ++used_count;
      if (known) {
        const auto next = nodes_[node].next.find(symbol);
        known = next != nodes_[node].next.end();
        if (known) node = next->second;
      }
      more += known ? 0 : 1;
    }
  }
  const size_t states = nodes_.size() + 1 + more;  // and the start
  if (states > most_states_ || states * (used_count + 2) > most_cells_ ||
      2 * (scanner_.literals.size() + literals.size()) > kMostHits) {
    return std::nullopt;
  }
  used_ = std::move(used);
  used_count_ = used_count;
  std::vector<uint32_t> numbers;
  for (const Scanner::Literal& literal : literals) {
    const auto [known, is_new] =
        numbers_.try_emplace({literal.text, (literal.at_begin ? 2 : 0) + (literal.at_end ? 1 : 0)},
                             static_cast<uint32_t>(scanner_.literals.size()));
    numbers.push_back(known->second);
    if (!is_new) continue;
    scanner_.literals.push_back(literal);
    uint32_t node = 0;
    for (uint16_t symbol : Symbols(literal)) {
      const auto [next, made] = nodes_[node].next.try_emplace(symbol, static_cast<uint32_t>(nodes_.size()));
      node = next->second;
      if (made) nodes_.emplace_back();
    }
    (literal.at_end && !list_ ? nodes_[node].at_end : nodes_[node].here).push_back(known->second);
  }
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  return numbers;
}

uint32_t ScannerBuilder::Step(uint32_t node, uint16_t symbol) const {
  for (;;) {
    const auto next = nodes_[node].next.find(symbol);
    if (next != nodes_[node].next.end()) return next->second;
    if (node == 0) return 0;
    node = nodes_[node].fallback;
  }
}

void ScannerBuilder::AddFallbacks() {
  order_ = {0};
  for (size_t i = 0; i < order_.size(); ++i) {
    const uint32_t node = order_[i];
    for (const auto& [symbol, child] : nodes_[node].next) {
      const uint32_t fallback = node == 0 ? 0 : Step(nodes_[node].fallback, symbol);
      nodes_[child].fallback = fallback;
      for (auto Node::* ends : {&Node::here, &Node::at_end}) {
        auto& mine = nodes_[child].*ends;
        const auto& theirs = nodes_[fallback].*ends;
        mine.insert(mine.end(), theirs.begin(), theirs.end());
        std::sort(mine.begin(), mine.end());
      }
      order_.push_back(child);
    }
  }
}

uint16_t ScannerBuilder::HitOf(const std::vector<uint32_t>& literals) {
  if (literals.empty()) return Scanner::kNoHit;
  const auto [known, is_new] = hit_numbers_.try_emplace(literals, static_cast<uint16_t>(scanner_.hits.size()));
  if (is_new) scanner_.hits.push_back(literals);
  return known->second;
}

Scanner ScannerBuilder::Build() {
  AddFallbacks();
  // Bytes that no literal has are one class.
  scanner_.classes.assign(256, 0);
  std::vector<uint16_t> symbols;  // by class: one of its bytes
  const auto unused = std::find(used_.begin(), used_.end(), false);
  if (unused != used_.end()) symbols.push_back(static_cast<uint16_t>(unused - used_.begin()));
  for (uint16_t byte = 0; byte < 256; ++byte) {
    if (!used_[byte]) continue;
    scanner_.classes[byte] = static_cast<uint8_t>(symbols.size());
    symbols.push_back(byte);
  }
  scanner_.class_count = static_cast<uint32_t>(symbols.size());
  // States are nodes by depth: the ones that most bytes lead to stand together.
  std::vector<uint16_t> state(nodes_.size());
  for (size_t i = 0; i < order_.size(); ++i) state[order_[i]] = static_cast<uint16_t>(i);
  std::vector<std::vector<uint16_t>> rows(nodes_.size());
  for (const uint32_t node : order_) {
    // Where the trie says nothing, the row is that of the fallback, which is of lesser depth and so was filled.
    std::vector<uint16_t> row = node == 0 ? std::vector<uint16_t>(symbols.size()) : rows[nodes_[node].fallback];
    for (const auto& [symbol, child] : nodes_[node].next) {
      if (symbol < 256) row[scanner_.classes[symbol]] = state[child];
    }
    rows[node] = row;
    scanner_.next.insert(scanner_.next.end(), row.begin(), row.end());
    scanner_.hit_of.push_back(HitOf(nodes_[node].here));
    if (list_) continue;
    std::vector<uint32_t> ends = nodes_[node].at_end;
    scanner_.at_end.push_back(HitOf(ends));
  }
  scanner_.start = state[Step(0, list_ ? uint16_t{0} : kBegin)];
  return std::move(scanner_);
}

}  // namespace ks::ir::index_parts

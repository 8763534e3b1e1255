// What the steps of BuildIndex hand to each other. Not for others.
#pragma once

#include <deque>
#include <map>
#include <unordered_map>

#include "compiler/ir/index.h"

namespace ks::ir::index_parts {

// Of one dimension: And of Ors of literals, each 2 * atom of the group + 1 if negated. Sorted, each once.
using Disjunction = std::vector<uint32_t>;
using Term = std::vector<Disjunction>;
inline bool IsNegated(uint32_t literal) { return (literal & 1) != 0; }

// "dst.ip", "process.args[1]", "lower(file.path)": for people.
std::string Dotted(const Operand& operand);

// A dimension to be.
struct Group {
  Dimension::Class what{};
  Operand operand;
  std::optional<uint32_t> scanner;
  std::vector<const Atom*> atoms;            // all but those of scanners
  std::vector<std::vector<uint32_t>> found;  // of a scanner: by atom, the scanner's literals; one is enough
  std::map<Term, uint32_t> terms;            // → number
  bool IsFound() const { return what == Dimension::Class::AnyFound || what == Dimension::Class::NoneFound; }
};

// Where the tests of an atom are found again.
struct Place {
  const Atom* atom = nullptr;
  uint32_t uses = 0;
  std::string left_out;  // why; "" if it is not
  uint32_t group = 0;    // of AnyFound: the first of kLayers; NoneFound follows them
  // Numbers in the group. All must hold: only what a pattern asks for is more than one thing.
  std::vector<uint32_t> numbers;
  // Of patterns that all begin with a folder: that the path is below one of these, as group and number. Holds besides.
  std::optional<std::pair<uint32_t, uint32_t>> below;
  bool exact = true;  // else more passes than the atom says, and its negation is left out
};

// And of several AnyFound terms needs a dimension each.
inline constexpr uint32_t kLayers = 3;

struct Layout {
  std::vector<Place> places;
  std::vector<Group> groups;
  std::vector<Scanner> scanners;
  std::vector<std::string> spilled;
  std::deque<Atom> folders;  // tests that are in no rule, made for Place::below; groups point to them
  const Place& Find(const Atom& atom) const;
  std::unordered_multimap<size_t, uint32_t> by_hash;  // → places
};

// Every atom of the rules in its place.
Layout MakeLayout(std::span<const IndexRule> rules, const IndexOptions& options);

struct LooseClause {
  uint32_t rule = 0;
  std::vector<std::pair<uint32_t, uint32_t>> terms;  // group, number of the term; ascending
};

// The clauses of one rule, at most `most` (see IndexOptions::clauses_of_rule). Says what was left out.
std::vector<LooseClause> MakeClauses(const IndexRule& rule, size_t most, Layout* layout, Widened* widened);

// Sorts the clauses and fills in dimensions and rows.
void MakeRows(std::vector<LooseClause> clauses, const Layout& layout, Index* index);

// Adds literals while the automaton stays within the options, and makes it.
class ScannerBuilder {
 public:
  ScannerBuilder(const Operand& operand, const IndexOptions& options);
  // All of them or none; their numbers.
  std::optional<std::vector<uint32_t>> Add(const std::vector<Scanner::Literal>& literals);
  bool empty() const { return scanner_.literals.empty(); }
  Scanner Build();

 private:
  struct Node {
    std::map<uint16_t, uint32_t> next;
    std::vector<uint32_t> here, at_end;  // literals that end here, anywhere or at the text's end
    uint32_t fallback = 0;
  };
  std::vector<uint16_t> Symbols(const Scanner::Literal& literal) const;
  void AddFallbacks();
  uint32_t Step(uint32_t node, uint16_t symbol) const;
  uint16_t HitOf(const std::vector<uint32_t>& literals);

  const uint32_t most_states_, most_cells_;
  const bool list_;
  std::vector<Node> nodes_;
  std::vector<bool> used_ = std::vector<bool>(256);  // bytes of literals
  uint32_t used_count_ = 0;
  std::map<std::pair<std::string, int>, uint32_t> numbers_;
  std::map<std::vector<uint32_t>, uint16_t> hit_numbers_;
  std::vector<uint32_t> order_;  // nodes, by depth
  Scanner scanner_;
};

// What Contains, HasElement or Like of this literal asks of a scanner. Nothing: every text has it, or none has.
// `exact` is false where the pattern says more.
struct Needle {
  std::vector<Scanner::Literal> all;  // all of these must be found; the longest first
  bool exact = true;
  std::string folder;  // every text that it matches is below that; "": it begins with none
};
std::optional<Needle> NeedleOf(const Atom& atom, const Value& literal);

}  // namespace ks::ir::index_parts

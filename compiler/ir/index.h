// Many predicates at once: a value is looked up once for all rules that ask about it, and what comes of it is a row
// with a bit per clause; the AND of the rows is what may match. The cost of an event hardly grows with the number of
// rules.
//
//   rule        Or of clauses. A clause is an And of terms, at most one a dimension. A rule matches (its predicate is
//               not False) only if a clause has all its bits: exactly then, unless the rule was widened.
//   dimension   all tests of one class on one operand, over all rules. It maps the event's value to an outcome.
//   row         of each outcome: the clauses whose term there is not False, and those without one.
//
// Used by code generation, for kinds with many rules (rows in maps), and by runtime/engine. Depends on its input alone:
// the agent makes the same index from a bundle as the compiler did.
#pragma once

#include <span>

#include "compiler/ir/ir.h"

namespace ks::ir {

struct IndexRule {
  uint32_t rule = 0;  // the caller's number; Clause::rule
  // Any shape; read while building only. Tests of other steps' events, regular expressions and HasOther are left out:
  // a rule that has them is widened.
  const Pred* when;
};

struct IndexOptions {
  // Of one rule. A rule of which nothing else tells it from others may have kMaxAlternatives.
  size_t clauses_of_rule = 8;
  size_t clauses = 32'768;  // of all rules; at most kMaxIndexClauses
  // Dimensions::Test beyond this, the least used ones, are widened away. Like, where it is no plain text with stars at
  // its ends, costs one of them too; else only the texts between its stars are looked for.
  size_t tests = 32;
  bool test_patterns = true;  // false: never Dimension::Test for Like, Contains …, for somebody who proves candidates
  // Of one automaton; what does not fit goes to a second one of the operand, and so on up to `automata`; then it
  // spills.
  uint32_t states = 4096;
  uint32_t cells = 65'536;
  size_t automata = 2;
};
inline constexpr size_t kMaxAlternatives = 64;
inline constexpr size_t kMaxIndexClauses = 32'768;  // 512 words, 8 words of summary

// An automaton that finds literals in a text, all of them in one pass (Aho and Corasick's, as a table). Of several
// dimensions at once.
struct Scanner {
  Operand operand;               // String, Path or StringList
  std::vector<uint8_t> classes;  // 256: byte → class
  uint32_t class_count = 0;
  std::vector<uint16_t> next;  // state * class_count + class
  uint16_t start = 0;          // before the first byte (of a list: as if behind a NUL)
  // What ends at this byte, the state being the one after it: a hit, or kNoHit. After the last byte of what is no list,
  // at_end of the last state too (also of an empty text: start's). Lists have no at_end.
  std::vector<uint16_t> hit_of;  // by state
  std::vector<uint16_t> at_end;  // by state
  static constexpr uint16_t kNoHit = 0xffff;

  struct Literal {
    std::string text;
    bool at_begin = false, at_end = false;  // of the text; of an element of the list
    bool operator==(const Literal&) const = default;
  };
  std::vector<Literal> literals;
  std::vector<std::vector<uint32_t>> hits;  // hit → literals, ascending; never empty
};

struct Dimension {
  enum class Class : uint8_t {
    Text,      // In of a text: outcome = literal that it equals
    Under,     // outcome = the longest literal that the path is under. Literals are as UnderPrefix has them ("" is "/")
    Address,   // In of an address: outcome = the literal of most bits that holds it. All literals are Cidr here
    Endpoint,  // In of a whole endpoint: outcome = literal that it equals
    Number,    // In of an integer: outcome = literal that it equals
    Span,      // In and Range of an integer: outcome = the last i with starts[i] <= x; there is always one
    Test,      // one atom of any other kind (Present, HasBits, EqualField, LessField, a pattern): outcome 0 = True
    AnyFound,  // Contains, HasElement, Like: outcomes = the scanner's hits; the row is the OR of none and all theirs
    NoneFound  // the same, negated: the row is the AND of none and all theirs
  };
  Class what{};
  Operand operand;
  std::vector<Value> literals;      // Text, Under, Address, Endpoint, Number: distinct, ascending
  std::vector<int64_t> starts;      // Span: ascending, the first is INT64_MIN
  std::optional<Atom> atom;         // Test
  std::optional<uint32_t> scanner;  // AnyFound, NoneFound: in Index::scanners
  // By outcome: its row. Rows are for the value being there, Ok; Text: `none` also if Truncated.
  std::vector<uint32_t> row_of;
  // The row where every atom is False: no outcome, and Absent.  (An atom of two operands: either is Absent.)
  uint32_t none = 0;
  // In any other case (Unknown, Unread, Raw, Foreign, Truncated, or a value that nobody could look up): kAllRow. It is
  // always right to take kAllRow. Present knows more: see eval.h, where True is outcome 0.

  // Summary words: a bit if any clause of that word has a term here. If no word that is still alive is among them, the
  // dimension need not be looked up at all.
  std::vector<uint64_t> mentions;
  uint32_t clauses = 0;  // with a term here
  uint32_t rules = 0;    // with such a clause
  uint64_t bytes = 0;    // of literals, starts, row_of
  std::string note;      // for people: "file.path is one of 812 texts: 90 rules, 14 KB"
};

struct Clause {
  static constexpr uint32_t kGap = UINT32_MAX;  // stands for none: its bit is 0 in every row
  uint32_t rule = 0;                            // IndexRule::rule, or kGap
};

// A rule whose index lets more pass than its predicate: what asks for it must decide the rest.
struct Widened {
  uint32_t rule = 0;
  std::string why;              // for people, deterministic
  std::vector<FieldId> fields;  // of the rule's atoms that were left out anywhere, ascending: who decides reads these
};

class Index {
 public:
  static constexpr uint32_t kAllRow = 0;     // every bit: unknown
  static constexpr size_t kBlockWords = 16;  // words of a block: 1,024 clauses
  static constexpr uint32_t kZeroBlock = 0;  // all bits 0
  static constexpr uint32_t kOnesBlock = 1;  // all bits 1 (also behind the last clause; kAllRow's last block is cut)

  std::vector<Dimension> dimensions;  // in the order in which to look up: cheap and telling ones first
  std::vector<Scanner> scanners;
  // Bit c of a row is clauses[c]. Those that fail alike stand together, and share no word with others if there is room.
  std::vector<Clause> clauses;
  std::vector<Widened> widened;      // by rule, ascending; all others are exact
  std::vector<std::string> spilled;  // for people: which literals no automaton took, and why

  // Of every row. The words behind the last clause are 0.
  size_t words = 0;          // (clauses + 63) / 64
  size_t summary_words = 0;  // (words + 63) / 64; at most 8
  size_t row_blocks = 0;     // (words + 15) / 16; at most 32

  // Rows and blocks are shared by whoever has equal ones. Flat, to be copied into maps as they are.
  std::vector<uint64_t> summaries;  // row * summary_words: bit w: word w of the row is not 0
  std::vector<uint32_t> block_of;   // row * row_blocks: number of a block
  std::vector<uint64_t> blocks;     // block * kBlockWords

  size_t rows() const { return summary_words == 0 ? 0 : summaries.size() / summary_words; }
  uint64_t Word(uint32_t row, size_t word) const {
    return blocks[block_of[row * row_blocks + word / kBlockWords] * kBlockWords + word % kBlockWords];
  }
  const Widened* FindWidened(uint32_t rule) const;
  uint64_t RowBytes() const;  // summaries, block_of, blocks
  uint64_t Bytes() const;     // and all dimensions and scanners
  // For `ksc compile --explain`, a line each: totals, dimensions, what was widened and spilled.
  std::vector<std::string> Explain() const;
};

Index BuildIndex(std::span<const IndexRule> rules, const IndexOptions& options = {});

// Which literal of the atom matched, as AtomResult::index says it, from what a lookup gave: the outcome, or a scanner's
// hits in the order in which each was first found. Nothing if the atom is not one that these outcomes make True.
// Of general patterns (see IndexOptions::tests), which the scanner does not decide, nothing too.
std::optional<uint32_t> WhichLiteral(const Index& index, const Dimension& dimension, std::span<const uint32_t> outcomes,
                                     const Atom& atom);

}  // namespace ks::ir

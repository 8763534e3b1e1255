// Runs an index over records.
#pragma once

#include <array>

#include "compiler/ir/index.h"

namespace ks::ir {

// Immutable. Takes no memory while it matches, once a Scratch has been used.
class IndexMatcher {
 public:
  explicit IndexMatcher(Index index);

  // One for each thread.
  struct Scratch {
    std::string lowered;
    struct Found {
      uint64_t record = 0;  // of which match these hits are
      bool decided = false;
      uint16_t count = 0;
      std::array<uint16_t, 62> hits;
    };
    std::vector<Found> found;  // by scanner
    uint64_t record = 0;
    std::vector<uint32_t> rules;
    std::vector<uint64_t> marks;  // a bit per rule; all 0 between matches
    bool exact = false;
  };

  // The rules of which a clause has all its bits; ascending, each once. Valid until the scratch is used again. If
  // scratch->exact, those of them that are not Index::widened match: only what is widened has to be proven.
  std::span<const uint32_t> Match(const schema::Record& record, Scratch* scratch) const;

  // What the record's value is to a dimension. Not decided: anything (kAllRow). Without outcomes: `none`.
  struct Outcomes {
    bool decided = false;
    bool exact = false;  // decided, or every test is Unknown: what passes is not False
    uint16_t count = 0;
    std::array<uint32_t, 62> numbers;
  };
  // Forgets what the scratch holds of another record only when Match or Begin is called.
  void Begin(Scratch* scratch) const;
  void LookUp(size_t dimension, const schema::Record& record, Scratch* scratch, Outcomes* outcomes) const;

  const Index& index() const { return index_; }

 private:
  // Values by hash: open addressing, at most half full.
  struct Table {
    struct Entry {
      uint64_t hash = 0;  // 0: free
      uint32_t outcome = 0;
    };
    std::vector<Entry> entries;
    uint64_t mask = 0;
    void Make(size_t count);
    void Put(uint64_t hash, uint32_t outcome);
    template <typename Is>
    uint32_t Find(uint64_t hash, const Is& is) const;
  };
  struct Lookup {
    Table table;
    std::vector<uint8_t> bits;           // Address: sizes of blocks, largest first
    std::array<uint64_t, 16> lengths{};  // Text, Under: a bit for each length below 1,024 that a literal has
    std::vector<int64_t> masks;          // Test: of HasBits on a number that the record has as it is
  };
  void AddAsks(const Dimension& dimension);
  Lookup MakeLookup(const Dimension& dimension) const;
  uint32_t FindText(size_t dimension, std::string_view text) const;
  uint32_t FindFolder(size_t dimension, std::string_view path) const;
  uint32_t FindBlock(size_t dimension, const schema::IpAddress& ip) const;
  uint32_t FindNumber(size_t dimension, int64_t number) const;
  void Scan(const Scanner& scanner, std::string_view text, Scratch::Found* found) const;
  // What a row has for a number, or several rows together.
  template <typename OfRow>
  uint64_t OfOutcomes(const Dimension& dimension, const Outcomes& outcomes, const OfRow& of_row) const;
  std::span<const uint32_t> RulesOf(const uint64_t* alive, const uint64_t* words, Scratch* scratch) const;

  Index index_;
  std::vector<Lookup> lookups_;
  std::vector<uint64_t> all_;  // the words of kAllRow
  // By dimension, a bit per clause: it has a term there that some outcome makes False; and a bit per word of these that
  // is not 0. Where no clause that is left asks, nothing is looked up.
  std::vector<uint64_t> asks_, asking_words_;
  size_t rule_words_ = 0;
};

}  // namespace ks::ir

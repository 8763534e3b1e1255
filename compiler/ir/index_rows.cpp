// Clauses and terms as bits: which clauses stand together, and the row of every outcome.
#include <algorithm>
#include <map>
#include <string>
#include <unordered_map>

#include "compiler/ir/eval.h"
#include "compiler/ir/index_outcomes.h"
#include "compiler/ir/index_parts.h"

namespace ks::ir::index_parts {
namespace {

using Class = Dimension::Class;
using Words = std::vector<uint64_t>;

void SetBit(Words* words, size_t bit) { (*words)[bit / 64] |= uint64_t{1} << (bit % 64); }
void ClearBit(Words* words, size_t bit) { (*words)[bit / 64] &= ~(uint64_t{1} << (bit % 64)); }

// False at `none`: some of its Ors asks only for what must be found.
bool IsTelling(const Term& term) {
  return std::any_of(term.begin(), term.end(),
                     [](const Disjunction& any) { return std::none_of(any.begin(), any.end(), IsNegated); });
}

// How seldom, by experience, a value is one of those that a rule names.
int Selectivity(const Group& group) {
  switch (group.what) {
    case Class::Endpoint:
      return 95;
    case Class::Text:
      return 90;
    case Class::Address:
      return 80;
    case Class::AnyFound:
      return 70;
    case Class::Under:
      return 60;
    case Class::Number:
      switch (TypeOf(group.operand)) {
        case schema::TypeId::Port:
          return 75;
        case schema::TypeId::Enum:
        case schema::TypeId::Bool:
          return 10;
        default:
          return 40;
      }
    case Class::Span:
      return 20;
    case Class::Test:
      return 15;
    case Class::NoneFound:
      break;
  }
  return 0;
}

// What a lookup costs, reading the field included.
int Cost(const Group& group) {
  const bool is_long = schema::Row(group.operand.field).capture > 64;
  switch (group.what) {
    case Class::Number:
      return 0;
    case Class::Span:
      return 1;
    case Class::Address:
    case Class::Endpoint:
      return 2;
    case Class::Text:
      return is_long ? 5 : 3;
    case Class::Under:
      return 6;
    case Class::AnyFound:
    case Class::NoneFound:
      return is_long ? 9 : 8;
    case Class::Test:
      break;
  }
  return schema::Row(TypeOf(group.operand)).slot == schema::Slot::Text ? 10 : 4;
}

class RowMaker {
 public:
  RowMaker(std::vector<LooseClause> clauses, const Layout& layout, Index* index)
      : clauses_(std::move(clauses)), layout_(layout), index_(index) {}

  void Make() {
    SortClauses();
    index_->words = (clauses_.size() + 63) / 64;
    index_->summary_words = (index_->words + 63) / 64;
    index_->row_blocks = (index_->words + Index::kBlockWords - 1) / Index::kBlockWords;
    for (const LooseClause& clause : clauses_) index_->clauses.push_back({clause.rule});
    Block(Words(Index::kBlockWords, 0).data());
    Block(Words(Index::kBlockWords, ~uint64_t{0}).data());
    all_.assign(index_->row_blocks * Index::kBlockWords, 0);
    for (size_t i = 0; i < clauses_.size(); ++i) {
      if (clauses_[i].rule != Clause::kGap) SetBit(&all_, i);
    }
    if (!clauses_.empty()) Row(all_);
    bits_.resize(layout_.groups.size());
    for (size_t g = 0; g < bits_.size(); ++g) bits_[g].resize(layout_.groups[g].terms.size());
    for (uint32_t i = 0; i < clauses_.size(); ++i) {
      for (const auto& [group, term] : clauses_[i].terms) bits_[group][term].push_back(i);
    }
    index_->scanners = layout_.scanners;
    for (const uint32_t group : Order()) MakeDimension(group);
  }

 private:
  // Clauses are of one sort if the same dimensions tell them from others, whatever they ask of these.
  struct Sorted {
    std::vector<uint32_t> sort;                        // groups, what tells most first
    std::vector<std::pair<uint32_t, uint32_t>> terms;  // group and term, likewise
    uint32_t clause;
    auto operator<=>(const Sorted&) const = default;
  };
  using Sorts = std::map<std::vector<uint32_t>, size_t>;  // → clauses

  // A word holds clauses of one sort: it is empty as soon as one of their dimensions has nothing, and all that is left
  // of the row is in the summary. In it those stand together that ask the same of the dimension that tells most.
  void SortClauses() {
    telling_.resize(layout_.groups.size());
    for (size_t g = 0; g < telling_.size(); ++g) {
      const Group& group = layout_.groups[g];
      telling_[g].resize(group.terms.size());
      for (const auto& [term, number] : group.terms) telling_[g][number] = IsTelling(term) ? 1 : 0;
    }
    std::vector<Sorted> places;
    Sorts sorts;
    for (uint32_t i = 0; i < clauses_.size(); ++i) {
      Sorted place{{}, clauses_[i].terms, i};
      const auto score = [&](const auto& of) {
        return telling_[of.first][of.second] != 0 ? Selectivity(layout_.groups[of.first]) : -1;
      };
      std::stable_sort(place.terms.begin(), place.terms.end(),
                       [&](const auto& a, const auto& b) { return score(a) > score(b); });
      for (const auto& [group, term] : place.terms) {
        if (telling_[group][term] != 0) place.sort.push_back(group);
      }
      ++sorts[place.sort];
      places.push_back(std::move(place));
    }
    const size_t fewest = FewestOnTheirOwn(sorts);
    for (Sorted& place : places) {
      constexpr uint32_t kSundry = UINT32_MAX;
      if (sorts[place.sort] < fewest) place.sort = {kSundry};
    }
    std::sort(places.begin(), places.end());
    std::vector<LooseClause> sorted;
    for (size_t i = 0; i < places.size(); ++i) {
      if (i > 0 && places[i].sort != places[i - 1].sort)
        sorted.resize((sorted.size() + 63) / 64 * 64, {Clause::kGap, {}});
      sorted.push_back(std::move(clauses_[places[i].clause]));
    }
    clauses_ = std::move(sorted);
  }

  // How many clauses of a sort are enough for words of their own: one, if what is left empty is no more than a quarter
  // of the words, or all are in one word of the summary.
  size_t FewestOnTheirOwn(const Sorts& sorts) const {
    const auto words = [](size_t clauses) { return (clauses + 63) / 64; };
    const size_t packed = words(clauses_.size());
    const size_t most = std::min(kMaxIndexClauses / 64, std::max<size_t>(64, packed + packed / 4));
    for (size_t fewest = 1;; fewest *= 2) {
      size_t own = 0, sundry = 0;
      for (const auto& [sort, count] : sorts) {
        if (count < fewest) {
          sundry += count;
        } else {
          own += words(count);
        }
      }
      if (own + words(sundry) <= most) return fewest;
    }
  }

  // What costs little first; of those what tells much; what can only take away from what was found last.
  std::vector<uint32_t> Order() const {
    std::vector<uint32_t> order;
    std::vector<size_t> tells(bits_.size());
    for (uint32_t g = 0; g < bits_.size(); ++g) {
      if (bits_[g].empty()) continue;
      order.push_back(g);
      for (size_t term = 0; term < bits_[g].size(); ++term)
        tells[g] += telling_[g][term] != 0 ? bits_[g][term].size() : 0;
    }
    std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
      const auto key = [&](uint32_t g) { return std::make_tuple(tells[g] == 0, Cost(layout_.groups[g]), ~tells[g]); };
      return key(a) < key(b);
    });
    return order;
  }

  uint32_t Block(const uint64_t* words) {
    const size_t bytes = Index::kBlockWords * sizeof(uint64_t);
    const auto [known, is_new] = blocks_.try_emplace(std::string(reinterpret_cast<const char*>(words), bytes),
                                                     static_cast<uint32_t>(blocks_.size()));
    if (is_new) index_->blocks.insert(index_->blocks.end(), words, words + Index::kBlockWords);
    return known->second;
  }

  uint32_t Row(const Words& words) {
    std::vector<uint32_t> blocks(index_->row_blocks);
    for (size_t i = 0; i < blocks.size(); ++i) blocks[i] = Block(&words[i * Index::kBlockWords]);
    return RowOf(std::move(blocks));
  }

  uint32_t RowOf(std::vector<uint32_t> blocks) {
    std::string key(reinterpret_cast<const char*>(blocks.data()), blocks.size() * sizeof(uint32_t));
    const auto [known, is_new] = rows_.try_emplace(std::move(key), static_cast<uint32_t>(rows_.size()));
    if (!is_new) return known->second;
    index_->block_of.insert(index_->block_of.end(), blocks.begin(), blocks.end());
    Words summary(index_->summary_words);
    for (size_t word = 0; word < index_->words; ++word) {
      const size_t at = blocks[word / Index::kBlockWords] * Index::kBlockWords + word % Index::kBlockWords;
      if (index_->blocks[at] != 0) SetBit(&summary, word);
    }
    index_->summaries.insert(index_->summaries.end(), summary.begin(), summary.end());
    return known->second;
  }

  void MakeDimension(uint32_t number) {
    const Group& group = layout_.groups[number];
    Dimension dimension;
    dimension.what = group.what;
    dimension.operand = group.operand;
    dimension.scanner = group.scanner;
    if (group.what == Class::Test) dimension.atom = *group.atoms.front();
    const std::vector<std::vector<uint32_t>> outcomes = MakeOutcomes(group, layout_, &dimension);

    std::vector<const Term*> terms(group.terms.size());
    std::vector<std::vector<uint32_t>> terms_of_atom(AtomCount(group));
    for (const auto& [term, i] : group.terms) {
      terms[i] = &term;
      for (const Disjunction& any : term) {
        for (const uint32_t literal : any) terms_of_atom[literal / 2].push_back(i);
      }
    }
    Words none = all_;
    std::vector<uint32_t> mentioned;
    for (size_t i = 0; i < terms.size(); ++i) {
      for (const uint32_t bit : bits_[number][i]) {
        mentioned.push_back(bit);
        if (telling_[number][i] != 0) ClearBit(&none, bit);
      }
    }
    dimension.none = Row(none);
    Mention(std::move(mentioned), &dimension);

    std::map<std::vector<uint32_t>, uint32_t> known;  // atoms that are true → row
    std::vector<uint8_t> truth(terms_of_atom.size());
    for (const std::vector<uint32_t>& atoms : outcomes) {
      const auto [place, is_new] = known.try_emplace(atoms, dimension.none);
      if (is_new) place->second = RowWhere(number, atoms, terms, terms_of_atom, none, dimension.none, &truth);
      dimension.row_of.push_back(place->second);
    }
    index_->dimensions.push_back(std::move(dimension));
  }

  static size_t AtomCount(const Group& group) { return group.IsFound() ? group.found.size() : group.atoms.size(); }

  // The row `none`, with the bits of those terms turned that the atoms make true or false.
  uint32_t RowWhere(uint32_t group, const std::vector<uint32_t>& atoms, const std::vector<const Term*>& terms,
                    const std::vector<std::vector<uint32_t>>& terms_of_atom, const Words& none, uint32_t none_row,
                    std::vector<uint8_t>* truth) {
    for (const uint32_t atom : atoms) (*truth)[atom] = 1;
    std::vector<uint32_t> touched;
    for (const uint32_t atom : atoms)
      touched.insert(touched.end(), terms_of_atom[atom].begin(), terms_of_atom[atom].end());
    std::sort(touched.begin(), touched.end());
    touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
    std::map<size_t, Words> blocks;  // those that differ
    for (const uint32_t i : touched) {
      const bool holds = std::all_of(terms[i]->begin(), terms[i]->end(), [&](const Disjunction& any) {
        return std::any_of(any.begin(), any.end(),
                           [&](uint32_t literal) { return ((*truth)[literal / 2] != 0) != IsNegated(literal); });
      });
      if (holds == (telling_[group][i] == 0)) continue;  // as at `none`
      for (const uint32_t bit : bits_[group][i]) {
        const size_t block = bit / (64 * Index::kBlockWords);
        const auto [place, is_new] = blocks.try_emplace(block);
        if (is_new) {
          const auto begin = none.begin() + static_cast<ptrdiff_t>(block * Index::kBlockWords);
          place->second.assign(begin, begin + Index::kBlockWords);
        }
        const size_t at = bit % (64 * Index::kBlockWords);
        holds ? SetBit(&place->second, at) : ClearBit(&place->second, at);
      }
    }
    for (const uint32_t atom : atoms) (*truth)[atom] = 0;
    const auto begin = index_->block_of.begin() + static_cast<ptrdiff_t>(none_row * index_->row_blocks);
    std::vector<uint32_t> numbers(begin, begin + static_cast<ptrdiff_t>(index_->row_blocks));
    for (const auto& [block, words] : blocks) numbers[block] = Block(words.data());
    return RowOf(std::move(numbers));
  }

  void Mention(std::vector<uint32_t> bits, Dimension* dimension) const {
    dimension->mentions.assign(index_->summary_words, 0);
    std::vector<uint32_t> rules;
    for (const uint32_t bit : bits) {
      SetBit(&dimension->mentions, bit / 64);
      rules.push_back(clauses_[bit].rule);
    }
    std::sort(rules.begin(), rules.end());
    dimension->clauses = static_cast<uint32_t>(bits.size());
    dimension->rules = static_cast<uint32_t>(std::unique(rules.begin(), rules.end()) - rules.begin());
  }

  std::vector<LooseClause> clauses_;
  const Layout& layout_;
  Index* index_;
  std::vector<std::vector<uint8_t>> telling_;             // by group and term: False at `none`
  std::vector<std::vector<std::vector<uint32_t>>> bits_;  // by group and term: clauses
  Words all_;
  std::unordered_map<std::string, uint32_t> blocks_, rows_;
};

}  // namespace

void MakeRows(std::vector<LooseClause> clauses, const Layout& layout, Index* index) {
  RowMaker(std::move(clauses), layout, index).Make();
}

}  // namespace ks::ir::index_parts

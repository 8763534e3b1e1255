#include "compiler/ir/index_outcomes.h"

#include <algorithm>
#include <limits>
#include <set>

#include "compiler/ir/eval.h"

namespace ks::ir::index_parts {
namespace {

using Class = Dimension::Class;
using Outcomes = std::vector<std::vector<uint32_t>>;

void SortEach(Outcomes* outcomes) {
  for (std::vector<uint32_t>& atoms : *outcomes) {
    std::sort(atoms.begin(), atoms.end());
    atoms.erase(std::unique(atoms.begin(), atoms.end()), atoms.end());
  }
}

Value AsHeld(Class what, const Value& literal) {
  if (what == Class::Under) return std::string(UnderPrefix(std::get<std::string>(literal)));
  if (what == Class::Address) return AsBlock(literal);
  return literal;
}

void AddAtoms(const std::map<Value, uint32_t>& numbers, const Value& of, const Outcomes& own,
              std::vector<uint32_t>* atoms) {
  const auto found = numbers.find(of);
  if (found != numbers.end()) atoms->insert(atoms->end(), own[found->second].begin(), own[found->second].end());
}

// What holds a literal holds what the literal holds: of a path its folders, of a block of addresses the larger ones.
void Inherit(const Dimension& dimension, const std::map<Value, uint32_t>& numbers, Outcomes* outcomes) {
  const Outcomes own = *outcomes;
  std::set<uint8_t> sizes;
  if (dimension.what == Class::Address) {
    for (const Value& literal : dimension.literals) sizes.insert(std::get<schema::Cidr>(literal).bits);
  }
  for (size_t i = 0; i < dimension.literals.size(); ++i) {
    std::vector<uint32_t>* atoms = &(*outcomes)[i];
    if (const auto* path = std::get_if<std::string>(&dimension.literals[i])) {
      for (size_t size = 0; size < path->size(); ++size) {
        if ((*path)[size] == '/') AddAtoms(numbers, path->substr(0, size), own, atoms);
      }
    } else if (const auto* block = std::get_if<schema::Cidr>(&dimension.literals[i])) {
      for (const uint8_t bits : sizes) {
        if (bits < block->bits) AddAtoms(numbers, AsBlock(schema::Cidr{block->base, bits}), own, atoms);
      }
    }
  }
}

Outcomes OfSets(const Group& group, Dimension* dimension) {
  std::map<Value, uint32_t> numbers;
  for (const Atom* atom : group.atoms) {
    for (const Value& literal : atom->literals) numbers.try_emplace(AsHeld(group.what, literal), 0);
  }
  uint32_t next = 0;
  for (auto& [literal, number] : numbers) {
    number = next++;
    dimension->literals.push_back(literal);
  }
  Outcomes outcomes(numbers.size());
  for (uint32_t i = 0; i < group.atoms.size(); ++i) {
    for (const Value& literal : group.atoms[i]->literals)
      outcomes[numbers.at(AsHeld(group.what, literal))].push_back(i);
  }
  SortEach(&outcomes);
  if (group.what == Class::Under || group.what == Class::Address) {
    Inherit(*dimension, numbers, &outcomes);
    SortEach(&outcomes);
  }
  return outcomes;
}

// The atom's literals as [low, high].
std::vector<std::pair<int64_t, int64_t>> SpansOf(const Atom& atom) {
  std::vector<std::pair<int64_t, int64_t>> spans;
  if (atom.test == Test::Range) {
    const int64_t low = std::get<int64_t>(atom.literals[0]), high = std::get<int64_t>(atom.literals[1]);
    if (low <= high) spans.emplace_back(low, high);
    return spans;
  }
  for (const Value& literal : atom.literals) {
    spans.emplace_back(std::get<int64_t>(literal), std::get<int64_t>(literal));
  }
  return spans;
}

Outcomes OfSpans(const Group& group, Dimension* dimension) {
  constexpr int64_t kLeast = std::numeric_limits<int64_t>::min(), kMost = std::numeric_limits<int64_t>::max();
  std::set<int64_t> starts{kLeast};
  for (const Atom* atom : group.atoms) {
    for (const auto& [low, high] : SpansOf(*atom)) {
      starts.insert(low);
      if (high < kMost) starts.insert(high + 1);
    }
  }
  dimension->starts.assign(starts.begin(), starts.end());
  const auto at = [&](int64_t value) {
    return static_cast<size_t>(std::lower_bound(dimension->starts.begin(), dimension->starts.end(), value) -
                               dimension->starts.begin());
  };
  // Atoms that begin and end at a start; those that hold run along.
  std::vector<std::vector<std::pair<uint32_t, int>>> turns(starts.size() + 1);
  for (uint32_t i = 0; i < group.atoms.size(); ++i) {
    for (const auto& [low, high] : SpansOf(*group.atoms[i])) {
      turns[at(low)].emplace_back(i, 1);
      turns[high < kMost ? at(high + 1) : starts.size()].emplace_back(i, -1);
    }
  }
  Outcomes outcomes;
  std::map<uint32_t, int> holding;
  for (size_t i = 0; i < starts.size(); ++i) {
    for (const auto& [atom, turn] : turns[i]) {
      if ((holding[atom] += turn) == 0) holding.erase(atom);
    }
    std::vector<uint32_t> atoms;
    atoms.reserve(holding.size());
    for (const auto& [atom, count] : holding) atoms.push_back(atom);
    outcomes.push_back(std::move(atoms));
  }
  return outcomes;
}

Outcomes OfHits(const Group& group, const Scanner& scanner) {
  std::vector<std::vector<uint32_t>> atoms_of_literal(scanner.literals.size());
  for (uint32_t i = 0; i < group.found.size(); ++i) {
    for (const uint32_t literal : group.found[i]) atoms_of_literal[literal].push_back(i);
  }
  Outcomes outcomes;
  for (const std::vector<uint32_t>& hit : scanner.hits) {
    std::vector<uint32_t> atoms;
    for (const uint32_t literal : hit) {
      atoms.insert(atoms.end(), atoms_of_literal[literal].begin(), atoms_of_literal[literal].end());
    }
    outcomes.push_back(std::move(atoms));
  }
  SortEach(&outcomes);
  return outcomes;
}

}  // namespace

schema::Cidr AsBlock(const Value& address) {
  schema::Cidr block;
  if (const auto* ip = std::get_if<schema::IpAddress>(&address)) {
    block = {*ip, 128};
  } else {
    block = std::get<schema::Cidr>(address);
  }
  for (size_t i = 0; i < block.base.bytes.size(); ++i) {
    const int kept = std::clamp(block.bits - static_cast<int>(8 * i), 0, 8);
    block.base.bytes[i] &= static_cast<uint8_t>(0xff00 >> kept);
  }
  return block;
}

std::vector<std::vector<uint32_t>> MakeOutcomes(const Group& group, const Layout& layout, Dimension* dimension) {
  switch (group.what) {
    case Class::Text:
    case Class::Under:
    case Class::Address:
    case Class::Endpoint:
    case Class::Number:
      return OfSets(group, dimension);
    case Class::Span:
      return OfSpans(group, dimension);
    case Class::Test:
      return {{0}};
    case Class::AnyFound:
    case Class::NoneFound:
      break;
  }
  return OfHits(group, layout.scanners[*group.scanner]);
}

}  // namespace ks::ir::index_parts

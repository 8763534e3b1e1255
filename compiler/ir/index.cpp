#include "compiler/ir/index.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/ir/eval.h"
#include "compiler/ir/index_outcomes.h"
#include "compiler/ir/index_parts.h"
#include "compiler/support/result.h"

namespace ks::ir {
namespace {

using Class = Dimension::Class;
using index_parts::Layout;
using index_parts::LooseClause;

std::vector<LooseClause> ClausesOf(std::span<const IndexRule> rules, size_t most, Layout* layout,
                                   std::vector<Widened>* widened) {
  std::vector<LooseClause> clauses;
  for (const IndexRule& rule : rules) {
    Widened loose;
    std::vector<LooseClause> own = index_parts::MakeClauses(rule, most, layout, &loose);
    std::move(own.begin(), own.end(), std::back_inserter(clauses));
    if (!loose.why.empty()) widened->push_back(std::move(loose));
  }
  return clauses;
}

// A rule of many clauses lets everything pass instead.
void MakeFew(std::vector<LooseClause>* clauses, std::span<const IndexRule> rules, std::vector<Widened>* widened) {
  std::map<uint32_t, std::vector<LooseClause>> of_rule;
  for (LooseClause& clause : *clauses) of_rule[clause.rule].push_back(std::move(clause));
  clauses->clear();
  for (const IndexRule& rule : rules) {
    std::vector<LooseClause>& own = of_rule[rule.rule];
    if (own.size() <= 1) {
      std::move(own.begin(), own.end(), std::back_inserter(*clauses));
      continue;
    }
    clauses->push_back({rule.rule, {}});
    const auto known =
        std::find_if(widened->begin(), widened->end(), [&](const Widened& one) { return one.rule == rule.rule; });
    Widened all{rule.rule, "the rules together have too many alternatives", FieldsOf(*rule.when)};
    if (known == widened->end()) {
      widened->push_back(std::move(all));
    } else {
      *known = std::move(all);
    }
  }
}

uint64_t BytesOf(const Value& value) {
  const auto* text = std::get_if<std::string>(&value);
  return text != nullptr ? text->size() + 8 : 24;
}

uint64_t BytesOf(const Scanner& scanner) {
  uint64_t bytes = scanner.classes.size() + 2 * (scanner.next.size() + scanner.hit_of.size() + scanner.at_end.size());
  for (const auto& hit : scanner.hits) bytes += 4 * hit.size();
  for (const auto& literal : scanner.literals) bytes += literal.text.size() + 2;
  return bytes;
}

std::string Size(uint64_t bytes) {
  return bytes < 10'000 ? fmt::format("{} bytes", bytes) : fmt::format("{} KB", bytes / 1000);
}

std::string WhatOf(const Index& index, const Dimension& dimension) {
  const std::string field = index_parts::Dotted(dimension.operand);
  const size_t count = dimension.literals.size();
  switch (dimension.what) {
    case Class::Text:
      return fmt::format("{} is one of {} texts, by hash", field, count);
    case Class::Under:
      return fmt::format("{} is below one of {} folders, by the longest", field, count);
    case Class::Address:
      return fmt::format("{} is in one of {} blocks of addresses, by the longest prefix", field, count);
    case Class::Endpoint:
    case Class::Number:
      return fmt::format("{} is one of {} values, by hash", field, count);
    case Class::Span:
      return fmt::format("{} is in one of {} ranges, by search", field, dimension.starts.size());
    case Class::Test:
      return fmt::format("{} has a test of its own", field);
    case Class::AnyFound:
    case Class::NoneFound:
      break;
  }
  const Scanner& scanner = index.scanners[*dimension.scanner];
  return fmt::format("{} {} of {} texts, by automaton {} of {} states and {} classes", field,
                     dimension.what == Class::AnyFound ? "has one" : "has none", scanner.literals.size(),
                     *dimension.scanner, scanner.hit_of.size(), scanner.class_count);
}

void Measure(Index* index) {
  for (Dimension& dimension : index->dimensions) {
    dimension.bytes = 8 * dimension.starts.size() + 4 * dimension.row_of.size();
    for (const Value& literal : dimension.literals) dimension.bytes += BytesOf(literal);
    dimension.note = fmt::format("{}: {} rules, {} clauses, {}", WhatOf(*index, dimension), dimension.rules,
                                 dimension.clauses, Size(dimension.bytes));
  }
}

// The first literal of the atom for which `is` holds.
template <typename Is>
std::optional<uint32_t> First(const Atom& atom, const Is& is) {
  for (uint32_t i = 0; i < atom.literals.size(); ++i) {
    if (is(atom.literals[i])) return i;
  }
  return std::nullopt;
}

std::optional<uint32_t> WhichFolder(const Atom& atom, std::string_view path) {
  std::optional<uint32_t> best;
  std::string_view shortest;
  for (uint32_t i = 0; i < atom.literals.size(); ++i) {
    const std::string_view prefix = UnderPrefix(std::get<std::string>(atom.literals[i]));
    if (!path.starts_with(prefix) || (path.size() > prefix.size() && path[prefix.size()] != '/')) continue;
    if (best && prefix.size() >= shortest.size()) continue;
    best = i;
    shortest = prefix;
  }
  return best;
}

std::optional<uint32_t> WhichBlock(const Atom& atom, const schema::Cidr& block) {
  std::optional<uint32_t> best;
  int most = -1;
  for (uint32_t i = 0; i < atom.literals.size(); ++i) {
    const schema::Cidr own = index_parts::AsBlock(atom.literals[i]);
    if (own.bits > block.bits || own.bits <= most || !own.Contains(block.base)) continue;
    best = i;
    most = own.bits;
  }
  return best;
}

// Nothing unless the scanner looks for all of the atom's literals, and for all of each.
std::optional<uint32_t> WhichFound(const Scanner& scanner, std::span<const uint32_t> hits, const Atom& atom) {
  std::vector<uint32_t> sought;  // by literal of the atom: number in the scanner
  for (const Value& literal : atom.literals) {
    const std::optional<index_parts::Needle> needle = index_parts::NeedleOf(atom, literal);
    if (!needle || !needle->exact) return std::nullopt;
    const auto at = std::find(scanner.literals.begin(), scanner.literals.end(), needle->all.front());
    if (at == scanner.literals.end()) return std::nullopt;
    sought.push_back(static_cast<uint32_t>(at - scanner.literals.begin()));
  }
  std::optional<uint32_t> best;
  for (const uint32_t hit : hits) {
    const std::vector<uint32_t>& found = scanner.hits[hit];
    for (uint32_t i = 0; i < sought.size() && (!best || i < *best); ++i) {
      if (std::binary_search(found.begin(), found.end(), sought[i])) best = i;
    }
    // Of Contains and HasElement what ends first, of patterns the first one.
    if (best && atom.test != Test::Like) break;
  }
  return best;
}

}  // namespace

const Widened* Index::FindWidened(uint32_t rule) const {
  const auto at = std::lower_bound(widened.begin(), widened.end(), rule,
                                   [](const Widened& one, uint32_t number) { return one.rule < number; });
  return at != widened.end() && at->rule == rule ? &*at : nullptr;
}

uint64_t Index::RowBytes() const { return 8 * summaries.size() + 4 * block_of.size() + 8 * blocks.size(); }

uint64_t Index::Bytes() const {
  uint64_t bytes = RowBytes() + sizeof(Clause) * clauses.size();
  for (const Dimension& dimension : dimensions) bytes += dimension.bytes + 8 * dimension.mentions.size();
  for (const Scanner& scanner : scanners) bytes += BytesOf(scanner);
  return bytes;
}

std::vector<std::string> Index::Explain() const {
  std::vector<std::string> lines;
  const auto is_clause = [](const Clause& clause) { return clause.rule != Clause::kGap; };
  lines.push_back(fmt::format("{} clauses, {} dimensions, {} rows of {} words in {} blocks: {}, with everything {}",
                              std::ranges::count_if(clauses, is_clause), dimensions.size(), rows(), words,
                              blocks.size() / kBlockWords, Size(RowBytes()), Size(Bytes())));
  for (const Dimension& dimension : dimensions) lines.push_back(dimension.note);
  for (const std::string& spill : spilled) lines.push_back("no room for " + spill);
  std::map<std::string, size_t> why;
  for (const Widened& one : widened) ++why[one.why];
  for (const auto& [reason, count] : why)
    lines.push_back(fmt::format("{} rules pass more than they say: {}", count, reason));
  return lines;
}

Index BuildIndex(std::span<const IndexRule> rules, const IndexOptions& options) {
  const Layout layout = index_parts::MakeLayout(rules, options);
  const size_t limit = std::min(options.clauses, kMaxIndexClauses);
  KS_CHECK(rules.size() <= limit, "an index has room for a clause of each rule");
  Index index;
  for (size_t most = options.clauses_of_rule;; most /= 2) {
    Layout filled = layout;
    index.widened.clear();
    std::vector<LooseClause> clauses = ClausesOf(rules, std::max<size_t>(most, 1), &filled, &index.widened);
    if (clauses.size() > limit) {
      if (most > 1) continue;
      MakeFew(&clauses, rules, &index.widened);
    }
    std::sort(index.widened.begin(), index.widened.end(),
              [](const Widened& a, const Widened& b) { return a.rule < b.rule; });
    index.spilled = filled.spilled;
    index_parts::MakeRows(std::move(clauses), filled, &index);
    break;
  }
  Measure(&index);
  return index;
}

std::optional<uint32_t> WhichLiteral(const Index& index, const Dimension& dimension, std::span<const uint32_t> outcomes,
                                     const Atom& atom) {
  if (outcomes.empty() || !(atom.operand == dimension.operand)) return std::nullopt;
  const uint32_t outcome = outcomes.front();
  switch (dimension.what) {
    case Class::Text:
    case Class::Endpoint:
    case Class::Number:
      if (atom.test != Test::In) return std::nullopt;
      return First(atom, [&](const Value& literal) { return literal == dimension.literals[outcome]; });
    case Class::Under:
      if (atom.test != Test::Under) return std::nullopt;
      return WhichFolder(atom, std::get<std::string>(dimension.literals[outcome]));
    case Class::Address:
      if (atom.test != Test::In) return std::nullopt;
      return WhichBlock(atom, std::get<schema::Cidr>(dimension.literals[outcome]));
    case Class::Span: {
      if (atom.test != Test::In) return std::nullopt;
      const int64_t start = dimension.starts[outcome];
      return First(atom, [&](const Value& literal) { return std::get<int64_t>(literal) == start; });
    }
    case Class::Test:
      return std::nullopt;  // the test itself says it
    case Class::AnyFound:
    case Class::NoneFound:
      break;
  }
  if (atom.test != Test::Contains && atom.test != Test::HasElement && atom.test != Test::Like) return std::nullopt;
  return WhichFound(index.scanners[*dimension.scanner], outcomes, atom);
}

}  // namespace ks::ir

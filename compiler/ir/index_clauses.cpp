// A predicate as an Or of clauses. What is not False distributes over And and Or, in Kleene's values too, so that a
// clause is exact as long as nothing is left out; leaving out a conjunct only lets more pass.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compiler/ir/eval.h"
#include "compiler/ir/index_parts.h"

namespace ks::ir::index_parts {
namespace {

using Class = Dimension::Class;

// Terms by group; none: always.
using Alternative = std::map<uint32_t, Term>;
// None: never.
using Alternatives = std::vector<Alternative>;

void Normalize(Term* term) {
  for (Disjunction& any : *term) {
    std::sort(any.begin(), any.end());
    any.erase(std::unique(any.begin(), any.end()), any.end());
  }
  std::sort(term->begin(), term->end());
  term->erase(std::unique(term->begin(), term->end()), term->end());
}

// Something must be found for it.
bool IsTelling(const Disjunction& any) { return std::none_of(any.begin(), any.end(), IsNegated); }
bool IsTelling(const Alternative& alternative) {
  return std::any_of(alternative.begin(), alternative.end(), [](const auto& term) {
    return std::any_of(term.second.begin(), term.second.end(), [](const Disjunction& any) { return IsTelling(any); });
  });
}

class Expander {
 public:
  Expander(size_t most, const Layout& layout, Widened* widened) : most_(most), layout_(layout), widened_(widened) {}

  Alternatives Expand(const Pred& pred, bool negated) {
    switch (pred.op) {
      case Pred::Op::True:
      case Pred::Op::False:
        return (pred.op == Pred::Op::True) != negated ? Alternatives{{}} : Alternatives{};
      case Pred::Op::Atom:
        return OfAtom(*pred.atom, negated);
      case Pred::Op::Not:
        return Expand(pred.operands.front(), !negated);
      case Pred::Op::And:
      case Pred::Op::Or:
        break;
    }
    std::vector<Alternatives> parts;
    parts.reserve(pred.operands.size());
    for (const Pred& operand : pred.operands) parts.push_back(Expand(operand, negated));
    return (pred.op == Pred::Op::And) != negated ? All(pred, std::move(parts)) : Any(pred, std::move(parts));
  }

  std::set<FieldId> fields;

 private:
  void Widen(const Pred& pred, const std::string& why) {
    const std::vector<FieldId> more = FieldsOf(pred);
    fields.insert(more.begin(), more.end());
    if (widened_->why.find(why) != std::string::npos) return;
    if (!widened_->why.empty()) widened_->why += "; ";
    widened_->why += why;
  }

  Alternatives OfAtom(const Atom& atom, bool negated) {
    if (AsksOfSet(atom.test) && atom.literals.empty()) return negated ? Alternatives{{}} : Alternatives{};
    const Place& place = layout_.Find(atom);
    Alternative asked;
    if (place.below && !negated) asked[place.below->first] = {{place.below->second * 2}};
    if (!place.left_out.empty() || !place.exact) {
      const char* pattern = "a pattern is looked for by the text between its stars";
      Widen(MakeAtom(atom), place.left_out.empty() ? pattern : place.left_out);
      if (negated || place.numbers.empty()) return {asked};
    }
    if (!layout_.groups[place.group].IsFound()) {
      return {{{place.group, {{place.numbers.front() * 2 + (negated ? 1u : 0u)}}}}};
    }
    if (negated) return {{{place.group + kLayers, {{place.numbers.front() * 2 + 1}}}}};
    for (uint32_t i = 0; i < place.numbers.size(); ++i) asked[place.group + i] = {{place.numbers[i] * 2}};
    return {asked};
  }

  // Where nothing else tells the rule from others.
  size_t MostAlternatives() const { return most_ * kMaxAlternatives / 8; }

  Class What(uint32_t group) const { return layout_.groups[group].what; }

  // The first of the layers of the group's scanner.
  uint32_t FirstLayer(uint32_t group) const {
    while (group > 0 && What(group - 1) == Class::AnyFound &&
           layout_.groups[group - 1].scanner == layout_.groups[group].scanner) {
      --group;
    }
    return group;
  }

  // False if something had to be left out.
  bool Join(const Alternative& from, Alternative* to) const {
    bool whole = true;
    for (const auto& [group, term] : from) {
      if (What(group) == Class::AnyFound) {
        whole = JoinFound(FirstLayer(group), term, to) && whole;
        continue;
      }
      Term& joined = (*to)[group];
      joined.insert(joined.end(), term.begin(), term.end());
      Normalize(&joined);
    }
    return whole;
  }

  bool JoinFound(uint32_t first, const Term& term, Alternative* to) const {
    for (uint32_t group = first; group < first + kLayers; ++group) {
      const auto [place, is_free] = to->try_emplace(group, term);
      if (is_free || place->second == term) return true;
    }
    return false;
  }

  // Few alternatives first, so that what must be left out is what tells least.
  Alternatives All(const Pred& pred, std::vector<Alternatives> parts) {
    std::vector<size_t> order(parts.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return parts[a].size() < parts[b].size(); });
    Alternatives all{{}};
    for (const size_t i : order) {
      Alternatives* part = &parts[i];
      const bool telling = std::all_of(all.begin(), all.end(), [](const Alternative& one) { return IsTelling(one); });
      const size_t most = telling && !all.empty() ? most_ : MostAlternatives();
      if (all.size() * part->size() > most) {
        Widen(pred.operands[i], "it has too many alternatives");
        *part = Weaken(*part);
      }
      Alternatives product;
      for (const Alternative& one : all) {
        for (const Alternative& other : *part) {
          Alternative both = one;
          if (!Join(other, &both)) Widen(pred.operands[i], "it looks for too many texts in one field");
          product.push_back(std::move(both));
        }
      }
      all = std::move(product);
      if (all.empty()) break;
    }
    return all;
  }

  // What all alternatives ask of one dimension, as one.
  Alternatives Weaken(const Alternatives& alternatives) const {
    Alternative common;
    for (const auto& first : alternatives.front()) {
      const auto& group = first.first;
      if (What(group) == Class::NoneFound) continue;
      Disjunction any;
      const bool all = std::all_of(alternatives.begin(), alternatives.end(), [&](const Alternative& one) {
        const auto term = one.find(group);
        if (term == one.end()) return false;
        const Disjunction& shortest =
            *std::min_element(term->second.begin(), term->second.end(),
                              [](const auto& a, const auto& b) { return a.size() < b.size(); });
        any.insert(any.end(), shortest.begin(), shortest.end());
        return true;
      });
      if (!all) continue;
      Term term{std::move(any)};
      Normalize(&term);
      common[group] = std::move(term);
    }
    return {common};
  }

  // Alternatives that ask one thing of the same dimension are one.
  Alternatives Any(const Pred& pred, std::vector<Alternatives> parts) {
    Alternatives any;
    std::map<uint32_t, size_t> single;  // by group: which of `any`
    for (Alternatives& part : parts) {
      for (Alternative& one : part) {
        if (one.empty()) return {{}};
        const auto& [group, term] = *one.begin();
        if (one.size() == 1 && term.size() == 1 && What(group) != Class::NoneFound) {
          const auto [known, is_new] = single.try_emplace(group, any.size());
          if (!is_new) {
            Term& joined = any[known->second].begin()->second;
            joined.front().insert(joined.front().end(), term.front().begin(), term.front().end());
            Normalize(&joined);
            continue;
          }
        }
        any.push_back(std::move(one));
      }
    }
    if (any.size() <= MostAlternatives()) return any;
    Widen(pred, "it has too many alternatives");
    return Weaken(any);
  }

  const size_t most_;
  const Layout& layout_;
  Widened* widened_;
};

}  // namespace

std::vector<LooseClause> MakeClauses(const IndexRule& rule, size_t most, Layout* layout, Widened* widened) {
  widened->rule = rule.rule;
  Expander expander(most, *layout, widened);
  Alternatives alternatives = expander.Expand(*rule.when, false);
  std::sort(alternatives.begin(), alternatives.end());
  alternatives.erase(std::unique(alternatives.begin(), alternatives.end()), alternatives.end());
  std::vector<LooseClause> clauses;
  for (const Alternative& alternative : alternatives) {
    LooseClause clause;
    clause.rule = rule.rule;
    for (const auto& [group, term] : alternative) {
      auto& terms = layout->groups[group].terms;
      clause.terms.emplace_back(group, terms.try_emplace(term, static_cast<uint32_t>(terms.size())).first->second);
    }
    clauses.push_back(std::move(clause));
  }
  widened->fields.assign(expander.fields.begin(), expander.fields.end());
  return clauses;
}

}  // namespace ks::ir::index_parts

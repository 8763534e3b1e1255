// Which dimension each atom belongs to.
#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "compiler/ir/hash.h"
#include "compiler/ir/index_parts.h"
#include "compiler/support/result.h"

namespace ks::ir::index_parts {
namespace {

using Class = Dimension::Class;

auto KeyOf(const Operand& operand) {
  return std::make_tuple(operand.field, operand.part, operand.element, operand.lower);
}
using OperandKey = decltype(KeyOf(std::declval<Operand>()));

bool IsScanned(Test test) { return test == Test::Like || test == Test::Contains || test == Test::HasElement; }

std::string WhyNever(const Atom& atom) {
  if (atom.operand.step != kThisEvent || (atom.other && atom.other->step != kThisEvent)) {
    return fmt::format("{} of an earlier step", Dotted(atom.operand));
  }
  if (atom.test == Test::Matches) return fmt::format("a regular expression over {}", Dotted(atom.operand));
  if (atom.test == Test::HasOther)
    return fmt::format("{} is looked for in {}", Dotted(*atom.other), Dotted(atom.operand));
  return "";
}

class LayoutMaker {
 public:
  explicit LayoutMaker(const IndexOptions& options) : options_(options) {}

  Layout Make(std::span<const IndexRule> rules) {
    for (const IndexRule& rule : rules) Collect(*rule.when);
    ChooseTests();
    for (uint32_t i = 0; i < layout_.places.size(); ++i) {
      const Place& place = layout_.places[i];
      if (place.left_out.empty() && !is_test_[i] && !IsScanned(place.atom->test)) PlaceInSet(i);
    }
    PlaceScanned();
    return std::move(layout_);
  }

 private:
  void Collect(const Pred& pred) {
    if (pred.atom && !(AsksOfSet(pred.atom->test) && pred.atom->literals.empty())) Use(*pred.atom);
    for (const Pred& operand : pred.operands) Collect(operand);
  }

  void Use(const Atom& atom) {
    const size_t hash = HashOf(atom);
    auto [begin, end] = layout_.by_hash.equal_range(hash);
    for (auto it = begin; it != end; ++it) {
      Place& place = layout_.places[it->second];
      if (!place.atom->SameAs(atom)) continue;
      ++place.uses;
      return;
    }
    layout_.by_hash.emplace(hash, static_cast<uint32_t>(layout_.places.size()));
    Place place;
    place.atom = &atom;
    place.uses = 1;
    place.left_out = WhyNever(atom);
    layout_.places.push_back(std::move(place));
    if (atom.test == Test::Range) spans_.insert({KeyOf(atom.operand), 0});
  }

  // What only a test of its own decides.
  bool WantsTest(const Atom& atom) const {
    if (IsScanned(atom.test)) {
      return options_.test_patterns &&
             std::any_of(atom.literals.begin(), atom.literals.end(), [&](const Value& literal) {
               const std::optional<Needle> needle = NeedleOf(atom, literal);
               return !needle || !needle->exact;
             });
    }
    return atom.test == Test::Present || atom.test == Test::HasBits || atom.test == Test::EqualField ||
           atom.test == Test::LessField;
  }

  std::vector<uint32_t> MostUsedFirst(std::vector<uint32_t> places) const {
    std::stable_sort(places.begin(), places.end(),
                     [&](uint32_t a, uint32_t b) { return layout_.places[a].uses > layout_.places[b].uses; });
    return places;
  }

  void ChooseTests() {
    is_test_.resize(layout_.places.size());
    std::vector<uint32_t> wanted;
    for (uint32_t i = 0; i < layout_.places.size(); ++i) {
      if (layout_.places[i].left_out.empty() && WantsTest(*layout_.places[i].atom)) wanted.push_back(i);
    }
    wanted = MostUsedFirst(std::move(wanted));
    for (size_t rank = 0; rank < wanted.size(); ++rank) {
      Place& place = layout_.places[wanted[rank]];
      if (rank >= options_.tests) {
        if (!IsScanned(place.atom->test)) {
          place.left_out =
              fmt::format("a test of {} beyond the {} most used", Dotted(place.atom->operand), options_.tests);
        }
        continue;
      }
      is_test_[wanted[rank]] = true;
      place.group = static_cast<uint32_t>(layout_.groups.size());
      place.numbers = {0};
      Group group;
      group.what = Class::Test;
      group.operand = place.atom->operand;
      group.atoms = {place.atom};
      layout_.groups.push_back(std::move(group));
    }
  }

  Class ClassOf(const Atom& atom) const {
    if (atom.test == Test::Under) return Class::Under;
    switch (schema::Row(TypeOf(atom.operand)).slot) {
      case schema::Slot::Ip:
        return Class::Address;
      case schema::Slot::Endpoint:
        return Class::Endpoint;
      case schema::Slot::Int:
        return spans_.contains(KeyOf(atom.operand)) ? Class::Span : Class::Number;
      case schema::Slot::Text:
      case schema::Slot::None:
        break;
    }
    return Class::Text;
  }

  // Group and number.
  std::pair<uint32_t, uint32_t> AddToSet(const Atom* atom) {
    const Class what = ClassOf(*atom);
    const auto [known, is_new] =
        sets_.try_emplace({KeyOf(atom->operand), what}, static_cast<uint32_t>(layout_.groups.size()));
    if (is_new) {
      Group group;
      group.what = what;
      group.operand = atom->operand;
      layout_.groups.push_back(std::move(group));
    }
    Group& group = layout_.groups[known->second];
    group.atoms.push_back(atom);
    return {known->second, static_cast<uint32_t>(group.atoms.size() - 1)};
  }

  void PlaceInSet(uint32_t number) {
    Place& place = layout_.places[number];
    const auto [group, in_group] = AddToSet(place.atom);
    place.group = group;
    place.numbers = {in_group};
  }

  // Where patterns begin with folders, as most do, a path is looked up among these first, and few are scanned.
  void PlaceBelow(Place* place) {
    Atom below;
    below.operand = place->atom->operand;
    below.test = Test::Under;
    for (const Value& literal : place->atom->literals) {
      const std::optional<Needle> needle = NeedleOf(*place->atom, literal);
      if (!needle || needle->folder.empty()) return;
      below.literals.emplace_back(needle->folder);
    }
    layout_.folders.push_back(std::move(below));
    place->below = AddToSet(&layout_.folders.back());
  }

  void PlaceScanned() {
    std::map<OperandKey, std::vector<uint32_t>> waiting;
    for (uint32_t i = 0; i < layout_.places.size(); ++i) {
      Place& place = layout_.places[i];
      if (place.left_out.empty() && !is_test_[i] && IsScanned(place.atom->test)) {
        PlaceBelow(&place);
        waiting[KeyOf(place.atom->operand)].push_back(i);
      }
    }
    for (auto& [key, places] : waiting) {
      places = MostUsedFirst(std::move(places));
      for (size_t scanner = 0; scanner < options_.automata && !places.empty(); ++scanner) places = FillScanner(places);
      for (const uint32_t i : places) {
        const Atom& atom = *layout_.places[i].atom;
        layout_.places[i].left_out = fmt::format("the automata over {} are full", Dotted(atom.operand));
        std::string what = ToString(atom.literals.front(), schema::TypeId::String, "");
        if (atom.literals.size() > 1) what += fmt::format(" and {} more", atom.literals.size() - 1);
        layout_.spilled.push_back(fmt::format("{}: {}: {} automata hold {} states or {} transitions each",
                                              Dotted(atom.operand), what, options_.automata, options_.states,
                                              options_.cells));
      }
    }
  }

  // What did not fit.
  std::vector<uint32_t> FillScanner(const std::vector<uint32_t>& places) {
    ScannerBuilder builder(layout_.places[places.front()].atom->operand, options_);
    std::vector<uint32_t> rest;
    const auto first = static_cast<uint32_t>(layout_.groups.size());
    std::vector<std::vector<uint32_t>> found;
    for (const uint32_t i : places) {
      if (!Scan(first, &layout_.places[i], &builder, &found)) rest.push_back(i);
    }
    if (builder.empty()) return rest;
    for (uint32_t layer = 0; layer <= kLayers; ++layer) {
      Group group;
      group.what = layer < kLayers ? Class::AnyFound : Class::NoneFound;
      group.operand = layout_.places[places.front()].atom->operand;
      group.scanner = static_cast<uint32_t>(layout_.scanners.size());
      group.found = found;
      layout_.groups.push_back(std::move(group));
    }
    layout_.scanners.push_back(builder.Build());
    return rest;
  }

  // False if the automaton is full.
  static bool Scan(uint32_t group, Place* place, ScannerBuilder* builder, std::vector<std::vector<uint32_t>>* found) {
    std::vector<Needle> needles;
    for (const Value& literal : place->atom->literals) {
      std::optional<Needle> needle = NeedleOf(*place->atom, literal);
      if (!needle) {
        place->left_out = fmt::format("a pattern of {} that names no text", Dotted(place->atom->operand));
        return true;
      }
      place->exact = place->exact && needle->exact;
      needles.push_back(std::move(*needle));
    }
    if (place->below && !place->exact) {
      // A piece that is no more than the folder has been asked for.
      const auto is_folder = [](const Scanner::Literal& piece) { return piece.at_begin && piece.text.ends_with('/'); };
      for (Needle& needle : needles) std::erase_if(needle.all, is_folder);
      if (std::any_of(needles.begin(), needles.end(), [](const Needle& needle) { return needle.all.empty(); })) {
        return true;
      }
    }
    // Several patterns of which one must match: of each the longest piece. One pattern: the two longest ones.
    std::vector<std::vector<Scanner::Literal>> wanted;
    if (needles.size() == 1) {
      std::vector<Scanner::Literal>& pieces = needles.front().all;
      if (pieces.size() > 2) pieces.resize(2);
      for (Scanner::Literal& literal : pieces) wanted.push_back({std::move(literal)});
    } else {
      wanted.emplace_back();
      for (Needle& needle : needles) wanted.back().push_back(std::move(needle.all.front()));
    }
    std::vector<std::vector<uint32_t>> numbers;
    for (const auto& literals : wanted) {
      std::optional<std::vector<uint32_t>> added = builder->Add(literals);
      if (!added) return false;
      numbers.push_back(std::move(*added));
    }
    place->group = group;
    for (auto& literals : numbers) {
      place->numbers.push_back(static_cast<uint32_t>(found->size()));
      found->push_back(std::move(literals));
    }
    return true;
  }

  const IndexOptions& options_;
  Layout layout_;
  std::vector<bool> is_test_;
  std::map<OperandKey, int> spans_;
  std::map<std::pair<OperandKey, Class>, uint32_t> sets_;
};

}  // namespace

std::string Dotted(const Operand& operand) {
  std::string name(schema::Row(operand.field).dotted);
  if (operand.part != Part::Whole) name += operand.part == Part::Ip ? ".ip" : ".port";
  if (operand.element >= 0) name += fmt::format("[{}]", operand.element);
  return operand.lower ? fmt::format("lower({})", name) : name;
}

const Place& Layout::Find(const Atom& atom) const {
  auto [at, end] = by_hash.equal_range(HashOf(atom));
  while (at != end && !places[at->second].atom->SameAs(atom)) ++at;
  KS_CHECK(at != end, "every atom has been placed");
  return places[at->second];
}

Layout MakeLayout(std::span<const IndexRule> rules, const IndexOptions& options) {
  return LayoutMaker(options).Make(rules);
}

}  // namespace ks::ir::index_parts

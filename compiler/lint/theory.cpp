#include "compiler/lint/theory.h"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <set>

#include "compiler/ir/eval.h"
#include "compiler/lint/domains.h"

namespace ks::lint {
namespace {

using ir::Atom;
using ir::Operand;
using ir::Part;
using ir::Test;
using schema::FieldId;
using schema::Slot;
using schema::TypeId;
using schema::Value;

constexpr size_t kMaxComparisons = 1 << 20;

// Tests that hold if one of their literals does.
bool IsAny(Test test) {
  switch (test) {
    case Test::In:
    case Test::Under:
    case Test::Like:
    case Test::Contains:
    case Test::HasElement:
    case Test::HasBits:
    case Test::Matches:
      return true;
    default:
      return false;
  }
}

bool IsPlain(const Operand& operand) { return operand.element < 0 && !operand.lower; }

// Some positive any-test has all its literals in negated tests of the same kind.
bool AllLiteralsDenied(const std::vector<Literal>& literals) {
  for (const Literal& literal : literals) {
    if (!literal.positive || !IsAny(literal.atom->test)) continue;
    std::set<Value> denied;
    for (const Literal& other : literals) {
      const Atom& atom = *other.atom;
      if (other.positive || atom.test != literal.atom->test || !(atom.operand == literal.atom->operand)) continue;
      denied.insert(atom.literals.begin(), atom.literals.end());
    }
    if (std::all_of(literal.atom->literals.begin(), literal.atom->literals.end(),
                    [&](const Value& value) { return denied.contains(value); })) {
      return true;
    }
  }
  return false;
}

// The same test, required and denied.
bool Contradicts(const std::vector<Literal>& literals) {
  for (size_t i = 0; i < literals.size(); ++i) {
    if (!literals[i].positive) continue;
    for (const Literal& other : literals) {
      if (!other.positive && other.atom->SameAs(*literals[i].atom)) return true;
    }
  }
  return false;
}

// Steps of all numbers are read from the one record at hand.
constexpr size_t kMaxSteps = 256;

}  // namespace

bool Theory::Holds(const Literal& literal, const schema::Record& record) const {
  static constexpr size_t kSteps = kMaxSteps;
  std::array<const schema::Record*, kSteps> steps;
  size_t count = literal.atom->operand.step;
  if (literal.atom->operand.element >= 0 || literal.atom->test == Test::Matches) return true;  // it may
  schema::Record lower;
  const schema::Record* of = &record;
  if (literal.atom->operand.lower) {
    lower = record;
    FieldId field = literal.atom->operand.field;
    std::string text = std::get<std::string>(record[field].value);
    for (char& c : text) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    lower.Set(field, std::move(text));
    of = &lower;
  }
  for (size_t i = 0; i < count; ++i) steps[i] = of;
  ir::Truth truth = ir::EvalAtom(*literal.atom, {of, std::span(steps.data(), count)}).truth;
  return truth != (literal.positive ? ir::Truth::False : ir::Truth::True);
}

bool Theory::RefutesCandidates(FieldId field, const std::vector<Literal>& literals, bool* decided) {
  const Atom* from = nullptr;
  size_t comparisons = 0;
  for (const Literal& literal : literals) {
    const Atom& atom = *literal.atom;
    comparisons += atom.literals.size() + 1;
    if (!literal.positive || atom.test != Test::In || atom.operand.part != Part::Whole || !IsPlain(atom.operand))
      continue;
    if (from == nullptr || atom.literals.size() < from->literals.size()) from = &atom;
  }
  if (from == nullptr) return false;
  *decided = true;
  if (comparisons * from->literals.size() > kMaxComparisons) return false;
  for (const Value& value : from->literals) {
    if (std::holds_alternative<schema::Cidr>(value)) {
      *decided = false;
      return false;
    }
    if (!IsInDomain(field, value)) continue;
    record_.Set(field, value);
    if (std::all_of(literals.begin(), literals.end(),
                    [&](const Literal& literal) { return Holds(literal, record_); })) {
      return false;
    }
  }
  return true;
}

bool Theory::RefutesText(FieldId field, const std::vector<Literal>& literals) {
  std::vector<TextTest> tests;
  for (const Literal& literal : literals) {
    switch (literal.atom->test) {
      case Test::In:
      case Test::Under:
      case Test::Like:
      case Test::Contains:
      case Test::HasElement:
        tests.push_back({literal.atom, literal.positive, literal.atom->operand.lower});
        break;
      default:
        break;
    }
  }
  bool path = schema::Row(field).type == TypeId::Path;
  return !tests.empty() && languages_.IsEmpty(tests, path);
}

// What is asked for may be met by one element each; what is denied is denied of every element.
bool Theory::RefutesList(const std::vector<Literal>& literals) {
  std::vector<Literal> of_list;
  std::map<int16_t, std::vector<Literal>> of_elements;
  for (const Literal& literal : literals) {
    if (literal.atom->test == Test::Present) continue;
    if (literal.atom->operand.element < 0) {
      of_list.push_back(literal);
    } else {
      of_elements[literal.atom->operand.element].push_back(literal);
    }
  }
  std::vector<TextTest> denied;
  for (const Literal& literal : of_list) {
    Test test = literal.atom->test;
    if (!literal.positive && (test == Test::HasElement || test == Test::Contains)) {
      denied.push_back({literal.atom, false, literal.atom->operand.lower});
    }
  }
  for (const Literal& literal : of_list) {
    const Atom& atom = *literal.atom;
    if (!literal.positive || (atom.test != Test::HasElement && atom.test != Test::Contains)) continue;
    std::vector<TextTest> tests = denied;
    tests.push_back({&atom, true, atom.operand.lower});
    if (languages_.IsEmpty(tests, false)) return true;
  }
  for (const auto& [element, own] : of_elements) {
    if (std::none_of(own.begin(), own.end(), [](const Literal& literal) { return literal.positive; })) continue;
    std::vector<TextTest> tests = denied;
    for (const Literal& literal : own) {
      Test test = literal.atom->test;
      if (test == Test::In || test == Test::Like || test == Test::Contains || test == Test::Under) {
        tests.push_back({literal.atom, literal.positive, literal.atom->operand.lower});
      }
    }
    if (languages_.IsEmpty(tests, false)) return true;
  }
  return false;
}

bool Theory::RefutesField(FieldId field, const std::vector<Literal>& literals) {
  bool there = !MayBeAbsent(field), denied = false;
  for (const Literal& literal : literals) {
    // An element that is not there is Absent in a list that is.
    const bool whole = literal.atom->operand.element < 0;
    if (literal.atom->test == Test::Present && !literal.positive && whole) denied = true;
    if (literal.positive) there = true;
  }
  if (!there) return false;
  if (denied) return true;
  if (AllLiteralsDenied(literals)) return true;
  const schema::FieldRow& row = schema::Row(field);
  Slot slot = schema::Row(row.type).slot;
  if (row.type == TypeId::StringList) return RefutesList(literals);
  bool decided = false;
  if (RefutesCandidates(field, literals, &decided)) return true;
  if (decided) return false;
  switch (slot) {
    case Slot::Int:
      return RefutesNumber(field, literals);
    case Slot::Ip:
      return RefutesAddress(field, literals);
    case Slot::Endpoint:
      return RefutesEndpoint(field, literals);
    case Slot::Text:
      return RefutesText(field, literals);
    case Slot::None:
      break;
  }
  return false;
}

namespace {

using Source = std::pair<uint8_t, FieldId>;  // step, field

Source SourceOf(const Operand& operand) { return {operand.step, operand.field}; }

// x < y with x < y denied, y < x, or x == y; and what two relations say of the same pair.
bool RefutesRelations(const std::vector<Literal>& relations) {
  for (const Literal& a : relations) {
    if (!a.positive) continue;
    if (a.atom->test == Test::LessField && a.atom->operand == *a.atom->other) return true;
    for (const Literal& b : relations) {
      bool same = b.atom->operand == a.atom->operand && *b.atom->other == *a.atom->other;
      bool swapped = b.atom->operand == *a.atom->other && *b.atom->other == a.atom->operand;
      if (!same && !swapped) continue;
      if (a.atom->test == Test::EqualField) {
        if (b.atom->test == Test::EqualField && !b.positive) return true;
        if (b.atom->test == Test::LessField && b.positive) return true;
      }
      if (a.atom->test == Test::LessField && b.atom->test == Test::LessField) {
        if (b.positive ? swapped : same) return true;
      }
    }
  }
  return false;
}

}  // namespace

bool Theory::Refutes(const std::vector<Literal>& literals) {
  if (Contradicts(literals)) return true;
  std::map<Source, std::vector<Literal>> fields;
  std::vector<Literal> relations;
  std::vector<Source> present;
  for (const Literal& literal : literals) {
    if (literal.positive && IsAny(literal.atom->test) && literal.atom->literals.empty()) return true;
    if (literal.atom->other) {
      relations.push_back(literal);
      continue;
    }
    fields[SourceOf(literal.atom->operand)].push_back(literal);
  }
  if (RefutesRelations(relations)) return true;
  // What is asked of one of two equal values is asked of both; absent, they were not equal.
  std::vector<std::pair<Source, Source>> equal;
  for (const Literal& relation : relations) {
    const Operand &x = relation.atom->operand, &y = *relation.atom->other;
    if (!relation.positive) continue;
    bool whole = IsPlain(x) && IsPlain(y) && x.part == Part::Whole && y.part == Part::Whole;
    if (relation.atom->test == Test::EqualField && whole && schema::Row(x.field).type == schema::Row(y.field).type) {
      equal.emplace_back(SourceOf(x), SourceOf(y));
    }
  }
  std::vector<Atom> renamed;  // `fields` points into it
  size_t most = 0;
  for (const auto& [source, own] : fields) most += own.size();
  renamed.reserve(2 * most * equal.size());
  for (const auto& [x, y] : equal) {
    auto copy = [&](const Source& from, const Source& to, size_t count) {
      for (size_t i = 0; i < count; ++i) {
        Literal literal = fields[from][i];
        if (renamed.size() == renamed.capacity()) return;
        renamed.push_back(*literal.atom);
        renamed.back().operand.step = to.first;
        renamed.back().operand.field = to.second;
        literal.atom = &renamed.back();
        fields[to].push_back(literal);
      }
    };
    size_t own = fields[x].size(), others = fields[y].size();
    copy(x, y, own);
    copy(y, x, others);
  }
  // A relation that holds has both its values there.
  std::vector<Atom> there(2 * relations.size());
  for (size_t i = 0; i < relations.size(); ++i) {
    if (!relations[i].positive) continue;
    for (size_t side = 0; side < 2; ++side) {
      Atom& atom = there[2 * i + side];
      atom.operand = side == 0 ? relations[i].atom->operand : *relations[i].atom->other;
      atom.test = Test::Present;
      fields[SourceOf(atom.operand)].push_back({&atom, true});
    }
  }
  for (const auto& [source, own] : fields) {
    if (RefutesField(source.second, own)) return true;
  }
  return false;
}

}  // namespace ks::lint

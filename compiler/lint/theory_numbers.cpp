// Numbers, addresses and endpoints: intervals, and bits.
#include <algorithm>

#include "compiler/lint/domains.h"
#include "compiler/lint/theory.h"

namespace ks::lint {
namespace {

using ir::Atom;
using ir::Part;
using ir::Test;
using schema::FieldId;
using schema::Value;

constexpr uint64_t kMaxEnumerated = 4096;  // values that are tried one by one
constexpr size_t kMaxMaskChoices = 4096;

Intervals NumbersOf(const Atom& atom) {
  Intervals set;
  if (atom.test == Test::Range) {
    int64_t least = std::get<int64_t>(atom.literals[0]), most = std::get<int64_t>(atom.literals[1]);
    if (least <= most) set.Add(Biased(least), Biased(most));
    return set;
  }
  for (const Value& value : atom.literals) {
    if (const auto* number = std::get_if<int64_t>(&value)) set.Add(Biased(*number), Biased(*number));
  }
  set.Normalise();
  return set;
}

Intervals AddressesOf(const Atom& atom) {
  Intervals set;
  for (const Value& value : atom.literals) {
    if (const auto* ip = std::get_if<schema::IpAddress>(&value)) set.Add(NumberOf(*ip), NumberOf(*ip));
    if (const auto* cidr = std::get_if<schema::Cidr>(&value)) {
      Wide host = cidr->bits >= 128 ? 0 : ~Wide{0} >> cidr->bits;
      Wide base = NumberOf(cidr->base) & ~host;
      set.Add(base, base | host);
    }
  }
  set.Normalise();
  return set;
}

void Apply(const Literal& literal, Intervals set, Intervals* domain) {
  if (literal.positive) {
    domain->Intersect(set);
  } else {
    domain->Subtract(set);
  }
}

// Whether no number has the bits that are asked for without those that are denied: the fewest bits that meet the
// former are tried, which meet the fewest of the latter.
bool RefutesBits(const std::vector<Literal>& literals) {
  std::vector<const Atom*> wanted;
  std::vector<int64_t> denied;
  size_t choices = 1;
  for (const Literal& literal : literals) {
    if (literal.atom->test != Test::HasBits) continue;
    if (!literal.positive) {
      for (const Value& mask : literal.atom->literals) denied.push_back(std::get<int64_t>(mask));
      continue;
    }
    wanted.push_back(literal.atom);
    choices *= literal.atom->literals.size();
    if (choices > kMaxMaskChoices) return false;
  }
  if (choices == 0) return true;
  for (size_t choice = 0; choice < choices; ++choice) {
    int64_t bits = 0;
    size_t rest = choice;
    for (const Atom* atom : wanted) {
      bits |= std::get<int64_t>(atom->literals[rest % atom->literals.size()]);
      rest /= atom->literals.size();
    }
    if (std::none_of(denied.begin(), denied.end(), [&](int64_t mask) { return (bits & mask) == mask; })) return false;
  }
  return true;
}

std::vector<Literal> OfPart(const std::vector<Literal>& literals, Part part) {
  std::vector<Literal> some;
  for (const Literal& literal : literals) {
    if (literal.atom->operand.part == part && literal.atom->test != Test::Present) some.push_back(literal);
  }
  return some;
}

}  // namespace

bool Theory::RefutesNumber(FieldId field, const std::vector<Literal>& literals) {
  Intervals domain = DomainOf(field);
  bool bits = false;
  for (const Literal& literal : literals) {
    if (literal.atom->test == Test::In || literal.atom->test == Test::Range) {
      Apply(literal, NumbersOf(*literal.atom), &domain);
    }
    bits = bits || literal.atom->test == Test::HasBits;
  }
  if (domain.empty()) return true;
  if (!bits) return false;
  if (RefutesBits(literals)) return true;
  if (domain.Count(kMaxEnumerated + 1) > kMaxEnumerated) return false;
  for (auto [least, most] : domain.parts()) {
    for (Wide number = least; number <= most; ++number) {
      record_.Set(field, Unbiased(number));
      if (std::all_of(literals.begin(), literals.end(),
                      [&](const Literal& literal) { return Holds(literal, record_); })) {
        return false;
      }
    }
  }
  return true;
}

bool Theory::RefutesAddress(FieldId, const std::vector<Literal>& literals) {
  Intervals domain(0, ~Wide{0});
  for (const Literal& literal : literals) {
    if (literal.atom->test == Test::In) Apply(literal, AddressesOf(*literal.atom), &domain);
  }
  return domain.empty();
}

bool Theory::RefutesEndpoint(FieldId field, const std::vector<Literal>& literals) {
  Intervals addresses(0, ~Wide{0}), ports(Biased(0), Biased(65535));
  for (const Literal& literal : OfPart(literals, Part::Ip)) {
    if (literal.atom->test == Test::In) Apply(literal, AddressesOf(*literal.atom), &addresses);
  }
  for (const Literal& literal : OfPart(literals, Part::Port)) {
    if (literal.atom->test == Test::In || literal.atom->test == Test::Range) {
      Apply(literal, NumbersOf(*literal.atom), &ports);
    }
  }
  if (addresses.empty() || ports.empty()) return true;
  bool whole = std::any_of(literals.begin(), literals.end(), [](const Literal& literal) {
    return literal.atom->operand.part == Part::Whole && literal.atom->test != Test::Present;
  });
  if (!whole) return false;
  uint64_t hosts = addresses.Count(kMaxEnumerated + 1), numbers = ports.Count(kMaxEnumerated + 1);
  if (hosts * numbers > kMaxEnumerated) return false;
  for (auto [first, last] : addresses.parts()) {
    for (Wide host = first; host - first <= last - first; ++host) {
      for (auto [least, most] : ports.parts()) {
        for (Wide port = least; port <= most; ++port) {
          record_.Set(field, schema::Endpoint{AddressOf(host), static_cast<uint16_t>(Unbiased(port))});
          if (std::all_of(literals.begin(), literals.end(),
                          [&](const Literal& literal) { return Holds(literal, record_); })) {
            return false;
          }
        }
      }
      if (host == last) break;
    }
  }
  return true;
}

}  // namespace ks::lint

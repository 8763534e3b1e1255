#include "compiler/ir/index_match.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "compiler/ir/eval.h"
#include "compiler/ir/index_outcomes.h"

namespace ks::ir {
namespace {

using Class = Dimension::Class;
using schema::Status;

constexpr uint32_t kNoOutcome = UINT32_MAX;

uint64_t Fold(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

// Never 0.
uint64_t HashText(std::string_view text) {
  uint64_t hash = text.size() + 0x9e3779b97f4a7c15u;
  const char* at = text.data();
  size_t left = text.size();
  for (uint64_t word = 0; left >= 8; at += 8, left -= 8) {
    std::memcpy(&word, at, 8);
    hash = Fold(hash ^ word, 0xd6e8feb86659fd93u);
  }
  uint64_t rest = 0;
  if (left > 0) std::memcpy(&rest, at, left);
  return Fold(hash ^ rest, 0xa0761d6478bd642fu) | 1;
}

template <typename T>
uint64_t HashPlain(const T& value) {
  return HashText({reinterpret_cast<const char*>(&value), sizeof value});
}
uint64_t HashEndpoint(const schema::Endpoint& endpoint) {
  return (HashPlain(endpoint.ip.bytes) * 3 + endpoint.port) | 1;
}
uint64_t HashBlock(const schema::Cidr& block) { return (HashPlain(block.base.bytes) * 3 + block.bits) | 1; }

// The element of the list, as Reading takes it.
Status TakeElement(std::string_view list, bool whole, size_t index, std::string_view* element) {
  for (size_t i = 0; !list.empty(); ++i) {
    const size_t end = list.find('\0');
    if (end == std::string_view::npos) return Status::Unknown;
    if (i == index) {
      *element = list.substr(0, end);
      return Status::Ok;
    }
    list.remove_prefix(end + 1);
  }
  return whole ? Status::Absent : Status::Unknown;
}

}  // namespace

void IndexMatcher::Table::Make(size_t count) {
  const size_t size = std::bit_ceil(2 * count + 1);
  entries.resize(size);
  mask = size - 1;
}

void IndexMatcher::Table::Put(uint64_t hash, uint32_t outcome) {
  uint64_t at = hash >> 20 & mask;
  while (entries[at].hash != 0) at = (at + 1) & mask;
  entries[at] = {hash, outcome};
}

template <typename Is>
uint32_t IndexMatcher::Table::Find(uint64_t hash, const Is& is) const {
  for (uint64_t at = hash >> 20 & mask; entries[at].hash != 0; at = (at + 1) & mask) {
    if (entries[at].hash == hash && is(entries[at].outcome)) return entries[at].outcome;
  }
  return kNoOutcome;
}

IndexMatcher::IndexMatcher(Index index) : index_(std::move(index)) {
  for (size_t w = 0; w < index_.words; ++w) all_.push_back(index_.Word(Index::kAllRow, w));
  for (const Dimension& dimension : index_.dimensions) {
    lookups_.push_back(MakeLookup(dimension));
    AddAsks(dimension);
  }
  for (const Clause& clause : index_.clauses) {
    if (clause.rule != Clause::kGap) rule_words_ = std::max<size_t>(rule_words_, clause.rule / 64 + 1);
  }
}

void IndexMatcher::AddAsks(const Dimension& dimension) {
  std::vector<uint32_t> rows = dimension.row_of;
  rows.push_back(dimension.none);
  std::sort(rows.begin(), rows.end());
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  const size_t summary = asking_words_.size();
  asking_words_.resize(summary + index_.summary_words);
  for (size_t w = 0; w < index_.words; ++w) {
    uint64_t everywhere = all_[w];
    for (const uint32_t row : rows) everywhere &= index_.Word(row, w);
    asks_.push_back(all_[w] & ~everywhere);
    if (asks_.back() != 0) asking_words_[summary + w / 64] |= uint64_t{1} << w % 64;
  }
}

IndexMatcher::Lookup IndexMatcher::MakeLookup(const Dimension& dimension) const {
  Lookup lookup;
  if (dimension.what == Class::Test && dimension.atom->test == Test::HasBits &&
      dimension.atom->operand.part == Part::Whole && dimension.atom->operand.step == kThisEvent) {
    for (const Value& mask : dimension.atom->literals) lookup.masks.push_back(std::get<int64_t>(mask));
  }
  lookup.table.Make(dimension.literals.size());
  for (uint32_t i = 0; i < dimension.literals.size(); ++i) {
    const Value& literal = dimension.literals[i];
    if (const auto* text = std::get_if<std::string>(&literal)) {
      const size_t length = std::min<size_t>(text->size(), 1023);
      lookup.lengths[length / 64] |= uint64_t{1} << (length % 64);
      lookup.table.Put(HashText(*text), i);
    } else if (const auto* number = std::get_if<int64_t>(&literal)) {
      lookup.table.Put(HashPlain(*number), i);
    } else if (const auto* endpoint = std::get_if<schema::Endpoint>(&literal)) {
      lookup.table.Put(HashEndpoint(*endpoint), i);
    } else if (const auto* block = std::get_if<schema::Cidr>(&literal)) {
      lookup.table.Put(HashBlock(*block), i);
      lookup.bits.push_back(block->bits);
    }
  }
  std::sort(lookup.bits.begin(), lookup.bits.end(), std::greater<>());
  lookup.bits.erase(std::unique(lookup.bits.begin(), lookup.bits.end()), lookup.bits.end());
  return lookup;
}

uint32_t IndexMatcher::FindText(size_t dimension, std::string_view text) const {
  const Lookup& lookup = lookups_[dimension];
  const size_t length = std::min<size_t>(text.size(), 1023);
  if ((lookup.lengths[length / 64] >> (length % 64) & 1) == 0) return kNoOutcome;
  const std::vector<Value>& literals = index_.dimensions[dimension].literals;
  return lookup.table.Find(HashText(text), [&](uint32_t i) { return *std::get_if<std::string>(&literals[i]) == text; });
}

uint32_t IndexMatcher::FindFolder(size_t dimension, std::string_view path) const {
  for (size_t size = path.size();;) {
    if (const uint32_t outcome = FindText(dimension, path.substr(0, size)); outcome != kNoOutcome) return outcome;
    // The next boundary to the left: a prefix that a '/' follows.
    const size_t slash = size == 0 ? std::string_view::npos : path.rfind('/', size - 1);
    if (slash == std::string_view::npos) return kNoOutcome;
    size = slash;
  }
}

uint32_t IndexMatcher::FindBlock(size_t dimension, const schema::IpAddress& ip) const {
  const std::vector<Value>& literals = index_.dimensions[dimension].literals;
  for (const uint8_t bits : lookups_[dimension].bits) {
    const schema::Cidr block = index_parts::AsBlock(schema::Cidr{ip, bits});
    const uint32_t outcome = lookups_[dimension].table.Find(
        HashBlock(block), [&](uint32_t i) { return *std::get_if<schema::Cidr>(&literals[i]) == block; });
    if (outcome != kNoOutcome) return outcome;
  }
  return kNoOutcome;
}

uint32_t IndexMatcher::FindNumber(size_t dimension, int64_t number) const {
  const Dimension& of = index_.dimensions[dimension];
  if (of.what == Class::Span) {
    const auto above = std::upper_bound(of.starts.begin(), of.starts.end(), number);
    return static_cast<uint32_t>(above - of.starts.begin() - 1);
  }
  return lookups_[dimension].table.Find(HashPlain(number),
                                        [&](uint32_t i) { return *std::get_if<int64_t>(&of.literals[i]) == number; });
}

void IndexMatcher::Scan(const Scanner& scanner, std::string_view text, Scratch::Found* found) const {
  found->count = 0;
  found->decided = true;
  const auto hit = [&](uint16_t number) {
    for (size_t i = 0; i < found->count; ++i) {
      if (found->hits[i] == number) return;
    }
    if (found->count == found->hits.size()) {
      found->decided = false;  // so many that it is not worth telling them apart
      return;
    }
    found->hits[found->count++] = number;
  };
  const uint8_t* classes = scanner.classes.data();
  const uint16_t* next = scanner.next.data();
  const uint16_t* hit_of = scanner.hit_of.data();
  uint32_t state = scanner.start;
  for (const char byte : text) {
    state = next[state * scanner.class_count + classes[static_cast<uint8_t>(byte)]];
    if (hit_of[state] != Scanner::kNoHit) hit(hit_of[state]);
  }
  if (!scanner.at_end.empty() && scanner.at_end[state] != Scanner::kNoHit) hit(scanner.at_end[state]);
}

void IndexMatcher::LookUp(size_t number, const schema::Record& record, Scratch* scratch, Outcomes* outcomes) const {
  const Dimension& dimension = index_.dimensions[number];
  outcomes->count = 0;
  const schema::FieldValue& field = record[dimension.operand.field];
  if (dimension.what == Class::Test) {
    const std::vector<int64_t>& masks = lookups_[number].masks;
    const auto* value = std::get_if<int64_t>(&field.value);
    Truth truth = Truth::False;
    if (!masks.empty() && field.status == Status::Ok && value != nullptr) {
      const auto has = [&](int64_t mask) { return (*value & mask) == mask; };
      if (std::any_of(masks.begin(), masks.end(), has)) truth = Truth::True;
    } else {
      truth = EvalAtom(*dimension.atom, record).truth;
    }
    outcomes->exact = true;
    outcomes->decided = truth != Truth::Unknown;
    if (truth == Truth::True) outcomes->numbers[outcomes->count++] = 0;
    return;
  }
  outcomes->decided = outcomes->exact = field.status == Status::Absent;
  if (field.status != Status::Ok && field.status != Status::Truncated) {
    outcomes->exact = true;
    return;
  }
  const auto* endpoint = std::get_if<schema::Endpoint>(&field.value);
  const auto* text = std::get_if<std::string>(&field.value);
  std::string_view view = text != nullptr ? *text : std::string_view();
  Status status = field.status;
  if (dimension.operand.element >= 0) {
    if (text == nullptr) return;
    status = TakeElement(view, status == Status::Ok, static_cast<size_t>(dimension.operand.element), &view);
  }
  if (status == Status::Absent || (status == Status::Truncated && dimension.what == Class::Text && text != nullptr)) {
    outcomes->decided = outcomes->exact = true;
    return;
  }
  // What was cut may hold what is looked for; only what is asked for to be missing may be seen there.
  outcomes->exact = text != nullptr && dimension.what != Class::NoneFound;
  if (status != Status::Ok) return;
  outcomes->exact = false;
  if (dimension.operand.lower) {
    scratch->lowered.assign(view);
    for (char& c : scratch->lowered) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    view = scratch->lowered;
  }
  uint32_t outcome = kNoOutcome;
  switch (dimension.what) {
    case Class::Text:
      if (text == nullptr) return;
      outcome = FindText(number, view);
      break;
    case Class::Under:
      if (text == nullptr) return;
      outcome = FindFolder(number, view);
      break;
    case Class::Address: {
      const bool part = dimension.operand.part == Part::Ip;
      const auto* ip =
          part ? endpoint != nullptr ? &endpoint->ip : nullptr : std::get_if<schema::IpAddress>(&field.value);
      if (ip == nullptr) return;
      outcome = FindBlock(number, *ip);
      break;
    }
    case Class::Endpoint:
      if (endpoint == nullptr) return;
      outcome = lookups_[number].table.Find(HashEndpoint(*endpoint), [&](uint32_t i) {
        return *std::get_if<schema::Endpoint>(&dimension.literals[i]) == *endpoint;
      });
      break;
    case Class::Number:
    case Class::Span: {
      const auto* value = std::get_if<int64_t>(&field.value);
      const bool part = dimension.operand.part == Part::Port;
      if (part ? endpoint == nullptr : value == nullptr) return;
      outcome = FindNumber(number, part ? endpoint->port : *value);
      break;
    }
    case Class::AnyFound:
    case Class::NoneFound: {
      if (text == nullptr) return;
      Scratch::Found* found = &scratch->found[*dimension.scanner];
      if (found->record != scratch->record) {
        found->record = scratch->record;
        Scan(index_.scanners[*dimension.scanner], view, found);
      }
      if (!found->decided) return;
      outcomes->decided = outcomes->exact = true;
      outcomes->count = found->count;
      std::copy_n(found->hits.begin(), found->count, outcomes->numbers.begin());
      return;
    }
    case Class::Test:
      break;
  }
  outcomes->decided = outcomes->exact = true;
  if (outcome != kNoOutcome) outcomes->numbers[outcomes->count++] = outcome;
}

// Of AnyFound each row has what `none` has, of NoneFound `none` has what each has.
template <typename OfRow>
uint64_t IndexMatcher::OfOutcomes(const Dimension& dimension, const Outcomes& outcomes, const OfRow& of_row) const {
  if (outcomes.count == 0) return of_row(dimension.none);
  uint64_t bits = of_row(dimension.row_of[outcomes.numbers[0]]);
  for (size_t i = 1; i < outcomes.count; ++i) {
    const uint64_t more = of_row(dimension.row_of[outcomes.numbers[i]]);
    bits = dimension.what == Class::AnyFound ? bits | more : bits & more;
  }
  return bits;
}

void IndexMatcher::Begin(Scratch* scratch) const {
  scratch->found.resize(std::max(scratch->found.size(), index_.scanners.size()));
  ++scratch->record;
}

std::span<const uint32_t> IndexMatcher::Match(const schema::Record& record, Scratch* scratch) const {
  scratch->exact = true;
  scratch->rules.clear();
  if (index_.clauses.empty()) return {};
  Begin(scratch);
  constexpr size_t kWords = kMaxIndexClauses / 64;
  const size_t summary_words = index_.summary_words;
  std::array<uint64_t, kWords / 64> alive;  // summary of `words`
  std::array<uint64_t, kWords> words;
  std::copy_n(&index_.summaries[Index::kAllRow * summary_words], summary_words, alive.begin());
  std::copy_n(all_.begin(), index_.words, words.begin());
  Outcomes outcomes;
  for (size_t d = 0; d < index_.dimensions.size(); ++d) {
    const uint64_t* asks = &asks_[d * index_.words];
    const uint64_t* asking_words = &asking_words_[d * summary_words];
    const auto is_asked = [&] {
      for (size_t s = 0; s < summary_words; ++s) {
        for (uint64_t left = alive[s] & asking_words[s]; left != 0; left &= left - 1) {
          const size_t w = s * 64 + static_cast<size_t>(std::countr_zero(left));
          if ((words[w] & asks[w]) != 0) return true;
        }
      }
      return false;
    };
    if (!is_asked()) continue;
    LookUp(d, record, scratch, &outcomes);
    scratch->exact = scratch->exact && outcomes.exact;
    if (!outcomes.decided) continue;
    const Dimension& dimension = index_.dimensions[d];
    if (outcomes.count == 1 && dimension.row_of[outcomes.numbers[0]] == Index::kAllRow) continue;
    uint64_t any = 0;
    for (size_t s = 0; s < summary_words; ++s) {
      alive[s] &=
          OfOutcomes(dimension, outcomes, [&](uint32_t row) { return index_.summaries[row * summary_words + s]; });
      for (uint64_t left = alive[s] & asking_words[s]; left != 0; left &= left - 1) {
        const auto bit = static_cast<size_t>(std::countr_zero(left));
        const size_t w = s * 64 + bit;
        words[w] &= OfOutcomes(dimension, outcomes, [&](uint32_t row) { return index_.Word(row, w); });
        if (words[w] == 0) alive[s] &= ~(uint64_t{1} << bit);
      }
      any |= alive[s];
    }
    if (any == 0) return {};
  }
  return RulesOf(alive.data(), words.data(), scratch);
}

// Clauses stand in another order than rules, and a rule may have several.
std::span<const uint32_t> IndexMatcher::RulesOf(const uint64_t* alive, const uint64_t* words, Scratch* scratch) const {
  scratch->marks.resize(std::max(scratch->marks.size(), rule_words_));
  size_t first = rule_words_, last = 0;
  for (size_t s = 0; s < index_.summary_words; ++s) {
    for (uint64_t left = alive[s]; left != 0; left &= left - 1) {
      const size_t w = s * 64 + static_cast<size_t>(std::countr_zero(left));
      for (uint64_t bits = words[w]; bits != 0; bits &= bits - 1) {
        const uint32_t rule = index_.clauses[w * 64 + static_cast<size_t>(std::countr_zero(bits))].rule;
        scratch->marks[rule / 64] |= uint64_t{1} << rule % 64;
        first = std::min<size_t>(first, rule / 64);
        last = std::max<size_t>(last, rule / 64);
      }
    }
  }
  for (size_t w = first; w <= last && w < rule_words_; ++w) {
    for (uint64_t bits = std::exchange(scratch->marks[w], 0); bits != 0; bits &= bits - 1) {
      scratch->rules.push_back(static_cast<uint32_t>(w * 64 + static_cast<size_t>(std::countr_zero(bits))));
    }
  }
  return scratch->rules;
}

}  // namespace ks::ir

#include "compiler/ir/random_ir.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <set>

#include "compiler/ir/glob.h"
#include "compiler/ir/passes.h"

namespace ks::ir {
namespace {

using schema::Status;
using schema::TypeId;

template <typename T, size_t n>
const T& PickFrom(RandomIr* random, const T (&items)[n]) {
  return items[random->Below(n)];
}

void AtomsByField(const Pred& pred, std::vector<std::vector<const Atom*>>* atoms) {
  if (pred.atom) (*atoms)[static_cast<size_t>(pred.atom->operand.field)].push_back(&*pred.atom);
  for (const Pred& operand : pred.operands) AtomsByField(operand, atoms);
}

}  // namespace

uint64_t TestSeed() {
  const char* given = std::getenv("KS_TEST_SEED");
  uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : 20270131;
  std::printf("KS_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

EventKind RandomIr::RandomKind() { return static_cast<EventKind>(Below(schema::kKindCount)); }

std::vector<FieldId> RandomIr::FieldsOfKind(EventKind kind) {
  std::vector<FieldId> fields;
  for (const schema::FieldRow& row : schema::Fields()) {
    if (schema::Has(kind, row.id)) fields.push_back(row.id);
  }
  return fields;
}

// ---- Values
// --------------------------------------------------------------------------------------------------------------

std::string RandomIr::RandomText(size_t most) {
  static const char* const kWords[] = {"a", "b", "ab", "aab", "sh",       "bash", ".", "/", "-",
                                       "*", "?", "[",  "\\",  "\xc3\xa9", "\xff", "Z", " "};
  std::string text;
  for (size_t words = Below(7); words > 0; --words) text += PickFrom(this, kWords);
  // At the capture and just below, where off-by-ones live.
  size_t size = most - std::min(most, Below(3));
  if (Chance(8) && text.size() < size) text.insert(0, size - text.size(), Chance(50) ? 'a' : 'x');
  return text.substr(0, most);
}

std::string RandomIr::RandomPath(size_t most) {
  static const char* const kComponents[] = {"etc", "etcx", "tmp", "a", "ab", "b", ".ssh", "passwd", "x y", "\xff", ""};
  std::string path;
  for (size_t components = Below(5); components > 0; --components)
    path += std::string("/") + PickFrom(this, kComponents);
  if (path.empty() || Chance(10)) path += '/';
  if (Chance(8) && most > path.size()) path.insert(0, "/" + std::string(most - 1 - path.size(), 'a'));
  return path.substr(0, most);
}

std::string RandomIr::RandomPattern() {
  static const char* const kPieces[] = {"*", "*",  "?",   "a",   "b",  "/",   "ab",   "[ab]", "[!a]",
                                        ".", "sh", "\\*", "[a-", "\\", "etc", "[]x]", "[!/]", "[b-a]"};
  std::string pattern;
  for (size_t pieces = Below(8); pieces > 0; --pieces) pattern += PickFrom(this, kPieces);
  return pattern;
}

std::string RandomIr::RandomRegex() {
  static const char* const kPieces[] = {"a", "b+", ".*", "(sh|bash)", "[a-c]?", "\\.", "/etc", "a{2}", "(?i:B)", "x|y"};
  std::string pattern = Chance(20) ? "^" : "";
  for (size_t pieces = Below(4); pieces > 0; --pieces) pattern += PickFrom(this, kPieces);
  return Chance(20) ? pattern + "$" : pattern;
}

schema::IpAddress RandomIr::RandomIp() {
  static const char* const kAddresses[] = {"10.0.0.1",    "10.0.0.2", "10.1.2.3",        "192.168.0.1",
                                           "203.0.113.9", "0.0.0.0",  "255.255.255.255", "127.0.0.1",
                                           "::1",         "::",       "fd00::1",         "2001:db8::7"};
  schema::IpAddress ip;
  schema::ParseIp(PickFrom(this, kAddresses), &ip);
  if (Chance(30)) ip.bytes[Below(16)] ^= static_cast<uint8_t>(1u << Below(8));
  return ip;
}

int64_t RandomIr::RandomInt(std::string_view enumeration) {
  static constexpr int64_t kNumbers[] = {0,  1,   2,   3,    4,     7,     8,          22,        63, 64,
                                         80, 255, 443, 0644, 04755, 65535, 4294967295, INT64_MAX, -1, INT64_MIN};
  auto enumerators = schema::Enumerators(enumeration);
  if (!enumerators.empty() && Chance(80)) {
    int64_t value = enumerators[Below(enumerators.size())].value;
    return Chance(20) ? value | enumerators[Below(enumerators.size())].value : value;
  }
  return Chance(80) ? PickFrom(this, kNumbers) : static_cast<int64_t>(Below(200));
}

Value RandomIr::RandomLiteral(const Operand& operand, Test test) {
  const schema::FieldRow& row = schema::Row(operand.field);
  switch (schema::Row(TypeOf(operand)).slot) {
    case schema::Slot::Ip: {
      schema::IpAddress ip = RandomIp();
      if (Chance(50)) return ip;
      return schema::Cidr{ip, static_cast<uint8_t>(Chance(70) ? 96 + Below(33) : Below(129))};
    }
    case schema::Slot::Endpoint:
      return schema::Endpoint{RandomIp(), static_cast<uint16_t>(Below(3) * 443)};
    case schema::Slot::Text:
      if (test == Test::Like) return RandomPattern();
      if (test == Test::Matches) return RandomRegex();
      if (test == Test::Under) return RandomPath(row.capture);
      if (test == Test::In && row.type == TypeId::Path) return RandomPath(row.capture);
      return RandomText(test == Test::In ? row.capture : 8);
    case schema::Slot::Int:
    case schema::Slot::None:
      break;
  }
  if (operand.part == Part::Port) return static_cast<int64_t>(Below(3) * 443);
  return RandomInt(row.enumeration);
}

// ---- Predicates
// ----------------------------------------------------------------------------------------------------------

Atom RandomIr::RandomAtom(EventKind kind) {
  std::vector<FieldId> fields = FieldsOfKind(kind);
  auto operand = [&] {
    Operand chosen{fields[Below(fields.size())]};
    const schema::FieldRow& row = schema::Row(chosen.field);
    if (row.type == TypeId::Endpoint) chosen.part = static_cast<Part>(Below(3));
    if (row.type == TypeId::StringList && Chance(40)) chosen.element = static_cast<int16_t>(Below(4));
    if (schema::Row(row.type).slot == schema::Slot::Text && Chance(20)) chosen.lower = true;
    return chosen;
  };
  for (;;) {
    Atom atom;
    atom.operand = operand();
    atom.test = static_cast<Test>(Below(static_cast<size_t>(Test::HasOther) + 1));
    if (atom.test == Test::EqualField || atom.test == Test::LessField || atom.test == Test::HasOther) {
      atom.other = operand();
    } else if (atom.test == Test::Range) {
      atom.literals = {RandomInt(""), RandomInt("")};
      if (std::get<int64_t>(atom.literals[0]) > std::get<int64_t>(atom.literals[1]) && Chance(80)) {
        std::swap(atom.literals[0], atom.literals[1]);
      }
    } else if (atom.test != Test::Present) {
      size_t count = Chance(5) ? 0 : Chance(95) ? 1 + Below(4) : 1 + Below(80);
      std::set<Value> seen;
      for (size_t i = 0; i < count; ++i) {
        Value literal = RandomLiteral(atom.operand, atom.test);
        if (seen.insert(literal).second) atom.literals.push_back(std::move(literal));
      }
      if (Chance(20)) atom.label = Chance(80) ? "shells" : HostileText() + "!";
    }
    if (WhyIllFormed(atom).empty()) return atom;
  }
}

Pred RandomIr::RandomPred(EventKind kind, int depth) {
  Pred pred;
  if (Chance(3)) {
    pred.op = Chance(50) ? Pred::Op::True : Pred::Op::False;
    return pred;
  }
  if (depth == 0 || Chance(20)) return MakeAtom(RandomAtom(kind));
  size_t count = 1;
  switch (Below(5)) {
    case 0:
      pred.op = Pred::Op::Not;
      break;
    case 1:
    case 2:
      pred.op = Pred::Op::And;
      count = 2 + Below(3);
      break;
    default:
      pred.op = Pred::Op::Or;
      count = 2 + Below(3);
      break;
  }
  for (size_t i = 0; i < count; ++i) {
    // Repeats and twins of an atom, for what folds and joins them.
    if (i > 0 && Chance(10)) {
      pred.operands.push_back(pred.operands[Below(i)]);
    } else if (i > 0 && pred.operands.back().op == Pred::Op::Atom && Chance(20)) {
      Pred twin = pred.operands.back();
      for (Value& literal : twin.atom->literals) literal = RandomLiteral(twin.atom->operand, twin.atom->test);
      if (twin.atom->test == Test::Range) twin.atom->literals = {RandomInt(""), RandomInt("")};
      std::set<Value> distinct(twin.atom->literals.begin(), twin.atom->literals.end());
      bool usable = WhyIllFormed(*twin.atom).empty() &&
                    (twin.atom->test == Test::Range || distinct.size() == twin.atom->literals.size());
      pred.operands.push_back(usable ? std::move(twin) : pred.operands.back());
    } else {
      pred.operands.push_back(RandomPred(kind, depth - 1));
    }
  }
  return pred;
}

std::string RandomIr::HostileText() {
  static const char* const kPieces[] = {
      "\"",           "\\",           "(",        ")",        "\n",  "\t",    "\r",
      "\x1b[31m",     "\x7f",         "\xff",     "\xc3\xa9", "{x}", "\xc3",  "\xf0\x9f\x90\x9d",
      "\xe2\x80\xae", "\xed\xa0\x80", "\xc0\xaf", ";",        "a",   "\\x41", "rule"};
  std::string text;
  for (size_t pieces = Below(8); pieces > 0; --pieces) text += PickFrom(this, kPieces);
  if (Chance(10)) text += '\0';
  return text;
}

Rule RandomIr::RandomRule(EventKind kind) {
  Rule rule;
  rule.package = "test." + HostileText();
  rule.name = "r" + std::to_string(engine_());
  rule.id = rule.package + "." + rule.name;
  rule.title = HostileText();
  rule.severity = static_cast<RuleSeverity>(Below(5));
  for (size_t i = Below(3); i > 0; --i) rule.attack.push_back(HostileText());
  rule.kinds = {kind};
  rule.when = RandomPred(kind, 3);
  for (size_t i = Below(3); i > 0; --i) {
    rule.exceptions.push_back({HostileText(), HostileText(), HostileText(), HostileText()});
  }
  std::vector<FieldId> fields = FieldsOfKind(kind);
  for (size_t i = Below(4); i > 0; --i) {
    TemplatePart part;
    if (Chance(50)) {
      part.operand = Operand{fields[Below(fields.size())]};
    } else {
      part.text = HostileText();
    }
    rule.alert.push_back(std::move(part));
  }
  for (size_t i = Below(3); i > 0; --i) rule.disclosures.push_back({fields[Below(fields.size())], HostileText()});
  rule.source = HostileText();
  return rule;
}

// ---- Records
// -------------------------------------------------------------------------------------------------------------

std::string RandomIr::Vary(std::string text) {
  switch (Below(8)) {
    case 0:
      return text + "/" + RandomText(8);
    case 1:
      return text + RandomText(8);
    case 2:
      return RandomText(8) + text;
    case 3:
      return RandomText(8) + text + RandomText(8);
    case 4:
      if (!text.empty()) text.pop_back();
      return text;
    case 5:
      if (!text.empty()) text[Below(text.size())] ^= 1;
      return text;
    default:
      return text;
  }
}

std::string RandomIr::TextThatFits(std::string_view pattern) {
  std::string text;
  for (const GlobToken& token : ParseGlob(pattern)) {
    if (token.star) {
      text += RandomText(6);
      continue;
    }
    ByteSet bytes = token.bytes;
    bytes.reset(0);
    if (bytes.none()) continue;
    unsigned byte = static_cast<unsigned>(Below(256));
    if (bytes.test('a')) byte = 'a';
    while (!bytes.test(byte)) byte = (byte + 1) % 256;
    text += static_cast<char>(byte);
  }
  return text;
}

Value RandomIr::RandomValue(const schema::FieldRow& row, const std::vector<const Atom*>& near) {
  const Atom* atom = near.empty() || Chance(25) ? nullptr : near[Below(near.size())];
  const Value* literal =
      atom != nullptr && !atom->literals.empty() ? &atom->literals[Below(atom->literals.size())] : nullptr;
  switch (schema::Row(row.type).slot) {
    case schema::Slot::Endpoint: {
      schema::Endpoint endpoint{RandomIp(), static_cast<uint16_t>(Below(3) * 443)};
      if (literal == nullptr) return endpoint;
      if (const auto* ip = std::get_if<schema::IpAddress>(literal)) endpoint.ip = *ip;
      if (const auto* port = std::get_if<int64_t>(literal)) endpoint.port = static_cast<uint16_t>(*port);
      if (const auto* whole = std::get_if<schema::Endpoint>(literal)) endpoint = *whole;
      if (const auto* cidr = std::get_if<schema::Cidr>(literal)) {
        endpoint.ip = cidr->base;
        if (Chance(60)) endpoint.ip.bytes[Below(16)] ^= static_cast<uint8_t>(1u << Below(8));
      }
      return endpoint;
    }
    case schema::Slot::Ip:
      return RandomIp();
    case schema::Slot::Text: {
      auto one = [&](size_t most) -> std::string {
        if (literal == nullptr) return row.type == TypeId::Path ? RandomPath(most) : RandomText(most);
        const auto& text = std::get<std::string>(*literal);
        return Vary(atom->test == Test::Like ? TextThatFits(text) : text);
      };
      if (row.type != TypeId::StringList) return one(row.capture);
      std::string list;
      for (size_t elements = Below(5); elements > 0; --elements) {
        list += Chance(50) ? one(16) : RandomText(Chance(5) ? row.capture : 10);
        list += '\0';
      }
      return list;
    }
    case schema::Slot::Int:
    case schema::Slot::None:
      break;
  }
  int64_t value = RandomInt(row.enumeration);
  if (literal != nullptr) value = std::get<int64_t>(*literal);
  // One more or less, without running over the ends.
  if (Chance(15) && value < INT64_MAX) return value + 1;
  if (Chance(15) && value > INT64_MIN) return value - 1;
  return value;
}

schema::Record RandomIr::RandomRecord(EventKind kind, const Pred& near) {
  std::vector<std::vector<const Atom*>> atoms(schema::kFieldCount);
  AtomsByField(near, &atoms);
  schema::Record record;
  for (FieldId field : FieldsOfKind(kind)) {
    const schema::FieldRow& row = schema::Row(field);
    bool text = row.capture > 0;
    static constexpr Status kOdd[] = {Status::Unread, Status::Absent, Status::Unknown};
    if (Chance(12)) {
      record.SetStatus(field, PickFrom(this, kOdd));
      continue;
    }
    Value value = RandomValue(row, atoms[static_cast<size_t>(field)]);
    if (!text) {
      bool foreign = row.enumeration == "syscall" && Chance(10);
      record.Set(field, std::move(value), foreign ? Status::Foreign : Status::Ok);
      continue;
    }
    auto& bytes = std::get<std::string>(value);
    bool list = row.type == TypeId::StringList;
    if (hostile_ && Chance(10)) bytes.insert(Below(bytes.size() + 1), Chance(50) ? 1 : 9, '\0');
    if (!list && !hostile_) std::erase(bytes, '\0');
    if (Chance(5)) {  // make it longer than the capture
      std::string more(row.capture, Chance(50) ? 'a' : '/');
      bytes.insert(list || Chance(50) ? bytes.size() : 0, more);
    }
    Status status = Status::Ok;
    if (bytes.size() > row.capture || Chance(8)) {
      status = Status::Truncated;
      size_t size = std::min<size_t>(bytes.size(), row.capture);
      if (Chance(20)) size = Below(size + 1);
      bytes = list ? bytes.substr(0, size) : bytes.substr(bytes.size() - size);
    } else if (row.type == TypeId::Path && Chance(5)) {
      status = Status::Raw;
    }
    record.Set(field, std::move(value), status);
  }
  return record;
}

}  // namespace ks::ir

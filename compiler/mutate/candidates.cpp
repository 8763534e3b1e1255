#include "compiler/mutate/candidates.h"

#include <algorithm>
#include <limits>

#include "compiler/ir/glob.h"

namespace ks::mutate {

using ir::Atom;
using schema::Record;
using schema::Status;
using schema::TypeId;
using schema::Value;

void Once(std::vector<Value>* out, Value value) {
  if (std::find(out->begin(), out->end(), value) == out->end()) out->push_back(std::move(value));
}

std::string Instance(const std::string& pattern, bool empty) {
  std::string out;
  for (const ir::GlobToken& token : ir::ParseGlob(pattern)) {
    if (token.star) {
      if (!empty) out += 'x';
      continue;
    }
    size_t byte = token.bytes.test('x') ? 'x' : 0;
    for (size_t i = 0x21; byte == 0 && i < 256; ++i) byte = token.bytes.test(i) ? i : 0;
    out += static_cast<char>(byte == 0 ? 'x' : byte);
  }
  return out;
}

std::vector<std::string> Elements(const std::string& list) {
  std::vector<std::string> out;
  for (size_t begin = 0; begin < list.size();) {
    size_t end = std::min(list.find('\0', begin), list.size());
    out.push_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

const std::string* Text(const Value& value) { return std::get_if<std::string>(&value); }

namespace {

schema::IpAddress Ip(std::string_view text) {
  schema::IpAddress ip;
  schema::ParseIp(text, &ip);
  return ip;
}

std::string ListOf(const std::vector<std::string>& elements) {
  std::string out;
  for (const std::string& element : elements) out += element + '\0';
  return out;
}

// Texts that a test of this atom is about.
void AddTexts(const Atom& atom, std::vector<std::string>* out) {
  size_t count = 0;
  for (const Value& literal : atom.literals) {
    const std::string* text = Text(literal);
    if (text == nullptr || ++count > kMostLiterals) continue;
    switch (atom.test) {
      case ir::Test::Like:
        out->push_back(Instance(*text, false));
        out->push_back(Instance(*text, true));
        break;
      case ir::Test::Under:
        out->push_back(std::string(ir::UnderPrefix(*text)) + "/x");
        out->push_back(*text);
        break;
      case ir::Test::Contains:
        out->push_back(*text);
        out->push_back("x" + *text + "x");
        out->push_back("/" + *text);
        break;
      case ir::Test::Matches:
        break;  // what others have observed will do, or nothing
      default:
        out->push_back(*text);
        break;
    }
  }
}

void AddNumbers(const Atom& atom, int64_t now, std::vector<Value>* out) {
  size_t count = 0;
  for (const Value& literal : atom.literals) {
    const auto* number = std::get_if<int64_t>(&literal);
    if (number == nullptr || ++count > kMostLiterals) continue;
    if (atom.test == ir::Test::HasBits) {
      Once(out, now | *number);
      Once(out, now & ~*number);
      continue;
    }
    Once(out, *number);
    if (*number != std::numeric_limits<int64_t>::max()) Once(out, *number + 1);
    if (*number != std::numeric_limits<int64_t>::min()) Once(out, *number - 1);
  }
  for (int64_t plain : {0, 1, 2, 1000}) Once(out, plain);
  if (atom.test == ir::Test::HasBits) {
    for (const schema::Enumerator& one : schema::Enumerators(schema::Row(atom.operand.field).enumeration)) {
      Once(out, one.value);
    }
  }
}

std::vector<schema::IpAddress> Addresses(const Atom& atom) {
  std::vector<schema::IpAddress> out;
  for (const Value& literal : atom.literals) {
    if (out.size() > kMostLiterals) break;
    if (const auto* ip = std::get_if<schema::IpAddress>(&literal)) out.push_back(*ip);
    if (const auto* cidr = std::get_if<schema::Cidr>(&literal)) {
      out.push_back(cidr->base);
      schema::IpAddress next = cidr->base;
      next.bytes[15] = static_cast<uint8_t>(next.bytes[15] + 1);
      if (cidr->bits < 128) out.push_back(next);
    }
    if (const auto* endpoint = std::get_if<schema::Endpoint>(&literal)) out.push_back(endpoint->ip);
  }
  for (const char* text : {"203.0.113.9", "198.51.100.7", "10.0.0.9", "2001:db8::9"}) out.push_back(Ip(text));
  return out;
}

}  // namespace

std::vector<Value> CandidatesOf(const Atom& atom, const ir::Operand& operand, const Record& record,
                                const Observed& observed) {
  std::vector<Value> out;
  const schema::FieldRow& row = schema::Row(operand.field);
  const Value& now = record[operand.field].value;
  std::vector<std::string> texts;
  AddTexts(atom, &texts);
  if (atom.other) {
    const ir::Operand& other = operand == atom.operand ? *atom.other : atom.operand;
    schema::FieldValue value = ir::ReadOperand(other, record);
    if (value.status == Status::Ok && other.step == ir::kThisEvent) {
      if (const std::string* text = Text(value.value)) texts.push_back(*text);
      if (const auto* number = std::get_if<int64_t>(&value.value)) {
        for (int64_t by : {0, 1, -1}) Once(&out, *number + by);
      }
    }
  }
  if (row.type == TypeId::StringList) {
    const std::string* list = Text(now);
    std::vector<std::string> elements = Elements(list != nullptr ? *list : "");
    Once(&out, std::string());
    for (const Value& value : observed.Of(operand.field)) texts.push_back(std::get<std::string>(value));
    texts.emplace_back("x");
    for (const std::string& text : texts) {
      std::vector<std::string> changed = elements;
      if (operand.element >= 0) {
        changed.resize(std::max(changed.size(), static_cast<size_t>(operand.element) + 1), "x");
        changed[static_cast<size_t>(operand.element)] = text;
      } else {
        changed.push_back(text);
      }
      Once(&out, ListOf(changed));
    }
    for (size_t i = 0; i < elements.size(); ++i) {
      std::vector<std::string> changed = elements;
      changed.erase(changed.begin() + static_cast<ptrdiff_t>(i));
      Once(&out, ListOf(changed));
    }
    return out;
  }
  switch (schema::Row(row.type).slot) {
    case schema::Slot::Text:
      for (const Value& value : observed.Of(operand.field)) Once(&out, value);
      for (std::string& text : texts) Once(&out, std::move(text));
      for (const char* text : {"/opt/x", "/usr/bin/x", "/home/eve/x"}) {
        if (row.type == TypeId::Path) Once(&out, text);
      }
      if (row.type != TypeId::Path) Once(&out, "x");
      break;
    case schema::Slot::Int:
      AddNumbers(atom, std::get<int64_t>(now), &out);
      for (const Value& value : observed.Of(operand.field)) Once(&out, value);
      break;
    case schema::Slot::Ip:
      for (const schema::IpAddress& ip : Addresses(atom)) Once(&out, ip);
      break;
    case schema::Slot::Endpoint: {
      const auto* endpoint = std::get_if<schema::Endpoint>(&now);
      schema::Endpoint old = endpoint != nullptr ? *endpoint : schema::Endpoint{};
      if (operand.part == ir::Part::Port) {
        std::vector<Value> ports;
        AddNumbers(atom, old.port, &ports);
        for (const Value& port : ports) {
          int64_t number = std::get<int64_t>(port);
          if (number >= 0 && number <= 65535) Once(&out, schema::Endpoint{old.ip, static_cast<uint16_t>(number)});
        }
      } else {
        for (const schema::IpAddress& ip : Addresses(atom)) Once(&out, schema::Endpoint{ip, old.port});
        for (const Value& literal : atom.literals) {
          if (std::holds_alternative<schema::Endpoint>(literal)) Once(&out, literal);
        }
      }
      break;
    }
    case schema::Slot::None:
      break;
  }
  return out;
}

}  // namespace ks::mutate

#include <charconv>

#include "compiler/ir/text_lexer.h"
#include "compiler/ir/text_names.h"

namespace ks::ir {
namespace {

bool ParseInt(std::string_view word, int base, int64_t* out) {
  auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), *out, base);
  return error == std::errc() && end == word.data() + word.size();
}

bool ParseHex(std::string_view word, schema::IpAddress* out) {
  if (word.size() != 2 * out->bytes.size()) return false;
  for (size_t i = 0; i < out->bytes.size(); ++i) {
    int high = HexDigit(word[2 * i]), low = HexDigit(word[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out->bytes[i] = static_cast<uint8_t>(high * 16 + low);
  }
  return true;
}

// HEX, a separator, a number up to `max`.
bool ParseHexAndNumber(std::string_view word, char separator, int64_t max, schema::IpAddress* ip, int64_t* number) {
  size_t at = word.rfind(separator);
  return at != std::string_view::npos && ParseHex(word.substr(0, at), ip) &&
         ParseInt(word.substr(at + 1), 10, number) && *number >= 0 && *number <= max;
}

std::optional<Value> ParseAddress(std::string_view word) {
  schema::IpAddress ip;
  schema::Cidr cidr;
  bool host_bits = false;
  int64_t bits = 0;
  if (word.starts_with(kRawIp)) {
    if (ParseHex(word.substr(kRawIp.size()), &ip)) return ip;
  } else if (word.starts_with(kRawCidr)) {
    if (ParseHexAndNumber(word.substr(kRawCidr.size()), '/', 128, &ip, &bits)) {
      return schema::Cidr{ip, static_cast<uint8_t>(bits)};
    }
  } else if (schema::ParseIp(word, &ip)) {
    return ip;
  } else if (schema::ParseCidr(word, &cidr, &host_bits)) {
    return cidr;
  }
  return std::nullopt;
}

std::optional<Value> ParseEndpointWord(std::string_view word) {
  schema::Endpoint endpoint;
  int64_t port = 0;
  if (word.starts_with(kRawEndpoint)) {
    if (ParseHexAndNumber(word.substr(kRawEndpoint.size()), ':', 65535, &endpoint.ip, &port)) {
      endpoint.port = static_cast<uint16_t>(port);
      return endpoint;
    }
  } else if (schema::ParseEndpoint(word, &endpoint)) {
    return endpoint;
  }
  return std::nullopt;
}

std::optional<Value> ParseNumber(std::string_view word, const Operand& operand) {
  if (operand.part == Part::Whole) {
    std::string_view enumeration = schema::Row(operand.field).enumeration;
    if (auto value = schema::EnumeratorValue(enumeration, word); value && !enumeration.empty()) return *value;
  }
  int64_t value = 0;
  if (word.starts_with("0o") ? ParseInt(word.substr(2), 8, &value) && value >= 0 : ParseInt(word, 10, &value))
    return value;
  return std::nullopt;
}

}  // namespace

std::optional<Value> ParseLiteral(const Token& token, const Operand& operand) {
  schema::Slot slot = schema::Row(TypeOf(operand)).slot;
  if (slot == schema::Slot::Text) {
    if (token.kind != TokenKind::Text) return std::nullopt;
    return token.text;
  }
  if (token.kind != TokenKind::Word) return std::nullopt;
  if (slot == schema::Slot::Ip) return ParseAddress(token.word);
  return slot == schema::Slot::Endpoint ? ParseEndpointWord(token.word) : ParseNumber(token.word, operand);
}

std::optional<Operand> FindOperand(std::string_view word) {
  int64_t number = 0;
  if (word.starts_with(kStepPrefix)) {
    word.remove_prefix(kStepPrefix.size());
    size_t colon = word.find(':');
    if (colon == std::string_view::npos || word[0] == '0' || !ParseInt(word.substr(0, colon), 10, &number)) return {};
    std::string_view rest = word.substr(colon + 1);
    if (number < 1 || number > UINT8_MAX || rest.starts_with(kStepPrefix)) return {};
    std::optional<Operand> operand = FindOperand(rest);
    if (operand) operand->step = static_cast<uint8_t>(number);
    return operand;
  }
  if (word.starts_with(kLowerPrefix)) {
    word.remove_prefix(kLowerPrefix.size());
    if (word.starts_with(kStepPrefix) || word.starts_with(kLowerPrefix)) return {};
    std::optional<Operand> operand = FindOperand(word);
    if (operand) operand->lower = true;
    return operand;
  }
  if (word.ends_with(']')) {
    size_t open = word.rfind('[');
    if (open == std::string_view::npos || open + 2 > word.size() - 1) return {};
    std::string_view digits = word.substr(open + 1, word.size() - open - 2);
    if ((digits[0] == '0' && digits.size() > 1) || !ParseInt(digits, 10, &number)) return {};
    if (number < 0 || number > INT16_MAX) return {};
    auto field = schema::FindField(word.substr(0, open));
    if (!field) return {};
    Operand operand{*field};
    operand.element = static_cast<int16_t>(number);
    return operand;
  }
  if (auto field = schema::FindField(word)) return Operand{*field};
  for (auto [suffix, part] : {std::pair<std::string_view, Part>{".ip", Part::Ip}, {".port", Part::Port}}) {
    if (!word.ends_with(suffix)) continue;
    auto field = schema::FindField(word.substr(0, word.size() - suffix.size()));
    if (field && schema::Row(*field).type == schema::TypeId::Endpoint) return Operand{*field, part};
  }
  return std::nullopt;
}

}  // namespace ks::ir

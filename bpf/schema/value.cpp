#include "bpf/schema/value.h"

#include <arpa/inet.h>

#include <cstdio>
#include <cstring>
#include <ctime>

namespace ks::schema {
namespace {

constexpr std::array<uint8_t, 12> kV4Prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

// Decimal, at most `max`, all of `text`.
bool ParseNumber(std::string_view text, uint32_t max, uint32_t* out) {
  if (text.empty() || text.size() > 5) return false;
  uint32_t value = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return false;
    value = value * 10 + static_cast<uint32_t>(c - '0');
  }
  *out = value;
  return value <= max;
}

std::string Quote(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\x%02x", byte);
      out += escape;
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string FormatTime(int64_t ns) {
  time_t seconds = static_cast<time_t>(ns / 1'000'000'000);
  int64_t rest = ns % 1'000'000'000;
  if (rest < 0) {
    rest += 1'000'000'000;
    --seconds;
  }
  tm parts{};
  gmtime_r(&seconds, &parts);
  char text[80];
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%09dZ", parts.tm_year + 1900, parts.tm_mon + 1,
                parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, static_cast<int>(rest));
  return text;
}

std::string FormatDuration(int64_t ns) {
  struct Unit {
    int64_t ns;
    const char* name;
  };
  static constexpr Unit kUnits[] = {{86'400'000'000'000, "d"}, {3'600'000'000'000, "h"}, {60'000'000'000, "m"},
                                    {1'000'000'000, "s"},      {1'000'000, "ms"},        {1'000, "us"}};
  for (const Unit& unit : kUnits) {
    if (ns != 0 && ns % unit.ns == 0) return std::to_string(ns / unit.ns) + unit.name;
  }
  return std::to_string(ns) + "ns";
}

std::string FormatFlags(int64_t value, std::string_view enumeration) {
  std::string out = "[";
  for (const Enumerator& row : Enumerators(enumeration)) {
    if (row.value == 0 || (value & row.value) != row.value) continue;
    if (out.size() > 1) out += ", ";
    out += row.name;
    value &= ~row.value;
  }
  if (value != 0) {
    char rest[32];
    std::snprintf(rest, sizeof rest, "%s0x%llx", out.size() > 1 ? ", " : "", static_cast<unsigned long long>(value));
    out += rest;
  }
  return out + "]";
}

std::string FormatInt(int64_t value, TypeId type, std::string_view enumeration) {
  switch (type) {
    case TypeId::Bool:
      return value != 0 ? "true" : "false";
    case TypeId::Enum:
      if (auto name = EnumeratorName(enumeration, value)) return std::string(*name);
      return std::to_string(value);
    case TypeId::Flags:
      return FormatFlags(value, enumeration);
    case TypeId::Mode: {
      char text[32];
      std::snprintf(text, sizeof text, "0o%llo", static_cast<unsigned long long>(value));
      return text;
    }
    case TypeId::Time:
      return FormatTime(value);
    case TypeId::Duration:
      return FormatDuration(value);
    default:
      return std::to_string(value);
  }
}

std::string FormatList(std::string_view elements) {
  std::string out = "[";
  while (!elements.empty()) {
    size_t end = elements.find('\0');
    if (out.size() > 1) out += ", ";
    out += Quote(elements.substr(0, end));
    elements = end == std::string_view::npos ? std::string_view() : elements.substr(end + 1);
  }
  return out + "]";
}

}  // namespace

bool IpAddress::IsV4() const { return std::memcmp(bytes.data(), kV4Prefix.data(), kV4Prefix.size()) == 0; }

bool Cidr::Contains(const IpAddress& ip) const {
  size_t whole = bits / 8;
  if (std::memcmp(base.bytes.data(), ip.bytes.data(), whole) != 0) return false;
  unsigned rest = bits % 8;
  if (rest == 0) return true;
  auto mask = static_cast<uint8_t>(0xff << (8 - rest));
  return (base.bytes[whole] & mask) == (ip.bytes[whole] & mask);
}

bool ParseIp(std::string_view text, IpAddress* out) {
  char buffer[64];
  if (text.empty() || text.size() >= sizeof buffer) return false;
  std::memcpy(buffer, text.data(), text.size());
  buffer[text.size()] = 0;
  if (std::strlen(buffer) != text.size()) return false;
  IpAddress ip;
  std::memcpy(ip.bytes.data(), kV4Prefix.data(), kV4Prefix.size());
  if (inet_pton(AF_INET, buffer, ip.bytes.data() + kV4Prefix.size()) != 1 &&
      inet_pton(AF_INET6, buffer, ip.bytes.data()) != 1) {
    return false;
  }
  *out = ip;
  return true;
}

bool ParseCidr(std::string_view text, Cidr* out, bool* host_bits) {
  size_t slash = text.find('/');
  if (slash == std::string_view::npos) return false;
  Cidr cidr;
  if (!ParseIp(text.substr(0, slash), &cidr.base)) return false;
  bool v4 = text.substr(0, slash).find(':') == std::string_view::npos;
  uint32_t bits = 0;
  if (!ParseNumber(text.substr(slash + 1), v4 ? 32 : 128, &bits)) return false;
  cidr.bits = static_cast<uint8_t>(v4 ? bits + 96 : bits);
  *host_bits = false;
  for (unsigned bit = cidr.bits; bit < 128; ++bit) {
    auto mask = static_cast<uint8_t>(0x80 >> (bit % 8));
    if (cidr.base.bytes[bit / 8] & mask) {
      *host_bits = true;
      cidr.base.bytes[bit / 8] &= static_cast<uint8_t>(~mask);
    }
  }
  *out = cidr;
  return true;
}

bool ParseEndpoint(std::string_view text, Endpoint* out) {
  size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return false;
  std::string_view host = text.substr(0, colon);
  if (!host.empty() && host.front() == '[') {
    if (host.back() != ']') return false;
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return false;
  }
  Endpoint endpoint;
  uint32_t port = 0;
  if (!ParseIp(host, &endpoint.ip) || !ParseNumber(text.substr(colon + 1), 65535, &port)) return false;
  endpoint.port = static_cast<uint16_t>(port);
  *out = endpoint;
  return true;
}

std::string ToString(const IpAddress& ip) {
  char text[INET6_ADDRSTRLEN];
  if (ip.IsV4()) {
    inet_ntop(AF_INET, ip.bytes.data() + kV4Prefix.size(), text, sizeof text);
  } else {
    inet_ntop(AF_INET6, ip.bytes.data(), text, sizeof text);
  }
  return text;
}

std::string ToString(const Cidr& cidr) {
  bool v4 = cidr.base.IsV4() && cidr.bits >= 96;
  return ToString(cidr.base) + "/" + std::to_string(v4 ? cidr.bits - 96 : cidr.bits);
}

std::string ToString(const Endpoint& endpoint) {
  std::string host = ToString(endpoint.ip);
  if (!endpoint.ip.IsV4()) host = "[" + host + "]";
  return host + ":" + std::to_string(endpoint.port);
}

std::string ToString(const Value& value, TypeId type, std::string_view enumeration) {
  struct Visitor {
    TypeId type;
    std::string_view enumeration;
    std::string operator()(int64_t number) const { return FormatInt(number, type, enumeration); }
    std::string operator()(const std::string& text) const {
      return type == TypeId::StringList ? FormatList(text) : Quote(text);
    }
    std::string operator()(const IpAddress& ip) const { return ToString(ip); }
    std::string operator()(const Cidr& cidr) const { return ToString(cidr); }
    std::string operator()(const Endpoint& endpoint) const { return ToString(endpoint); }
  };
  return std::visit(Visitor{type, enumeration}, value);
}

std::string ProcessId(int64_t pid, int64_t start_time) {
  char text[40];
  std::snprintf(text, sizeof text, "%06llx:%016llx", static_cast<unsigned long long>(pid) & 0xffffff,
                static_cast<unsigned long long>(start_time));
  return text;
}

}  // namespace ks::schema

#include "compiler/sema/literals.h"

#include <charconv>
#include <chrono>

namespace ks::sema {
namespace {

struct Number {
  std::optional<uint64_t> value;
  std::string_view rest;
  bool overflow = false;
};

Number ReadNumber(std::string_view text, int base) {
  Number number;
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  number.overflow = error == std::errc::result_out_of_range;
  if (error == std::errc()) number.value = value;
  number.rest = text.substr(static_cast<size_t>(end - text.data()));
  return number;
}

ParsedText Whole(std::string_view text, uint64_t max, std::string_view range) {
  int base = 10;
  bool negative = text.starts_with('-');
  if (negative) {
    text.remove_prefix(1);
  } else if (text.starts_with("0o") || text.starts_with("0x")) {
    base = text[1] == 'o' ? 8 : 16;
    text.remove_prefix(2);
  }
  Number number = ReadNumber(text, base);
  ParsedText out;
  if (!number.rest.empty() || (!number.value && !number.overflow)) return out;
  if (number.overflow || *number.value > max || (negative && max < INT64_MAX)) {
    out.out_of_range = range;
  } else {
    auto value = static_cast<int64_t>(*number.value);
    out.value = negative ? -value : value;
  }
  return out;
}

struct Unit {
  std::string_view name;
  int64_t factor;
};
constexpr Unit kDurations[] = {{"ns", 1},
                               {"us", 1'000},
                               {"ms", 1'000'000},
                               {"s", 1'000'000'000},
                               {"m", 60'000'000'000},
                               {"h", 3'600'000'000'000},
                               {"d", 86'400'000'000'000}};
constexpr Unit kSizes[] = {{"B", 1}, {"KiB", 1ll << 10}, {"MiB", 1ll << 20}, {"GiB", 1ll << 30}, {"TiB", 1ll << 40}};

ParsedText WithUnit(std::string_view text, std::span<const Unit> units, std::string_view range) {
  Number number = ReadNumber(text, 10);
  ParsedText out;
  if (!number.value && !number.overflow) return out;
  for (const Unit& unit : units) {
    if (unit.name != number.rest) continue;
    int64_t value = 0;
    if (number.overflow || *number.value > INT64_MAX ||
        __builtin_mul_overflow(static_cast<int64_t>(*number.value), unit.factor, &value)) {
      out.out_of_range = range;
    } else {
      out.value = value;
    }
    return out;
  }
  return out;
}

// 2027-01-31: midnight in UTC.
ParsedText Date(std::string_view text) {
  ParsedText out;
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return out;
  auto digits = [&](size_t at, size_t count) -> int {
    int value = 0;
    for (char c : text.substr(at, count)) {
      if (c < '0' || c > '9') return -1;
      value = value * 10 + (c - '0');
    }
    return value;
  };
  int year = digits(0, 4), month = digits(5, 2), day = digits(8, 2);
  if (year < 0 || month < 0 || day < 0) return out;
  std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                   std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return out;
  if (year < 1970 || year > 2261) {
    out.out_of_range = "the years 1970 to 2261";
    return out;
  }
  out.value = std::chrono::sys_days(date).time_since_epoch().count() * int64_t{86'400'000'000'000};
  return out;
}

}  // namespace

TypeId NaturalType(syntax::LiteralKind kind) {
  switch (kind) {
    case syntax::LiteralKind::String:
    case syntax::LiteralKind::RawString:
      return TypeId::String;
    case syntax::LiteralKind::Int:
    case syntax::LiteralKind::Hex:
      return TypeId::Int;
    case syntax::LiteralKind::Octal:
      return TypeId::Mode;
    case syntax::LiteralKind::Duration:
      return TypeId::Duration;
    case syntax::LiteralKind::Size:
      return TypeId::Size;
    case syntax::LiteralKind::Ip:
      return TypeId::Ip;
    case syntax::LiteralKind::Cidr:
      return TypeId::Cidr;
    case syntax::LiteralKind::Endpoint:
      return TypeId::Endpoint;
    case syntax::LiteralKind::Bool:
      return TypeId::Bool;
    case syntax::LiteralKind::Date:
      return TypeId::Time;
  }
  return TypeId::String;
}

ParsedText ParseText(std::string_view text, const Type& type) {
  ParsedText out;
  switch (type.scalar) {
    case TypeId::Bool:
      if (text == "true" || text == "false") out.value = int64_t{text == "true"};
      return out;
    case TypeId::Int:
      return Whole(text, INT64_MAX, "at most 9223372036854775807 either way");
    case TypeId::Port:
      return Whole(text, 65535, "a port is 0 to 65535");
    case TypeId::Mode:
      // The bits of an octal literal that is meant as a number have their own limit, checked where it is used as a
      // mode.
      return text.starts_with("0o") ? Whole(text, INT64_MAX, "a mode is 0o0 to 0o7777") : out;
    case TypeId::Duration:
      return WithUnit(text, kDurations, "a duration is less than 293 years");
    case TypeId::Size:
      return WithUnit(text, kSizes, "a size is less than 8 EiB");
    case TypeId::Time:
      return Date(text);
    case TypeId::Enum:
    case TypeId::Flags:
      if (auto value = schema::EnumeratorValue(type.enumeration, text)) out.value = *value;
      return out;
    case TypeId::String:
    case TypeId::Path:
    case TypeId::StringList:
      out.value = std::string(text);
      return out;
    case TypeId::Ip: {
      schema::IpAddress ip;
      if (schema::ParseIp(text, &ip)) out.value = ip;
      return out;
    }
    case TypeId::Cidr: {
      schema::Cidr cidr;
      schema::IpAddress ip;
      bool host_bits = false;
      if (schema::ParseCidr(text, &cidr, &host_bits)) {
        out.value = cidr;
        if (host_bits) out.mended = schema::ToString(cidr);
      } else if (schema::ParseIp(text, &ip)) {
        out.value = schema::Cidr{ip, 128};
      }
      return out;
    }
    case TypeId::Endpoint: {
      schema::Endpoint endpoint;
      if (schema::ParseEndpoint(text, &endpoint)) {
        out.value = endpoint;
      } else if (size_t colon = text.rfind(':'); colon != std::string_view::npos) {
        // Only the port may be wrong: say so.
        std::string with_port = std::string(text.substr(0, colon)) + ":0";
        ParsedText port = Whole(text.substr(colon + 1), 65535, "a port is 0 to 65535");
        if (!port.out_of_range.empty() && schema::ParseEndpoint(with_port, &endpoint))
          out.out_of_range = port.out_of_range;
      }
      return out;
    }
  }
  return out;
}

std::string Describe(const Type& type) {
  if (!type.enumeration.empty()) return fmt::format("a name of `{}`", type.enumeration);
  switch (type.scalar) {
    case TypeId::Ip:
      return "an address, as in 203.0.113.9 or fd00::1";
    case TypeId::Cidr:
      return "a block of addresses, as in 10.0.0.0/8 or fd00::/8";
    case TypeId::Endpoint:
      return "an endpoint, as in 203.0.113.9:443 or [fd00::1]:443";
    case TypeId::Duration:
      return "a duration, as in 30s";
    case TypeId::Size:
      return "a size, as in 4MiB";
    case TypeId::Time:
      return "a date, as in 2027-01-31";
    case TypeId::Mode:
      return "a mode, as in 0o755";
    case TypeId::Int:
    case TypeId::Port:
      return "a whole number";
    case TypeId::Bool:
      return "`true` or `false`";
    default:
      return Phrase(type);
  }
}

std::string Shorten(std::string_view text) {
  constexpr size_t kLimit = 40;
  std::string out;
  for (char c : text) {
    if (out.size() >= kLimit && (static_cast<unsigned char>(c) & 0xc0) != 0x80) return out + "…";
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out;
}

std::string_view WhyNotNormal(std::string_view path, std::string* mended) {
  mended->clear();
  if (!path.starts_with('/')) return "relative";
  std::string_view why;
  std::vector<std::string_view> parts;
  size_t at = 1;
  while (at <= path.size()) {
    size_t end = std::min(path.find('/', at), path.size());
    std::string_view part = path.substr(at, end - at);
    if (part.empty() && end < path.size()) why = "a path with an empty component";
    if (part == ".") why = "a path with `.` in it";
    if (part == "..") why = "a path with `..` in it";
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else if (!part.empty() && part != ".") {
      parts.push_back(part);
    }
    at = end + 1;
  }
  if (why.empty() && path.size() > 1 && path.ends_with('/')) why = "a path that ends in `/`";
  *mended = "/" + fmt::format("{}", fmt::join(parts, "/"));
  return why;
}

std::string_view WhyMalformedGlob(std::string_view glob, size_t* least) {
  *least = 0;
  for (size_t i = 0; i < glob.size(); ++i) {
    if (glob[i] == '*') continue;
    ++*least;
    if (glob[i] == '\\') {
      if (++i == glob.size()) return "ends in a backslash that escapes nothing";
    } else if (glob[i] == '[') {
      size_t at = i + 1;
      if (at < glob.size() && glob[at] == '!') ++at;
      auto read = [&]() -> int {
        if (at < glob.size() && glob[at] == '\\') ++at;
        return at < glob.size() ? static_cast<unsigned char>(glob[at++]) : -1;
      };
      // A `]` that comes first is one of the characters.
      for (bool first = true; at < glob.size() && (first || glob[at] != ']'); first = false) {
        int low = read();
        if (at + 1 >= glob.size() || glob[at] != '-' || glob[at + 1] == ']') continue;
        ++at;
        if (read() < low) return "has a range that runs backwards";
      }
      if (at >= glob.size()) return "has a `[` that is never closed";
      i = at;
    }
  }
  return {};
}

}  // namespace ks::sema

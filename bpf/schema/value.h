// Values of the language's types, and an event's fields as values. Used for literals and for events alike.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "bpf/schema/schema.h"

namespace ks::schema {

// 16 bytes in network order; IPv4 as ::ffff:a.b.c.d.
struct IpAddress {
  std::array<uint8_t, 16> bytes{};
  auto operator<=>(const IpAddress&) const = default;
  bool IsV4() const;
};

struct Cidr {
  IpAddress base;
  uint8_t bits = 0;  // 0 to 128, counted in the 128-bit form: 10.0.0.0/8 has 104
  auto operator<=>(const Cidr&) const = default;
  bool Contains(const IpAddress& ip) const;
};

struct Endpoint {
  IpAddress ip;
  uint16_t port = 0;
  auto operator<=>(const Endpoint&) const = default;
};

// int64_t: Bool Int Port Duration Size Time Mode Enum Flags · std::string: String Path StringList (each element ends in
// NUL).
using Value = std::variant<int64_t, std::string, IpAddress, Cidr, Endpoint>;

// Parsers of what a user writes: "10.0.0.1", "fd00::1", "10.0.0.0/8", "10.0.0.1:443", "[fd00::1]:443". False if
// malformed.
bool ParseIp(std::string_view text, IpAddress* out);
// Host bits may be set: *host_bits tells.
bool ParseCidr(std::string_view text, Cidr* out, bool* host_bits);
bool ParseEndpoint(std::string_view text, Endpoint* out);

std::string ToString(const IpAddress& ip);
std::string ToString(const Cidr& cidr);
std::string ToString(const Endpoint& endpoint);
// By the type of the field: enumerator names, octal modes, quoted strings; a value of a field as the user would write
// it.
std::string ToString(const Value& value, TypeId type, std::string_view enumeration);

// The text of process.id and of the elements of process.ancestor_ids.
std::string ProcessId(int64_t pid, int64_t start_time);

// Same numbers as enum ks_status.
enum class Status : uint8_t { Unread = 0, Ok = 1, Absent = 2, Truncated = 3, Unknown = 4, Raw = 5, Foreign = 6 };

struct FieldValue {
  Status status = Status::Unread;
  Value value;
  bool operator==(const FieldValue&) const = default;
};

// The fields of one event. After decoding no field is Raw or Foreign (runtime/event normalises them).
class Record {
 public:
  const FieldValue& operator[](FieldId field) const { return fields_[static_cast<size_t>(field)]; }
  void Set(FieldId field, Value value, Status status = Status::Ok) {
    fields_[static_cast<size_t>(field)] = {status, std::move(value)};
  }
  void SetStatus(FieldId field, Status status) { fields_[static_cast<size_t>(field)].status = status; }
  bool operator==(const Record&) const = default;

 private:
  std::array<FieldValue, kFieldCount> fields_;
};

}  // namespace ks::schema

// A record of the Linux audit system: one line, `type=… msg=audit(seconds.milliseconds:serial): key=value …`.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ks::import::audit {

// Of an event: all of its records have the same.
struct Id {
  uint64_t time_ns = 0;  // since 1970
  uint64_t serial = 0;
  auto operator<=>(const Id&) const = default;
};

struct Record {
  std::string node;  // "" if the record does not say
  std::string type;  // "SYSCALL"; of a number that has no name here "1399"
  Id id;
  std::string body;
};

// Whether it is nothing, or what syslog or the kernel puts before what the kernel, auditd or its dispatchers say of audit. The tag is
// the first word that ends in a colon; of RFC 5424, which begins `<13>1 `, the fourth. Others can put the rest of it into a line.
bool IsCarriersHead(std::string_view before);

// As auditd, its dispatcher, the kernel's log and auoms write it; before `type=` there may be a carrier's head and a node.
// Nothing if the line is none.
std::optional<Record> ParseRecord(std::string_view line);

// The keys of a body, and their values as they are written: "…" and '…' and […] with what encloses them.
class Fields {
 public:
  explicit Fields(std::string_view body);  // which it points into

  // Of several with the same key, the first; nothing if there is none.
  std::optional<std::string_view> Raw(std::string_view key) const;
  // Decimal; nothing if it is not a number.
  std::optional<int64_t> Number(std::string_view key) const;
  std::optional<uint64_t> Hex(std::string_view key) const;
  std::optional<int64_t> Octal(std::string_view key) const;
  // An id: -1 and `unset`, as some write what others write as 4294967295, are that.
  std::optional<int64_t> Id(std::string_view key) const;
  // What a process chose: in quotes, or hexadecimal. Nothing for (null).
  std::optional<std::string> Text(std::string_view key) const;
  // Bytes in hexadecimal.
  std::optional<std::string> Bytes(std::string_view key) const;
  // auoms's ["…","…"].
  std::vector<std::string> List(std::string_view key) const;
  const std::vector<std::pair<std::string_view, std::string_view>>& pairs() const { return pairs_; }

 private:
  std::vector<std::pair<std::string_view, std::string_view>> pairs_;
};

// Of all of the text; nothing if it is not a number.
std::optional<int64_t> ReadDecimal(std::string_view text);
std::optional<int64_t> ReadOctal(std::string_view text);
std::optional<uint64_t> ReadHex(std::string_view text);
std::optional<std::string> DecodeHex(std::string_view hex);
// As Fields::Text.
std::optional<std::string> DecodeText(std::string_view raw);
// auoms writes arguments as a shell would read them: each one ends in a NUL here.
std::string ReadShellWords(std::string_view line);

}  // namespace ks::import::audit

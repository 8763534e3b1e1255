// Random events for property tests: every field of the kind in every state, texts as hostile processes choose them.
#pragma once

#include <random>
#include <string>

#include "runtime/event/event.h"

namespace ks::event {

class RandomEvents {
 public:
  explicit RandomEvents(uint32_t seed) : random_(seed) {}

  size_t Below(size_t bound) { return std::uniform_int_distribution<size_t>(0, bound - 1)(random_); }
  bool OneIn(size_t n) { return Below(n) == 0; }
  uint64_t Word() { return random_(); }

  std::string Text(size_t capture) {
    static constexpr std::string_view kWords[] = {"/etc/shadow", "/etc",     "/etcx",    "bash",        "sh",
                                                  "/",           "/tmp/.x",  "",         "/usr/bin/nc", "..",
                                                  "\n",          "\x1b[31m", "\xff\xfe", "\"\\",        "\xe2\x80\xae",
                                                  "/var/log/a",  "-c",       "/memfd:x"};
    if (OneIn(8)) return std::string(capture - Below(2), static_cast<char>('a' + Below(3)));
    std::string text;
    for (size_t i = 0, n = 1 + Below(3); i < n; ++i) text += kWords[Below(std::size(kWords))];
    return text.substr(0, capture);
  }

  schema::IpAddress Ip() {
    schema::IpAddress ip;
    static constexpr std::string_view kTexts[] = {"10.0.0.1", "10.1.2.3", "203.0.113.9", "::1", "fd00::1", "0.0.0.0"};
    if (OneIn(4)) {
      for (uint8_t& byte : ip.bytes) byte = static_cast<uint8_t>(Word());
    } else {
      schema::ParseIp(kTexts[Below(std::size(kTexts))], &ip);
    }
    return ip;
  }

  int64_t Int(const schema::FieldRow& row) {
    if (row.type == schema::TypeId::Bool) return static_cast<int64_t>(Below(2));
    if (row.type == schema::TypeId::Port) return static_cast<int64_t>(Below(65536));
    const auto names = schema::Enumerators(row.enumeration);
    if (!names.empty() && !OneIn(8)) {
      int64_t value = names[Below(names.size())].value;
      if (row.type == schema::TypeId::Flags) value |= names[Below(names.size())].value;
      return value;
    }
    static constexpr int64_t kEdges[] = {0, 1, -1, 443, 4711, 0755, INT64_MAX, INT64_MIN, 4294967295, 1000};
    return OneIn(4) ? static_cast<int64_t>(Word()) : kEdges[Below(std::size(kEdges))];
  }

  schema::Value ValueOf(const schema::FieldRow& row) {
    switch (schema::Row(row.type).slot) {
      case schema::Slot::Ip:
        return Ip();
      case schema::Slot::Endpoint:
        return schema::Endpoint{Ip(), static_cast<uint16_t>(Word())};
      case schema::Slot::Text: {
        if (row.type != schema::TypeId::StringList) return Text(row.capture);
        std::string list;
        for (size_t i = 0, n = Below(4); i < n; ++i) {
          std::string element = Text(row.capture / 4);
          list += element.substr(0, row.capture / 4 - 1) + '\0';
        }
        return list;
      }
      default:
        return Int(row);
    }
  }

  // Any state that a decoded field can have, Ok most often. Only Ok and Truncated hold a value.
  void Fill(schema::Record& record, const schema::FieldRow& row) {
    using enum schema::Status;
    const bool text = schema::Row(row.type).slot == schema::Slot::Text;
    switch (Below(10)) {
      case 0:
        record.Set(row.id, {}, Absent);
        break;
      case 1:
        record.Set(row.id, {}, Unknown);
        break;
      case 2:
        if (text) {
          std::string part = Text(row.capture);
          record.Set(row.id, part, Truncated);
        }
        break;
      default:
        record.Set(row.id, ValueOf(row));
    }
  }

  // As Decode makes them; with `derived`, also with what enrich adds.
  Event Next(bool derived) { return Next(static_cast<schema::EventKind>(Below(schema::kKindCount)), derived); }
  Event Next(schema::EventKind kind, bool derived) {
    Event event;
    event.kind = kind;
    event.sequence = OneIn(8) ? Word() << 32 >> 16 : ++sequence_;
    event.generation = static_cast<uint32_t>(Below(5));
    event.cpu = static_cast<uint16_t>(Below(64));
    SetTime(event, 1'700'000'000'000'000'000 + (Word() % 1'000'000'000));
    for (const schema::FieldRow& row : schema::Fields()) {
      if (row.id == schema::FieldId::event_time || !schema::Has(event.kind, row.id)) continue;
      if (row.decided == schema::Decided::User && !derived) continue;
      Fill(event.record, row);
    }
    return event;
  }

 private:
  std::mt19937 random_;
  uint64_t sequence_ = 0;
};

}  // namespace ks::event

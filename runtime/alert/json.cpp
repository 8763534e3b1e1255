#include "runtime/alert/json.h"

#include <fmt/format.h>

#include "runtime/event/event.h"

namespace ks::alert {

std::string JsonString(std::string_view text) {
  std::string out = "\"";
  for (size_t length = 0; !text.empty(); text.remove_prefix(length)) {
    const int32_t point = event::DecodeUtf8(text, &length);
    if (point < 0) {
      out += "\\ufffd";
    } else if (point == '"' || point == '\\') {
      out += '\\';
      out += static_cast<char>(point);
    } else if (point > 0xffff && event::IsDeceptive(point)) {
      const int32_t rest = point - 0x10000;
      out += fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + (rest >> 10), 0xdc00 + (rest & 0x3ff));
    } else if (event::IsDeceptive(point)) {
      out += fmt::format("\\u{:04x}", point);
    } else {
      out += text.substr(0, length);
    }
  }
  return out + '"';
}

void JsonObject::Set(std::string_view key, std::string json) {
  KS_CHECK(!json.empty(), "a member without a value");
  members_.push_back({std::string(key), std::move(json), {}});
}

JsonObject& JsonObject::Object(std::string_view key) {
  for (Member& member : members_) {
    if (member.key == key) {
      KS_CHECK(member.json.empty(), "a value and an object have one name");
      return member.object;
    }
  }
  members_.push_back({std::string(key), {}, {}});
  return members_.back().object;
}

std::string JsonObject::ToString() const {
  std::string out = "{";
  for (const Member& member : members_) {
    if (out.size() > 1) out += ',';
    out += JsonString(member.key);
    out += ':';
    out += member.json.empty() ? member.object.ToString() : member.json;
  }
  return out + "}";
}

}  // namespace ks::alert

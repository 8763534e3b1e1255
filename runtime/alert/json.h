// JSON in the order in which it is said.
#pragma once

#include <list>
#include <string>
#include <string_view>
#include <utility>

namespace ks::alert {

// A string with its quotes. Bytes that are not UTF-8 become U+FFFD; what could fake a line on a terminal is escaped.
std::string JsonString(std::string_view text);
template <typename Texts>
std::string JsonStrings(const Texts& texts) {
  std::string out = "[";
  for (const std::string_view text : texts) {
    if (out.size() > 1) out += ',';
    out += JsonString(text);
  }
  return out + "]";
}

// An object whose members are finished JSON, or objects.
class JsonObject {
 public:
  void Set(std::string_view key, std::string json);
  // The member object of that name, made if there is none. Valid as long as this object.
  JsonObject& Object(std::string_view key);
  std::string ToString() const;

 private:
  struct Member;
  std::list<Member> members_;
};

struct JsonObject::Member {
  std::string key;
  std::string json;  // empty: it is `object`
  JsonObject object;
};

}  // namespace ks::alert

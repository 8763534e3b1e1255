#include "compiler/bundle/strict_json.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

namespace ks::bundle {
namespace {

using nlohmann::json;

// Builds the value while it watches the limits. The parser itself does not recurse.
class Builder {
 public:
  explicit Builder(const JsonLimits& limits) : limits_(limits) {}

  // The names below are given by nlohmann's SAX interface.
  bool null() { return Add(nullptr); }
  bool boolean(bool value) { return Add(value); }
  bool number_integer(json::number_integer_t value) { return Add(value); }
  bool number_unsigned(json::number_unsigned_t value) { return Add(value); }
  bool number_float(json::number_float_t, const std::string& text) {
    return Fail(fmt::format("`{}` is not a whole number of 64 bits", text.substr(0, 40)));
  }
  bool string(std::string& value) { return Add(std::move(value)); }
  bool binary(json::binary_t&) { return Fail("binary data"); }
  bool start_object(size_t) { return Open(json::object()); }
  bool start_array(size_t) { return Open(json::array()); }
  bool end_object() { return Close(); }
  bool end_array() { return Close(); }
  bool key(std::string& name) {
    if (open_.back()->contains(name)) return Fail(fmt::format("the key `{}` occurs twice", name.substr(0, 40)));
    key_ = std::move(name);
    return true;
  }
  bool parse_error(size_t at, const std::string&, const nlohmann::detail::exception&) {
    return Fail(fmt::format("it is not JSON from byte {} on", at));
  }

  json root;
  std::string why;

 private:
  bool Fail(std::string text) {
    why = std::move(text);
    return false;
  }
  json* Insert(json value) {
    if (++values_ > limits_.values) {
      Fail(fmt::format("more than {} values", limits_.values));
      return nullptr;
    }
    if (open_.empty()) {
      root = std::move(value);
      return &root;
    }
    json& parent = *open_.back();
    if (parent.is_object()) return &(parent[key_] = std::move(value));
    parent.push_back(std::move(value));
    return &parent.back();
  }
  bool Add(json value) { return Insert(std::move(value)) != nullptr; }
  bool Open(json value) {
    if (open_.size() == limits_.depth) return Fail(fmt::format("nested deeper than {}", limits_.depth));
    json* inserted = Insert(std::move(value));
    if (!inserted) return false;
    open_.push_back(inserted);
    return true;
  }
  bool Close() {
    open_.pop_back();
    return true;
  }

  JsonLimits limits_;
  std::vector<json*> open_;  // only the last may grow, so the others stay where they are
  std::string key_;
  size_t values_ = 0;
};

Error Refuse(std::string cause) { return {"read JSON", "", std::move(cause), "", "json"}; }

}  // namespace

Result<json> ParseStrictJson(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.bytes) return Refuse(fmt::format("{} bytes, {} are allowed", text.size(), limits.bytes));
  // nlohmann takes a NUL byte for the end of its input and skips a byte order mark; both would hide something from us.
  if (text.find('\0') != std::string_view::npos) return Refuse("a NUL byte");
  if (text.starts_with("\xef\xbb\xbf")) return Refuse("a byte order mark");
  Builder builder(limits);
  if (!json::sax_parse(text.begin(), text.end(), &builder)) return Refuse(builder.why);
  return std::move(builder.root);
}

std::string ToText(const nlohmann::ordered_json& value) {
  return value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace ks::bundle

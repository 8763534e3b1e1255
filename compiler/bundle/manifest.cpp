#include "compiler/bundle/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <vector>

#include "compiler/bundle/archive.h"
#include "compiler/bundle/strict_json.h"

namespace ks::bundle {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr size_t kMaxText = 4096;

// What this build understands: what `crit` may name.
constexpr auto kKnown = std::to_array<std::string_view>(
    {"schema", "bundle", "version", "issued_at", "not_before", "expires_at", "min_agent", "engine_abi", "schema_hash",
     "kernel", "arch", "caps", "compiler", "sources", "objects", "crit"});

bool IsHex(std::string_view text, size_t digits) {
  return text.size() == digits &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// Manifests are shown to people: no control characters.
bool IsShowable(std::string_view text) {
  return text.size() <= kMaxText &&
         std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

// Takes members out of one JSON object and keeps the first complaint.
class Fields {
 public:
  Fields(const json& object, std::string path, std::string* why) : object_(object), path_(std::move(path)), why_(why) {
    if (!object_.is_object()) Complain("is not an object");
  }

  std::string Text(const char* name) {
    const json* value = Find(name);
    if (!value) return {};
    if (!value->is_string()) return Complain(name, "is not text");
    const auto& text = value->get_ref<const std::string&>();
    if (!IsShowable(text)) return Complain(name, "is too long or has control characters");
    return text;
  }
  std::string Hex(const char* name, size_t digits) {
    std::string text = Text(name);
    return IsHex(text, digits) ? text : Complain(name, "is not hexadecimal of the right length");
  }
  std::string Time(const char* name) {
    std::string text = Text(name);
    return ParseTime(text) ? text : Complain(name, "is not a time like 2026-11-23T17:12:03Z");
  }
  std::string Name(const char* name) {
    std::string text = Text(name);
    return IsMemberName(text) ? text : Complain(name, "is not a name: a-z 0-9 . _ -, at most 64 characters");
  }
  uint64_t Number(const char* name, uint64_t max) {
    const json* value = Find(name);
    if (value && value->is_number_unsigned() && value->get<uint64_t>() <= max) return value->get<uint64_t>();
    Complain(name, "is not a whole number in range");
    return 0;
  }
  const json& List(const char* name, size_t max) {
    static const json kEmpty = json::array();
    const json* value = Find(name);
    if (value && value->is_array() && value->size() <= max) return *value;
    Complain(name, "is not a list, or too long");
    return kEmpty;
  }
  std::vector<std::string> Texts(const char* name) {
    std::vector<std::string> out;
    for (const json& item : List(name, 64)) {
      if (!item.is_string() || !IsShowable(item.get_ref<const std::string&>())) {
        Complain(name, "holds something other than short texts");
        return out;
      }
      out.push_back(item.get<std::string>());
    }
    return out;
  }
  Fields Object(const char* name) {
    static const json kEmpty = json::object();
    const json* value = Find(name);
    return {value ? *value : kEmpty, path_ + name + ".", why_};
  }

 private:
  const json* Find(const char* name) {
    if (!object_.is_object()) return nullptr;
    const auto found = object_.find(name);
    if (found != object_.end()) return &*found;
    Complain(name, "is missing");
    return nullptr;
  }
  std::string Complain(std::string_view name, std::string_view what) {
    if (why_->empty()) *why_ = fmt::format("`{}{}` {}", path_, name, what);
    return {};
  }
  void Complain(std::string_view what) {
    if (why_->empty()) *why_ = fmt::format("`{}` {}", path_.empty() ? "the manifest" : path_, what);
  }

  const json& object_;
  std::string path_;
  std::string* why_;
};

Error Refuse(std::string cause, std::string code) {
  return {"read the manifest", "the signed payload", std::move(cause),
          "build the bundle again with a compiler of the agent's version", std::move(code)};
}

std::vector<unsigned> VersionParts(std::string_view text) {
  std::vector<unsigned> parts;
  while (parts.size() < 4) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc()) return {};
    parts.push_back(value);
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    if (text.empty()) return parts;
    if (text[0] != '.') return {};
    text.remove_prefix(1);
  }
  return {};
}

}  // namespace

std::optional<int64_t> ParseTime(std::string_view text) {
  constexpr std::string_view kForm = "dddd-dd-ddTdd:dd:ddZ";
  if (text.size() != kForm.size()) return std::nullopt;
  std::array<int, 6> numbers{};
  size_t which = 0;
  for (size_t i = 0; i < kForm.size(); i++) {
    if (kForm[i] == 'd') {
      if (text[i] < '0' || text[i] > '9') return std::nullopt;
      numbers[which] = numbers[which] * 10 + (text[i] - '0');
    } else {
      if (text[i] != kForm[i]) return std::nullopt;
      if (i + 1 < kForm.size()) which++;
    }
  }
  using namespace std::chrono;
  const year_month_day date{year(numbers[0]), month(static_cast<unsigned>(numbers[1])),
                            day(static_cast<unsigned>(numbers[2]))};
  if (!date.ok() || numbers[3] > 23 || numbers[4] > 59 || numbers[5] > 59) return std::nullopt;
  const int64_t at =
      sys_days(date).time_since_epoch().count() * int64_t{86400} + numbers[3] * 3600 + numbers[4] * 60 + numbers[5];
  if (at < 0) return std::nullopt;
  return at;
}

std::optional<bool> VersionAtLeast(std::string_view have, std::string_view wanted) {
  auto a = VersionParts(have), b = VersionParts(wanted);
  if (a.empty() || b.empty()) return std::nullopt;
  a.resize(4);
  b.resize(4);
  return a >= b;
}

std::string WriteManifest(const Manifest& m) {
  ordered_json out;
  out["schema"] = kManifestSchema;
  out["bundle"] = m.bundle;
  out["version"] = m.version;
  out["issued_at"] = m.issued_at;
  out["not_before"] = m.not_before;
  out["expires_at"] = m.expires_at;
  out["min_agent"] = m.min_agent;
  out["engine_abi"] = m.engine_abi;
  out["schema_hash"] = m.schema_hash;
  out["kernel"]["min"] = m.kernel_min;
  out["kernel"]["features"] = m.kernel_features;
  out["arch"] = m.arch;
  out["caps"] = m.caps;
  out["compiler"]["name"] = m.compiler_name;
  out["compiler"]["version"] = m.compiler_version;
  out["sources"] = ordered_json::array();
  for (const SourceDigest& source : m.sources) {
    ordered_json item;
    item["name"] = source.name;
    item["sha256"] = source.sha256;
    out["sources"].push_back(std::move(item));
  }
  out["objects"] = ordered_json::array();
  for (const Manifest::Object& object : m.objects) {
    ordered_json item;
    item["name"] = object.name;
    item["type"] = object.type;
    item["size"] = object.size;
    item["sha256"] = object.sha256;
    out["objects"].push_back(std::move(item));
  }
  out["crit"] = m.crit;
  return ToText(out);
}

Result<Manifest> ReadManifest(std::string_view text) {
  const auto parsed = ParseStrictJson(text);
  if (!parsed) return Refuse(parsed.error().cause, "manifest");
  std::string why;
  Fields fields(*parsed, "", &why);
  if (fields.Text("schema") != kManifestSchema) {
    return Refuse(why.empty() ? fmt::format("its schema is not {}", kManifestSchema) : why, "manifest");
  }
  Manifest m;
  m.crit = fields.Texts("crit");
  if (!why.empty()) return Refuse(why, "manifest");
  for (const std::string& name : m.crit) {
    if (std::find(kKnown.begin(), kKnown.end(), name) == kKnown.end()) {
      return Refuse(fmt::format("it demands that `{}` be understood, and this build does not know it", name), "crit");
    }
    if (!parsed->contains(name)) return Refuse(fmt::format("it demands `{}` and does not have it", name), "crit");
  }
  m.bundle = fields.Name("bundle");
  m.version = fields.Number("version", UINT64_MAX);
  m.issued_at = fields.Time("issued_at");
  m.not_before = fields.Time("not_before");
  m.expires_at = fields.Time("expires_at");
  m.min_agent = fields.Text("min_agent");
  m.engine_abi = static_cast<uint32_t>(fields.Number("engine_abi", UINT32_MAX));
  m.schema_hash = fields.Hex("schema_hash", 16);
  Fields kernel = fields.Object("kernel");
  m.kernel_min = kernel.Text("min");
  m.kernel_features = kernel.Texts("features");
  m.arch = fields.Texts("arch");
  m.caps = fields.Texts("caps");
  Fields compiler = fields.Object("compiler");
  m.compiler_name = compiler.Text("name");
  m.compiler_version = compiler.Text("version");
  for (const json& item : fields.List("sources", 4096)) {
    Fields source(item, "sources[].", &why);
    m.sources.push_back({source.Text("name"), source.Hex("sha256", 64)});
  }
  for (const json& item : fields.List("objects", kMaxMembers - 1)) {
    Fields object(item, "objects[].", &why);
    m.objects.push_back(
        {object.Name("name"), object.Text("type"), object.Hex("sha256", 64), object.Number("size", kMaxBundleBytes)});
  }
  if (why.empty() && m.version == 0) why = "`version` is 0: versions start at 1";
  if (why.empty() && !VersionAtLeast("0", m.min_agent)) why = "`min_agent` is not a version like 0.1.0";
  if (why.empty() && *ParseTime(m.issued_at) > static_cast<int64_t>(kMaxMtime)) why = "`issued_at` is too late";
  if (!why.empty()) return Refuse(why, "manifest");
  return m;
}

}  // namespace ks::bundle

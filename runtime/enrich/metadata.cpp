#include "runtime/enrich/metadata.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "compiler/bundle/strict_json.h"

namespace ks::enrich {
namespace {

using nlohmann::json;

constexpr size_t kMostBytes = 16 * 1024 * 1024;
constexpr size_t kMostContainers = 65536;
constexpr size_t kLongestLine = 64 * 1024;
constexpr uint64_t kSecondNs = 1'000'000'000;

Error Refuse(std::string cause) {
  return {"read container metadata", "", std::move(cause),
          "one JSON object per line; docs/agent.md shows one. Write the file beside and rename it", "metadata-format"};
}

// One line, taken apart. The first thing that is wrong is kept.
class Line {
 public:
  Result<std::pair<std::string, ContainerFacts>> Take(std::string_view text) {
    bundle::JsonLimits limits;
    limits.bytes = kLongestLine;
    auto parsed = bundle::ParseStrictJson(text, limits);
    if (!parsed) return Refuse(parsed.error().cause);
    ContainerFacts facts;
    std::string id;
    if (!parsed->is_object()) return Refuse("it is no object");
    Keys(*parsed, "", {"id", "name", "image", "pod"});
    Text(*parsed, "", "id", &id);
    Text(*parsed, "", "name", &facts.name);
    if (const json* image = Object(*parsed, "image")) {
      Keys(*image, "image.", {"name", "digest"});
      Text(*image, "image.", "name", &facts.image_name);
      Text(*image, "image.", "digest", &facts.image_digest);
    }
    if (const json* pod = Object(*parsed, "pod")) facts.pod = Pod(*pod);
    const auto hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
    if (why_.empty() && (id.size() != 64 || !std::ranges::all_of(id, hex))) {
      why_ = "`id` is not 64 hexadecimal digits, as a container's id is";
    }
    if (!why_.empty()) return Refuse(why_);
    return std::pair(std::move(id), std::move(facts));
  }

 private:
  PodFacts Pod(const json& pod) {
    PodFacts facts;
    Keys(pod, "pod.", {"uid", "name", "namespace", "labels"});
    Text(pod, "pod.", "uid", &facts.uid);
    Text(pod, "pod.", "name", &facts.name);
    Text(pod, "pod.", "namespace", &facts.name_space);
    const auto labels = pod.find("labels");
    if (labels == pod.end()) return facts;
    facts.labels.emplace();
    if (!labels->is_object()) Fail("`pod.labels` is no object");
    for (const auto& [key, value] : labels->items()) {
      if (!value.is_string() || HasNul(key) || HasNul(value.get_ref<const std::string&>())) {
        Fail(fmt::format("the label `{}` is no text", key));
      } else {
        *facts.labels += key + "=" + value.get_ref<const std::string&>() + '\0';
      }
    }
    return facts;
  }

  static bool HasNul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

  void Fail(std::string why) {
    if (why_.empty()) why_ = std::move(why);
  }

  void Keys(const json& object, std::string_view where, std::initializer_list<std::string_view> known) {
    for (const auto& [key, value] : object.items()) {
      if (std::ranges::find(known, key) != known.end()) continue;
      Fail(fmt::format("`{}{}` is not known; there are {}", where, key.substr(0, 40), fmt::join(known, ", ")));
    }
  }

  // Nothing if it is not there.
  void Text(const json& object, std::string_view where, const char* key, std::string* out) {
    const auto found = object.find(key);
    if (found == object.end()) return;
    if (!found->is_string()) return Fail(fmt::format("`{}{}` is no text", where, key));
    *out = found->get<std::string>();
    if (out->empty()) Fail(fmt::format("`{}{}` is empty: leave out what is not known", where, key));
    if (HasNul(*out)) Fail(fmt::format("`{}{}` holds a NUL", where, key));
  }

  const json* Object(const json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end()) return nullptr;
    if (found->is_object()) return &*found;
    Fail(fmt::format("`{}` is no object", key));
    return nullptr;
  }

  std::string why_;
};

}  // namespace

Result<Metadata> Metadata::Parse(std::string_view text) {
  Metadata metadata;
  std::map<std::string, size_t, std::less<>> lines;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    // What is still being written has no end.
    if (end == std::string_view::npos) return Refuse(fmt::format("line {}: it does not end with a newline", number));
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    auto taken = Line().Take(line);
    if (!taken) return Refuse(fmt::format("line {}: {}", number, taken.error().cause));
    auto& [id, facts] = *taken;
    if (const auto [first, fresh] = lines.emplace(id, number); !fresh) {
      return Refuse(
          fmt::format("line {}: container {}… stands in line {} already", number, id.substr(0, 12), first->second));
    }
    if (metadata.containers_.size() == kMostContainers) {
      return Refuse(fmt::format("line {}: more than {} containers", number, kMostContainers));
    }
    if (facts.pod && !facts.pod->uid.empty()) metadata.containers_of_pods_.emplace(facts.pod->uid, id);
    metadata.containers_.emplace(std::move(id), std::move(facts));
  }
  return metadata;
}

const ContainerFacts* Metadata::FindContainer(std::string_view id) const {
  const auto found = containers_.find(id);
  return found == containers_.end() ? nullptr : &found->second;
}

const PodFacts* Metadata::FindPod(std::string_view uid) const {
  const auto found = containers_of_pods_.find(uid);
  return found == containers_of_pods_.end() ? nullptr : &*FindContainer(found->second)->pod;
}

Result<MetadataFile> MetadataFile::Open(const std::string& path) {
  MetadataFile file(path);
  const auto version = file.Look();
  if (!version) return version.error();
  file.version_ = *version;
  if (Status read = file.Read(); !read) return read.error();
  return file;
}

Result<MetadataFile::Version> MetadataFile::Look() const {
  struct stat info{};
  if (::stat(path_.c_str(), &info) != 0) {
    return Error{"read container metadata", path_, std::strerror(errno), "", "metadata-open"};
  }
  return Version{info.st_dev, info.st_ino, static_cast<uint64_t>(info.st_size), info.st_mtim.tv_sec,
                 info.st_mtim.tv_nsec};
}

Status MetadataFile::Read() {
  auto text = ReadFile(path_, kMostBytes);
  if (!text) return text.error();
  auto facts = Metadata::Parse(*text);
  if (!facts) {
    Error error = facts.error();
    error.on = path_;
    return error;
  }
  facts_ = std::move(*facts);
  return Ok();
}

Status MetadataFile::Refresh(uint64_t now_ns, bool* changed) {
  *changed = false;
  if (now_ns < next_look_ns_) return Ok();
  next_look_ns_ = now_ns + kSecondNs;
  const auto version = Look();
  if (!version) return std::exchange(gone_, true) ? Ok() : Status(version.error());
  if (!std::exchange(gone_, false) && *version == version_) return Ok();
  version_ = *version;
  Status read = Read();
  *changed = bool(read);
  return read;
}

}  // namespace ks::enrich

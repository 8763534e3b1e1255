// What only the outside knows of containers: names, images, pods. A file of JSON lines that the operator or a sidecar
// keeps; docs/agent.md describes it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "compiler/support/result.h"

namespace ks::enrich {

// Empty texts: the file does not say. `labels` is as in a record: "key=value", each with a NUL behind it.
struct PodFacts {
  std::string uid, name, name_space;
  std::optional<std::string> labels;
};

struct ContainerFacts {
  std::string name, image_name, image_digest;
  std::optional<PodFacts> pod;
};

class Metadata {
 public:
  // Errors name the line. Nothing is taken from a text that has one.
  static Result<Metadata> Parse(std::string_view text);

  const ContainerFacts* FindContainer(std::string_view id) const;
  const PodFacts* FindPod(std::string_view uid) const;
  size_t size() const { return containers_.size(); }

 private:
  std::map<std::string, ContainerFacts, std::less<>> containers_;
  std::map<std::string, std::string, std::less<>> containers_of_pods_;  // pod uid → id of one of its containers
};

// The file itself: read again when it changes.
class MetadataFile {
 public:
  // The first reading must succeed.
  static Result<MetadataFile> Open(const std::string& path);

  // Looks, at most once a second by this clock, whether the file is another one, and reads it if so. What is wrong with
  // the new one is said once; the old facts stay. *changed: there are new facts.
  Status Refresh(uint64_t now_ns, bool* changed);

  const Metadata& facts() const { return facts_; }
  const std::string& path() const { return path_; }

 private:
  struct Version {
    uint64_t device = 0, inode = 0, size = 0;
    int64_t seconds = 0, nanoseconds = 0;
    bool operator==(const Version&) const = default;
  };
  explicit MetadataFile(std::string path) : path_(std::move(path)) {}
  Result<Version> Look() const;
  Status Read();

  std::string path_;
  Metadata facts_;
  Version version_;
  bool gone_ = false;  // at the last look, and it was said
  uint64_t next_look_ns_ = 0;
};

}  // namespace ks::enrich

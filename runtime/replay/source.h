// A trace of ours, or a recording of another tool: what can be replayed.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "runtime/import/import.h"
#include "runtime/trace/trace.h"

namespace ks::replay {

class Source {
 public:
  // A trace is known by its name (.kst), everything else by what it begins with; `format` is one of import::kFormats.
  static Result<Source> Open(const std::string& path, std::string_view format = "");
  // Whether a command's argument is one, and no policy: by its name.
  static bool Is(const std::string& path);

  const std::string& path() const { return path_; }
  // Of a recording: of which host it is, and all columns: what it does not know is unknown in its events.
  const trace::Info& info() const { return info_; }
  // In the order of the file; events and losses are valid during the call. Of a damaged trace and a damaged recording alike, what
  // comes before the damage has been delivered; the Error says where it ended, and why.
  Status ForEach(const std::function<void(const event::Event&)>& on_event, const std::function<void(const trace::Lost&)>& on_lost);
  // What can be read apart from the rest, one or more: a trace's blocks. A recording is one, as each of its events needs those before.
  // One after the other they are what ForEach gives; damage behind the last one is said with it.
  size_t chunks() const;
  Status ForEachOf(size_t chunk, const std::function<void(const event::Event&)>& on_event,
                   const std::function<void(const trace::Lost&)>& on_lost);
  // Of a trace without an end, which was cut, or is being written: where its last whole block ends.
  Status WhyNotWhole() const;
  // After ForEach, of a recording: what was made of it. Null for a trace.
  const import::Report* report() const { return importer_ ? &report_ : nullptr; }

 private:
  std::string path_;
  std::unique_ptr<trace::Reader> reader_;  // either
  std::unique_ptr<import::Importer> importer_;
  trace::Info info_;
  import::Report report_;
};

}  // namespace ks::replay

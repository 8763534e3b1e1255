// Adds to events what the kernel does not know, with the metadata file if there is one.
#pragma once

#include <optional>
#include <string>

#include "runtime/enrich/enrich.h"
#include "tools/kubesentryd/log.h"

namespace ks::agent {

class Enricher {
 public:
  // `path`: of the metadata file; "" if there is none. It must be right at the start.
  static Result<Enricher> Open(const std::string& path, Log& log);

  // A container that the metadata does not know makes it look whether the file has changed.
  void Derive(event::Event& event);
  // To be called about every second. A file that cannot be read is said once; what it said before stays. Whether there
  // is something new.
  bool Refresh();

 private:
  explicit Enricher(Log& log) : log_(&log) {}
  Log* log_;
  std::optional<enrich::MetadataFile> file_;
};

}  // namespace ks::agent

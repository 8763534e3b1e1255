#include "tools/kubesentryd/enricher.h"

#include <fmt/format.h>

#include "tools/kubesentryd/clock.h"

namespace ks::agent {

Result<Enricher> Enricher::Open(const std::string& path, Log& log) {
  Enricher enricher(log);
  if (path.empty()) return enricher;
  auto file = enrich::MetadataFile::Open(path);
  if (!file) return file.error();
  enricher.file_ = std::move(*file);
  return enricher;
}

void Enricher::Derive(event::Event& event) {
  const enrich::Metadata* facts = file_ ? &file_->facts() : nullptr;
  if (!enrich::Derive(event, facts) && Refresh()) enrich::Derive(event, facts);
}

bool Enricher::Refresh() {
  if (!file_) return false;
  bool changed = false;
  if (Status read = file_->Refresh(BootNs(), &changed); !read) log_->Failure("metadata", read.error());
  if (!changed) return false;
  log_->Info("metadata", fmt::format("read {}: {} containers", file_->path(), file_->facts().size()),
             {{"on", file_->path()}, {"containers", file_->facts().size()}});
  return true;
}

}  // namespace ks::agent

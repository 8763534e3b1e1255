#include "runtime/replay/source.h"

#include <algorithm>

namespace ks::replay {
namespace {

// By which recordings of other tools are usually named.
constexpr std::string_view kNames[] = {".scap", ".scap.gz", ".log", ".log.gz", ".json", ".json.gz", ".jsonl", ".jsonl.gz"};

}  // namespace

bool Source::Is(const std::string& path) {
  return path.ends_with(".kst") || std::ranges::any_of(kNames, [&](std::string_view name) { return path.ends_with(name); });
}

Result<Source> Source::Open(const std::string& path, std::string_view format) {
  Source source;
  source.path_ = path;
  if (path.ends_with(".kst") && format.empty()) {
    Result<trace::Reader> reader = trace::Reader::Open(path);
    if (!reader) return reader.error();
    source.info_ = reader->info();
    source.reader_ = std::make_unique<trace::Reader>(std::move(*reader));
    return source;
  }
  Result<std::unique_ptr<import::Importer>> importer = import::Open(path, format);
  if (!importer) return importer.error();
  source.importer_ = std::move(*importer);
  source.info_.host = source.importer_->host();
  for (const schema::FieldRow& row : schema::Fields()) source.info_.columns.emplace_back(row.dotted);
  return source;
}

Status Source::WhyNotWhole() const {
  if (!info_.index_rebuilt) return Ok();
  return Error{"read the trace", path_,
               "it has no end: it was cut after byte " + std::to_string(info_.whole_bytes) + ", or is being written",
               "what comes before was read", "trace-cut"};
}

Status Source::ForEach(const std::function<void(const event::Event&)>& on_event,
                       const std::function<void(const trace::Lost&)>& on_lost) {
  if (reader_) return reader_->ForEach(on_event, on_lost);
  report_ = importer_->ForEach(on_event, on_lost);
  if (report_.damage.empty()) return Ok();
  std::string all;
  for (const std::string& one : report_.damage) all += (all.empty() ? "" : "; ") + one;
  return Error{"read the recording", path_, all, "what comes before it was read", "recording-damaged"};
}

size_t Source::chunks() const { return reader_ ? std::max<size_t>(reader_->blocks(), 1) : 1; }

Status Source::ForEachOf(size_t chunk, const std::function<void(const event::Event&)>& on_event,
                         const std::function<void(const trace::Lost&)>& on_lost) {
  return reader_ ? reader_->ReadBlock(chunk, on_event, on_lost) : ForEach(on_event, on_lost);
}

}  // namespace ks::replay

// A shard's part of a replay, as a file: what its rules said of the events that are its own. State is not in it: rules over several
// events, and limits, are decided by whoever merges the parts, who alone sees all events in their order.
//
//   "KSPART01" · sections: {tag, size, FNV-1a of the bytes} and the bytes, numbers as varints (state/saved.h)
//   head     one, first: the policy, and the traces, the same in all parts; then whose part it is
//   items    of one chunk of one trace, in order: the events that a rule passed, with the fields that it reads or an alert may
//            show, and what was said of them; the counts of the others. Of a chunk there are as many as it takes, each below 1 MiB
//            or so; the last one says that it is
//   end      one, last: a part without it was not finished
//
// Chunk c of trace t belongs to shard (t + c) mod N. The checksums are against accidents. What is read is checked as an enemy's:
// fields have the form of their type, numbers are in range.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/engine/engine.h"
#include "runtime/replay/replay.h"
#include "runtime/state/machinery.h"
#include "runtime/trace/trace.h"

namespace ks::replay {

inline constexpr unsigned kMaxShards = 4096;

// What is replayed; of two parts of one replay the same.
struct PartPolicy {
  std::string program;  // ir::Print
  std::string bundle_digest, egress_digest;  // "" without a bundle
  uint64_t bundle_version = 0;
  bool by_reference = false;
  int64_t late_bound_ns = 0;
  bool operator==(const PartPolicy&) const = default;
};

struct PartTrace {
  std::string path;    // as the shard was given it; may differ from shard to shard
  std::string digest;  // of its size, its first and its last 64 KiB
  uint64_t chunks = 0;
  trace::Info info;  // host, columns, and what is said before a replay
  bool IsSame(const PartTrace& other) const;  // but for the path
};

struct PartHead {
  PartPolicy policy;
  std::vector<PartTrace> traces;
  unsigned shard = 0, shards = 1;  // from 0; of how many
};

// Whose chunk it is.
inline unsigned ShardOf(size_t trace, size_t chunk, unsigned shards) { return static_cast<unsigned>((trace + chunk) % shards); }

class PartWriter {
 public:
  // Writes beside `path`, which Finish then replaces.
  static Result<PartWriter> Create(const std::string& path, const PartHead& head);
  PartWriter(PartWriter&&) noexcept;
  PartWriter& operator=(PartWriter&&) noexcept;
  ~PartWriter();

  // An event, and what was said of it; most often nothing.
  Status Add(const engine::Engine& engine, const event::Event& event, std::span<const event::Match> matches);
  // The chunk's end: its counts, and of a damaged one where and why.
  Status EndChunk(size_t trace, size_t chunk, const Totals& totals, const std::map<std::string, uint64_t>& unmapped,
                  const std::optional<Error>& damage);
  Status Finish();

 private:
  struct State;
  explicit PartWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// How a chunk ended.
struct ChunkEnd {
  Totals totals;  // counts of events and losses
  std::map<std::string, uint64_t> unmapped;
  std::optional<Error> damage;
};

class PartReader {
 public:
  static Result<PartReader> Open(const std::string& path);
  PartReader(PartReader&&) noexcept;
  PartReader& operator=(PartReader&&) noexcept;
  ~PartReader();

  const PartHead& head() const;
  // The next chunk, which has to be this one; `run`, if any, is given what is in it. The engine is that of the head's program.
  Result<ChunkEnd> ReadChunk(size_t trace, size_t chunk, const engine::Engine& engine, Run* run);
  // Nothing follows but the end.
  Status ReadEnd();

 private:
  struct State;
  explicit PartReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace ks::replay

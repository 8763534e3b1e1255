// .kst traces (testing.md): header, zstd blocks with checksums, LOST records, an index at the end.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/event/event.h"

namespace ks::trace {

struct HostFacts {
  std::string node, kernel, arch, boot;
};

struct Lost {
  uint64_t time_ns;
  uint64_t records;
  uint16_t cpu;
};

class Writer {
 public:
  // Creates `path`; the header names every column of the table, its type and data class, and what of it is match-only.
  static Result<Writer> Create(const std::string& path, const HostFacts& host);
  Writer(Writer&&) noexcept;
  Writer& operator=(Writer&&) noexcept;
  ~Writer();

  Status Add(const event::Event& event);
  Status AddLost(const Lost& lost);
  // Flushes the last block, writes the index, fsyncs. A trace without Close is readable up to its last whole block.
  Status Close();

 private:
  struct State;
  explicit Writer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct Info {
  HostFacts host;
  std::string schema_hash;
  std::vector<std::string> columns;          // dotted names that this trace holds
  std::vector<std::string> unknown_columns;  // that this build does not know: skipped, and said
  bool index_rebuilt = false;                // the trace was cut; what follows its last whole block is gone
};

class Reader {
 public:
  static Result<Reader> Open(const std::string& path);
  Reader(Reader&&) noexcept;
  Reader& operator=(Reader&&) noexcept;
  ~Reader();

  const Info& info() const;
  // Calls back in the order of the file. Fields that the trace lacks stay Unread. Stops at the first damage with an Error that
  // names the block and offset; what was read before has been delivered.
  Status ForEach(const std::function<void(const event::Event&)>& on_event, const std::function<void(const Lost&)>& on_lost);

 private:
  struct State;
  explicit Reader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace ks::trace

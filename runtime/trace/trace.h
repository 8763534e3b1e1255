// .kst traces: a header, zstd blocks of records with checksums, LOST records where events were lost, an index at the
// end. The layout is described in format.h.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/event/event.h"

namespace ks::trace {

struct HostFacts {
  std::string node, kernel, arch, boot;
  bool operator==(const HostFacts&) const = default;
};

struct Lost {
  uint64_t time_ns;
  uint64_t records;
  uint16_t cpu;
  std::vector<schema::EventKind> kinds = {};  // of which records were dropped meanwhile; empty: nobody knows
  bool operator==(const Lost&) const = default;
};

// Sorts what comes almost in time order (CPUs are read one after the other): records are held back until they are a
// second older than the newest, or 4096 newer ones came, or their texts are more than 128 MiB.
class Writer {
 public:
  // Creates `path`, readable by its owner only; the header names every column of the table, its type and data class,
  // and what of it is match-only. `match_only` is said there of the values of match-only fields: a list, of
  // which at most 256 bytes are said, and how much more there is.
  static Result<Writer> Create(const std::string& path, const HostFacts& host,
                               const std::string& match_only = "as observed");
  Writer(Writer&&) noexcept;
  Writer& operator=(Writer&&) noexcept;
  ~Writer();

  // Keeps everything of the event but `passed` and `atoms`, which mean something to one bundle only. Fields are as
  // Decode and Derive leave them: neither Raw nor Foreign; a value is kept where the state is Ok or Truncated.
  Status Add(const event::Event& event);
  Status AddLost(const Lost& lost);
  // For whoever reads along: what is more than a second older than `now_ns`, by the clock of the events, is in the file
  // after this, as a block of its own. Blocks of a few events compress badly: once a second at most.
  Status Flush(uint64_t now_ns);
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
  std::string match_only;            // what it holds of match-only fields: "as observed"
  std::vector<std::string> columns;  // dotted names that this trace holds
  std::vector<std::string>
      unknown_columns;  // that this build does not know, or knows with another type: skipped, and said
  std::vector<std::string> unknown_kinds;  // likewise; events of these kinds are skipped
  uint64_t events = 0, lost = 0;           // events, and LOST records
  uint64_t first_time_ns = 0, last_time_ns = 0;
  bool index_rebuilt = false;  // it has no index: it is still being written, or was cut
  uint64_t whole_bytes = 0;    // how far whole blocks reach; what is behind them is the index, or cannot be read
};

class Reader {
 public:
  static Result<Reader> Open(const std::string& path);
  Reader(Reader&&) noexcept;
  Reader& operator=(Reader&&) noexcept;
  ~Reader();

  const Info& info() const;
  // Calls back in the order of the file; an event is valid during the call. Fields that the trace lacks stay Unread; where a
  // state comes without a value, what the field holds means nothing. Stops at the first damage with an
  // Error that names the block and offset; what was read before has been delivered.
  Status ForEach(const std::function<void(const event::Event&)>& on_event,
                 const std::function<void(const Lost&)>& on_lost);
  // The same block by block: the next one that Next has not given. False if there is none, or none yet: of a trace that
  // is being written the next call looks again, until `ended`. Its info() grows with it.
  Result<bool> Next(const std::function<void(const event::Event&)>& on_event,
                    const std::function<void(const Lost&)>& on_lost);
  // One record of those that Next has not given, at most: of an unknown kind it may be none. The event is valid until the
  // next call, so nobody has to keep what a whole block stands for. Not to be mixed with Next.
  Result<bool> NextRow(const std::function<void(const event::Event&)>& on_event,
                       const std::function<void(const Lost&)>& on_lost);
  // Whoever wrote it has closed it, or it is damaged behind its last block: it will not grow.
  bool ended() const;
  // One block of `blocks()` alone; in their order they are what ForEach gives. What ended the trace behind its last block, and
  // was no cut, is said with that block.
  size_t blocks() const;
  Status ReadBlock(size_t block, const std::function<void(const event::Event&)>& on_event,
                   const std::function<void(const Lost&)>& on_lost);

 private:
  struct State;
  explicit Reader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace ks::trace

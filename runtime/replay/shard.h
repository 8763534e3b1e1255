// A replay that several processes share: each decides its shard of the events, whoever merges their parts decides what needs all.
#pragma once

#include <string>
#include <vector>

#include "runtime/replay/part.h"

namespace ks::replay {

struct ShardOptions {
  unsigned shard = 0, shards = 1;
  bool by_reference = false;
  PartPolicy policy;  // all but the program and by_reference
};

// Decides the chunks of the traces that belong to this shard, and writes its part. Returns what it counted; alerts: what rules
// said of single events. The Error is of a trace that cannot be opened, or of the part.
Result<Totals> WriteShard(const engine::Engine& engine, const std::vector<std::string>& paths, const ShardOptions& options,
                          const std::string& part, const OnProgress& on_progress);

// Parts of one replay, all of them.
class Parts {
 public:
  // Refuses parts of other policies, other traces or another number of shards, and those that are missing or there twice.
  static Result<Parts> Open(const std::vector<std::string>& paths);

  const PartHead& head() const { return readers_.front().head(); }
  // Tells the observer what ReplayTraces would have told it, but single events and losses; once. The engine is that of the head's
  // program. What is wrong with a part ends it.
  Result<Totals> Replay(const engine::Engine& engine, Observer& observer, const OnProgress& on_progress);

 private:
  std::vector<PartReader> readers_;  // by shard
};

}  // namespace ks::replay

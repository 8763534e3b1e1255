// The parts of ksc diff: what two policies say of recorded events, and what is proved of their rules.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "tools/ksc/policy.h"

namespace ks::ksc {

// Which rule is which. A rule is known by its id; one whose id is gone, by asking the same of events as exactly one
// rule whose id is new: it was renamed.
struct RulePair {
  const ir::Rule* before = nullptr;  // at least one of both
  const ir::Rule* after = nullptr;
  bool renamed() const { return before != nullptr && after != nullptr && before->id != after->id; }
  const std::string& id() const { return (before != nullptr ? before : after)->id; }
};
// In the order of the old policy, then what is new. They live in the programs.
std::vector<RulePair> PairRules(const ir::Program& before, const ir::Program& after);

// Whether they ask the same of events in the same words, whatever they are called and tell.
bool AsksTheSame(const ir::Rule& before, const ir::Rule& after);

// What is told differently of the same detection, in words: "severity low, was high".
std::vector<std::string> Retold(const RulePair& pair);

struct DiffOptions {
  bool json = false;
  size_t examples = 3;  // alerts shown of a rule and a kind of change
};

struct CorpusOutcome {
  bool lost = false;    // a detection
  bool failed = false;  // a recording could not be read to its end, and that was said
};
// Replays the recordings below `paths` by both policies and prints what differs.
CorpusOutcome DiffCorpus(const Policy& before, const Policy& after, const std::vector<RulePair>& pairs,
                         const std::vector<std::string>& paths, const DiffOptions& options);

// Proves of each rule that both have how what it fires on has changed, and prints it. Gives whether one was shown to
// miss what it fired on. `timeout`: for one rule.
bool DiffProve(const std::vector<RulePair>& pairs, std::chrono::milliseconds timeout, const DiffOptions& options);

}  // namespace ks::ksc

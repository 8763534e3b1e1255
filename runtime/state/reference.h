// The reference: docs/language/meaning.md, sentence by sentence. Keeps whole events, looks at every partial, and is slow.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "compiler/ir/eval.h"
#include "runtime/state/machinery.h"
#include "runtime/state/saved.h"

namespace ks::state::reference {

using Seen = std::shared_ptr<const Kept>;

// What one rule's probes passed of an event: by step.
struct Passed {
  const ir::Step* step = nullptr;
  size_t index = 0;  // in Sequence::steps
  Seen kept;
};

struct Fired {
  Finding finding;
  std::vector<Seen> keep_alive;
};

// One rule's state. Functions that find something append it to `fired`.
class Rule {
 public:
  explicit Rule(const ir::Machine& machine) : machine_(&machine), rule_(&machine.rule) {}
  virtual ~Rule() = default;
  virtual void Handle(uint64_t now, const std::vector<Passed>& passed, std::vector<Fired>* fired) = 0;
  // Forgets what has ended before `now`; of what waited for that, finds it.
  virtual void Close(uint64_t now, std::vector<Fired>* fired) = 0;
  virtual RuleCounts counts() const = 0;
  // Nothing waits for its window to close before this.
  virtual uint64_t next_end() const { return 0; }
  // All of it, and back into a rule that has none yet; one that is the same, by its fingerprint. Those of the reference
  // engine that have a faster twin keep nothing.
  virtual void Save(SavedWriter*) const { KS_CHECK(false, "this engine saves its state"); }
  virtual void Load(SavedReader*) { KS_CHECK(false, "this engine loads its state"); }
  virtual void Rebind(const ir::Machine& machine) {
    machine_ = &machine;
    rule_ = &machine.rule;
  }

 protected:
  const ir::Machine* machine_;
  const ir::Rule* rule_;
  uint64_t ticks_ = 0, evicted_ = 0;
};

// What an event is to a partial: whether the step's joins and its other conditions hold. `steps`: the events that have
// matched, of `positives` steps; False if the step names another. Fields in doubt are added to *doubts.
ir::Truth FitsPartial(const ir::Step& step, const schema::Record& own, const std::vector<const schema::Record*>& steps,
                      size_t positives, std::vector<schema::FieldId>* doubts);

using MakeRule = std::unique_ptr<Rule> (*)(const ir::Machine& machine);
std::unique_ptr<Rule> MakeOrdered(const ir::Machine& machine);
std::unique_ptr<Rule> MakeUnordered(const ir::Machine& machine);
std::unique_ptr<Rule> MakeAggregate(const ir::Machine& machine);


// By hash; the same answers.
std::unique_ptr<Rule> MakeFastOrdered(const ir::Machine& machine);
std::unique_ptr<Rule> MakeFastAggregate(const ir::Machine& machine);

}  // namespace ks::state::reference

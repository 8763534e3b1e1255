// The reference: docs/language/meaning.md, sentence by sentence. Keeps whole events, looks at every partial, and is slow.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/state/machinery.h"

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
  void Rebind(const ir::Machine& machine) {
    machine_ = &machine;
    rule_ = &machine.rule;
  }

 protected:
  const ir::Machine* machine_;
  const ir::Rule* rule_;
  uint64_t ticks_ = 0, evicted_ = 0;
};

std::unique_ptr<Rule> MakeOrdered(const ir::Machine& machine);
std::unique_ptr<Rule> MakeUnordered(const ir::Machine& machine);
std::unique_ptr<Rule> MakeAggregate(const ir::Machine& machine);

}  // namespace ks::state::reference

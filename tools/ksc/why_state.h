// How far a rule with state had come at an event of a trace: for why.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "compiler/ir/ir.h"
#include "runtime/event/event.h"

namespace ks::ksc {

// Follows one key's events of one rule, in their order, as docs/language/meaning.md says; it keeps the newest partial
// match of each length, which is what people ask for.
class KeyState {
 public:
  KeyState(const ir::Program& program, const ir::Machine& machine) : program_(program), machine_(machine) {}

  // `numbers`: which event of the trace this is.
  void Take(uint64_t number, const event::Event& event);
  // A line each.
  std::vector<std::string> Describe(uint64_t now_ns) const;

 private:
  struct Chain {
    std::vector<std::shared_ptr<const event::Event>> events;  // the last one of each step
    std::vector<uint64_t> numbers;
    uint64_t begin_ns = 0;
    uint64_t count = 0;  // events of the last step
  };
  bool Holds(const ir::Step& step, const event::Event& event, const Chain& chain) const;
  void TakeStep(uint64_t number, const event::Event& event);
  void TakeCounted(uint64_t number, const event::Event& event);

  const ir::Program& program_;
  const ir::Machine& machine_;
  std::vector<Chain> chains_;  // by length - 1; without events if there is none
  struct Entry {
    uint64_t number = 0, time_ns = 0, amount = 1;
    std::string value;
  };
  std::vector<Entry> entries_;  // of an aggregate, oldest first
};

// The key's values as text: what events have in common.
std::string KeyText(const ir::Key& key, const schema::Record& record);

}  // namespace ks::ksc

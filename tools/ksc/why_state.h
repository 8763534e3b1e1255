// How far a rule with state had come at an event of a trace: for why.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
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
  // Of an unordered sequence.
  struct Place {
    std::vector<std::pair<uint64_t, uint64_t>> seen;  // time and number, oldest first
    std::shared_ptr<const event::Event> last;
  };
  using Records = std::vector<const schema::Record*>;  // by step; null if it has none
  static std::vector<const ir::Step*> MatchingSteps(const ir::Sequence& sequence);
  std::string Named(const Chain& chain) const;
  void End(Chain* chain, const std::string& why);
  // The newest event passes for the step of this place, but does not go on from the chain before it.
  void Refuse(size_t place, const ir::Step& step, const event::Event& event, const Chain& shorter);
  bool Passes(const ir::Step& step, const event::Event& event) const;
  bool Holds(const ir::Step& step, const event::Event& event, const Chain& chain) const;
  bool Holds(const ir::Step& step, const schema::Record& own, const Records& steps) const;
  Records RecordsOfPlaces() const;
  void TakeUnordered(uint64_t number, const event::Event& event);
  std::vector<std::string> DescribeUnordered(uint64_t now_ns) const;
  void TakeStep(uint64_t number, const event::Event& event);
  void TakeCounted(uint64_t number, const event::Event& event);

  const ir::Program& program_;
  const ir::Machine& machine_;
  std::vector<std::string> refused_;  // lines: why the newest event went on from nothing
  std::string ended_;                 // what became of the chain that ended last
  std::vector<Chain> chains_;  // by length - 1; without events if there is none
  struct Entry {
    uint64_t number = 0, time_ns = 0, amount = 1;
    std::string value;
  };
  std::vector<Entry> entries_;  // of an aggregate, oldest first, without what alerts consumed
  std::vector<Place> places_;   // of an unordered sequence, by step that matches
  uint64_t newest_ = 0;         // the event taken last
  struct Fired {
    uint64_t number = 0;  // the event at which the last alert came; 0: none did
    uint64_t measure = 0;
    std::string of;  // an unordered sequence: `fork (#12) exec (#14)`
  } fired_;
  bool counted_ = false;  // the newest event was one that is counted
  bool was_new_ = false;  // `first`: the value of the newest event was not seen in the window
};

// The key's values as text: what events have in common.
std::string KeyText(const ir::Key& key, const schema::Record& record);

}  // namespace ks::ksc

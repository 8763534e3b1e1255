// Event × program → matches.
#pragma once

#include <vector>

#include "compiler/ir/ir.h"
#include "runtime/event/event.h"

namespace ks::engine {

// A program ready to decide. Immutable; references it hands out live as long as it does.
class Engine {
 public:
  explicit Engine(ir::Program program);

  // For an event from the ring: only rules whose bit in event.passed is set, and only their residuals.
  std::vector<event::Match> DecidePassed(const event::Event& event) const;
  // For an event from a trace or a test: the whole predicate of every rule of the kind.
  std::vector<event::Match> DecideAll(const event::Event& event) const;

  const ir::Program& program() const { return program_; }
  const ir::Plan& plan() const { return plan_; }

 private:
  event::Match MakeMatch(const event::Event& event, uint32_t rule, std::vector<std::string> matched) const;
  ir::Program program_;
  ir::Plan plan_;
  std::vector<event::RuleInfo> rules_;
  std::vector<std::vector<uint32_t>> rules_of_kind_;
};

}  // namespace ks::engine

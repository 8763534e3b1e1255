// Why a test's expectation was not met: what each part of a rule's condition was, and which event came nearest.
#pragma once

#include <string>
#include <vector>

#include "compiler/driver/driver.h"
#include "runtime/event/event.h"

namespace ks::ksc {

// An event of a case that is running.
struct Fed {
  event::Event event;
  std::string place;        // "rules/shell.ksp:14", or the trace it is from
  uint64_t since_start_ns;  // of the case
};

// An alert of the case, and which events it is of.
struct Raised {
  std::string rule, message;
  struct Step {
    std::string name;
    uint64_t number = 0;  // the event's, counted from 1
    uint64_t events = 1;  // of a repeated step; the event is the last of them
  };
  std::vector<Step> steps;  // of a sequence; else one
};

// `event 2 (exec, shell.ksp:9) at +0s` of each step: a line each.
std::string EventsOf(const Raised& alert, const std::vector<Fed>& fed);

// `fed`: all events of the case up to the expectation. `raised`: all alerts that came until then: an event does not
// begin, or end, another match of a sequence that it has completed.
std::string WhyNot(const ir::Program& program, const std::string& rule, const std::vector<Fed>& fed,
                   const std::vector<Raised>& raised);

}  // namespace ks::ksc

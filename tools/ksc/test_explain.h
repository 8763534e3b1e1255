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
  std::string place;  // "rules/shell.ksp:14", or the trace it is from
};

// `fed`: all events of the case up to the expectation.
std::string WhyNot(const ir::Program& program, const std::string& rule, const std::vector<Fed>& fed);

}  // namespace ks::ksc

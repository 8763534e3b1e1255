// Plans that go to the limits.
#pragma once

#include <string>
#include <vector>

#include "compiler/ir/ir.h"

namespace ks::agreement {

struct NamedPlan {
  std::string name;
  ir::Plan plan;
};
// Each kind alone and all together, with every field.
std::vector<NamedPlan> RecordingPlans();

struct NamedProgram {
  std::string name;
  ir::Program program;
};
// As many rules, conditions, literals and automata as are allowed.
std::vector<NamedProgram> LargePrograms();

}  // namespace ks::agreement

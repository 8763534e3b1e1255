// A policy that recorded events are decided by: sources, folders, or one bundle.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/ir/ir.h"
#include "runtime/alert/alert.h"
#include "tools/cli/args.h"
#include "tools/ksc/alert_results.h"

namespace ks::ksc {

struct Policy {
  ir::Program program;
  alert::Origin origin;
  RulePlaces places;
};

inline bool IsBundle(const std::string& path) { return path.ends_with(".kspb"); }

// Sources, or one bundle. `arguments`: --format, --env (of sources), --trust (of a bundle), where the command has them.
// Nothing if it was reported, with the exit code.
std::optional<Policy> LoadPolicy(const std::vector<std::string>& paths, const cli::Arguments& arguments, int* code);

// The program's rules as they were written: of a rule over several events not its probes. They live in the program.
std::vector<const ir::Rule*> RulesOf(const ir::Program& program);

}  // namespace ks::ksc

#pragma once

#include "tools/cli/args.h"

namespace ks::agent {

// What `kubesentryd run` takes, and says of it.
const cli::Command& RunCommand();

}  // namespace ks::agent

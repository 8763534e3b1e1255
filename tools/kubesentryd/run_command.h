#pragma once

#include "runtime/kernel/kernel.h"
#include "tools/cli/args.h"

namespace ks::agent {

// What `kubesentryd run` takes, and says of it.
const cli::Command& RunCommand();
// What of it is for the kernel half.
kernel::KernelOptions KernelOptionsOf(const cli::Arguments& arguments);

// `--fetch-arguments`, which `record` has, too.
cli::Option FetchArgumentsOption();
kernel::ArgumentBounds ArgumentBoundsOf(const cli::Arguments& arguments);

}  // namespace ks::agent

// What the daemon says of the machine that it runs on.
#pragma once

#include <string>

namespace ks::agent {

std::string NodeName();
std::string BootId();  // "" if the kernel does not tell
std::string KernelRelease();
std::string Architecture();

// /run/kubesentryd/status.sock for root, else below $XDG_RUNTIME_DIR if that is set.
std::string DefaultStatusSocket();

}  // namespace ks::agent

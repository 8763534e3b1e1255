// Bundles through the verifiers of kernels: this one, and those that tools/vm boots. It is the agent that loads.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "compiler/support/result.h"

namespace ks::ksc {

inline constexpr std::string_view kThisKernel = "host";

struct VerifyTools {
  std::string agent;  // kubesentryd
  std::string vm;     // tools/vm; "" if it is not there
};
// What was asked for, else what the environment (KUBESENTRYD, KSC_VM) names, else what lies beside this program.
Result<VerifyTools> FindVerifyTools(const std::string& agent, const std::string& vm, bool needs_vm);

// What the agent said of one bundle on one kernel: an object as `kubesentryd check --format json` prints it.
struct KernelAnswer {
  size_t bundle = 0;   // which
  std::string kernel;  // as asked for
  nlohmann::json facts;
};

// On this kernel.
Result<std::vector<KernelAnswer>> CheckHere(const VerifyTools& tools, const std::vector<std::string>& bundles,
                                            const std::string& trust);
// In machines with those kernels, at most two at a time.
Result<std::vector<KernelAnswer>> CheckInMachines(const VerifyTools& tools, const std::vector<std::string>& kernels,
                                                  const std::vector<std::string>& bundles, const std::string& trust);

}  // namespace ks::ksc

// The agent's last words.
#pragma once

#include <cstdint>

#include "tools/kubesentryd/log.h"
#include "tools/kubesentryd/output.h"
#include "tools/kubesentryd/pipeline.h"

namespace ks::agent {

// What was seen, and what became of it. The pipeline has ended, so that the identities hold.
void SayStopped(const kernel::Kernel& kernel, const loader::Loader& loader, const Pipeline& pipeline,
                const Output& output, uint64_t uptime_s, Log& log);

}  // namespace ks::agent

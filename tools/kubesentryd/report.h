// What is loaded and what was lost: for `kubesentryd status`, the ready line and the closing line.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "runtime/kernel/kernel.h"
#include "runtime/loader/loader.h"
#include "tools/kubesentryd/pipeline.h"

namespace ks::agent {

// Sums over kinds. seen = filtered + limited + submitted + dropped.
kernel::KindCounters Total(const std::vector<kernel::KindCounters>& counters);

// The first activation is a start, not a swap.
uint64_t Swaps(const loader::SwapCounts& counts);

nlohmann::ordered_json StatusReport(const kernel::Kernel& kernel, const loader::Loader& loader,
                                    const Pipeline& pipeline, uint64_t uptime_s);
// What went wrong, instead of a report: it has the member `error`.
nlohmann::ordered_json ErrorReport(const Error& error);
Error ErrorOf(const nlohmann::json& report);
// A report, for people. `report` may come from a daemon of another version: what it lacks is left out.
std::string Readable(const nlohmann::json& report);

nlohmann::ordered_json ReadyFacts(const kernel::Kernel& kernel, const loader::ActiveBundle& active);
std::string ReadyText(const kernel::Kernel& kernel, const loader::ActiveBundle& active);

}  // namespace ks::agent

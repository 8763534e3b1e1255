#include "tools/kubesentryd/closing.h"

#include <fmt/format.h>

#include <utility>

#include "tools/kubesentryd/report.h"

namespace ks::agent {

void SayStopped(const kernel::Kernel& kernel, const loader::Loader& loader, const Pipeline& pipeline,
                const Output& output, uint64_t uptime_s, Log& log) {
  const auto total = Total(kernel.Counters());
  const PipelineCounts& counts = pipeline.counts();
  uint64_t refused = 0;
  for (const auto& [code, count] : loader.counts().refusals) refused += count;
  const uint64_t swaps = Swaps(loader.counts());
  auto facts = StatusReport(kernel, loader, pipeline, uptime_s);
  facts["seen"] = total.seen;
  facts["filtered"] = total.filtered;
  facts["limited"] = total.limited;
  facts["submitted"] = total.submitted;
  facts["dropped"] = total.dropped;
  facts["unread"] = pipeline.unread();
  facts["unwritten"] = output.unwritten();
  log.Info("stopped",
           fmt::format(
               "stopped: {} events seen, {} filtered, {} limited, {} submitted, {} dropped; {} received, {} alerts, {} of "
               "them not written; {} lost in {} gaps, {} of them unread; {} swaps, {} refused",
               total.seen, total.filtered, total.limited, total.submitted, total.dropped, counts.received,
               counts.alerts, output.unwritten(), pipeline.gaps().lost(), pipeline.gaps().gaps(),
               pipeline.unread(), swaps, refused),
           std::move(facts));
}

}  // namespace ks::agent

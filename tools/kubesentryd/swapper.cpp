#include "tools/kubesentryd/swapper.h"

#include <fmt/format.h>

#include <chrono>

#include "tools/kubesentryd/clock.h"
#include "tools/kubesentryd/report.h"

namespace ks::agent {

void Swapper::Finish(Prepared prepared) {
  if (!prepared) {
    loader_.CountRefusal(prepared.error());
    log_.Failure("refused", prepared.error());
    return;
  }
  if (!prepared->has_value()) {
    loader_.CountUnchanged();
    log_.Info("unchanged", fmt::format("unchanged: {} holds the active bundle", path_), {{"bundle", path_}});
    return;
  }
  if (Status activated = loader_.Activate(std::move(**prepared)); !activated) {
    loader_.CountRefusal(activated.error());
    log_.Failure("refused", activated.error());
    return;
  }
  log_.Info("swapped", fmt::format("swapped: {}", ReadyText(kernel_, *loader_.active())),
            ReadyFacts(kernel_, *loader_.active()));
}

void Swapper::Step() {
  if (preparing_.valid() && preparing_.wait_for(std::chrono::seconds(0)) == std::future_status::ready) {
    Finish(preparing_.get());
  }
  if (wanted_ && !preparing_.valid()) {
    wanted_ = false;
    preparing_ = std::async(std::launch::async, [this] { return loader_.Prepare(path_, trust_, NowSeconds()); });
  }
}

}  // namespace ks::agent

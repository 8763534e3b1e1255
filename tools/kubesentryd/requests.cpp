#include "tools/kubesentryd/requests.h"

#include <fmt/format.h>

#include "tools/kubesentryd/clock.h"
#include "tools/kubesentryd/report.h"
#include "tools/kubesentryd/status_socket.h"

namespace ks::agent {

constexpr uint64_t kSecondNs = 1000000000;

nlohmann::ordered_json Requests::Answer(std::string_view request) {
  if (request == kAskStatus) return Report();
  if (request == kAskRollback) return Rollback();
  return ErrorReport({"ask the daemon for", std::string(request), "it does not know that request",
                      "ask with the kubesentryd of the version that runs", "status-socket"});
}

nlohmann::ordered_json Requests::Report() const {
  auto report = StatusReport(kernel_, loader_, pipeline_, (BootNs() - started_ns_) / kSecondNs);
  report["pins"] = pin_.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(pin_);
  report["unsaid"] = log_.unsaid();
  return report;
}

nlohmann::ordered_json Requests::Rollback() {
  const Status done = !swapper_.busy() ? loader_.Rollback()
                                       : Error{"roll back", "to the bundle before", "another bundle is being loaded",
                                               "ask again when it is active or refused", "rollback-busy"};
  if (!done) {
    log_.Failure("rollback", done.error());
    return ErrorReport(done.error());
  }
  if (const std::optional<Error> not_kept = loader_.TakeNotKept()) log_.Failure("rollback-not-kept", *not_kept);
  log_.Info("rolled-back", fmt::format("rolled back: {}", ReadyText(kernel_, *loader_.active())),
            ReadyFacts(kernel_, *loader_.active()));
  return Report();
}

}  // namespace ks::agent

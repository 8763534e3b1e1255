// What a running daemon is asked over its status socket.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "runtime/kernel/kernel.h"
#include "runtime/loader/loader.h"
#include "tools/kubesentryd/log.h"
#include "tools/kubesentryd/pipeline.h"
#include "tools/kubesentryd/swapper.h"

namespace ks::agent {

// What it is given outlives it.
class Requests {
 public:
  // `pin`: the folder of the pins, "" if there is none. `started_ns`: CLOCK_BOOTTIME.
  Requests(const kernel::Kernel& kernel, loader::Loader& loader, const Pipeline& pipeline, const Swapper& swapper, std::string pin,
           uint64_t started_ns, Log& log)
      : kernel_(kernel),
        loader_(loader),
        pipeline_(pipeline),
        swapper_(swapper),
        pin_(std::move(pin)),
        started_ns_(started_ns),
        log_(log) {}

  // The document that answers a line (kAskStatus, kAskRollback). Call between two readings of the ring.
  nlohmann::ordered_json Answer(std::string_view request);

 private:
  nlohmann::ordered_json Report() const;
  nlohmann::ordered_json Rollback();

  const kernel::Kernel& kernel_;
  loader::Loader& loader_;
  const Pipeline& pipeline_;
  const Swapper& swapper_;
  const std::string pin_;
  const uint64_t started_ns_;
  Log& log_;
};

}  // namespace ks::agent

// Swaps of the running daemon: the slow part beside the ring's reading, the short part between two readings.
#pragma once

#include <future>
#include <optional>
#include <string>

#include "runtime/loader/loader.h"
#include "tools/kubesentryd/log.h"

namespace ks::agent {

class Swapper {
 public:
  Swapper(loader::Loader& loader, kernel::Kernel& kernel, const bundle::Trust& trust, std::string path, Log& log)
      : loader_(loader), kernel_(kernel), trust_(trust), path_(std::move(path)), log_(log) {}
  Swapper(const Swapper&) = delete;
  Swapper& operator=(const Swapper&) = delete;

  // The file may be another one. While a bundle is being prepared this is remembered.
  void Want() { wanted_ = true; }
  // Whether a bundle is being prepared: until it is not, another must not become active but by Step.
  bool busy() const { return preparing_.valid(); }
  // Starts what is wanted; activates or refuses what is ready. Call between two readings of the ring.
  void Step();

 private:
  using Prepared = Result<std::optional<loader::LoadedBundle>>;
  void Finish(Prepared prepared);

  loader::Loader& loader_;
  kernel::Kernel& kernel_;
  const bundle::Trust& trust_;
  const std::string path_;
  Log& log_;
  bool wanted_ = false;
  std::future<Prepared> preparing_;  // its destructor waits for the thread
};

}  // namespace ks::agent

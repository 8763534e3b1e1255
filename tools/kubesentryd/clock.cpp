#include "tools/kubesentryd/clock.h"

#include <ctime>

namespace ks::agent {
namespace {

int64_t Read(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return now.tv_sec * int64_t{1000000000} + now.tv_nsec;
}

}  // namespace

int64_t BootToUtcNs() {
  // The pair of readings that lie closest together: we may be interrupted between them.
  int64_t best = 0, best_width = INT64_MAX;
  for (int i = 0; i < 5; i++) {
    const int64_t before = Read(CLOCK_BOOTTIME), utc = Read(CLOCK_REALTIME), after = Read(CLOCK_BOOTTIME);
    if (after - before < best_width) {
      best_width = after - before;
      best = utc - (before + (after - before) / 2);
    }
  }
  return best;
}

uint64_t BootNs() { return static_cast<uint64_t>(Read(CLOCK_BOOTTIME)); }

int64_t NowSeconds() { return Read(CLOCK_REALTIME) / 1000000000; }

}  // namespace ks::agent

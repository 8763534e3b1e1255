// The kernel stamps records with the time since boot; alerts carry UTC.
#pragma once

#include <cstdint>

namespace ks::agent {

// Nanoseconds to add to CLOCK_BOOTTIME to get CLOCK_REALTIME. Changes when the clock is set, so ask again every second.
int64_t BootToUtcNs();
// CLOCK_BOOTTIME in nanoseconds.
uint64_t BootNs();
// Seconds since 1970.
int64_t NowSeconds();

}  // namespace ks::agent

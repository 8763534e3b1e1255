// Arguments that were not in memory when the kernel half asked for them: programs at tracepoints must not sleep, an iterator over tasks
// may. Asked by whoever reads records, before anything is decided.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace ks::kernel {

// asked = answered + gone + refused + late + beyond.
struct ArgumentCounts {
  uint64_t asked = 0;     // records whose arguments were unknown, of processes that had memory
  uint64_t answered = 0;
  uint64_t gone = 0;      // the process has ended, or begun another program
  uint64_t refused = 0;   // its memory cannot be read
  uint64_t late = 0;      // no answer within the bound, or another one is still waited for
  uint64_t beyond = 0;    // too many, or too much waiting, in that second
};

struct ArgumentBounds {
  uint32_t per_second = 1000;         // 0: never
  uint32_t wait_ms = 50;              // for one answer
  uint32_t wait_ms_per_second = 250;  // for all
};

struct Arguments {
  std::string bytes;  // as process.args has them, at most its capture
  bool cut = false;   // there are more
};

class ArgumentReader {
 public:
  virtual ~ArgumentReader() = default;
  // What the process of a record whose process.args is unknown shows as its arguments now. Nothing if they cannot be read, the
  // process has ended or begun another program since, or a bound is reached. `boot_ns` (CLOCK_BOOTTIME) and `cpu` are the record's. Waits as
  // the bounds say.
  virtual std::optional<Arguments> Read(uint64_t boot_ns, uint16_t cpu) = 0;
  virtual ArgumentCounts counts() const = 0;
  // Why nothing is ever answered, as a sentence; "" if it is.
  virtual std::string why_not() const = 0;
};

}  // namespace ks::kernel

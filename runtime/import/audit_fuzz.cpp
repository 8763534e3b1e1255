// A log of the audit system, as it may come from anywhere; whatever it begins with.
#include "runtime/import/fuzz_testing.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ks::import::ImportBytes(data, size, "audit");
  return 0;
}

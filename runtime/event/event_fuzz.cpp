// Any bytes as a ring record: refused, or an event that encodes and decodes to itself.
#include <cstddef>
#include <cstdint>

#include "runtime/event/event.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto event = ks::event::Decode(bytes, 0);
  if (!event) return 0;
  const auto again = ks::event::Decode(ks::event::Encode(*event), 0);
  KS_CHECK(again && *again == *event, "an event changed on its way through a record");
  return 0;
}

// A whole recording, as it may come from anywhere: nothing of it may break the importer, and nothing may take memory that the file does not
// pay for.
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "runtime/import/import.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const int fd = ::memfd_create("recording", MFD_CLOEXEC);
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, data, size, 0) != static_cast<ssize_t>(size)) return 0;
  auto importer = ks::import::Open("/proc/self/fd/" + std::to_string(fd));
  if (importer) (void)(*importer)->ForEach([](const ks::event::Event&) {});
  return 0;
}

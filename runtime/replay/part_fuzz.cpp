// A part, as it may come from anywhere. By the first byte its checksums are made right: then what is in the sections is read.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "compiler/ir/text.h"
#include "runtime/event/hash.h"
#include "runtime/replay/shard.h"

namespace {

using namespace ks;  // NOLINT: a test program

class Ignore : public replay::Observer {
 public:
  void OnTrace(const std::string&, const trace::Info&) override {}
  void OnAlert(const event::Match&) override {}
  void OnEnd(const std::string&, const replay::TraceEnd&) override {}
};

template <typename T>
void Put(T value, char* at) {
  for (size_t i = 0; i < sizeof(value); ++i) at[i] = static_cast<char>(value >> (8 * i));
}

// {tag: 1 byte, size: 4, FNV-1a: 8} and the bytes (part.h).
void MakeSectionsRight(std::string* bytes) {
  constexpr size_t kMagic = 8, kHead = 13;
  for (size_t at = kMagic; bytes->size() >= at + kHead;) {
    uint32_t size = 0;
    for (size_t i = 4; i > 0; --i) size = size << 8 | static_cast<uint8_t>((*bytes)[at + i]);
    size = static_cast<uint32_t>(std::min<size_t>(size, bytes->size() - at - kHead));
    Put(size, &(*bytes)[at + 1]);
    Put(event::Fnv1a64(std::string_view(*bytes).substr(at + kHead, size)), &(*bytes)[at + 5]);
    at += kHead + size;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  if (data[0] % 2 == 0) MakeSectionsRight(&bytes);
  static const int fd = ::memfd_create("part", MFD_CLOEXEC);
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) return 0;
  Result<replay::Parts> parts = replay::Parts::Open({"/proc/self/fd/" + std::to_string(fd)});
  if (!parts) return 0;
  Result<ir::Program> program = ir::ParseProgram(parts->head().policy.program);
  if (!program) return 0;
  const engine::Engine engine(std::move(*program));
  Ignore observer;
  (void)parts->Replay(engine, observer, [](uint64_t, uint64_t) {});
  return 0;
}

// The first byte chooses how deep the rest goes: a whole file, the header, or the rows of a block, past all checksums.
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/trace/format.h"

namespace {

using namespace ks::trace;  // NOLINT: a test program

void WholeFile(std::string_view bytes) {
  static const int fd = ::memfd_create("trace", MFD_CLOEXEC);
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    return;
  auto reader = Reader::Open("/proc/self/fd/" + std::to_string(fd));
  if (reader) (void)reader->ForEach([](const ks::event::Event&) {}, [](const Lost&) {});
}

// Rows that are accepted encode and decode to the same rows.
void Rows(std::string_view bytes) {
  Layout layout;
  KS_CHECK(!DecodeHead(EncodeHead({}), &layout), "the own header is refused");
  std::string again;
  RowBase read, base;
  RowCounts counts;
  if (DecodeRows(
          bytes, layout, read, &counts, [&](const ks::event::Event& event) { EncodeEvent(event, base, again); },
          [&](const Lost& lost) { EncodeLost(lost, base, again); })) {
    return;
  }
  std::string third;
  RowBase third_base;
  RowCounts same;
  const auto why = DecodeRows(
      again, layout, read, &same, [&](const ks::event::Event& event) { EncodeEvent(event, third_base, third); },
      [&](const Lost& lost) { EncodeLost(lost, third_base, third); });
  KS_CHECK(!why && same.events == counts.events && same.lost == counts.lost && third == again,
           "rows changed on their way");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  if (data[0] % 3 == 0) {
    WholeFile(bytes);
  } else if (data[0] % 3 == 1) {
    Layout layout;
    (void)DecodeHead(bytes, &layout);
  } else {
    Rows(bytes);
  }
  return 0;
}

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>

#include "runtime/kernel/kernel.h"
#include "runtime/kernel/libbpf.h"
#include "runtime/kernel/ring.h"

namespace ks::kernel {
namespace {

constexpr int kLongestPauseMs = 10;

}  // namespace

void Ring::Free::operator()(ring_buffer* ring) const { ring_buffer__free(ring); }

Status Ring::Open(int fd) {
  ring_.reset(ring_buffer__new(fd, OnRecord, this, nullptr));
  if (!ring_) return WorldError("open", "the ring", errno, "kernel-map");
  return Ok();
}

int Ring::OnRecord(void* self, void* data, size_t size) {
  auto* ring = static_cast<Ring*>(self);
  (*ring->on_record_)({static_cast<const char*>(data), size});
  // A writer that is faster than the reader must not keep it here for ever.
  return ++ring->consumed_ < kRecordsPerConsume ? 0 : -ECANCELED;
}

Result<size_t> Ring::Consume(int timeout_ms, const std::function<void(std::string_view)>& on_record) {
  on_record_ = &on_record;
  consumed_ = 0;
  int left = timeout_ms;
  while (true) {
    int error = ring_buffer__consume(ring_.get());
    if (error < 0 && error != -ECANCELED) return WorldError("read", "the ring", -error, "kernel-ring");
    if (consumed_ > 0) {
      pause_ms_ = 1;
      return consumed_;
    }
    if (left <= 0) return size_t{0};
    // Records come without a wake-up unless the ring fills: look again after a pause that grows while nothing comes.
    int pause = std::min(left, pause_ms_);
    pause_ms_ = std::min(pause_ms_ * 2, kLongestPauseMs);
    left -= pause;
    epoll_event event{};
    if (::epoll_wait(ring_buffer__epoll_fd(ring_.get()), &event, 1, pause) < 0) {
      if (errno == EINTR) return size_t{0};  // a signal: its handler's owner wants to look
      return WorldError("wait for", "the ring", errno, "kernel-ring");
    }
  }
}

}  // namespace ks::kernel

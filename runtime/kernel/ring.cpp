#include "runtime/kernel/ring.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>

#include "runtime/kernel/libbpf.h"

namespace ks::kernel {
namespace {

constexpr int kLongestPauseMs = 10;
// In turn: a flood of context must not make alerts wait, nor one of alerts keep context out for ever.
constexpr std::array<size_t, kRings> kTurn = {16'384, 2'048};

}  // namespace

void Ring::Free::operator()(ring_buffer* ring) const { ring_buffer__free(ring); }

Status Ring::Open(int fd) {
  reading_ = std::make_unique<Reading>();
  ring_.reset(ring_buffer__new(fd, OnRecord, reading_.get(), nullptr));
  if (!ring_) return WorldError("open", "the ring", errno, "kernel-map");
  return Ok();
}

int Ring::epoll_fd() const { return ring_buffer__epoll_fd(ring_.get()); }

int Ring::OnRecord(void* reading, void* data, size_t size) {
  auto* ring = static_cast<Reading*>(reading);
  (*ring->on_record)({static_cast<const char*>(data), size});
  // A writer that is faster than the reader must not keep it here for ever.
  return ++ring->records < ring->most ? 0 : -ECANCELED;
}

Result<size_t> Ring::Read(size_t most, const std::function<void(std::string_view)>& on_record) {
  *reading_ = {&on_record, 0, most};
  const int error = ring_buffer__consume(ring_.get());
  if (error < 0 && error != -ECANCELED) return WorldError("read", "the ring", -error, "kernel-ring");
  return reading_->records;
}

Status Rings::Open(const std::array<int, kRings>& fds) {
  epoll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_) return WorldError("wait for", "the rings", errno, "kernel-ring");
  for (size_t i = 0; i < kRings; ++i) {
    if (Status opened = rings_[i].Open(fds[i]); !opened) return opened;
    epoll_event event{.events = EPOLLIN, .data = {}};
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, rings_[i].epoll_fd(), &event) != 0) {
      return WorldError("wait for", "the rings", errno, "kernel-ring");
    }
  }
  return Ok();
}

Result<size_t> Rings::Read(const std::function<void(std::string_view)>& on_record) {
  size_t records = 0;
  for (bool more = true; more && records < kRecordsPerConsume;) {
    more = false;
    for (size_t i = 0; i < kRings && records < kRecordsPerConsume; ++i) {
      const size_t most = std::min(kTurn[i], kRecordsPerConsume - records);
      Result<size_t> read = rings_[i].Read(most, on_record);
      if (!read) return read.error();
      records += *read;
      received_[i] += *read;
      more = more || *read == most;
    }
  }
  return records;
}

Result<size_t> Rings::Consume(int timeout_ms, const std::function<void(std::string_view)>& on_record) {
  int left = timeout_ms;
  while (true) {
    Result<size_t> read = Read(on_record);
    if (!read) return read.error();
    if (*read > 0) pause_ms_ = 1;
    if (*read > 0 || left <= 0) return *read;
    // Records come without a wake-up unless a ring fills: look again after a pause that grows while nothing comes.
    int pause = std::min(left, pause_ms_);
    pause_ms_ = std::min(pause_ms_ * 2, kLongestPauseMs);
    left -= pause;
    epoll_event event{};
    if (::epoll_wait(epoll_.get(), &event, 1, pause) < 0) {
      if (errno == EINTR) return size_t{0};  // a signal: its handler's owner wants to look
      return WorldError("wait for", "the rings", errno, "kernel-ring");
    }
  }
}

}  // namespace ks::kernel

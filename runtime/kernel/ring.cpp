#include "runtime/kernel/ring.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

#include "runtime/kernel/libbpf.h"

namespace ks::kernel {
namespace {

constexpr int kLongestPauseMs = 10;
// In turn: a flood of context must not make alerts wait, nor one of alerts keep context out for ever.
constexpr std::array<size_t, kRings> kTurn = {16'384, 2'048};
constexpr uint64_t kAlign = 8;

// Pages that the kernel writes, and other processes may see.
template <typename T>
std::atomic_ref<T> Shared(const Mapping& pages, size_t at) {
  return std::atomic_ref<T>(*reinterpret_cast<T*>(static_cast<char*>(pages.get()) + at));
}

size_t PageBytes() { return static_cast<size_t>(::sysconf(_SC_PAGESIZE)); }

Error Damaged(std::string cause) {
  return {"read", "the ring", std::move(cause), "something else than the kernel wrote to it", "kernel-ring"};
}

}  // namespace

Status Ring::Open(int fd, uint64_t bytes) {
  bytes_ = bytes;
  consumer_ = Mapping(fd, PageBytes());
  producer_ = Mapping(fd, PageBytes() + 2 * bytes, PROT_READ, static_cast<off_t>(PageBytes()));
  if (!consumer_.get() || !producer_.get()) return WorldError("open", "the ring", errno, "kernel-map");
  position_ = Shared<uint64_t>(consumer_, 0).load(std::memory_order_acquire);
  if (unread() > bytes_ || position_ % kAlign != 0) return Damaged("it was read further than it was written");
  return Ok();
}

uint64_t Ring::unread() const { return Shared<uint64_t>(producer_, 0).load(std::memory_order_acquire) - position_; }

bool Ring::Seek(uint64_t position) {
  // Wrong positions make huge differences.
  if (position - position_ > unread() || position % kAlign != 0) return false;
  position_ = position;
  return true;
}

Result<size_t> Ring::Read(size_t most, const std::function<void(std::string_view)>& on_record) {
  const char* data = static_cast<const char*>(producer_.get()) + PageBytes();
  size_t records = 0;
  uint64_t left = 0;
  while (records < most) {
    if (left == 0) left = unread();
    if (left == 0) break;
    if (left > bytes_ || left < BPF_RINGBUF_HDR_SZ) return Damaged(fmt::format("{} bytes are said to wait in it", left));
    const uint64_t at = position_ & (bytes_ - 1);
    const uint32_t head = Shared<uint32_t>(producer_, PageBytes() + at).load(std::memory_order_acquire);
    // Its writer is not done; those behind it wait.
    if (head & BPF_RINGBUF_BUSY_BIT) break;
    const uint64_t length = head & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
    const uint64_t size = (BPF_RINGBUF_HDR_SZ + length + kAlign - 1) / kAlign * kAlign;
    if (size > left) return Damaged(fmt::format("a record of {} bytes where {} wait", length, left));
    if (!(head & BPF_RINGBUF_DISCARD_BIT)) {
      on_record({data + at + BPF_RINGBUF_HDR_SZ, length});
      ++records;
      ++received_;
    }
    position_ += size;
    left -= size;
  }
  return records;
}

void Ring::Commit() { Shared<uint64_t>(consumer_, 0).store(position_, std::memory_order_release); }

Status Rings::Open(const std::array<int, kRings>& fds, uint64_t bytes) {
  epoll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_) return WorldError("wait for", "the rings", errno, "kernel-ring");
  for (size_t i = 0; i < kRings; ++i) {
    if (Status opened = rings_[i].Open(fds[i], bytes); !opened) return opened;
    epoll_event event{.events = EPOLLIN, .data = {}};
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fds[i], &event) != 0) {
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
      more = more || *read == most;
    }
  }
  return records;
}

void Rings::Commit() {
  for (Ring& ring : rings_) ring.Commit();
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

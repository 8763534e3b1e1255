#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

#include "compiler/support/result.h"
#include "runtime/kernel/fd.h"
#include "runtime/kernel/kernel.h"

struct ring_buffer;  // libbpf's

namespace ks::kernel {

// The reader of one ring buffer of records.
class Ring {
 public:
  // `fd`: of a BPF_MAP_TYPE_RINGBUF, which stays the caller's.
  Status Open(int fd);
  // Reads what is there, at most so many records. Fewer mean that all has been read.
  Result<size_t> Read(size_t most, const std::function<void(std::string_view)>& on_record);
  int epoll_fd() const;

 private:
  struct Free {
    void operator()(ring_buffer* ring) const;
  };
  // libbpf keeps its address, which must not change.
  struct Reading {
    const std::function<void(std::string_view)>* on_record = nullptr;
    size_t records = 0, most = 0;
  };
  static int OnRecord(void* reading, void* data, size_t size);

  std::unique_ptr<Reading> reading_;
  std::unique_ptr<ring_buffer, Free> ring_;
};

// Both rings, alerts before context.
class Rings {
 public:
  // `fds` by RingId.
  Status Open(const std::array<int, kRings>& fds);
  // As Kernel::Consume.
  Result<size_t> Consume(int timeout_ms, const std::function<void(std::string_view)>& on_record);
  uint64_t received(RingId ring) const { return received_[static_cast<size_t>(ring)]; }

 private:
  Result<size_t> Read(const std::function<void(std::string_view)>& on_record);

  std::array<Ring, kRings> rings_;
  std::array<uint64_t, kRings> received_{};
  Fd epoll_;
  int pause_ms_ = 1;
};

}  // namespace ks::kernel

#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <string_view>

#include "compiler/support/result.h"
#include "runtime/kernel/fd.h"
#include "runtime/kernel/kernel.h"

namespace ks::kernel {

// The reader of one ring buffer of records (include/uapi/linux/bpf.h, kernel/bpf/ringbuf.c): a position that the kernel writes
// up to, one that we have given back, and between them records behind heads of 8 bytes. We read ahead of what we give back.
class Ring {
 public:
  // `fd`: of a BPF_MAP_TYPE_RINGBUF of so many bytes, which stays the caller's. Reads on where the ring was given back.
  Status Open(int fd, uint64_t bytes);
  // Reads on from there instead. False if the ring does not hold that position.
  bool Seek(uint64_t position);
  // Reads what is there, at most so many records. Fewer mean that all has been read. A record stays where it is until Commit.
  Result<size_t> Read(size_t most, const std::function<void(std::string_view)>& on_record);
  // Behind the last record that was read, the one that is being read apart.
  uint64_t position() const { return position_; }
  uint64_t received() const { return received_; }  // records before it since Open
  // Gives back what stands before the position.
  void Commit();
  // Bytes, with heads.
  uint64_t unread() const;

 private:
  Mapping consumer_, producer_;  // a page; a page, and all bytes twice, so that no record is cut at the end
  uint64_t bytes_ = 0, position_ = 0, received_ = 0;
};

// Both rings, alerts before context.
class Rings {
 public:
  // `fds` by RingId.
  Status Open(const std::array<int, kRings>& fds, uint64_t bytes);
  Ring& ring(size_t number) { return rings_[number]; }
  // As Kernel::Consume.
  Result<size_t> Consume(int timeout_ms, const std::function<void(std::string_view)>& on_record);
  void Commit();
  uint64_t received(RingId ring) const { return rings_[static_cast<size_t>(ring)].received(); }

 private:
  Result<size_t> Read(const std::function<void(std::string_view)>& on_record);

  std::array<Ring, kRings> rings_;
  Fd epoll_;
  int pause_ms_ = 1;
};

}  // namespace ks::kernel

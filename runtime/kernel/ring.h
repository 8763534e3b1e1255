#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

#include "compiler/support/result.h"

struct ring_buffer;  // libbpf's

namespace ks::kernel {

// The reader of a ring buffer of records.
class Ring {
 public:
  // `fd`: of a BPF_MAP_TYPE_RINGBUF, which stays the caller's.
  Status Open(int fd);
  // As Kernel::Consume.
  Result<size_t> Consume(int timeout_ms, const std::function<void(std::string_view)>& on_record);

 private:
  struct Free {
    void operator()(ring_buffer* ring) const;
  };
  static int OnRecord(void* self, void* data, size_t size);

  std::unique_ptr<ring_buffer, Free> ring_;
  int pause_ms_ = 1;
  const std::function<void(std::string_view)>* on_record_ = nullptr;
  size_t consumed_ = 0;
};

}  // namespace ks::kernel

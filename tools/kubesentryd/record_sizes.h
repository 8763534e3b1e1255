// How large records are, by kind: what an event costs on its way up.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "bpf/schema/record.h"
#include "bpf/schema/schema.h"

namespace ks::agent {

struct RecordSize {
  uint64_t records = 0, bytes = 0;
  uint32_t median = 0, most = 0;  // bytes
};

class RecordSizes {
 public:
  void Saw(schema::EventKind kind, size_t bytes);
  RecordSize Of(schema::EventKind kind) const;
  RecordSize All() const;

 private:
  // Records are padded to 8 bytes, and no longer than KS_RECORD_MAX: each size is counted by itself.
  static constexpr size_t kSizes = KS_RECORD_MAX / 8 + 1;
  using Counts = std::array<uint64_t, kSizes>;
  static RecordSize Sum(const Counts& counts);
  std::array<Counts, schema::kKindCount> kinds_{};
};

}  // namespace ks::agent

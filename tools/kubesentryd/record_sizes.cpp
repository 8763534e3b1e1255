#include "tools/kubesentryd/record_sizes.h"

#include <algorithm>

namespace ks::agent {

void RecordSizes::Saw(schema::EventKind kind, size_t bytes) {
  kinds_[static_cast<size_t>(kind)][std::min(bytes / 8, kSizes - 1)]++;
}

RecordSize RecordSizes::Sum(const Counts& counts) {
  RecordSize sum;
  for (size_t i = 0; i < kSizes; i++) {
    sum.records += counts[i];
    sum.bytes += counts[i] * i * 8;
    if (counts[i] > 0) sum.most = static_cast<uint32_t>(i * 8);
  }
  uint64_t below = 0;
  for (size_t i = 0; i < kSizes && 2 * below < sum.records; i++) {
    below += counts[i];
    sum.median = static_cast<uint32_t>(i * 8);
  }
  return sum;
}

RecordSize RecordSizes::Of(schema::EventKind kind) const { return Sum(kinds_[static_cast<size_t>(kind)]); }

RecordSize RecordSizes::All() const {
  Counts all{};
  for (const Counts& counts : kinds_) {
    for (size_t i = 0; i < kSizes; i++) all[i] += counts[i];
  }
  return Sum(all);
}

}  // namespace ks::agent

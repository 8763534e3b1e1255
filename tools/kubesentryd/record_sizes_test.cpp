#include "tools/kubesentryd/record_sizes.h"

#include <gtest/gtest.h>

namespace ks::agent {
namespace {

TEST(RecordSizes, TheMedianIsOfAllRecordsAndOfEachKind) {
  RecordSizes sizes;
  EXPECT_EQ(sizes.All().records, 0u);
  EXPECT_EQ(sizes.All().median, 0u);
  for (size_t bytes : {64, 72, 4096}) sizes.Saw(schema::EventKind::open_, bytes);
  for (size_t i = 0; i < 4; i++) sizes.Saw(schema::EventKind::exec_, 160);
  const RecordSize opens = sizes.Of(schema::EventKind::open_);
  EXPECT_EQ(opens.records, 3u);
  EXPECT_EQ(opens.bytes, 64u + 72 + 4096);
  EXPECT_EQ(opens.median, 72u);
  EXPECT_EQ(opens.most, 4096u);
  EXPECT_EQ(sizes.All().median, 160u);
  EXPECT_EQ(sizes.Of(schema::EventKind::fork_).records, 0u);
  sizes.Saw(schema::EventKind::fork_, 1 << 20);  // no record is that long; nothing is written beyond the table
  EXPECT_EQ(sizes.Of(schema::EventKind::fork_).most, uint32_t{KS_RECORD_MAX});
}

}  // namespace
}  // namespace ks::agent

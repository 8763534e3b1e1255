// The bounds, and processes that are not those of the note: without events.
#include "runtime/kernel/argument_iterator.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "bpf/schema/arguments.h"
#include "runtime/kernel/libbpf.h"

namespace ks::kernel {
namespace {

class ArgumentIteratorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    unread_ = Fd(bpf_map_create(BPF_MAP_TYPE_HASH, "ks_unread_args", sizeof(ks_record_key), sizeof(ks_unread_args), 64, nullptr));
    if (!unread_) GTEST_SKIP() << "no BPF here";
  }
  // A record that lacks the arguments of this process, which has never run that image.
  void Note(uint64_t boot_ns) const {
    const ks_record_key key{boot_ns, 0};
    const ks_unread_args note{.process = {.pid = static_cast<uint64_t>(::getpid()), .start = 1}, .mm = 1, .exec_id = 1};
    ASSERT_EQ(bpf_map_update_elem(unread_.get(), &key, &note, BPF_ANY), 0);
  }
  Fd unread_;
};

TEST_F(ArgumentIteratorTest, BeyondItsBoundNobodyIsAsked) {
  ArgumentIterator reader({.per_second = 2, .wait_ms = 5000, .wait_ms_per_second = 60000});
  reader.Begin(unread_.get());
  if (!reader.why_not().empty()) GTEST_SKIP() << reader.why_not();
  for (uint64_t time = 1; time <= 3; ++time) {
    Note(time);
    EXPECT_FALSE(reader.Read(time, 0));
  }
  EXPECT_EQ(reader.counts().asked, 3u);
  // Unless a second has gone by meanwhile.
  EXPECT_GE(reader.counts().gone, 2u);
  EXPECT_EQ(reader.counts().gone + reader.counts().beyond, 3u);
  EXPECT_FALSE(reader.Read(4, 0));
  EXPECT_EQ(reader.counts().asked, 3u) << "nothing is known of that record";
}

TEST_F(ArgumentIteratorTest, NobodyWaitsLongerThanAllowed) {
  ArgumentIterator reader({.wait_ms = 5000, .wait_ms_per_second = 0});
  reader.Begin(unread_.get());
  if (!reader.why_not().empty()) GTEST_SKIP() << reader.why_not();
  Note(1);
  EXPECT_FALSE(reader.Read(1, 0));
  EXPECT_EQ(reader.counts().beyond, 1u);
}

TEST_F(ArgumentIteratorTest, SwitchedOffNothingIsLoadedNorAsked) {
  ArgumentIterator reader({.per_second = 0});
  reader.Begin(unread_.get());
  EXPECT_EQ(reader.why_not(), "it is switched off");
  Note(1);
  EXPECT_FALSE(reader.Read(1, 0));
  EXPECT_EQ(reader.counts().asked, 0u);
}

}  // namespace
}  // namespace ks::kernel

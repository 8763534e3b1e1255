#include "runtime/kernel/ring.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "runtime/kernel/progress.h"

namespace ks::kernel {
namespace {

constexpr uint64_t kBytes = 4096;
constexpr uint32_t kBusy = 1u << 31, kDiscard = 1u << 30;

// A file with the pages of a ring buffer, and a hand that writes them as the kernel does, or as it never would.
class RingTest : public testing::Test {
 protected:
  RingTest() : page_(static_cast<uint64_t>(::sysconf(_SC_PAGESIZE))), file_(::memfd_create("ring", 0)) {
    KS_CHECK(::ftruncate(file_.get(), static_cast<off_t>(2 * page_ + 2 * kBytes)) == 0, "memory for a ring");
    pages_ = Mapping(file_.get(), 2 * page_ + 2 * kBytes);
  }

  uint64_t& Word(uint64_t at) const { return *reinterpret_cast<uint64_t*>(static_cast<char*>(pages_.get()) + at); }
  uint64_t& consumer() const { return Word(0); }
  uint64_t& producer() const { return Word(page_); }

  // The second half of the pages is the first again; here it has to be written twice.
  void Put(uint32_t head, std::string_view bytes) const {
    for (uint64_t i = 0; i < 8 + bytes.size(); ++i) {
      char byte = 0;
      if (i < 4) byte = reinterpret_cast<const char*>(&head)[i];
      if (i >= 8) byte = bytes[i - 8];
      const uint64_t at = (producer() + i) % kBytes;
      for (const uint64_t half : {at, at + kBytes}) static_cast<char*>(pages_.get())[2 * page_ + half] = byte;
    }
    producer() += (8 + bytes.size() + 7) / 8 * 8;
  }
  void Put(std::string_view bytes) const { Put(static_cast<uint32_t>(bytes.size()), bytes); }

  std::vector<std::string> Read(size_t most = 100) {
    std::vector<std::string> records;
    const Result<size_t> read = ring_.Read(most, [&](std::string_view record) { records.emplace_back(record); });
    EXPECT_TRUE(read) << read.error().ToString();
    return records;
  }
  void Open() { ASSERT_TRUE(ring_.Open(file_.get(), kBytes)); }

  using Texts = std::vector<std::string>;
  const uint64_t page_;
  Fd file_;
  Mapping pages_;
  Ring ring_;
};

TEST_F(RingTest, WhatIsReadIsGivenBackByCommitOnly) {
  Open();
  Put("one");
  Put("two");
  EXPECT_EQ(Read(), (Texts{"one", "two"}));
  EXPECT_EQ(consumer(), 0u);
  EXPECT_TRUE(Read().empty()) << "each once";
  Ring next;
  ASSERT_TRUE(next.Open(file_.get(), kBytes)) << "who comes after a kill";
  EXPECT_EQ(next.unread(), 32u);
  ring_.Commit();
  EXPECT_EQ(consumer(), 32u);
  EXPECT_EQ(ring_.received(), 2u);
}

TEST_F(RingTest, DuringARecordWhatCameBeforeItIsGivenBack) {
  Open();
  for (const char* text : {"1", "2", "3"}) Put(text);
  ASSERT_TRUE(ring_.Read(10, [&](std::string_view record) {
    if (record == "3") ring_.Commit();
  }));
  EXPECT_EQ(consumer(), 32u);
}

TEST_F(RingTest, WaitsForAWriterAndSkipsWhatWasDiscarded) {
  Open();
  Put("one");
  Put(kDiscard | 4, "gone");
  const uint64_t busy = producer();
  Put(kBusy | 3, "two");
  Put("three");
  EXPECT_EQ(Read(), Texts{"one"});
  Word(2 * page_ + busy) &= ~uint64_t{kBusy};
  EXPECT_EQ(Read(), (Texts{"two", "three"}));
  EXPECT_EQ(ring_.received(), 3u);
}

TEST_F(RingTest, AtMostSoMany) {
  Open();
  for (int i = 0; i < 5; ++i) Put("x");
  EXPECT_EQ(Read(2).size(), 2u);
  EXPECT_EQ(Read(10).size(), 3u);
}

TEST_F(RingTest, GoesOnBehindTheEnd) {
  Open();
  const std::string long_one(1500, 'y');
  for (int i = 0; i < 20; ++i) {
    Put(long_one);
    EXPECT_EQ(Read(), Texts{long_one});
    ring_.Commit();
  }
  EXPECT_GT(consumer(), 4 * kBytes);
}

TEST_F(RingTest, SeeksOnlyToWhatTheRingHolds) {
  Open();
  Put("one");
  Put("two");
  EXPECT_FALSE(ring_.Seek(48)) << "not written yet";
  EXPECT_FALSE(ring_.Seek(12)) << "no record begins there";
  EXPECT_TRUE(ring_.Seek(16));
  EXPECT_FALSE(ring_.Seek(0)) << "given back";
  EXPECT_EQ(Read(), Texts{"two"});
}

TEST_F(RingTest, PositionsThatCannotBeAreRefused) {
  for (const auto& [consumed, produced] : {std::pair<uint64_t, uint64_t>{64, 0}, {0, kBytes + 8}, {4, 64}}) {
    consumer() = consumed;
    producer() = produced;
    Ring ring;
    EXPECT_FALSE(ring.Open(file_.get(), kBytes)) << consumed << " " << produced;
  }
}

TEST_F(RingTest, RecordsThatLieAboutTheirSizeAreRefused) {
  for (const uint32_t head : {100u, 0x3fffffffu, kDiscard | 0x3fffffffu}) {
    consumer() = producer() = 0;
    Ring ring;
    ASSERT_TRUE(ring.Open(file_.get(), kBytes));
    Put(head, "four");
    const Result<size_t> read = ring.Read(10, [](std::string_view) { ADD_FAILURE() << "handed out"; });
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, "kernel-ring");
  }
  consumer() = producer() = 0;
  Ring ring;
  ASSERT_TRUE(ring.Open(file_.get(), kBytes));
  producer() = kBytes * 3;
  EXPECT_FALSE(ring.Read(10, [](std::string_view) {}));
}

TEST(ProgressMapTest, ChangesByOneStore) {
  constexpr size_t kCpus = 3;
  const Fd file(::memfd_create("progress", 0));
  ASSERT_EQ(::ftruncate(file.get(), ProgressMap::Bytes(kCpus)), 0);
  ProgressMap map;
  ASSERT_TRUE(map.Open(file.get(), kCpus));
  EXPECT_FALSE(map.Last()) << "nothing yet";
  ProgressMap::Entry entry{.position = {8, 16}, .received = {1, 2}, .progress = {}};
  entry.progress.alerts = 3;
  entry.progress.lost = {4, 5};
  entry.progress.streams = {{.cpu = 0, .stream = 1, .next = 6}, {.cpu = 2, .stream = 63, .next = 7}};
  map.Write(entry);
  const auto words = [&] {
    std::vector<uint64_t> all(ProgressMap::Bytes(kCpus) / 8);
    KS_CHECK(::pread(file.get(), all.data(), all.size() * 8, 0) > 0, "read");
    return all;
  };
  const std::vector<uint64_t> before = words();
  entry.position = {24, 32};
  entry.progress.streams[0].next = 9;
  map.Write(entry);
  const auto last = map.Last();
  ASSERT_TRUE(last);
  EXPECT_EQ(last->position[0], 24u);
  EXPECT_EQ(last->progress.alerts, 3u);
  EXPECT_EQ(last->progress.lost[1], 5u);
  ASSERT_EQ(last->progress.streams.size(), 2u);
  EXPECT_EQ(last->progress.streams[0].next, 9u);
  EXPECT_EQ(last->progress.streams[1].cpu, 2u);
  EXPECT_EQ(last->progress.streams[1].stream, 63u);
  // But for the count, the copy that held before is as it was: killed before the last store, the next agent finds that.
  ASSERT_EQ(::pwrite(file.get(), before.data(), 8, 0), 8);
  const auto old = map.Last();
  ASSERT_TRUE(old);
  EXPECT_EQ(old->position[0], 8u);
  EXPECT_EQ(old->progress.streams[0].next, 6u);
}

}  // namespace
}  // namespace ks::kernel

// Traces that are read while they are written.
#include <algorithm>
#include <atomic>
#include <thread>

#include "runtime/event/event_testing.h"
#include "runtime/trace/trace_testing.h"

namespace ks::trace {
namespace {

using event::Event;

constexpr uint64_t kSecondNs = 1'000'000'000;

std::vector<Event> EachHalfSecond(uint32_t seed, size_t count) {
  event::RandomEvents random(seed);
  std::vector<Event> events;
  for (size_t i = 0; i < count; ++i) {
    events.push_back(random.Next(/*derived=*/true));
    event::SetTime(events.back(), (i + 4) * kSecondNs / 2);
  }
  return events;
}

TEST_F(Trace, FlushMakesReadableWhatIsOldEnough) {
  const std::vector<Event> events = EachHalfSecond(1, 10);
  Result<Writer> writer = Writer::Create(Path(), kHost);
  ASSERT_TRUE(writer);
  for (const Event& event : events) ASSERT_TRUE(writer->Add(event));
  EXPECT_EQ(ReadBack().events.size(), 0u);
  ASSERT_TRUE(writer->Flush(events.back().time_ns));
  EXPECT_EQ(ReadBack().events.size(), 7u);  // the last three are no more than a second old
  ASSERT_TRUE(writer->Flush(events.back().time_ns + 2 * kSecondNs));
  ASSERT_TRUE(writer->Flush(events.back().time_ns + 3 * kSecondNs));  // nothing new: no empty block
  const Read read = ReadBack();
  EXPECT_TRUE(read.status);
  EXPECT_EQ(read.events, events);
  EXPECT_EQ(read.info.whole_bytes, Slurp(Path()).size());
  ASSERT_TRUE(writer->Close());
  EXPECT_EQ(ReadBack().events, events);
}

TEST_F(Trace, NextGivesWhatForEachGives) {
  const std::vector<Event> events = EachHalfSecond(2, 2000);
  Write(events, {{events[5].time_ns, 3, 0, {}}});
  Result<Reader> reader = Reader::Open(Path());
  ASSERT_TRUE(reader);
  EXPECT_TRUE(reader->ended());
  std::vector<Event> got;
  size_t losses = 0, blocks = 0;
  while (true) {
    Result<bool> more =
        reader->Next([&](const Event& event) { got.push_back(Kept(event)); }, [&](const Lost&) { ++losses; });
    ASSERT_TRUE(more);
    if (!*more) break;
    ++blocks;
  }
  EXPECT_EQ(got, events);
  EXPECT_EQ(losses, 1u);
  EXPECT_GT(blocks, 1u);
}

TEST_F(Trace, NextRowGivesTheSameOneByOne) {
  const std::vector<Event> events = EachHalfSecond(2, 2000);
  Write(events, {{events[5].time_ns, 3, 0, {}}});
  Result<Reader> reader = Reader::Open(Path());
  ASSERT_TRUE(reader);
  std::vector<Event> got;
  size_t losses = 0, calls = 0;
  while (true) {
    Result<bool> more =
        reader->NextRow([&](const Event& event) { got.push_back(Kept(event)); }, [&](const Lost&) { ++losses; });
    ASSERT_TRUE(more);
    if (!*more) break;
    ASSERT_EQ(got.size() + losses, ++calls);
  }
  EXPECT_EQ(got, events);
  EXPECT_EQ(losses, 1u);
}

TEST_F(Trace, NoMoreTextIsHeldThanThereIsMemoryFor) {
  Event large;
  size_t texts = 0;  // a block has at most a megabyte
  for (const schema::FieldRow& row : schema::Fields()) {
    if (schema::Row(row.type).slot != schema::Slot::Text || ++texts > 9) continue;
    large.record.Set(row.id, std::string(65'535, 'x') + '\0');
  }
  // More than 128 MiB within a second; all of it would be held otherwise, and sorted.
  std::vector<Event> events;
  for (size_t i = 0; i < 300; ++i) {
    event::SetTime(large, 10 * kSecondNs - i);
    events.push_back(large);
  }
  Write(events);
  const Read read = ReadBack();
  ASSERT_EQ(read.events.size(), 300u);
  EXPECT_FALSE(std::ranges::is_sorted(read.events, {}, &Event::time_ns));
}

TEST_F(Trace, IsReadWhileAnotherWrites) {
  const std::vector<Event> events = EachHalfSecond(3, 3000);
  Result<Writer> writer = Writer::Create(Path(), kHost);
  ASSERT_TRUE(writer);
  std::atomic<bool> good = true;
  std::thread other([&] {
    for (size_t i = 0; i < events.size(); ++i) {
      if (!writer->Add(events[i])) good = false;
      if (i % 7 == 0 && !writer->Flush(events[i].time_ns)) good = false;
    }
    if (!writer->Close()) good = false;
  });
  std::vector<Event> got;
  Status status = Ok();
  size_t looked = 0, grew = 0;
  if (Result<Reader> reader = Reader::Open(Path()); reader) {
    while (true) {
      Result<bool> more = reader->Next([&](const Event& event) { got.push_back(Kept(event)); }, [](const Lost&) {});
      if (!more) {
        status = more.error();
        break;
      }
      if (*more) continue;
      if (reader->ended()) break;
      if (reader->info().events > grew) ++looked;
      grew = reader->info().events;
      std::this_thread::yield();
    }
    EXPECT_EQ(reader->info().events, events.size());
    EXPECT_GT(looked, 0u);
  } else {
    status = reader.error();
  }
  other.join();
  EXPECT_TRUE(good);
  ASSERT_TRUE(status) << status.error().ToString();
  EXPECT_EQ(got, events);
}

TEST_F(Trace, NextSaysDamageAndStaysThere) {
  Write(EachHalfSecond(4, 2000));
  std::string bytes = Slurp(Path());
  Result<Reader> whole = Reader::Open(Path());
  ASSERT_TRUE(whole);
  bytes[whole->info().whole_bytes - 5] ^= 1;  // in the last block
  Spill(bytes);
  Result<Reader> reader = Reader::Open(Path());
  ASSERT_TRUE(reader);
  size_t events = 0;
  Result<bool> more = true;
  while (more && *more) more = reader->Next([&](const Event&) { ++events; }, [](const Lost&) {});
  EXPECT_GT(events, 0u);
  for (int again = 0; again < 2; ++again) {
    ASSERT_FALSE(more);
    EXPECT_EQ(more.error().code, "trace-damaged");
    more = reader->Next([&](const Event&) { ++events; }, [](const Lost&) {});
  }
}

}  // namespace
}  // namespace ks::trace

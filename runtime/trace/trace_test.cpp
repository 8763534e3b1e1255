#include "runtime/trace/trace.h"

#include <sys/stat.h>

#include <algorithm>

#include "runtime/event/event_testing.h"
#include "runtime/trace/format.h"
#include "runtime/trace/trace_testing.h"

namespace ks::trace {
namespace {

using event::Event;
using schema::FieldId;

std::vector<Event> InOrder(uint32_t seed, size_t count) {
  event::RandomEvents random(seed);
  std::vector<Event> events;
  events.reserve(count);
  for (size_t i = 0; i < count; ++i) events.push_back(random.Next(/*derived=*/true));
  std::ranges::stable_sort(events, {}, &Event::time_ns);
  return events;
}

TEST_F(Trace, ReadsWhatWasWritten) {
  for (size_t count : {0u, 1u, 7u, 1500u}) {
    const std::vector<Event> events = InOrder(static_cast<uint32_t>(count), count);
    Write(events);
    const Read read = ReadBack();
    ASSERT_TRUE(read.status) << read.status.error().ToString();
    ASSERT_EQ(read.events.size(), count);
    for (size_t i = 0; i < count; ++i) ASSERT_EQ(read.events[i], events[i]) << i;
    EXPECT_EQ(read.info.host, kHost);
    EXPECT_EQ(read.info.schema_hash, schema::Hash());
    EXPECT_EQ(read.info.match_only, "as observed");
    EXPECT_EQ(read.info.columns.size(), schema::kFieldCount);
    EXPECT_TRUE(read.info.unknown_columns.empty());
    EXPECT_TRUE(read.info.unknown_kinds.empty());
    EXPECT_FALSE(read.info.index_rebuilt);
    EXPECT_EQ(read.info.events, count);
    if (count != 0) {
      EXPECT_EQ(read.info.first_time_ns, events.front().time_ns);
      EXPECT_EQ(read.info.last_time_ns, events.back().time_ns);
    }
  }
}

TEST_F(Trace, SaysHowMuchOfItsMatchOnlyFieldsIsLeftOut) {
  const auto told = [&](const std::string& match_only) {
    std::filesystem::remove(Path());
    Result<Writer> writer = Writer::Create(Path(), kHost, match_only);
    EXPECT_TRUE(writer && writer->Close());
    return ReadBack().info.match_only;
  };
  const std::string begin(240, 'x');
  EXPECT_EQ(told(begin + ", one, two; six"), begin + ", one, two; six");
  EXPECT_EQ(told(begin + ", one, two; three"), begin + ", one and 2 more");
  EXPECT_EQ(told(begin + ", three, two; one"), begin + " and 3 more");
  EXPECT_EQ(told("a, " + begin + ", b; one and another"), "a, " + begin + " and 2 more");
  EXPECT_EQ(told(begin + begin), (begin + begin).substr(0, 253) + "...");
  EXPECT_EQ(told("," + begin + begin).size(), 256u);
}

TEST_F(Trace, IsTheOwnersAlone) {
  Write({});
  struct stat info{};
  ASSERT_EQ(::stat(Path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(Trace, KeepsNothingThatMeansSomethingToOneBundleOnly) {
  Event event = InOrder(1, 1)[0];
  event.passed = {1};
  event.atoms = {{1, 2}};
  Write({event});
  const Read read = ReadBack();
  ASSERT_EQ(read.events.size(), 1u);
  EXPECT_TRUE(read.events[0].passed.empty());
  EXPECT_TRUE(read.events[0].atoms.empty());
  EXPECT_EQ(read.events[0].record, event.record);
}

TEST_F(Trace, SortsWhatComesAlmostInOrder) {
  const std::vector<Event> events = InOrder(3, 2000);
  std::vector<Event> shuffled = events;
  event::RandomEvents random(4);
  for (size_t i = 0; i + 200 < shuffled.size(); i += 200) {
    for (size_t n = 0; n < 200; ++n) std::swap(shuffled[i + n], shuffled[i + random.Below(200)]);
  }
  Lost lost{events[1000].time_ns, 17, 1, {schema::EventKind::open_, schema::EventKind::exec_}};
  Write(shuffled, {lost});
  const Read read = ReadBack();
  ASSERT_TRUE(read.status);
  ASSERT_EQ(read.events.size(), events.size());
  EXPECT_TRUE(std::ranges::is_sorted(read.events, {}, &Event::time_ns));
  EXPECT_EQ(read.losses, std::vector<Lost>{lost});
  EXPECT_EQ(read.info.lost, 1u);
}

TEST_F(Trace, HoldsBackABoundedPart) {
  // Seconds apart: each event is written once the next has come, so that the blocks are in the file before Close.
  event::RandomEvents random(5);
  Result<Writer> writer = Writer::Create(Path(), kHost);
  ASSERT_TRUE(writer);
  std::vector<Event> events;
  for (size_t i = 0; i < 1500; ++i) {
    events.push_back(random.Next(true));
    event::SetTime(events.back(), (i + 1) * 2'000'000'000);
    ASSERT_TRUE(writer->Add(events.back()));
  }
  const Read read = ReadBack();  // no Close: as after a power cut
  ASSERT_TRUE(read.status) << read.status.error().ToString();
  EXPECT_TRUE(read.info.index_rebuilt);
  ASSERT_GT(read.events.size(), 500u);
  for (size_t i = 0; i < read.events.size(); ++i) ASSERT_EQ(read.events[i], events[i]) << i;
}

TEST_F(Trace, CutAnywhereGivesWholeBlocks) {
  const std::vector<Event> events = InOrder(6, 1500);
  Write(events);
  const std::string bytes = Slurp(Path());
  const Read whole = ReadBack();
  const size_t head = kFileHeadBytes + sizeof(SectionHead);
  size_t before = 0;
  for (size_t size = 0; size < bytes.size(); size += size < 2048 ? 211 : 20'011) {
    Spill(std::string_view(bytes).substr(0, size));
    const Read read = ReadBack();
    if (size < head) {
      EXPECT_FALSE(read.status) << size;
      continue;
    }
    if (!read.status) {
      EXPECT_EQ(read.status.error().code, "trace-cut") << size;
      EXPECT_EQ(before, 0u);
      continue;
    }
    EXPECT_TRUE(read.info.index_rebuilt) << size;
    EXPECT_GE(read.events.size(), before);
    before = read.events.size();
    for (size_t i = 0; i < read.events.size(); ++i) ASSERT_EQ(read.events[i], events[i]) << size;
  }
  EXPECT_GT(before, 0u);
  EXPECT_LE(before, whole.events.size());
}

TEST_F(Trace, AFlippedBitIsNoticed) {
  const std::vector<Event> events = InOrder(7, 60);
  Write(events);
  const std::string bytes = Slurp(Path());
  event::RandomEvents random(8);
  size_t refused = 0;
  for (size_t at = 0; at < bytes.size(); at += 1 + random.Below(31)) {
    std::string damaged = bytes;
    damaged[at] ^= static_cast<char>(1 << random.Below(8));
    Spill(damaged);
    const Read read = ReadBack();
    // The bytes that nothing asks about (reserved ones, the index when it is rebuilt) may differ; what is read may not.
    if (read.status) {
      ASSERT_EQ(read.events, events) << at;
    } else {
      ++refused;
      // There is one block; the index comes after it.
      ASSERT_TRUE(read.events.empty() || read.events == events) << at;
    }
  }
  EXPECT_GT(refused, bytes.size() / 32);
}

TEST_F(Trace, DamageIsNamedAfterWhatIsWhole) {
  const std::vector<Event> events = InOrder(9, 2500);
  Write(events);
  std::string bytes = Slurp(Path());
  bytes[bytes.size() * 2 / 3] ^= 1;
  Spill(bytes);
  const Read read = ReadBack();
  ASSERT_FALSE(read.status);
  EXPECT_EQ(read.status.error().code, "trace-damaged");
  EXPECT_NE(read.status.error().cause.find("block "), std::string::npos) << read.status.error().cause;
  EXPECT_NE(read.status.error().cause.find("at byte "), std::string::npos);
  EXPECT_GT(read.events.size(), 0u);
  EXPECT_LT(read.events.size(), events.size());
  for (size_t i = 0; i < read.events.size(); ++i) ASSERT_EQ(read.events[i], events[i]);
}

TEST_F(Trace, RefusesWhatIsNoTrace) {
  const auto refused = [&](std::string_view bytes, const std::string& code) {
    Spill(bytes);
    const Read read = ReadBack();
    ASSERT_FALSE(read.status);
    EXPECT_EQ(read.status.error().code, code);
  };
  refused("", "trace-format");
  refused("KSTRACE", "trace-format");
  refused(std::string(100, 'x'), "trace-format");
  refused("KSTRACE\n" + std::string("\4\0\0\0\0\0\0\0", 8), "trace-version");
  refused("KSTRACE\n" + std::string("\1\0\0\0\0\0\0\0", 8), "trace-cut");
  EXPECT_EQ(Reader::Open(folder_).error().code, "trace-open");
  EXPECT_EQ(Reader::Open(folder_ + "/none").error().code, "trace-open");
  EXPECT_EQ(Writer::Create(folder_ + "/none/t.kst", kHost).error().code, "trace-write");
}

TEST_F(Trace, IsSmall) {
  event::RandomEvents random(11);
  std::vector<Event> events;
  for (size_t i = 0; i < 1000; ++i) {
    Event event;
    event.kind = schema::EventKind::open_;
    event.sequence = i;
    event.cpu = static_cast<uint16_t>(i % 4);
    event::SetTime(event, 1'700'000'000'000'000'000 + i * 12'345'678 + random.Below(100'000));
    const auto pid = static_cast<int64_t>(4000 + i / 20);
    event.record.Set(FieldId::process_pid, pid);
    event.record.Set(FieldId::process_tid, pid);
    event.record.Set(FieldId::process_name, std::string(i % 3 ? "nginx" : "cat"));
    event.record.Set(FieldId::process_exe, std::string(i % 3 ? "/usr/sbin/nginx" : "/usr/bin/cat"));
    event.record.Set(FieldId::process_args, std::string("nginx\0-g\0daemon off;\0", 21));
    event.record.Set(FieldId::process_cwd, std::string("/srv/www"));
    event.record.Set(FieldId::process_cgroup, std::string("/system.slice/nginx.service"));
    event.record.Set(FieldId::process_start_time, static_cast<int64_t>(random.Word()));
    event.record.Set(FieldId::process_uid, int64_t{33});
    event.record.Set(FieldId::file_path, "/srv/www/static/" + std::to_string(random.Below(500)) + ".html");
    event.record.Set(FieldId::file_inode, static_cast<int64_t>(random.Below(1'000'000)));
    event.record.Set(FieldId::event_syscall, int64_t{257});
    event.record.Set(FieldId::event_result, int64_t{0});
    events.push_back(event);
  }
  Write(events);
  EXPECT_LT(Slurp(Path()).size(), 40'000u);
  RecordProperty("bytes", static_cast<int>(Slurp(Path()).size()));
}

}  // namespace
}  // namespace ks::trace

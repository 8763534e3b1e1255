#include "runtime/trace/trace.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "runtime/event/event_testing.h"
#include "runtime/trace/format.h"

namespace ks::trace {
namespace {

using event::Event;
using schema::FieldId;

const HostFacts kHost = {"n1", "6.18.0", "x86_64", "5d4c2f"};

class Trace : public testing::Test {
 protected:
  Trace() {
    std::string pattern = testing::TempDir() + "kst-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~Trace() override { std::filesystem::remove_all(folder_); }
  std::string Path() const { return folder_ + "/t.kst"; }

  static std::string Slurp(const std::string& path) { return *ReadFile(path, 1 << 28); }
  void Spill(std::string_view bytes) const {
    std::ofstream(Path(), std::ios::binary | std::ios::trunc)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }

  void Write(const std::vector<Event>& events, const std::vector<Lost>& losses = {}) const {
    Result<Writer> writer = Writer::Create(Path(), kHost);
    ASSERT_TRUE(writer) << writer.error().ToString();
    for (const Event& event : events) ASSERT_TRUE(writer->Add(event));
    for (const Lost& lost : losses) ASSERT_TRUE(writer->AddLost(lost));
    ASSERT_TRUE(writer->Close());
  }

  struct Read {
    std::vector<Event> events;
    std::vector<Lost> losses;
    Info info;
    Status status = Ok();
  };
  Read ReadBack() const {
    Read read;
    Result<Reader> reader = Reader::Open(Path());
    if (!reader) {
      read.status = reader.error();
      return read;
    }
    read.info = reader->info();
    read.status = reader->ForEach([&](const Event& event) { read.events.push_back(event); },
                                  [&](const Lost& lost) { read.losses.push_back(lost); });
    return read;
  }

  std::string folder_;
};

std::vector<Event> InOrder(uint32_t seed, size_t count) {
  event::RandomEvents random(seed);
  std::vector<Event> events;
  for (size_t i = 0; i < count; ++i) events.push_back(random.Next(/*derived=*/true));
  std::ranges::stable_sort(events, {}, &Event::time_ns);
  return events;
}

TEST_F(Trace, ReadsWhatWasWritten) {
  for (size_t count : {0u, 1u, 7u, 3000u}) {
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
  Lost lost{events[1000].time_ns, 17, 1};
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
  for (size_t size = 0; size < bytes.size(); size += size < 2048 ? 97 : 4093) {
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
  for (size_t at = 0; at < bytes.size(); at += 1 + random.Below(7)) {
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
  EXPECT_GT(refused, bytes.size() / 8);
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
  refused("KSTRACE\n" + std::string("\2\0\0\0\0\0\0\0", 8), "trace-version");
  refused("KSTRACE\n" + std::string("\1\0\0\0\0\0\0\0", 8), "trace-cut");
  EXPECT_EQ(Reader::Open(folder_).error().code, "trace-open");
  EXPECT_EQ(Reader::Open(folder_ + "/none").error().code, "trace-open");
  EXPECT_EQ(Writer::Create(folder_ + "/none/t.kst", kHost).error().code, "trace-write");
}

// ---- Files that no writer of this build makes
// ------------------------------------------------------------------------

std::string Section(Tag tag, uint32_t number, std::string_view raw, uint32_t events, uint32_t raw_says = 0) {
  std::string stored(ZSTD_compressBound(raw.size()), '\0');
  stored.resize(ZSTD_compress(stored.data(), stored.size(), raw.data(), raw.size(), 1));
  SectionHead head;
  head.tag = tag;
  head.number = number;
  head.stored = static_cast<uint32_t>(stored.size());
  head.raw = raw_says != 0 ? raw_says : static_cast<uint32_t>(raw.size());
  head.events = events;
  head.check = head.Check();
  return std::string(reinterpret_cast<const char*>(&head), sizeof(head)) + stored;
}

struct ForgedColumn {
  std::string name, type, slot, enumeration;
};

std::string ForgedHead(const std::vector<std::string>& kinds, const std::vector<ForgedColumn>& columns) {
  std::string out;
  for (const char* fact : {"n\x1b[31m", "k", "a", "b", "0000000000000000", "as observed"}) PutText(out, fact);
  PutNumber(out, kinds.size());
  for (const std::string& kind : kinds) PutText(out, kind);
  PutNumber(out, columns.size());
  for (const ForgedColumn& column : columns) {
    for (const std::string& text :
         {column.name, column.type, column.enumeration, std::string("metadata"), column.slot}) {
      PutText(out, text);
    }
  }
  return out;
}

std::string Start() { return std::string(kMagic) + std::string("\1\0\0\0\0\0\0\0", 8); }

// Row: event of kind number `kind` with raw fields behind.
std::string Row(uint64_t kind, uint64_t fields, std::string_view raw) {
  std::string out;
  PutNumber(out, 0);
  PutSigned(out, 1000);
  PutNumber(out, 0);
  PutNumber(out, kind);
  PutNumber(out, 0);
  PutSigned(out, 1);
  PutNumber(out, fields);
  return out + std::string(raw);
}

const std::vector<ForgedColumn> kOldColumns = {{"process.mood", "int", "int", ""},
                                               {"process.name", "string", "text", ""},
                                               {"process.pid", "string", "text", ""},
                                               {"dst", "endpoint", "endpoint", ""}};

TEST_F(Trace, FieldsAndKindsAreFoundByName) {
  std::string fields;
  PutNumber(fields, 1), PutNumber(fields, 1), PutSigned(fields, 3);     // process.mood
  PutNumber(fields, 1), PutNumber(fields, 1), PutText(fields, "bash");  // process.name
  PutNumber(fields, 1), PutNumber(fields, 1), PutText(fields, "4711");  // process.pid, a text there
  PutNumber(fields, 1), PutNumber(fields, 2);                           // dst: absent
  Spill(Start() + Section(Tag::Head, 0, ForgedHead({"dance", "connect"}, kOldColumns), 0) +
        Section(Tag::Block, 0, Row(0, 4, fields) + Row(1, 4, fields), 2));
  Read read = ReadBack();
  // Times in the forged head are 0; a scan does not mind.
  ASSERT_TRUE(read.status) << read.status.error().ToString();
  EXPECT_EQ(read.info.columns, (std::vector<std::string>{"process.name", "dst"}));
  EXPECT_EQ(read.info.unknown_columns, (std::vector<std::string>{"process.mood", "process.pid"}));
  EXPECT_EQ(read.info.unknown_kinds, (std::vector<std::string>{"dance"}));
  EXPECT_EQ(read.info.host.node, "n\\x1b[31m");
  ASSERT_EQ(read.events.size(), 1u);
  const schema::Record& record = read.events[0].record;
  EXPECT_EQ(read.events[0].kind, schema::EventKind::connect_);
  EXPECT_EQ(record[FieldId::process_name], (schema::FieldValue{schema::Status::Ok, std::string("bash")}));
  EXPECT_EQ(record[FieldId::process_pid].status, schema::Status::Unread);
  EXPECT_EQ(record[FieldId::process_exe].status, schema::Status::Unread);
  EXPECT_EQ(record[FieldId::event_dst].status, schema::Status::Absent);
}

TEST_F(Trace, RefusesForgedHeaders) {
  const auto refused = [&](const std::vector<std::string>& kinds, const std::vector<ForgedColumn>& columns,
                           const std::string& cause) {
    Spill(Start() + Section(Tag::Head, 0, ForgedHead(kinds, columns), 0));
    const Read read = ReadBack();
    ASSERT_FALSE(read.status);
    EXPECT_NE(read.status.error().cause.find(cause), std::string::npos) << read.status.error().cause;
  };
  refused({"exec", "exec"}, {}, "twice");
  refused({"EXEC\n"}, {}, "malformed name");
  refused({}, {{"process.name", "string", "text", ""}, {"process.name", "string", "text", ""}}, "twice");
  refused({}, {{"\x1b[2J", "string", "text", ""}}, "malformed name");
  refused({}, {{"process.tensor", "tensor", "tensor", ""}}, "cannot read");
  refused(std::vector<std::string>(300, "a"), {}, "too many kinds");
  refused({}, std::vector<ForgedColumn>(5000, {"a", "int", "int", ""}), "too many columns");

  const std::string head = EncodeHead(kHost);
  for (size_t size = 1; size < head.size(); size += 13) {
    Layout layout;
    EXPECT_TRUE(DecodeHead(std::string_view(head).substr(0, size), &layout)) << size;
  }
}

TEST_F(Trace, RefusesForgedRows) {
  const std::string start = Start() + Section(Tag::Head, 0, ForgedHead({"connect"}, kOldColumns), 0);
  const auto refused = [&](const std::string& rows, uint32_t events, const std::string& cause) {
    Spill(start + Section(Tag::Block, 0, rows, events));
    const Read read = ReadBack();
    ASSERT_FALSE(read.status) << cause;
    EXPECT_EQ(read.status.error().code, "trace-damaged");
    EXPECT_NE(read.status.error().cause.find(cause), std::string::npos) << read.status.error().cause;
  };
  const auto numbers = [](std::initializer_list<uint64_t> list) {
    std::string out;
    for (uint64_t number : list) PutNumber(out, number);
    return out;
  };
  refused(Row(0, 0, ""), 2, "more or fewer");
  refused(numbers({2}), 1, "unknown kind");
  refused(Row(1, 0, ""), 1, "malformed event");
  refused(Row(0, 5, ""), 1, "malformed event");
  refused(Row(0, 1, numbers({0})), 1, "out of order");
  refused(Row(0, 1, numbers({5, 1, 0})), 1, "no column");
  refused(Row(0, 1, numbers({1, 0})), 1, "no state");
  refused(Row(0, 1, numbers({1, 5})), 1, "no state");
  refused(Row(0, 1, numbers({1, 3, 0})), 1, "no text");
  refused(Row(0, 1, numbers({2, 1, 70000})), 1, "malformed value");
  refused(Row(0, 1, numbers({2, 1, 5, 'a'})), 1, "malformed value");
  refused(Row(0, 1, numbers({4, 1})), 1, "malformed value");
  refused(std::string("\0\1", 2), 1, "malformed time");  // before 1970
  refused(std::string(1, '\0') + std::string(10, '\xff'), 1, "malformed time");
  refused(numbers({1, 2, 70000, 1}), 1, "malformed LOST");
}

TEST_F(Trace, RefusesForgedSections) {
  const std::string start = Start() + Section(Tag::Head, 0, ForgedHead({"connect"}, kOldColumns), 0);
  const auto refused = [&](const std::string& bytes, const std::string& cause) {
    Spill(bytes);
    const Read read = ReadBack();
    ASSERT_FALSE(read.status) << cause;
    EXPECT_NE(read.status.error().cause.find(cause), std::string::npos) << read.status.error().cause;
  };
  refused(start + Section(Tag::Block, 7, Row(0, 0, ""), 1), "says that it is block 7");
  refused(start + Section(Tag::Block, 0, Row(0, 0, ""), 1, 500), "length is not what its head says");
  refused(start + Section(Tag::Block, 0, Row(0, 0, ""), 1, 1 << 30), "size is out of range");
  refused(start + Section(Tag::Block, 0, std::string(size_t{64} << 20, '\0'), 1), "size is out of range");  // a bomb
  refused(start + Section(Tag::Block, 0, std::string(size_t{64} << 20, '\0'), 1, 1 << 20), "length is not");
  refused(Start() + Section(Tag::Block, 0, Row(0, 0, ""), 1), "another kind");
  refused(start + std::string(64, '\0'), "head is not what was written");
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

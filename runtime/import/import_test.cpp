#include "runtime/import/import.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <fstream>
#include <random>

#include "runtime/import/scap_testing.h"

namespace ks::import {
namespace {

using schema::EventKind;
using schema::FieldId;
using Status = schema::Status;

struct Imported {
  Report report;
  std::vector<event::Event> events;
  std::vector<event::Event> Of(EventKind kind) const {
    std::vector<event::Event> some;
    std::ranges::copy_if(events, std::back_inserter(some), [&](const event::Event& one) { return one.kind == kind; });
    return some;
  }
};

class ImportTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/kst-import-XXXXXX";
    const int fd = ::mkstemp(name);
    ASSERT_GE(fd, 0);
    ::close(fd);
    path_ = name;
  }
  void TearDown() override { ::unlink(path_.c_str()); }

  Imported Import(const std::string& bytes) {
    std::ofstream(path_, std::ios::binary) << bytes;
    Imported imported;
    Result<std::unique_ptr<Importer>> importer = Open(path_);
    if (!importer) {
      imported.report.damage.push_back(importer.error().ToString());
      return imported;
    }
    imported.report = (*importer)->ForEach([&](const event::Event& event) { imported.events.push_back(event); });
    return imported;
  }
  std::string path_;
};

std::string TextOf(const event::Event& event, FieldId field) {
  const schema::FieldValue& value = event.record[field];
  return value.status == Status::Ok || value.status == Status::Truncated ? std::get<std::string>(value.value) : "?";
}
int64_t NumberOf(const event::Event& event, FieldId field) {
  const schema::FieldValue& value = event.record[field];
  return value.status == Status::Ok ? std::get<int64_t>(value.value) : -999;
}

constexpr uint16_t kOpenAt = 307, kOldOpenAt = 103, kClone = 223, kExit = 186, kConnect = 23, kSocket = 19, kFchdir = 97, kSetResUid = 193, kSyscall = 1;

std::string OpenAt(int64_t tid, int64_t fd, int64_t folder, std::string_view name, uint32_t flags = 3) {
  return ScapEvent(tid, kOpenAt, {Raw(fd), Raw(folder), CText(name), Raw(flags), Raw(0u), Raw(0x00800002u), Raw(uint64_t{77})});
}

TEST_F(ImportTest, PathsAreMadeAbsoluteByWhatIsKnownOfTheProcess) {
  const Imported got = Import(ScapBegin() + ScapProcesses({{}}) + OpenAt(10, 3, -100, "a/../d") + OpenAt(10, 4, 3, "below") +
                              ScapEvent(10, kFchdir, {Raw(int64_t{0}), Raw(int64_t{3})}) + OpenAt(10, 5, -100, "here") + OpenAt(10, -2, 99, "nowhere"));
  const std::vector<event::Event> opens = got.Of(EventKind::open_);
  ASSERT_EQ(opens.size(), 4u);
  EXPECT_EQ(TextOf(opens[0], FieldId::file_path), "/tmp/d");
  EXPECT_EQ(TextOf(opens[1], FieldId::file_path), "/tmp/d/below");
  EXPECT_EQ(TextOf(opens[2], FieldId::file_path), "/tmp/d/here");
  EXPECT_EQ(opens[3].record[FieldId::file_path].status, Status::Unknown);
  EXPECT_EQ(NumberOf(opens[0], FieldId::event_access), 3);
  EXPECT_EQ(NumberOf(opens[0], FieldId::file_inode), 77);
  EXPECT_EQ(NumberOf(opens[0], FieldId::file_device), 0x802);  // new_encode_dev: major 0
  EXPECT_EQ(NumberOf(opens[3], FieldId::event_errno), 2);
  EXPECT_EQ(TextOf(opens[0], FieldId::process_exe), "/bin/sh");
  EXPECT_EQ(NumberOf(opens[0], FieldId::process_euid), 1000);
  EXPECT_EQ(opens[0].record[FieldId::process_uid].status, Status::Unknown);
  EXPECT_EQ(got.Of(EventKind::syscall_).size(), 5u);
  EXPECT_TRUE(got.report.damage.empty());
}

TEST_F(ImportTest, OlderRecordingsHaveTheArgumentsInTheEnter) {
  const Imported got = Import(ScapBegin() + ScapProcesses({{}}) + ScapOldEvent(10, kOldOpenAt - 1, {Raw(int64_t{-100}), CText("old"), Raw(1u), Raw(0u)}) +
                              ScapOldEvent(10, kOldOpenAt, {Raw(int64_t{3})}));
  ASSERT_EQ(got.Of(EventKind::open_).size(), 1u);
  EXPECT_EQ(TextOf(got.Of(EventKind::open_)[0], FieldId::file_path), "/tmp/old");
  // Of an enter of another call it has nothing.
  const Imported other = Import(ScapBegin() + ScapProcesses({{}}) + ScapOldEvent(10, 2, {CText("/wrong"), Raw(1u), Raw(0u)}) +
                                ScapOldEvent(10, kOldOpenAt, {Raw(int64_t{3})}));
  ASSERT_EQ(other.Of(EventKind::open_).size(), 1u);
  EXPECT_EQ(other.Of(EventKind::open_)[0].record[FieldId::file_path].status, Status::Unknown);
}

TEST_F(ImportTest, ParentsAreKnownBeyondTheirEnd) {
  const Imported got = Import(ScapBegin() + ScapProcesses({{.tid = 1, .pid = 1, .parent = 0, .comm = "init"}, {}}) + ScapEvent(10, kClone, ScapClone(20, 10, 10, 1, "sh")) +
                              ScapEvent(20, kClone, ScapClone(0, 20, 20, 10, "child")) + ScapEvent(10, kExit, {Raw(int64_t{3 << 8})}) + OpenAt(20, 3, -100, "x"));
  ASSERT_EQ(got.Of(EventKind::fork_).size(), 1u);
  EXPECT_EQ(NumberOf(got.Of(EventKind::fork_)[0], FieldId::process_pid), 10);
  EXPECT_EQ(NumberOf(got.Of(EventKind::fork_)[0], FieldId::child_pid), 20);
  ASSERT_EQ(got.Of(EventKind::exit_).size(), 1u);
  EXPECT_EQ(NumberOf(got.Of(EventKind::exit_)[0], FieldId::event_exit_code), 3);
  const event::Event open = got.Of(EventKind::open_)[0];
  EXPECT_EQ(TextOf(open, FieldId::process_name), "child");
  EXPECT_EQ(TextOf(open, FieldId::process_parent_name), "sh");
  EXPECT_EQ(TextOf(open, FieldId::process_ancestors), std::string("sh\0init\0", 8));
  EXPECT_EQ(open.record[FieldId::process_ancestors].status, Status::Ok);
  EXPECT_EQ(NumberOf(open, FieldId::process_start_time), 5'000'000'000);
  EXPECT_EQ(TextOf(open, FieldId::process_id), schema::ProcessId(20, 5'000'000'000));
}

TEST_F(ImportTest, LongLinesOfEndedAncestorsAreCut) {
  // Each makes the next one, and ends.
  std::string events;
  int64_t tid = 10;
  for (; tid < 500; ++tid) {
    events += ScapEvent(tid, kClone, ScapClone(tid + 1, tid, tid, tid - 1, "sh")) + ScapEvent(tid + 1, kClone, ScapClone(0, tid + 1, tid + 1, tid, "sh"));
    events += ScapEvent(tid, kExit, {Raw(int64_t{0})});
  }
  const Imported got = Import(ScapBegin() + ScapProcesses({{.tid = 1, .pid = 1, .parent = 0, .comm = "init"}, {}}) + events + OpenAt(tid, 3, -100, "x"));
  const event::Event open = got.Of(EventKind::open_).at(0);
  std::string names;
  for (int i = 0; i < 16; ++i) names += std::string("sh\0", 3);
  EXPECT_EQ(TextOf(open, FieldId::process_ancestors), names);
  EXPECT_EQ(open.record[FieldId::process_ancestors].status, Status::Truncated);
  EXPECT_EQ(got.Of(EventKind::exit_).size(), 490u);
  EXPECT_TRUE(got.report.damage.empty());
}

TEST_F(ImportTest, NumbersOfAnotherNamespaceAreNobodys) {
  constexpr uint32_t kInPidNamespace = 1u << 29;
  const Imported got = Import(ScapBegin() + ScapProcesses({{.flags = kInPidNamespace}}) + ScapEvent(10, kClone, ScapClone(2, 10, 10, 1, "sh", kInPidNamespace)) +
                              ScapEvent(30, kClone, ScapClone(0, 30, 30, 10, "child", kInPidNamespace)));
  ASSERT_EQ(got.Of(EventKind::fork_).size(), 1u);
  EXPECT_EQ(NumberOf(got.Of(EventKind::fork_)[0], FieldId::child_pid), 30);
}

TEST_F(ImportTest, AProcessEndsWithItsLastThread) {
  constexpr uint32_t kThread = 1 << 13;
  const Imported got = Import(ScapBegin() + ScapProcesses({{}}) + ScapEvent(10, kClone, ScapClone(11, 10, 10, 1, "sh", kThread)) + ScapEvent(10, kExit, {Raw(int64_t{0})}) +
                              OpenAt(11, 3, -100, "still") + ScapEvent(11, kExit, {Raw(int64_t{9})}));
  ASSERT_EQ(got.Of(EventKind::open_).size(), 1u);
  EXPECT_EQ(NumberOf(got.Of(EventKind::open_)[0], FieldId::process_pid), 10);
  ASSERT_EQ(got.Of(EventKind::exit_).size(), 1u);
  EXPECT_EQ(NumberOf(got.Of(EventKind::exit_)[0], FieldId::event_exit_signal), 9);
}

TEST_F(ImportTest, ConnectionsHaveBothEnds) {
  const std::string tuple = Raw(uint8_t{2}) + std::string("\x0a\x00\x00\x01", 4) + Raw(uint16_t{40000}) + std::string("\x7f\x00\x00\x01", 4) + Raw(uint16_t{443});
  const Imported got = Import(ScapBegin() + ScapProcesses({{}}) + ScapEvent(10, kSocket, {Raw(int64_t{5}), Raw(2u), Raw(1u), Raw(0u)}) +
                              ScapEvent(10, kConnect, {Raw(int64_t{0}), tuple, Raw(int64_t{5})}));
  ASSERT_EQ(got.Of(EventKind::connect_).size(), 1u);
  const event::Event connect = got.Of(EventKind::connect_)[0];
  EXPECT_EQ(schema::ToString(std::get<schema::Endpoint>(connect.record[FieldId::event_src].value)), "10.0.0.1:40000");
  EXPECT_EQ(schema::ToString(std::get<schema::Endpoint>(connect.record[FieldId::event_dst].value)), "127.0.0.1:443");
  EXPECT_EQ(NumberOf(connect, FieldId::event_transport), 6);
}

TEST_F(ImportTest, IdsThatStayAreNotTaken) {
  const Imported got = Import(ScapBegin() + ScapProcesses({{}}) + ScapEvent(10, kSetResUid, {Raw(int64_t{0}), Raw(~0u), Raw(0u), Raw(~0u)}));
  ASSERT_EQ(got.Of(EventKind::setuid_).size(), 1u);
  EXPECT_EQ(NumberOf(got.Of(EventKind::setuid_)[0], FieldId::process_euid), 0);
  EXPECT_EQ(got.Of(EventKind::setuid_)[0].record[FieldId::process_uid].status, Status::Unknown);
  EXPECT_EQ(NumberOf(got.Of(EventKind::setuid_)[0], FieldId::target_uid), 0);
}

TEST_F(ImportTest, WhatHasNoCounterpartIsCountedByName) {
  const Imported got = Import(ScapBegin() + ScapEvent(10, 234, {}) + ScapEvent(10, 152, {}) + ScapEvent(10, 9999, {}) + ScapEvent(10, kSyscall, {Raw(uint16_t{3})}) +
                              ScapEvent(10, kSyscall, {Raw(uint16_t{60000})}));
  EXPECT_EQ(got.report.events, 5u);
  EXPECT_EQ(got.report.unmapped, (std::map<std::string, uint64_t>{{"procinfo", 1}, {"switch", 1}, {"event 9999", 1}, {"syscall 60000", 1}}));
  ASSERT_EQ(got.events.size(), 1u);
  EXPECT_EQ(NumberOf(got.events[0], FieldId::event_syscall), 0);  // read
}

// Of what older blocks do not say, the event's own size tells how many parameters there are.
TEST_F(ImportTest, OldEventsAreNotShiftedByTheirPadding) {
  const std::string tuple = Raw(uint8_t{2}) + std::string("\x0a\x00\x00\x01", 4) + Raw(uint16_t{40000}) + std::string("\x7f\x00\x00\x01", 4) + Raw(uint16_t{443});
  const Imported got = Import(ScapBegin() + ScapProcesses({{}}) + ScapOldEvent(10, kConnect, {Raw(int64_t{0}), tuple}) +
                              ScapOldEvent(10, 3, {Raw(int64_t{0}), CText("/dev/null"), Raw(1u), Raw(0u)}));
  ASSERT_EQ(got.Of(EventKind::connect_).size(), 1u);
  ASSERT_EQ(got.Of(EventKind::open_).size(), 1u);
  EXPECT_EQ(TextOf(got.Of(EventKind::open_)[0], FieldId::file_path), "/dev/null");
}

TEST_F(ImportTest, ANewProgramHasNothingOfTheOldOne) {
  constexpr uint16_t kExecve = 293;
  const std::vector<std::string> exec = {Raw(int64_t{0}), CText("ls"), "", Raw(int64_t{10}), Raw(int64_t{10}), Raw(int64_t{1}), CText("")};
  const std::string enter = ScapEvent(10, kExecve - 1, {CText("bin/ls")});
  const Imported got = Import(ScapBegin() + ScapProcesses({{}}) + ScapEvent(10, kOpenAt, {Raw(int64_t{3}), Raw(int64_t{-100}), CText("d"), Raw((1u << 12) | 1), Raw(0u)}) + enter +
                              ScapEvent(10, kExecve, exec) + OpenAt(10, 4, 3, "x"));
  ASSERT_EQ(got.Of(EventKind::exec_).size(), 1u);
  const event::Event one = got.Of(EventKind::exec_)[0];
  EXPECT_EQ(TextOf(one, FieldId::process_args), std::string("ls\0", 3));
  EXPECT_EQ(TextOf(one, FieldId::process_exe), "/tmp/bin/ls");
  EXPECT_EQ(TextOf(one, FieldId::process_name), "ls");
  EXPECT_EQ(one.record[FieldId::process_euid].status, Status::Unknown);
  EXPECT_EQ(one.record[FieldId::process_caps].status, Status::Unknown);
  // What was to be closed is.
  EXPECT_EQ(got.Of(EventKind::open_)[1].record[FieldId::file_path].status, Status::Unknown);
}

TEST_F(ImportTest, AThreadThatNobodyToldOfHasNoProcess) {
  const Imported got = Import(ScapBegin() + OpenAt(77, 3, -100, "/a") + ScapEvent(77, kExit, {Raw(int64_t{0})}));
  ASSERT_EQ(got.Of(EventKind::open_).size(), 1u);
  const event::Event open = got.Of(EventKind::open_)[0];
  for (const FieldId field : {FieldId::process_pid, FieldId::process_id, FieldId::process_start_time, FieldId::process_stdin, FieldId::process_exe}) {
    EXPECT_EQ(open.record[field].status, Status::Unknown) << schema::Row(field).dotted;
  }
  EXPECT_TRUE(got.Of(EventKind::exit_).empty());
  EXPECT_EQ(got.report.unmapped, (std::map<std::string, uint64_t>{{"procexit", 1}}));
}

TEST_F(ImportTest, AProcessOutlivesItsFirstThread) {
  constexpr uint32_t kThread = 1 << 13;
  const Imported got = Import(ScapBegin() + ScapProcesses({{}}) + ScapEvent(10, kClone, ScapClone(11, 10, 10, 1, "sh", kThread)) + ScapEvent(10, kExit, {Raw(int64_t{0})}) +
                              ScapEvent(11, kClone, ScapClone(12, 11, 10, 1, "sh", kThread)) + ScapEvent(11, kExit, {Raw(int64_t{0})}) + ScapEvent(12, kExit, {Raw(int64_t{0})}));
  EXPECT_EQ(got.Of(EventKind::exit_).size(), 1u);
}

TEST_F(ImportTest, ListedParentsInACircleAreRefused) {
  const Imported got = Import(ScapBegin() + ScapProcesses({{.tid = 10, .pid = 10, .parent = 20}, {.tid = 20, .pid = 20, .parent = 10}}) + OpenAt(10, 3, -100, "x"));
  EXPECT_EQ(got.Of(EventKind::open_).size(), 1u);
}

TEST_F(ImportTest, TimesThatCannotBeAreDamage) {
  const Imported got = Import(ScapBegin() + ScapEvent(10, kOpenAt, {Raw(int64_t{3}), Raw(int64_t{-100}), CText("/x"), Raw(1u), Raw(0u)}, ~uint64_t{0}));
  EXPECT_TRUE(got.events.empty());
  ASSERT_EQ(got.report.damage.size(), 1u);
  EXPECT_NE(got.report.damage[0].find("whose time cannot be"), std::string::npos);
}

// The recordings hold environments; nothing of them is read.
TEST_F(ImportTest, EnvironmentsAreNotRead) {
  const Imported got = Import(ScapBegin() + ScapProcesses({{}}) + OpenAt(10, 3, -100, "x"));
  for (const event::Event& event : got.events) {
    for (const schema::FieldRow& row : schema::Fields()) {
      const auto* text = std::get_if<std::string>(&event.record[row.id].value);
      EXPECT_TRUE(!text || text->find("SECRET") == std::string::npos) << row.dotted;
    }
  }
}

std::string Compress(const std::string& bytes) {
  const std::string path = "/tmp/kst-import-gz-" + std::to_string(::getpid());
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
  std::ifstream in(path, std::ios::binary);
  std::string compressed((std::istreambuf_iterator<char>(in)), {});
  ::unlink(path.c_str());
  return compressed;
}

TEST_F(ImportTest, GzipIsSeenByItsBytes) {
  std::string recording = ScapBegin() + ScapProcesses({{}});
  for (int i = 0; i < 2000; ++i) recording += OpenAt(10, 3, -100, "f" + std::to_string(i * 7919));
  const std::string compressed = Compress(recording);
  EXPECT_EQ(Import(compressed).Of(EventKind::open_).size(), 2000u);
  // Two recordings, compressed one by one.
  EXPECT_EQ(Import(compressed + compressed).Of(EventKind::open_).size(), 4000u);
  const Imported cut = Import(compressed.substr(0, compressed.size() / 2));
  ASSERT_EQ(cut.report.damage.size(), 1u);
  EXPECT_NE(cut.report.damage[0].find("compressed file is cut"), std::string::npos) << cut.report.damage[0];
  EXPECT_GT(cut.Of(EventKind::open_).size(), 100u);
}

TEST_F(ImportTest, ACutFileGivesWhatComesBefore) {
  const std::string recording = ScapBegin() + ScapProcesses({{}, {.tid = 11, .pid = 11}}) + OpenAt(10, 3, -100, "a") + OpenAt(10, 4, -100, "b");
  const size_t last = OpenAt(10, 4, -100, "b").size();
  for (size_t size = 0; size < recording.size(); ++size) {
    const Imported got = Import(recording.substr(0, size));
    const size_t opens = got.Of(EventKind::open_).size();
    EXPECT_EQ(opens, size + last >= recording.size() ? 1u : 0u) << size;
  }
}

TEST_F(ImportTest, HostileBytesAreRefusedWithTheirPlace) {
  const std::string good = ScapBegin() + ScapProcesses({{}}) + OpenAt(10, 3, -100, "a");
  const auto damage = [&](const std::string& bytes) {
    const Imported got = Import(bytes);
    EXPECT_FALSE(got.report.damage.empty());
    return got.report.damage.empty() ? "" : got.report.damage[0];
  };
  EXPECT_NE(damage("not a recording").find("no recording that is known"), std::string::npos);
  EXPECT_NE(damage(good + Raw(0x216u) + Raw(0xfffffff0u)).find("cannot have"), std::string::npos);
  EXPECT_NE(damage(good + Raw(0x216u) + Raw(200u << 20)).find("ends within a block"), std::string::npos);
  EXPECT_NE(damage(ScapBegin() + ScapBlock(0x216, Raw(uint16_t{1}) + Raw(uint64_t{1}) + Raw(int64_t{10}) + Raw(26u) + Raw(uint16_t{307}) + Raw(~0u))).find("parameters"),
            std::string::npos);
  EXPECT_NE(damage(ScapBegin() + ScapBlock(0x216, "x")).find("without its head"), std::string::npos);
  EXPECT_NE(damage(ScapBegin() + ScapBlock(0x215, Raw(3u) + Raw(0u))).find("0x215 does not add up"), std::string::npos);
  // What follows a block that does not add up is read.
  EXPECT_EQ(Import(ScapBegin() + ScapBlock(0x215, Raw(3u) + Raw(0u)) + OpenAt(10, 3, -100, "/a")).Of(EventKind::open_).size(), 1u);
}

TEST_F(ImportTest, ChangedBytesAreSurvived) {
  std::string good = ScapBegin() + ScapProcesses({{}, {.tid = 11, .pid = 10}}) + ScapBlock(0x218, Raw(int64_t{10}) + Raw(36u) + std::string(32, '\3'));
  good += ScapEvent(10, kClone, ScapClone(20, 10, 10, 1, "sh")) + ScapEvent(20, kClone, ScapClone(0, 20, 20, 20, "x")) + OpenAt(20, 3, -100, "a") + ScapEvent(20, kExit, {Raw(int64_t{0})});
  std::mt19937 random(1);
  for (int i = 0; i < 1000; ++i) {
    std::string bytes = good;
    for (int change = 0; change < 3; ++change) bytes[random() % bytes.size()] = static_cast<char>(random());
    Import(bytes);
  }
}

TEST_F(ImportTest, LongChainsOfDeadParentsAreNoBurden) {
  std::string recording = ScapBegin() + ScapProcesses({{}});
  for (int64_t i = 10; i < 100'010; ++i) recording += ScapEvent(i, kClone, ScapClone(i + 1, i, i, i - 1, "sh")) + ScapEvent(i, kExit, {Raw(int64_t{0})});
  const Imported got = Import(recording);
  EXPECT_EQ(got.Of(EventKind::fork_).size(), 100'000u);
}

}  // namespace
}  // namespace ks::import

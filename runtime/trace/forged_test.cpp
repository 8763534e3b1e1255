// Files that no writer of this build makes: older, newer, or made to harm.
#include <zstd.h>

#include "runtime/trace/format.h"
#include "runtime/trace/trace_testing.h"

namespace ks::trace {
namespace {

using schema::FieldId;

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
  refused(numbers({4}), 1, "unknown kind");
  refused(numbers({3, 0, 0, 0, 0, 0, 256, 0}), 1, "malformed event");  // no slot
  refused(numbers({2, 0, 0, 1, 1, 9}), 1, "malformed LOST");
  refused(numbers({2, 0, 0, 1, 2, 0}), 1, "malformed LOST");
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

TEST_F(Trace, RowsBeforeAForgedOneAreGivenOnce) {
  const std::string start = Start() + Section(Tag::Head, 0, ForgedHead({"connect"}, kOldColumns), 0);
  for (const auto& [block, cause] : {std::pair{Section(Tag::Block, 0, Row(0, 0, "") + Row(0, 0, "") + "\4\0", 3), "record 2"},
                                     {Section(Tag::Block, 0, Row(0, 0, "") + Row(0, 0, ""), 3), "more or fewer"}}) {
    Spill(start + block);
    Result<Reader> reader = Reader::Open(Path());
    ASSERT_TRUE(reader);
    size_t events = 0;
    for (int call = 0; call < 5; ++call) {
      Result<bool> more = reader->NextRow([&](const event::Event&) { ++events; }, [](const Lost&) {});
      ASSERT_EQ(bool(more), call < 2);
      if (more) continue;
      EXPECT_NE(more.error().cause.find(cause), std::string::npos) << more.error().cause;
    }
    EXPECT_EQ(events, 2u);
  }
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

}  // namespace
}  // namespace ks::trace

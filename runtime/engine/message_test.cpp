#include "runtime/engine/message.h"

#include <gtest/gtest.h>

#include "runtime/engine/engine_testing.h"

namespace ks::engine {
namespace {

using schema::FieldId;
using FieldStatus = schema::Status;

std::string Fill(FieldId field, schema::Value value, FieldStatus status = FieldStatus::Ok,
                 ir::Part part = ir::Part::Whole) {
  schema::Record record;
  record.Set(field, std::move(value), status);
  return FillTemplate({Hole(field, part)}, record, {FieldId::process_args, FieldId::file_path});
}

TEST(FillTemplate, ValuesByTheirType) {
  schema::Endpoint endpoint;
  ASSERT_TRUE(schema::ParseEndpoint("[fd00::1]:443", &endpoint));
  EXPECT_EQ(Fill(FieldId::event_dst, endpoint), "[fd00::1]:443");
  EXPECT_EQ(Fill(FieldId::event_dst, endpoint, FieldStatus::Ok, ir::Part::Ip), "fd00::1");
  EXPECT_EQ(Fill(FieldId::event_dst, endpoint, FieldStatus::Ok, ir::Part::Port), "443");
  EXPECT_EQ(Fill(FieldId::process_pid, int64_t{4711}), "4711");
  EXPECT_EQ(Fill(FieldId::event_mode, int64_t{04755}), "0o4755");
  EXPECT_EQ(Fill(FieldId::event_errno, int64_t{2}), "ENOENT");
  EXPECT_EQ(Fill(FieldId::process_name, std::string("bash")), "bash");
  EXPECT_EQ(Fill(FieldId::process_args, std::string("sh\0-c\0echo \"a\"\0\0", 16)), "sh -c \"echo \"a\"\" \"\"");
}

TEST(FillTemplate, WhatIsNotKnown) {
  EXPECT_EQ(Fill(FieldId::process_pid, {}, FieldStatus::Unknown), "?");
  EXPECT_EQ(Fill(FieldId::process_pid, {}, FieldStatus::Unread), "?");
  EXPECT_EQ(Fill(FieldId::container_id, {}, FieldStatus::Absent), "none");
  EXPECT_EQ(Fill(FieldId::file_path, std::string("/tail"), FieldStatus::Truncated), "…/tail");
  EXPECT_EQ(Fill(FieldId::process_name, std::string("head"), FieldStatus::Truncated), "head…");
  EXPECT_EQ(Fill(FieldId::process_args, std::string("sh\0-", 4), FieldStatus::Truncated), "sh - …");
}

TEST(FillTemplate, MatchOnlyFieldsOnlyIfDisclosed) {
  EXPECT_EQ(Fill(FieldId::file_path, std::string("/etc/shadow")), "/etc/shadow");
  EXPECT_EQ(Fill(FieldId::process_exe, std::string("/secret")), "?");
  EXPECT_EQ(Fill(FieldId::process_exe, {}, FieldStatus::Absent), "?");
}

TEST(FillTemplate, ProcessesCannotFakeLines) {
  EXPECT_EQ(Fill(FieldId::process_name, std::string("a\nCRITICAL\x1b[2J")), "a\\nCRITICAL\\x1b[2J");
  EXPECT_EQ(Fill(FieldId::process_args, std::string("x\ny\0\xff\0", 6)), "\"x\\ny\" \\xff");
  EXPECT_EQ(FillTemplate({{"by \x07{}", {}}}, schema::Record(), {}), "by \\x07{}");
}

TEST(MatchedWord, NamesFirst) {
  ir::Atom atom;
  atom.operand.field = FieldId::process_args;
  atom.test = ir::Test::HasElement;
  atom.literals = {std::string("-i"), std::string("-c")};
  EXPECT_EQ(MatchedWord(atom, 1), "\"-c\"");
  EXPECT_EQ(MatchedWord(atom, 2), "");
  atom.label = "flags";
  EXPECT_EQ(MatchedWord(atom, 0), "flags#1");
  EXPECT_EQ(MatchedWord(atom, 2), "flags");
}

}  // namespace
}  // namespace ks::engine

#include "tools/kubesentryd/arguments.h"

#include <gtest/gtest.h>

#include "compiler/ir/passes.h"
#include "runtime/engine/engine.h"
#include "tools/kubesentryd/arguments_testing.h"

namespace ks::agent {
namespace {

using schema::FieldId;
using schema::Status;
using namespace std::string_literals;

constexpr int64_t kOffset = 7'000'000'000;

// From the ring, passed by a rule that its arguments may match.
event::Event Unknown() {
  event::Event event;
  event.kind = schema::EventKind::setuid_;
  event.time_ns = 1000 + kOffset;
  event.cpu = 2;
  event.passed = {1};
  event.record.SetStatus(FieldId::process_args, Status::Unknown);
  return event;
}

schema::FieldValue ArgumentsOf(const kernel::Arguments& answer) {
  FakeArguments fake;
  fake.answer = answer;
  event::Event event = Unknown();
  ReadUnknownArguments(&fake, kOffset, &event);
  EXPECT_EQ(fake.asked, (std::vector{std::pair(uint64_t{1000}, uint16_t{2})}));
  return event.record[FieldId::process_args];
}

TEST(Arguments, TheyAreAsTheKernelHalfWouldHaveToldThem) {
  const size_t capture = schema::Row(FieldId::process_args).capture;
  EXPECT_EQ(ArgumentsOf({"sh\0-c\0"s}), (schema::FieldValue{Status::Ok, "sh\0-c\0"s}));
  EXPECT_EQ(ArgumentsOf({""}), (schema::FieldValue{Status::Ok, ""s}));
  EXPECT_EQ(ArgumentsOf({"sh\0-"s}), (schema::FieldValue{Status::Ok, "sh\0-\0"s})) << "written over its end";
  const std::string full(capture, 'x');
  EXPECT_EQ(ArgumentsOf({full, true}), (schema::FieldValue{Status::Truncated, full}));
  EXPECT_EQ(ArgumentsOf({full}), (schema::FieldValue{Status::Truncated, full})) << "without an end, and no room for one";
  EXPECT_EQ(ArgumentsOf({full.substr(1) + '\0'}), (schema::FieldValue{Status::Ok, full.substr(1) + '\0'}));
}

TEST(Arguments, OnlyUnknownOnesAreAskedFor) {
  FakeArguments fake;
  fake.answer = kernel::Arguments{"sh\0"s};
  for (const Status status : {Status::Unread, Status::Ok, Status::Absent, Status::Truncated}) {
    event::Event event = Unknown();
    event.record.Set(FieldId::process_args, "ls\0"s, status);
    const event::Event before = event;
    ReadUnknownArguments(&fake, kOffset, &event);
    EXPECT_EQ(event, before);
  }
  EXPECT_TRUE(fake.asked.empty());
  event::Event event = Unknown();
  ReadUnknownArguments(nullptr, kOffset, &event);
  fake.answer.reset();
  ReadUnknownArguments(&fake, kOffset, &event);
  EXPECT_EQ(event, Unknown()) << "nobody knows";
}

TEST(Arguments, ARuleIsCertainOfThem) {
  ir::Rule rule;
  rule.id = rule.name = "r";
  rule.kinds = {schema::EventKind::setuid_};
  ir::Atom atom;
  atom.operand.field = FieldId::process_args;
  atom.test = ir::Test::HasElement;
  atom.literals = {"-c"s};
  rule.when = ir::MakeAtom(atom);
  ir::Program program;
  program.rules.push_back(ir::Split(rule));
  const engine::Engine engine(std::move(program));
  FakeArguments fake;
  event::Event event = Unknown();
  auto matches = engine.DecidePassed(event);
  ASSERT_EQ(matches.size(), 1u);
  EXPECT_EQ(matches[0].uncertain, std::vector{FieldId::process_args});
  fake.answer = kernel::Arguments{"sh\0-c\0"s};
  ReadUnknownArguments(&fake, kOffset, &event);
  matches = engine.DecidePassed(event);
  ASSERT_EQ(matches.size(), 1u);
  EXPECT_TRUE(matches[0].uncertain.empty());
  EXPECT_EQ(matches[0].matched, std::vector<std::string_view>{"\"-c\""});
  event = Unknown();
  fake.answer = kernel::Arguments{"sh\0-l\0"s};
  ReadUnknownArguments(&fake, kOffset, &event);
  EXPECT_TRUE(engine.DecidePassed(event).empty());
}

}  // namespace
}  // namespace ks::agent

#include "runtime/engine/engine.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "runtime/engine/engine_testing.h"

namespace ks::engine {
namespace {

using event::Event;
using schema::EventKind;
using schema::FieldId;
using FieldStatus = schema::Status;

ir::Atom Text(FieldId field, ir::Test test, std::vector<std::string> literals, std::string label = "") {
  ir::Atom atom;
  atom.operand.field = field;
  atom.test = test;
  for (std::string& literal : literals) atom.literals.emplace_back(std::move(literal));
  atom.label = std::move(label);
  return atom;
}

using Words = std::vector<std::string_view>;

class ShadowRead : public testing::Test {
 protected:
  static ir::Program Program() {
    ir::Program program;
    program.rules.push_back(Make(
        "shadow_read", {EventKind::open_},
        ir::MakeAnd(
            {ir::MakeAtom(Text(FieldId::file_path, ir::Test::In, {"/etc/passwd", "/etc/shadow"}, "credential_files")),
             ir::MakeNot(ir::MakeAtom(Text(FieldId::process_exe, ir::Test::In, {"/usr/sbin/sshd"})))}),
        {Hole(FieldId::process_name), {" looked", {}}}));
    program.rules.push_back(Make("in_container", {EventKind::open_, EventKind::exec_},
                                 ir::MakeAtom(Text(FieldId::container_id, ir::Test::In, {std::string(64, 'a')}))));
    return program;
  }
  static Event Open() {
    Event event;
    event.kind = EventKind::open_;
    event.record.Set(FieldId::process_name, std::string("cat"));
    event.record.Set(FieldId::process_exe, std::string("/usr/bin/cat"));
    event.record.Set(FieldId::file_path, std::string("/etc/shadow"));
    event.record.Set(FieldId::container_id, {}, FieldStatus::Absent);
    return event;
  }
  Engine engine_{Program()};
};

TEST_F(ShadowRead, SaysItInThePolicysWords) {
  const Event event = Open();
  const auto matches = engine_.DecideAll(event);
  ASSERT_EQ(matches.size(), 1u);
  EXPECT_EQ(matches[0].event, &event);
  EXPECT_EQ(matches[0].rule->id, "t.shadow_read");
  EXPECT_EQ(matches[0].rule->severity, "high");
  EXPECT_EQ(matches[0].matched, Words{"credential_files#2"});
  EXPECT_EQ(matches[0].message, "cat looked");
  EXPECT_TRUE(matches[0].uncertain.empty());
  EXPECT_FALSE(std::ranges::count(matches[0].shown, FieldId::file_path));
  EXPECT_FALSE(std::ranges::count(matches[0].shown, FieldId::process_exe));
  EXPECT_TRUE(std::ranges::count(matches[0].shown, FieldId::process_name));
  EXPECT_TRUE(std::ranges::count(matches[0].shown, FieldId::container_id));
}

TEST_F(ShadowRead, UnknownFieldsPassAndAreSaid) {
  Event event = Open();
  event.record.Set(FieldId::process_exe, std::string("tail/of/it"), FieldStatus::Truncated);
  event.record.Set(FieldId::file_path, {}, FieldStatus::Unknown);
  const auto matches = engine_.DecideAll(event);
  ASSERT_EQ(matches.size(), 1u);
  EXPECT_EQ(matches[0].uncertain, (std::vector{FieldId::process_exe, FieldId::file_path}));
  EXPECT_TRUE(matches[0].matched.empty());
}

TEST_F(ShadowRead, ColumnsThatATraceLacksAreUncertain) {
  Event event = Open();
  event.record.Set(FieldId::process_exe, {}, FieldStatus::Unread);
  const auto matches = engine_.DecideAll(event);
  ASSERT_EQ(matches.size(), 1u);
  EXPECT_EQ(matches[0].uncertain, std::vector{FieldId::process_exe});
}

TEST_F(ShadowRead, TheKernelsVerdictIsEnough) {
  Event event;  // what the kernel sends: names only
  event.kind = EventKind::open_;
  event.passed = {1};
  event.record.Set(FieldId::process_name, std::string("cat"));
  event.record.Set(FieldId::process_cgroup, std::string("/init.scope"));
  const auto& plan = engine_.plan().kinds[engine_.plan().kinds[0].kind == EventKind::open_ ? 0 : 1];
  ASSERT_EQ(plan.kind, EventKind::open_);
  for (size_t i = 0; i < plan.atoms.size(); ++i) {
    if (plan.atoms[i].operand.field == FieldId::file_path) event.atoms.push_back({static_cast<uint16_t>(i), 1});
  }
  const auto matches = engine_.DecidePassed(event);
  ASSERT_EQ(matches.size(), 1u);
  EXPECT_EQ(matches[0].matched, Words{"credential_files#2"});
  EXPECT_TRUE(matches[0].uncertain.empty());
  // An index that no literal has comes from no program of ours: the name alone is said.
  event.atoms[0].index = 77;
  EXPECT_EQ(engine_.DecidePassed(event)[0].matched, Words{"credential_files"});
  event.passed = {};
  EXPECT_TRUE(engine_.DecidePassed(event).empty());
  event.passed = {~uint64_t{3}, ~uint64_t{0}};  // bits that no rule has
  EXPECT_TRUE(engine_.DecidePassed(event).empty());
}

TEST_F(ShadowRead, WhatTheKernelCouldNotReadIsDecidedHere) {
  Event event = Open();
  event.passed = {1};
  for (const auto& [path, matches] : {std::pair{"/tmp/../etc//shadow", 1u}, std::pair{"/etc/shadow/../hosts", 0u}}) {
    event.record.Set(FieldId::file_path, std::string(event::NormalizePath(path)));
    EXPECT_EQ(engine_.DecidePassed(event).size(), matches) << path;
  }
}

TEST(Engine, OnlyRulesOfTheKind) {
  ir::Program program;
  program.rules.push_back(Make("execs", {EventKind::exec_}, ir::True()));
  program.rules.push_back(Make("never", {EventKind::exec_}, ir::False()));
  program.rules.push_back(Make("forks", {EventKind::fork_, EventKind::exec_}, ir::True(), {{"forked", {}}}));
  const Engine engine(std::move(program));
  Event event;
  event.kind = EventKind::exec_;
  event.passed = {3};  // a rule that is never true has no bit
  for (const auto& matches : {engine.DecideAll(event), engine.DecidePassed(event)}) {
    ASSERT_EQ(matches.size(), 2u);
    EXPECT_EQ(matches[0].rule->name, "execs");
    EXPECT_EQ(matches[0].message, "Title of execs");
    EXPECT_EQ(matches[1].message, "forked");
  }
  event.kind = EventKind::exit_;
  EXPECT_TRUE(engine.DecideAll(event).empty());
  EXPECT_TRUE(engine.DecidePassed(event).empty());
}

TEST(Engine, SaysWhyThereIsNoPlan) {
  ir::Program program;
  for (int i = 0; i < int{ir::kMaxRulesOfKind} + 1; ++i)
    program.rules.push_back(Make("r" + std::to_string(i), {EventKind::fork_}, ir::True()));
  const Engine engine(std::move(program));
  ASSERT_FALSE(engine.plan_status());
  EXPECT_EQ(engine.plan_status().error().code, "plan-too-large");
  Event event;
  event.kind = EventKind::fork_;
  EXPECT_EQ(engine.DecideAll(event).size(), ir::kMaxRulesOfKind + 1);
}

TEST(Engine, Words) {
  using Texts = std::vector<std::string>;  // they outlive the engine
  const auto word = [](ir::Atom atom, schema::Record record) {
    ir::Program program;
    program.rules.push_back(Make("r", {EventKind::connect_}, ir::MakeAtom(std::move(atom))));
    const Engine engine(std::move(program));
    Event event;
    event.kind = EventKind::connect_;
    event.record = std::move(record);
    const auto matches = engine.DecideAll(event);
    if (matches.size() != 1) return Texts{"no match"};
    return Texts(matches[0].matched.begin(), matches[0].matched.end());
  };
  schema::Record record;
  record.Set(FieldId::process_exe, std::string("/usr/bin/nc"));
  record.Set(FieldId::process_name, std::string("nc"));
  record.Set(FieldId::process_args, std::string("nc\0-e\0", 6));
  record.Set(FieldId::process_uid, int64_t{0});
  EXPECT_EQ(word(Text(FieldId::process_exe, ir::Test::Under, {"/bin", "/usr"}), record), Texts{"\"/usr\""});
  EXPECT_EQ(word(Text(FieldId::process_exe, ir::Test::Under, {"/bin", "/usr"}, "bins"), record), Texts{"bins#2"});
  EXPECT_EQ(word(Text(FieldId::process_args, ir::Test::HasElement, {"-e"}), record), Texts{"\"-e\""});
  EXPECT_EQ(word(Text(FieldId::process_name, ir::Test::In, {"sh", "nc"}, "tools"), record), Texts{"tools#2"});
  EXPECT_EQ(word(Text(FieldId::process_name, ir::Test::In, {"nc"}), record), Texts{});  // metadata is shown itself
  ir::Atom root;
  root.operand.field = FieldId::process_uid;
  root.test = ir::Test::Range;
  root.literals = {int64_t{0}, int64_t{0}};
  root.label = "ids";
  EXPECT_EQ(word(root, record), Texts{});
}

}  // namespace
}  // namespace ks::engine

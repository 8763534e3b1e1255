// That engines which disagree are found out, by the miscompilations that tests/agreement knows.
#include "runtime/evaluate/evaluator.h"

#include <gtest/gtest.h>

#include "compiler/ir/passes.h"

namespace ks::evaluate {
namespace {

using schema::FieldId;

ir::Pred Ask(FieldId field, ir::Test test, std::vector<schema::Value> literals) {
  ir::Atom atom;
  atom.operand.field = field;
  atom.test = test;
  atom.literals = std::move(literals);
  return ir::MakeAtom(atom);
}

engine::Engine Below(ir::Pred when) {
  ir::Rule rule;
  rule.id = "t.r";
  rule.package = "t";
  rule.name = rule.title = "r";
  rule.kinds = {schema::EventKind::open_};
  rule.when = std::move(when);
  return engine::Engine(ir::MakeProgram({rule}));
}

event::Event Open(const std::string& path, const std::string& name) {
  event::Event event;
  event.kind = schema::EventKind::open_;
  for (const schema::FieldRow& row : schema::Fields()) {
    if (schema::Has(event.kind, row.id)) event.record.Set(row.id, {}, schema::Status::Absent);
  }
  event::SetTime(event, 1'795'000'000'000'000'000);
  event.record.Set(FieldId::file_path, path);
  event.record.Set(FieldId::process_name, name);
  return event;
}

const ir::Pred kRule = ir::MakeAnd({Ask(FieldId::file_path, ir::Test::Under, {std::string("/etc")}),
                                    ir::MakeNot(Ask(FieldId::process_name, ir::Test::In, {std::string("cat")}))});

TEST(Evaluator, AllEnginesAgree) {
  if (const std::string why = WhyNoBpf(); !why.empty()) GTEST_SKIP() << why;
  const engine::Engine engine = Below(kRule);
  Result<Evaluator> evaluator = Evaluator::Create(engine);
  ASSERT_TRUE(evaluator) << evaluator.error().ToString();
  const std::pair<event::Event, size_t> cases[] = {
      {Open("/etc/passwd", "vi"), 1}, {Open("/etc/passwd", "cat"), 0}, {Open("/etcetera", "vi"), 0}, {Open("/etc/passwd", "cats"), 1},
      // Longer than what the kernel captures: it cannot decide, userspace does.
      {Open("/etc/" + std::string(3000, 'x'), "vi"), 1}, {Open("/var/" + std::string(3000, 'x'), "vi"), 0}};
  for (const auto& [event, matches] : cases) {
    Result<std::vector<event::Match>> said = evaluator->DecideByAll(event);
    ASSERT_TRUE(said) << said.error().ToString() << said.error().detail;
    EXPECT_EQ(said->size(), matches);
    Result<std::vector<event::Match>> kernel = evaluator->Decide(event);
    ASSERT_TRUE(kernel);
    EXPECT_EQ(kernel->size(), matches);
  }
  event::Event unread = Open("/etc/passwd", "vi");
  unread.record.SetStatus(FieldId::file_path, schema::Status::Unread);
  EXPECT_TRUE(evaluator->DecideByAll(unread));
}

TEST(Evaluator, MiscompilationsAreFoundOut) {
  if (const std::string why = WhyNoBpf(); !why.empty()) GTEST_SKIP() << why;
  const engine::Engine engine = Below(kRule);
  const std::pair<codegen::Break, event::Event> cases[] = {{codegen::Break::Under, Open("/etcetera", "vi")},
                                                           {codegen::Break::Length, Open("/etc/passwd", "cats")},
                                                           {codegen::Break::Negation, Open("/etc/passwd", "vi")}};
  for (const auto& [broken, event] : cases) {
    Result<Evaluator> evaluator = Evaluator::Create(engine, broken);
    ASSERT_TRUE(evaluator) << evaluator.error().ToString();
    const Result<std::vector<event::Match>> said = evaluator->DecideByAll(event);
    ASSERT_FALSE(said) << codegen::Name(broken);
    EXPECT_EQ(said.error().code, "engines-disagree");
    EXPECT_NE(said.error().detail.find("reference: "), std::string::npos);
  }
}

}  // namespace
}  // namespace ks::evaluate

#include "compiler/lower/lower.h"

#include <gtest/gtest.h>

#include "compiler/ir/eval.h"
#include "compiler/syntax/parser.h"

namespace ks::lower {
namespace {

using schema::FieldId;
using schema::Record;
using schema::Status;
using schema::Value;

class Policy {
 public:
  explicit Policy(const std::string& text) : file_("test.ksp", "ksp 1\npackage p\n" + text) {
    module_ = syntax::Parse(file_, diagnostics_);
    sema::Library library;
    library.AddUser(module_);
    checked_.push_back(sema::Check(module_, library, {}, diagnostics_));
    for (const Diagnostic& d : diagnostics_.all()) {
      if (d.severity == Severity::Error) ADD_FAILURE() << RenderHuman(d, false);
    }
    if (diagnostics_.errors() > 0) return;
    lowered_ = Lower(checked_);
    for (const sema::TestCase& test : checked_[0].tests) tests_.push_back(LowerTest(test));
  }
  const Lowered& operator*() const { return lowered_; }
  const Lowered* operator->() const { return &lowered_; }
  const std::vector<TestCase>& tests() const { return tests_; }

 private:
  SourceFile file_;
  Diagnostics diagnostics_;
  syntax::Module module_;
  std::vector<sema::CheckedModule> checked_;
  Lowered lowered_;
  std::vector<TestCase> tests_;
};

ir::Pred When(const std::string& kind, const std::string& where) {
  Policy policy("rule r \"r\" { severity low on " + kind + " where " + where + " alert \"x\" }\n");
  return policy->rules.empty() ? ir::False() : policy->rules[0].when;
}

Record RecordOf(const std::string& kind, const std::string& fields) {
  Policy policy("rule r \"r\" { severity low on " + kind + " alert \"x\" }\ntest r { case \"c\" { " + kind + " {" +
                fields + "} expect quiet } }\n");
  if (policy.tests().empty()) return {};
  return std::get<Feed>(policy.tests()[0].steps[0]).record;
}

// Whether the condition is true of the event that a test would feed.
bool Holds(const std::string& kind, const std::string& where, const std::string& fields) {
  return ir::Eval(When(kind, where), RecordOf(kind, fields)) == ir::Truth::True;
}

TEST(Lower, Equality) {
  EXPECT_TRUE(Holds("exec", "process.name == \"sh\"", "process: { name: \"sh\" }"));
  EXPECT_FALSE(Holds("exec", "process.name == \"sh\"", "process: { name: \"bash\" }"));
  EXPECT_TRUE(Holds("exec", "process.name != \"sh\"", "process: { name: \"bash\" }"));
  EXPECT_TRUE(Holds("exec", "process.uid in [1, 2]", "process: { uid: 2 }"));
  EXPECT_TRUE(Holds("exec", "process.uid not in [1, 2]", "process: { uid: 3 }"));
  EXPECT_TRUE(Holds("open", "result == failed and errno in [EPERM, EACCES]", "errno: EACCES"));
  EXPECT_TRUE(Holds("exec", "process.stdin is not tty", "process: { stdin: pipe }"));
  EXPECT_TRUE(Holds("syscall", "syscall == ptrace", "syscall: ptrace"));
}

TEST(Lower, Order) {
  for (auto [op, less, same, more] : {std::tuple{"<", true, false, false},
                                      {"<=", true, true, false},
                                      {">", false, false, true},
                                      {">=", false, true, true}}) {
    std::string literal = std::string("process.uid ") + op + " 5";
    EXPECT_EQ(Holds("exec", literal, "process: { uid: 4 }"), less) << op;
    EXPECT_EQ(Holds("exec", literal, "process: { uid: 5 }"), same) << op;
    EXPECT_EQ(Holds("exec", literal, "process: { uid: 6 }"), more) << op;
    std::string fields = std::string("process.uid ") + op + " process.euid";
    EXPECT_EQ(Holds("exec", fields, "process: { uid: 4, euid: 5 }"), less) << op;
    EXPECT_EQ(Holds("exec", fields, "process: { uid: 5, euid: 5 }"), same) << op;
    EXPECT_EQ(Holds("exec", fields, "process: { uid: 6, euid: 5 }"), more) << op;
  }
  EXPECT_TRUE(Holds("exec", "process.uid <= 9223372036854775807", "process: { uid: 0 }"));
  EXPECT_FALSE(Holds("exec", "process.uid > 9223372036854775807", "process: { uid: 0 }"));
  EXPECT_TRUE(Holds("exec", "process.uid > -1", "process: { uid: 0 }"));
  EXPECT_TRUE(Holds("exec", "process.start_time < 30s", "process: { start_time: 29s }"));
}

TEST(Lower, Fields) {
  EXPECT_TRUE(Holds("setuid", "process.uid == target.uid", "process: { uid: 7 }, target: { uid: 7 }"));
  EXPECT_TRUE(Holds("setuid", "process.uid != target.uid", "process: { uid: 7 }, target: { uid: 8 }"));
  EXPECT_TRUE(Holds("connect", "src.ip == dst.ip and src.port != dst.port", "src: 10.0.0.1:1, dst: 10.0.0.1:2"));
}

TEST(Lower, Addresses) {
  EXPECT_TRUE(Holds("connect", "dst.ip in 10.0.0.0/8 and dst.port == 443", "dst: 10.1.2.3:443"));
  EXPECT_FALSE(Holds("connect", "dst.ip in [10.0.0.0/8, 192.168.0.1]", "dst: 192.168.0.2:443"));
  EXPECT_TRUE(Holds("connect", "dst.ip in [10.0.0.0/8, 192.168.0.2]", "dst: 192.168.0.2:443"));
  EXPECT_TRUE(Holds("connect", "dst in [[fd00::1]:443]", "dst: [fd00::1]:443"));
  EXPECT_TRUE(Holds("connect", "dst.ip == 10.0.0.1", "dst: 10.0.0.1:1"));
}

TEST(Lower, Texts) {
  EXPECT_TRUE(Holds("open", "file.path under [\"/etc/\", \"/usr\"]", "file: { path: \"/etc/x\" }"));
  EXPECT_FALSE(Holds("open", "file.path under \"/etc\"", "file: { path: \"/etcx\" }"));
  EXPECT_TRUE(Holds("open", "file.path like \"*/.ssh/*\"", "file: { path: \"/root/.ssh/id\" }"));
  EXPECT_TRUE(Holds("open", "file.path contains any [\"x\", \"ssh\"]", "file: { path: \"/root/.ssh/id\" }"));
  EXPECT_FALSE(Holds("open", "file.path contains all [\"x\", \"ssh\"]", "file: { path: \"/root/.ssh/id\" }"));
  EXPECT_TRUE(Holds("open", "file.path contains all [\"id\", \"ssh\"]", "file: { path: \"/root/.ssh/id\" }"));
  EXPECT_TRUE(Holds("exec", "process.args has all [\"-c\", \"id\"]", "process: { args: [\"sh\", \"-c\", \"id\"] }"));
  EXPECT_FALSE(Holds("exec", "process.args has \"i\"", "process: { args: [\"sh\", \"-c\", \"id\"] }"));
  EXPECT_TRUE(Holds("exec", "process.args contains \"i\"", "process: { args: [\"sh\", \"-c\", \"id\"] }"));
}

TEST(Lower, Bits) {
  EXPECT_TRUE(Holds("open", "access has WRITE", "access: [READ, WRITE]"));
  EXPECT_TRUE(Holds("open", "access has any [APPEND, WRITE]", "access: WRITE"));
  EXPECT_FALSE(Holds("open", "access has all [APPEND, WRITE]", "access: WRITE"));
  EXPECT_TRUE(Holds("chmod", "mode has 0o4000", "mode: 0o4755"));
  EXPECT_TRUE(Holds("chmod", "mode has any [0o4000, 0o2000] and mode != 0o755", "mode: 0o2755"));
  EXPECT_FALSE(Holds("chmod", "mode has 0o6000", "mode: 0o4755"));
}

TEST(Lower, WhatMayBeAbsent) {
  EXPECT_FALSE(Holds("exec", "container exists", ""));
  EXPECT_TRUE(Holds("exec", "container exists", "container: {}"));
  EXPECT_TRUE(Holds("exec", "container exists and container.id == \"c\"", "container: { id: \"c\" }"));
  EXPECT_TRUE(Holds("exec", "not (container exists) or container.id == \"c\"", ""));
  EXPECT_TRUE(Holds("exec", "process.stdin is socket and process.stdin.peer.port == 5",
                    "process: { stdin: { peer: 10.0.0.1:5 } }"));
}

TEST(Lower, LetsLabelTheirValues) {
  Policy policy(
      "let names = [\"a\", \"b\"]\n"
      "rule r \"r\" { severity low on exec where process.name in names and process.parent.name in [\"c\"] alert \"x\" "
      "}\n");
  const ir::Pred& when = policy->rules[0].when;
  ASSERT_EQ(when.op, ir::Pred::Op::And);
  EXPECT_EQ(when.operands[0].atom->label, "names");
  EXPECT_EQ(when.operands[0].atom->literals.size(), 2u);
  EXPECT_EQ(when.operands[1].atom->label, "");
}

TEST(Lower, AtomsKnowTheirPlace) {
  Policy policy(
      "rule r \"r\" {\n  severity low\n"
      "  on exec where process.name in [\"a#b\", \"\\\"c # d\"]  # who said so\n"
      "\tand not process.uid == 7\n"
      "  alert \"x\"\n}\n");
  const ir::Pred& when = policy->rules.at(0).when;
  ASSERT_EQ(when.op, ir::Pred::Op::And);
  const auto& name = when.operands[0].atom->place;
  ASSERT_TRUE(name);
  EXPECT_EQ(name->file, "test.ksp");
  EXPECT_EQ(name->line, 5u);
  EXPECT_EQ(name->column, 17u);
  EXPECT_EQ(name->text, "  on exec where process.name in [\"a#b\", \"\\\"c # d\"]") << "the comment stays at home";
  const auto& uid = when.operands[1].operands.at(0).atom->place;
  ASSERT_TRUE(uid);
  EXPECT_EQ(uid->text, " and not process.uid == 7") << "a column for each character";
  EXPECT_EQ(uid->text.substr(uid->column - 1), "process.uid == 7");
}

TEST(Lower, ARule) {
  Policy policy(
      "rule r \"Title\" {\n  severity high\n  attack T1059.004, TA0002\n"
      "  on open | rename where file.path == \"/x\"\n"
      "  disclose file.path \"triage\"\n"
      "  except \"e\" where process.name == \"y\" owner \"o\" expires 1970-01-03 ticket \"t\"\n"
      "  alert \"{{{process.name}}} {file.path}!\"\n}\n"
      "rule plain { severity info on exec alert \"x\" }\n");
  const ir::Rule& rule = policy->rules[0];
  EXPECT_EQ(rule.id, "p.r");
  EXPECT_EQ(rule.package, "p");
  EXPECT_EQ(rule.title, "Title");
  EXPECT_EQ(rule.severity, ir::RuleSeverity::high);
  EXPECT_EQ(rule.attack, (std::vector<std::string>{"T1059.004", "TA0002"}));
  EXPECT_EQ(rule.kinds, (std::vector<ir::EventKind>{ir::EventKind::open_, ir::EventKind::rename_}));
  EXPECT_EQ(rule.source, "test.ksp:3");
  ASSERT_EQ(rule.disclosures.size(), 1u);
  EXPECT_EQ(rule.disclosures[0].reason, "triage");
  ASSERT_EQ(rule.exceptions.size(), 1u);
  EXPECT_EQ(rule.exceptions[0].expires, "1970-01-03");
  EXPECT_EQ(rule.exceptions[0].ticket, "t");
  ASSERT_EQ(rule.alert.size(), 5u);
  EXPECT_EQ(rule.alert[0].text, "{");
  EXPECT_EQ(rule.alert[1].operand->field, FieldId::process_name);
  EXPECT_EQ(rule.alert[2].text, "} ");
  EXPECT_EQ(rule.alert[4].text, "!");
  EXPECT_EQ(policy->rules[1].title, "plain");
  EXPECT_EQ(policy->rules[1].when, ir::True());
}

// An exception narrows until midnight of the day on which it expires, and not a nanosecond longer.
TEST(Lower, ExceptionsExpire) {
  Policy policy(
      "rule r \"r\" { severity low on exec where process.uid == 0\n"
      "  except \"e\" where process.name == \"y\" owner \"o\" expires 1970-01-03 alert \"x\" }\n");
  constexpr int64_t kExpiry = 2 * int64_t{86'400'000'000'000};
  Record record = RecordOf("exec", "process: { name: \"y\" }");
  for (auto [time, truth] : {std::pair{kExpiry - 1, ir::Truth::False}, {kExpiry, ir::Truth::True}}) {
    record.Set(FieldId::event_time, time);
    EXPECT_EQ(ir::Eval(policy->rules[0].when, record), truth);
  }
  record.Set(FieldId::process_name, std::string("z"));
  record.Set(FieldId::event_time, kExpiry - 1);
  EXPECT_EQ(ir::Eval(policy->rules[0].when, record), ir::Truth::True);
}

TEST(Lower, RecordsAreComplete) {
  Record record = RecordOf("open", "file: { path: \"/x\" }");
  EXPECT_EQ(record[FieldId::file_path].value, Value(std::string("/x")));
  EXPECT_EQ(record[FieldId::file_canonical].value, Value(std::string("/x")));
  EXPECT_EQ(record[FieldId::event_result].value, Value(int64_t{0}));
  EXPECT_EQ(record[FieldId::event_syscall].value, Value(*schema::EnumeratorValue("syscall", "open")));
  EXPECT_EQ(record[FieldId::process_parent_name].status, Status::Ok);
  EXPECT_EQ(record[FieldId::container_id].status, Status::Absent);
  EXPECT_EQ(record[FieldId::pod_uid].status, Status::Absent);
  EXPECT_EQ(record[FieldId::process_stdin_peer].status, Status::Absent);
  EXPECT_EQ(record[FieldId::file_old_path].status, Status::Unread) << "events of this kind have no such field";

  record = RecordOf("open", "file: { path: \"/x\", canonical: \"/y\" }, errno: EPERM, process: { stdin: socket }");
  EXPECT_EQ(record[FieldId::file_canonical].value, Value(std::string("/y")));
  EXPECT_EQ(record[FieldId::event_result].value, Value(int64_t{1})) << "a call with an error number has failed";
  EXPECT_EQ(record[FieldId::process_stdin_peer].status, Status::Ok);

  record = RecordOf("exec", "process: { args: [\"a\", \"a\", \"\"], parent: { name: \"nginx\" } }, time: 2027-01-31");
  EXPECT_EQ(record[FieldId::process_args].value, Value(std::string("a\0a\0\0", 5)));
  EXPECT_EQ(record[FieldId::process_parent_name].value, Value(std::string("nginx")));
  EXPECT_EQ(record[FieldId::event_time].value, Value(int64_t{1801353600} * 1'000'000'000));
}

TEST(Lower, Cases) {
  Policy policy(
      "rule r \"r\" { severity low on exec where process.uid == 0 alert \"{process.name}\" }\n"
      "test r {\n  let c: container = { id: \"c1\" }\n"
      "  case \"one\" { exec { container: c } +2s exec {} +1ms exec {} expect 2 alert expect quiet expect alert \"sh\" "
      "expect 0 alert expect alert }\n}\n");
  ASSERT_EQ(policy.tests().size(), 1u);
  const TestCase& test = policy.tests()[0];
  EXPECT_EQ(test.rule, "p.r");
  EXPECT_EQ(test.name, "one");
  ASSERT_EQ(test.steps.size(), 8u);
  EXPECT_EQ(std::get<Feed>(test.steps[0]).record[FieldId::container_id].value, Value(std::string("c1")));
  EXPECT_EQ(std::get<Feed>(test.steps[1]).offset_ns, 2'000'000'000);
  EXPECT_EQ(std::get<Feed>(test.steps[2]).offset_ns, 2'001'000'000) << "after the event before";
  EXPECT_EQ(std::get<Feed>(test.steps[2]).record[FieldId::event_time].value, Value(int64_t{2'001'000'000}));
  EXPECT_EQ(std::get<Expect>(test.steps[3]).count, 2u);
  EXPECT_EQ(std::get<Expect>(test.steps[4]).what, Expect::What::Quiet);
  EXPECT_EQ(std::get<Expect>(test.steps[5]).text, "sh");
  EXPECT_EQ(std::get<Expect>(test.steps[6]).what, Expect::What::Quiet);
  EXPECT_EQ(std::get<Expect>(test.steps[7]).what, Expect::What::Count);
  EXPECT_EQ(std::get<Expect>(test.steps[7]).count, 1u);
}

}  // namespace
}  // namespace ks::lower

#include <gtest/gtest.h>

#include <algorithm>

#include "compiler/ir/eval.h"
#include "compiler/ir/index.h"
#include "compiler/ir/passes.h"
#include "compiler/ir/random_ir.h"
#include "compiler/ir/text.h"

namespace ks::ir {
namespace {

using namespace std::string_literals;

Pred Ask(FieldId field, ir::Test test, std::vector<Value> literals, std::string label = "") {
  Atom atom;
  atom.operand.field = field;
  atom.test = test;
  atom.literals = std::move(literals);
  atom.label = std::move(label);
  return MakeAtom(std::move(atom));
}
Pred Pid(int64_t pid) { return Ask(FieldId::process_pid, ir::Test::In, {pid}); }

SplitRule MakeSplit(Pred when, std::vector<EventKind> kinds = {EventKind::open_}) {
  static int number = 0;
  Rule rule;
  rule.id = "test.r" + std::to_string(++number);
  rule.kinds = std::move(kinds);
  rule.when = std::move(when);
  return Split(std::move(rule));
}

Plan Make(std::vector<SplitRule> rules) {
  Result<Plan> plan = MakePlan(Program{std::move(rules)});
  EXPECT_TRUE(plan);
  return std::move(*plan);
}

std::vector<std::string> AtomsOf(const KindPlan& kind) {
  std::vector<std::string> texts;
  for (const Atom& atom : kind.atoms) texts.push_back(Print(MakeAtom(atom)));
  return texts;
}

bool Copies(const RulePlan& rule, FieldId field) {
  return std::find(rule.copies.begin(), rule.copies.end(), field) != rule.copies.end();
}

// The meaning of a plan for one rule.
Truth RunFormula(const Formula& formula, const std::vector<Truth>& atoms) {
  if (formula.op == Formula::Op::Literal) {
    Truth truth = atoms[formula.atom];
    if (!formula.negated || truth == Truth::Unknown) return truth;
    return truth == Truth::True ? Truth::False : Truth::True;
  }
  bool conjunction = formula.op == Formula::Op::And;
  Truth neutral = conjunction ? Truth::True : Truth::False, result = neutral;
  for (const Formula& operand : formula.operands) {
    Truth truth = RunFormula(operand, atoms);
    if (truth == Truth::Unknown) result = result == neutral ? truth : result;
    if (truth != Truth::Unknown && truth != neutral) return truth;
  }
  return result;
}

TEST(Plan, EvaluatesTheCheapestFirst) {
  Plan plan = Make({MakeSplit(MakeAnd({
      Ask(FieldId::process_args, ir::Test::HasElement, {"-i"s}),
      Ask(FieldId::file_path, ir::Test::Like, {"*x"s}),
      Ask(FieldId::file_path, ir::Test::Under, {"/etc"s}),
      Ask(FieldId::process_name, ir::Test::In, {"sh"s}),
      Ask(FieldId::process_uid, ir::Test::In, {int64_t{0}}),
      Ask(FieldId::event_access, ir::Test::HasBits, {int64_t{1}}),
      Pid(2),
  }))});
  ASSERT_EQ(plan.kinds.size(), 1u);
  EXPECT_EQ(AtomsOf(plan.kinds[0]),
            (std::vector<std::string>{"(has-bits access READ)", "(in process.pid 2)", "(in process.uid 0)",
                                      "(in process.name \"sh\")", "(under file.path \"/etc\")",
                                      "(has-element process.args \"-i\")", "(like file.path \"*x\")"}));
}

// The path is read whatever the name is: a rule asks for nothing else but numbers.
TEST(Plan, AsksWhatIsReadInAnyCaseBeforeItReadsMore) {
  const Pred uid = Ask(FieldId::process_uid, ir::Test::In, {int64_t{0}});
  const Pred name = Ask(FieldId::process_name, ir::Test::In, {"sh"s});
  const Pred path = Ask(FieldId::file_path, ir::Test::Under, {"/etc"s});
  const Pred pattern = Ask(FieldId::file_path, ir::Test::Like, {"/home/*/key"s});
  const Pred anywhere = Ask(FieldId::file_path, ir::Test::Like, {"*.key"s});
  const std::string u = "(in process.uid 0)", n = "(in process.name \"sh\")", p = "(under file.path \"/etc\")";
  const std::string l = "(like file.path \"/home/*/key\")", a = "(like file.path \"*.key\")";
  const auto order = [](std::vector<SplitRule> rules) { return AtomsOf(Make(std::move(rules)).kinds.at(0)); };
  EXPECT_EQ(order({MakeSplit(MakeAnd({name, path})), MakeSplit(MakeAnd({uid, pattern})), MakeSplit(anywhere)}),
            (std::vector<std::string>{u, p, l, n, a}))
      << "but for what goes through all of it";
  EXPECT_EQ(order({MakeSplit(MakeAnd({name, path})), MakeSplit(MakeAnd({name, pattern, uid}))}),
            (std::vector<std::string>{u, n, p, l}));
  EXPECT_EQ(order({MakeSplit(MakeOr({path, uid})), MakeSplit(MakeOr({name, path}))}), (std::vector<std::string>{u, p, n}));
}

TEST(Plan, EqualAtomsAreOneAtom) {
  Plan plan = Make({MakeSplit(MakeAnd({Pid(1), Pid(2)})), MakeSplit(MakeOr({MakeNot(Pid(2)), Pid(3)})),
                    MakeSplit(Ask(FieldId::process_pid, ir::Test::In, {int64_t{1}}, "mine"))});
  EXPECT_EQ(plan.kinds[0].atoms.size(), 3u);
  ASSERT_EQ(plan.kinds[0].rules.size(), 3u);
  EXPECT_EQ(plan.kinds[0].rules[0].conjuncts.size(), 2u);
  const RulePlan& second = plan.kinds[0].rules[1];
  ASSERT_EQ(second.conjuncts.size(), 1u);
  EXPECT_EQ(second.conjuncts[0].op, Formula::Op::Or);
  EXPECT_TRUE(second.conjuncts[0].operands[0].negated);
  EXPECT_EQ(plan.kinds[0].rules[2].conjuncts[0].atom, plan.kinds[0].rules[0].conjuncts[0].atom);
}

TEST(Plan, EachKindHasItsOwn) {
  Plan plan = Make({MakeSplit(Pid(1), {EventKind::setuid_, EventKind::exec_}), MakeSplit(Pid(2), {EventKind::exec_})});
  ASSERT_EQ(plan.kinds.size(), 2u);
  EXPECT_EQ(plan.kinds[0].kind, EventKind::exec_);
  EXPECT_EQ(plan.kinds[0].rules.size(), 2u);
  EXPECT_EQ(plan.kinds[0].rules[1].rule, 1u);
  EXPECT_EQ(plan.kinds[1].kind, EventKind::setuid_);
  EXPECT_EQ(plan.kinds[1].atoms.size(), 1u);
}

TEST(Plan, KnowsWhichRulesAlertByOneEvent) {
  SplitRule alone = MakeSplit(Pid(1)), limited = MakeSplit(Pid(2)), step = MakeSplit(Pid(3)), counted = MakeSplit(Pid(4));
  Program program;
  program.machines.resize(3);
  program.machines[0].rule.limit = Limit{1, 1'000'000'000, {}};
  program.machines[1].rule.sequence.emplace();
  program.machines[2].rule.aggregate.emplace();
  limited.machine = 0;
  step.machine = 1;
  counted.machine = 2;
  program.rules = {alone, limited, step, counted};
  Result<Plan> plan = MakePlan(program);
  ASSERT_TRUE(plan);
  std::vector<bool> alerts;
  for (const RulePlan& rule : plan->kinds[0].rules) alerts.push_back(rule.alerts);
  EXPECT_EQ(alerts, (std::vector<bool>{true, true, false, false}));
}

TEST(Plan, RulesThatPassAllOrNothing) {
  Plan plan = Make({MakeSplit(True()), MakeSplit(False()), MakeSplit(Pid(1), {EventKind::exit_}),
                    MakeSplit(False(), {EventKind::fork_})});
  ASSERT_EQ(plan.kinds.size(), 2u) << "nothing can pass a fork";
  ASSERT_EQ(plan.kinds[1].rules.size(), 1u);
  EXPECT_EQ(plan.kinds[1].kind, EventKind::open_);
  EXPECT_TRUE(plan.kinds[1].rules[0].conjuncts.empty());
}

TEST(Plan, CarriesWhatUserspaceAsksFor) {
  SplitRule split = MakeSplit(MakeAnd({
      Ask(FieldId::container_id, ir::Test::Present, {}),
      MakeOr({Ask(FieldId::process_cwd, ir::Test::Under, {"/tmp"s}), Ask(FieldId::pod_uid, ir::Test::Present, {})}),
      Ask(FieldId::file_path, ir::Test::Under, {"/etc"s}),
  }));
  split.rule.alert = {{"by ", std::nullopt}, {"", Operand{FieldId::process_uid}}};
  split.rule.disclosures = {{FieldId::process_exe, "triage"}};
  Plan plan = Make({split});
  const RulePlan& rule = plan.kinds[0].rules[0];
  EXPECT_EQ(rule.copies, (std::vector<FieldId>{FieldId::event_result, FieldId::event_errno, FieldId::event_syscall,
                                               FieldId::process_pid, FieldId::process_tid, FieldId::process_name,
                                               FieldId::process_uid, FieldId::process_start_time, FieldId::process_exe,
                                               FieldId::process_cwd, FieldId::process_cgroup,
                                               FieldId::process_parent_pid, FieldId::process_parent_name}));
  EXPECT_EQ(rule.tested, (std::vector<FieldId>{FieldId::file_path}))
      << "a match-only field that the kernel decides stays there, unless it could not decide it";
}

TEST(Plan, CarriesOnlyWhatTheKindHas) {
  Plan plan = Make({MakeSplit(Pid(1), {EventKind::connect_, EventKind::exec_})});
  EXPECT_FALSE(Copies(plan.kinds[0].rules[0], FieldId::event_dst));
  EXPECT_FALSE(Copies(plan.kinds[0].rules[0], FieldId::event_result));
  EXPECT_TRUE(Copies(plan.kinds[1].rules[0], FieldId::event_dst));
  EXPECT_TRUE(Copies(plan.kinds[1].rules[0], FieldId::event_src));
}

TEST(Plan, ReportsPositiveTestsOfMatchOnlyFields) {
  Plan plan = Make({MakeSplit(MakeAnd({
      Pid(1),
      Ask(FieldId::file_path, ir::Test::In, {"/etc/shadow"s}),
      MakeNot(Ask(FieldId::process_exe, ir::Test::Under, {"/usr"s})),
      Ask(FieldId::process_cwd, ir::Test::Present, {}),
  }))});
  std::vector<std::string> reported;
  for (size_t i = 0; i < plan.kinds[0].atoms.size(); ++i) {
    if (plan.kinds[0].reported[i]) reported.push_back(Print(MakeAtom(plan.kinds[0].atoms[i])));
  }
  EXPECT_EQ(reported, (std::vector<std::string>{"(in file.path \"/etc/shadow\")"}));
}

TEST(Plan, NamesAreWhatCanonicalPathsAreComparedWith) {
  Plan plan = Make({
      MakeSplit(MakeOr({Ask(FieldId::file_canonical, ir::Test::In, {"/b"s, "/a"s}),
                        Ask(FieldId::container_id, ir::Test::Present, {})})),
      MakeSplit(MakeNot(Ask(FieldId::file_canonical, ir::Test::In, {"/c"s, "/a"s}))),
      MakeSplit(Ask(FieldId::file_path, ir::Test::In, {"/d"s})),
  });
  EXPECT_EQ(plan.names, (std::vector<std::string>{"/a", "/b", "/c"}));
}

TEST(Plan, RefusesMoreThanTheKernelHolds) {
  Program program;
  for (int64_t i = 0; i <= int64_t{kMaxRulesOfKind}; ++i) program.rules.push_back(MakeSplit(Pid(1)));
  Result<Plan> rules = MakePlan(program);
  ASSERT_FALSE(rules);
  EXPECT_EQ(rules.error().code, "plan-too-large");
  program.rules.pop_back();
  EXPECT_TRUE(MakePlan(program));
}

TEST(Plan, GivesManyRulesAnIndex) {
  Program program;
  for (int64_t i = 0; i < int64_t{kMaxStraightRules}; ++i) program.rules.push_back(MakeSplit(Pid(i)));
  Result<Plan> few = MakePlan(program);
  ASSERT_TRUE(few);
  EXPECT_FALSE(few->kinds[0].index);
  EXPECT_EQ(few->kinds[0].atoms.size(), kMaxStraightRules);
  program.rules.push_back(MakeSplit(Pid(-1)));
  Result<Plan> many = MakePlan(program);
  ASSERT_TRUE(many);
  ASSERT_TRUE(many->kinds[0].index);
  EXPECT_TRUE(many->kinds[0].atoms.empty());
  EXPECT_EQ(many->kinds[0].index->clauses.size(), program.rules.size());
  EXPECT_FALSE(MakePlan(program, Strategy::Straight)->kinds[0].index);
}

TEST(Plan, RefusesWhatTheAgentCouldNotRead) {
  Pred deep = Pid(0);
  int64_t number = 0;
  auto deepen = [&] {
    ++number;
    deep = number % 2 == 0 ? MakeAnd({Pid(number), deep}) : MakeOr({Pid(number), deep});
  };
  while (number < static_cast<int64_t>(kMaxPredDepth) - 1) deepen();
  Program program;
  program.rules.push_back(MakeSplit(deep));
  EXPECT_TRUE(MakePlan(program));
  EXPECT_TRUE(ParseProgram(Print(program)));
  deepen();
  program.rules = {MakeSplit(deep)};
  EXPECT_FALSE(MakePlan(program));
}

// The plan means what the kernel halves mean, and the agent makes the same one from the program's text.
TEST(Plan, MeansWhatKernelHalvesMean) {
  RandomIr random(TestSeed() + 5);
  for (int round = 0; round < 80; ++round) {
    EventKind kind = random.RandomKind();
    Program program;
    for (int i = 0; i < 4; ++i) program.rules.push_back(Split(random.RandomRule(kind)));
    Result<Plan> plan = MakePlan(program);
    ASSERT_TRUE(plan);
    Result<Program> again = ParseProgram(Print(program));
    ASSERT_TRUE(again);
    Result<Plan> same = MakePlan(*again);
    ASSERT_TRUE(same);
    ASSERT_EQ(same->kinds.size(), plan->kinds.size());
    ASSERT_EQ(same->names, plan->names);
    if (plan->kinds.empty()) continue;
    const KindPlan& kind_plan = plan->kinds[0];
    ASSERT_EQ(AtomsOf(same->kinds[0]), AtomsOf(kind_plan));
    ASSERT_EQ(same->kinds[0].reported, kind_plan.reported);
    for (int i = 0; i < 8; ++i) {
      schema::Record record = random.RandomRecord(kind, program.rules[random.Below(4)].kernel);
      std::vector<Truth> atoms;
      for (const Atom& atom : kind_plan.atoms) atoms.push_back(EvalAtom(atom, record).truth);
      for (const RulePlan& rule : kind_plan.rules) {
        Formula all;
        all.op = Formula::Op::And;
        all.operands = rule.conjuncts;
        ASSERT_EQ(RunFormula(all, atoms), Eval(program.rules[rule.rule].kernel, record));
        ASSERT_EQ(rule.id, program.rules[rule.rule].rule.id);
      }
    }
  }
}

}  // namespace
}  // namespace ks::ir

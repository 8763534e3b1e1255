#include "compiler/codegen/codegen.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "compiler/codegen/calls.h"
#include "compiler/ir/passes.h"

namespace ks::codegen {
namespace {

using ir::Atom;
using ir::EventKind;
using ir::FieldId;
using ir::Pred;
using Ask = ir::Test;  // gtest has a Test of its own

using schema::Value;

Pred Is(FieldId field, Ask test, std::vector<Value> literals) {
  Atom atom;
  atom.operand.field = field;
  atom.test = test;
  atom.literals = std::move(literals);
  return ir::MakeAtom(std::move(atom));
}

Value Text(const char* text) { return std::string(text); }

ir::Program ProgramOf(EventKind kind, const std::vector<Pred>& predicates) {
  ir::Program program;
  for (const Pred& when : predicates) {
    ir::Rule rule;
    rule.name = fmt::format("rule{}", program.rules.size());
    rule.id = "test." + rule.name;
    rule.kinds = {kind};
    rule.when = when;
    rule.source = fmt::format("rules/test.ksp:{}", 10 * (program.rules.size() + 1));
    program.rules.push_back(ir::Split(std::move(rule)));
  }
  return program;
}

ir::Plan PlanOf(EventKind kind, const std::vector<Pred>& predicates) {
  Result<ir::Plan> plan = ir::MakePlan(ProgramOf(kind, predicates));
  EXPECT_TRUE(plan) << plan.error().ToString();
  return *plan;
}

ir::Plan Opens() {
  return PlanOf(EventKind::open_, {ir::MakeAnd({Is(FieldId::process_name, Ask::In, {Text("sh"), Text("bash")}),
                                                Is(FieldId::file_path, Ask::Under, {Text("/etc"), Text("/usr/bin")})}),
                                   ir::MakeAnd({Is(FieldId::event_access, Ask::HasBits, {int64_t{2}}),
                                                Is(FieldId::file_path, Ask::Like, {Text("/proc/*/mem")})})});
}

BpfObject EmitOrFail(const ir::Plan& plan, const EmitOptions& options = {}) {
  Result<BpfObject> object = Emit(plan, options);
  EXPECT_TRUE(object) << object.error().ToString();
  return object ? std::move(*object) : BpfObject();
}

std::string Llvm(const ir::Plan& plan, Target target = Target::Hooks) {
  return EmitOrFail(plan, {.target = target, .dump_llvm = true}).llvm;
}

// What a function's body says, from its name to the brace that ends it.
std::string Body(const std::string& llvm, const std::string& function) {
  const size_t name = llvm.find("@" + function + "(");
  const size_t begin = llvm.rfind("\ndefine ", name);
  const size_t end = llvm.find("\n}\n", name);
  return begin == std::string::npos || end == std::string::npos ? "" : llvm.substr(begin, end - begin);
}

TEST(Codegen, EmitsAnElfWithBtf) {
  const BpfObject object = EmitOrFail(Opens());
  EXPECT_EQ(object.elf.substr(1, 3), "ELF");
  for (const char* part : {".BTF", ".BTF.ext", "raw_tp/sys_exit", "license", ".maps", "ks_generation"}) {
    EXPECT_NE(object.elf.find(part), std::string::npos) << part;
  }
}

TEST(Codegen, LinesOfTheLogNameTheRule) {
  const BpfObject object = EmitOrFail(Opens());
  EXPECT_NE(object.elf.find("rules/test.ksp"), std::string::npos);
  EXPECT_NE(object.elf.find("rule test.rule1"), std::string::npos);
}

TEST(Codegen, LinesOfTheLogQuoteTheCondition) {
  ir::Plan plan = Opens();
  for (ir::Atom& atom : plan.kinds[0].atoms) {
    if (atom.operand.field == FieldId::process_name) {
      atom.place = std::make_shared<ir::Place>(ir::Place{"rules/names.ksp", 7, 3, "  process.name in shells"});
    }
  }
  const BpfObject object = EmitOrFail(plan);
  EXPECT_NE(object.elf.find("  process.name in shells  # rule test.rule0"), std::string::npos);
  EXPECT_NE(object.elf.find("rules/names.ksp"), std::string::npos);
  EXPECT_NE(object.elf.find("(generated) event open: what its record carries"), std::string::npos);
}

// Only programs of limited rules pay for limits, and those by tables: not by code for each.
TEST(Codegen, LimitsAreATable) {
  const auto rules = [](size_t count) {
    std::vector<ir::Rule> made;
    for (size_t i = 0; i < count; i++) {
      ir::Rule rule;
      rule.id = fmt::format("test.rule{}", i);
      rule.kinds = {EventKind::open_};
      rule.when = Is(FieldId::process_uid, Ask::In, {static_cast<int64_t>(i)});
      rule.source = "rules/test.ksp:1";
      rule.limit = {1, 1'000'000'000, {}};
      rule.limit->by.emplace_back();
      rule.limit->by[0].field = FieldId::process_name;
      made.push_back(std::move(rule));
    }
    return ir::MakeProgram(std::move(made));
  };
  for (size_t count : {size_t{2}, size_t{200}}) {
    const ir::Program program = rules(count);
    const Result<ir::Plan> plan = ir::MakePlan(program);
    ASSERT_TRUE(plan);
    const BpfObject without = EmitOrFail(*plan), with = EmitOrFail(*plan, {.limits = ir::LimitsInKernel(program, *plan).limits});
    EXPECT_EQ(without.elf.find("ks_limit_over"), std::string::npos);
    EXPECT_NE(with.elf.find("ks_limit_over"), std::string::npos);
    EXPECT_LT(with.programs[0].instructions, without.programs[0].instructions + 1500) << count;
    EXPECT_LE(with.programs[0].stack_bytes, 416u) << count;  // what the standard library's need anyway
    EXPECT_GE(with.map_bytes, without.map_bytes + count * 64);
  }
}

TEST(Codegen, EveryRefusalDiffers) {
  ir::Plan plan = Opens();
  for (ir::Atom& atom : plan.kinds[0].atoms) atom.place = std::make_shared<ir::Place>();
  const std::string whole = EmitOrFail(plan).elf;
  for (Refused refused : kRefusals) EXPECT_FALSE(EmitOrFail(plan, {.refused = refused}).elf == whole) << Name(refused);
}

TEST(Codegen, NoDwarfAndNothingOfThisMachine) {
  const BpfObject object = EmitOrFail(Opens());
  EXPECT_EQ(object.elf.find(".debug_"), std::string::npos);
  EXPECT_EQ(object.elf.find("/work"), std::string::npos);
  EXPECT_EQ(object.elf.find("/home"), std::string::npos);
  EXPECT_EQ(object.elf.find("/usr/include"), std::string::npos);
}

TEST(Codegen, SamePlanSameBytes) {
  for (Target target : {Target::Hooks, Target::Evaluate}) {
    const std::string first = EmitOrFail(Opens(), {.target = target}).elf;
    for (int i = 0; i < 3; i++) EXPECT_TRUE(EmitOrFail(Opens(), {.target = target}).elf == first);
  }
}

TEST(Codegen, OneProgramPerHook) {
  ir::Plan plan = RecordingPlan({EventKind::exec_, EventKind::open_, EventKind::syscall_});
  const BpfObject object = EmitOrFail(plan);
  // What an open is besides a call is told at another.
  ASSERT_EQ(object.programs.size(), 3u);
  EXPECT_EQ(object.programs[0].section, "fexit/io_issue_sqe");
  EXPECT_EQ(object.programs[1].section, "raw_tp/sched_process_exec");
  EXPECT_EQ(object.programs[2].section, "raw_tp/sys_exit");
  for (const ProgramStats& program : object.programs) {
    EXPECT_GT(program.instructions, 100u);
    EXPECT_GT(program.stack_bytes, 0u);
    EXPECT_LE(program.stack_bytes, 512u);
  }
  EXPECT_GE(object.map_bytes, sizeof(uint32_t));  // ks_generation
}

TEST(Codegen, ReadsOnlyWhatIsAskedFor) {
  const std::string llvm = Llvm(PlanOf(EventKind::open_, {Is(FieldId::process_uid, Ask::In, {int64_t{0}})}));
  EXPECT_NE(llvm.find("@ks_kind_open("), std::string::npos);
  EXPECT_EQ(llvm.find("ks_sub_path"), std::string::npos) << "nothing asks for a path";
  EXPECT_EQ(llvm.find("@ks_kind_connect("), std::string::npos);
}

TEST(Codegen, EveryCallIsASyscallToo) {
  const std::string llvm = Llvm(RecordingPlan({EventKind::open_, EventKind::syscall_}));
  const std::string program = Body(llvm, "ks_sys_exit");
  EXPECT_NE(program.find("@ks_kind_open(i32 3)"), std::string::npos);
  EXPECT_NE(program.find("@ks_kind_syscall(i32 3)"), std::string::npos);
}

TEST(Codegen, LooksAtTheNumberFirst) {
  const std::string wanted = WantedCalls({EventKind::open_, EventKind::rmdir_});
  for (size_t number : {2, 257, 437, 85, 304, 5, 295}) EXPECT_EQ(wanted[number], 1) << number;  // open and its twins
  for (size_t number : {84, 263, 40, 301}) EXPECT_EQ(wanted[number], 1) << number;              // rmdir, unlinkat
  for (size_t number : {39, 0, 1, 102, 90}) EXPECT_EQ(wanted[number], 0) << number;             // getpid, read, write …
  EXPECT_EQ(WantedCalls({EventKind::connect_})[102], 1) << "socketcall";
  EXPECT_EQ(WantedCalls({EventKind::connect_})[44], 1) << "sendto with MSG_FASTOPEN";
  EXPECT_EQ(WantedCalls({EventKind::create_})[257], 1) << "an open that makes a file";
  // Before scratch is looked up; but kind `syscall` is every call.
  const std::string program = Body(Llvm(Opens()), "ks_sys_exit");
  EXPECT_LT(program.find("ks_wanted_calls"), program.find("ks_scratch"));
  EXPECT_EQ(Llvm(RecordingPlan({EventKind::open_, EventKind::syscall_})).find("ks_wanted_calls"), std::string::npos);
}

TEST(Codegen, VerdictsLiveInMapMemory) {
  const std::string body = Body(Llvm(Opens(), Target::Evaluate), "ks_kind_open");
  ASSERT_NE(body, "");
  EXPECT_NE(body.find("store volatile i64 3"), std::string::npos) << "both rules are alive at first";
  EXPECT_NE(body.find("load volatile i64"), std::string::npos);
}

TEST(Codegen, SetsAreSwitches) {
  const ir::Plan plan =
      PlanOf(EventKind::exec_,
             {Is(FieldId::process_name, Ask::In, {Text("sh"), Text("bash"), Text("zsh"), Text("dash"), Text("fish")})});
  const std::string body = Body(Llvm(plan, Target::Evaluate), "ks_kind_exec");
  EXPECT_NE(body.find("switch i32"), std::string::npos) << "by length";
  EXPECT_NE(body.find(fmt::format("i64 {}", 0x68736162)), std::string::npos) << "bash, as a word";
}

TEST(Codegen, EqualAutomataShareATable) {
  const auto like = [](FieldId field) { return Is(field, Ask::Like, {Text("/home/*/.ssh/*")}); };
  const uint64_t one = EmitOrFail(PlanOf(EventKind::open_, {like(FieldId::file_path)}), {Target::Evaluate}).map_bytes;
  const uint64_t both =
      EmitOrFail(PlanOf(EventKind::open_, {like(FieldId::file_path), like(FieldId::process_exe)}), {Target::Evaluate})
          .map_bytes;
  EXPECT_GT(one, 256u);
  EXPECT_EQ(one, both);
}

TEST(Codegen, PatternsAreFirstComparedByWhatTheyBeginWith) {
  const auto body = [](const char* pattern) {
    const ir::Plan plan = PlanOf(EventKind::open_, {Is(FieldId::file_path, Ask::Like, {Text(pattern)})});
    return Body(Llvm(plan, Target::Evaluate), "ks_kind_open");
  };
  EXPECT_NE(body("/home/*/.ssh/*").find("begins_like"), std::string::npos);
  EXPECT_NE(body("/home/*/.ssh/*").find(fmt::format(", {}\n", 0x2f656d6f682f)), std::string::npos) << "/home/, as a word";
  EXPECT_EQ(body("*.key").find("begins_like"), std::string::npos) << "begins with anything";
}

TEST(Codegen, LargeSetsAreDivided) {
  std::vector<Value> texts;
  for (int i = 0; i < 4000; i++) texts.push_back(fmt::format("/srv/{}", i));
  const std::string llvm = Llvm(PlanOf(EventKind::open_, {Is(FieldId::file_path, Ask::In, texts)}), Target::Evaluate);
  EXPECT_NE(llvm.find("@ks_part_open_0_0("), std::string::npos);
  EXPECT_NE(llvm.find("@ks_part_open_0_1("), std::string::npos);
}

TEST(Codegen, SaysWhatItEmitted) {
  std::vector<Value> texts;
  for (int i = 0; i < 4000; i++) texts.push_back(fmt::format("/srv/{}", i));
  const BpfObject object =
      EmitOrFail(PlanOf(EventKind::open_, {ir::MakeAnd({Is(FieldId::file_path, Ask::In, texts),
                                                        Is(FieldId::file_path, Ask::Like, {Text("/home/*/.ssh/*")}),
                                                        Is(FieldId::process_uid, Ask::In, {int64_t{0}})})}));
  ASSERT_EQ(object.decisions.size(), 3u);
  EXPECT_EQ(object.decisions[0].emitted.how, "inline");
  EXPECT_EQ(object.decisions[0].emitted.with, "a comparison");
  EXPECT_EQ(object.decisions[1].emitted.how, "trie");
  EXPECT_EQ(object.decisions[1].emitted.with, "4000 texts of 4 lengths, word by word, in 4 functions");
  EXPECT_EQ(object.decisions[2].emitted.how, "automaton");
  // The bytes that it says are in the map.
  const size_t bytes = std::stoul(object.decisions[2].emitted.with.substr(sizeof("a table of ") - 1));
  const uint64_t without =
      EmitOrFail(PlanOf(EventKind::open_, {ir::MakeAnd({Is(FieldId::file_path, Ask::In, texts),
                                                        Is(FieldId::process_uid, Ask::In, {int64_t{0}})})}))
          .map_bytes;
  EXPECT_GE(object.map_bytes, without + bytes);
  EXPECT_LE(object.map_bytes, without + bytes + 16);
}

TEST(Codegen, ReportsWhichLiteralOnlyWhereAsked) {
  // process.name is metadata, file.path is match-only: only of the latter an alert needs to know which.
  const std::string llvm = Llvm(Opens());
  const ir::Plan plan = Opens();
  ASSERT_EQ(plan.kinds.size(), 1u);
  EXPECT_EQ(std::count(plan.kinds[0].reported.begin(), plan.kinds[0].reported.end(), true), 2);
  const std::string body = Body(llvm, "ks_kind_open");
  size_t stores = 0;
  for (size_t at = body.find("store volatile i16"); at != std::string::npos;
       at = body.find("store volatile i16", at + 1))
    stores++;
  EXPECT_EQ(stores, 2u);
}

TEST(Codegen, RecordingPlanCarriesEveryKernelField) {
  const ir::Plan plan = RecordingPlan({EventKind::chmod_});
  ASSERT_EQ(plan.kinds.size(), 1u);
  ASSERT_EQ(plan.kinds[0].rules.size(), 1u);
  EXPECT_TRUE(plan.kinds[0].rules[0].conjuncts.empty());
  const std::vector<FieldId>& copies = plan.kinds[0].rules[0].copies;
  for (const schema::FieldRow& row : schema::Fields()) {
    const bool expected = row.decided == schema::Decided::Kernel && schema::Has(EventKind::chmod_, row.id);
    EXPECT_EQ(std::count(copies.begin(), copies.end(), row.id), expected ? 1 : 0) << row.dotted;
  }
}

TEST(Codegen, TooManyRulesIsAnError) {
  ir::Plan plan = RecordingPlan({EventKind::exec_});
  plan.kinds[0].rules.resize(64 * KS_RULE_WORDS + 1, plan.kinds[0].rules[0]);
  Result<BpfObject> object = Emit(plan);
  ASSERT_FALSE(object);
  EXPECT_EQ(object.error().code, "codegen-limit");
}

TEST(Codegen, BrokenUnderDiffers) {
  const ir::Plan plan = PlanOf(EventKind::open_, {Is(FieldId::file_path, Ask::Under, {Text("/etc")})});
  EXPECT_FALSE(EmitOrFail(plan, {.target = Target::Evaluate}).elf ==
               EmitOrFail(plan, {.target = Target::Evaluate, .broken = Break::Under}).elf);
}

TEST(Codegen, DumpsAssembly) {
  const std::string assembly = EmitOrFail(Opens(), {.dump_asm = true}).assembly;
  EXPECT_NE(assembly.find("ks_sys_exit:"), std::string::npos);
  EXPECT_NE(assembly.find("call ks_kind_open"), std::string::npos);
  EXPECT_EQ(assembly.find(".debug_"), std::string::npos);
}

}  // namespace
}  // namespace ks::codegen

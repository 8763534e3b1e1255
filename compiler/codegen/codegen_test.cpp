#include "compiler/codegen/codegen.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "compiler/ir/passes.h"

namespace ks::codegen {
namespace {

using ir::Atom;
using ir::EventKind;
using ir::FieldId;
using ir::Pred;
using ir::Test;
using schema::Value;

Pred Is(FieldId field, Test test, std::vector<Value> literals) {
  Atom atom;
  atom.operand.field = field;
  atom.test = test;
  atom.literals = std::move(literals);
  return ir::MakeAtom(std::move(atom));
}

Value Text(const char* text) { return std::string(text); }

ir::Plan PlanOf(EventKind kind, const std::vector<Pred>& predicates) {
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
  Result<ir::Plan> plan = ir::MakePlan(program);
  EXPECT_TRUE(plan) << plan.error().ToString();
  return *plan;
}

ir::Plan Starter() {
  return PlanOf(EventKind::open_, {ir::MakeAnd({Is(FieldId::process_name, Test::In, {Text("sh"), Text("bash")}),
                                                Is(FieldId::file_path, Test::Under, {Text("/etc"), Text("/usr/bin")})}),
                                   ir::MakeAnd({Is(FieldId::event_access, Test::HasBits, {int64_t{2}}),
                                                Is(FieldId::file_path, Test::Like, {Text("/proc/*/mem")})})});
}

BpfObject EmitOrFail(const ir::Plan& plan, const EmitOptions& options = {}) {
  Result<BpfObject> object = Emit(plan, options);
  EXPECT_TRUE(object) << object.error().ToString();
  return object ? std::move(*object) : BpfObject();
}

TEST(Codegen, EmitsAnElfWithBtf) {
  const BpfObject object = EmitOrFail(Starter());
  EXPECT_EQ(object.elf.substr(0, 4),
            "\x7f"
            "ELF");
  for (const char* name :
       {".BTF", ".BTF.ext", "raw_tp/sys_exit", "license", ".maps", "ks_generation", "rules/test.ksp"}) {
    EXPECT_NE(object.elf.find(name), std::string::npos) << name;
  }
}

TEST(Codegen, Scratch) {
  const BpfObject object = EmitOrFail(Starter(), {Target::Hooks, true, true, false});
  FILE* f = fopen("/tmp/team/o.bpf.o", "w");
  fwrite(object.elf.data(), 1, object.elf.size(), f);
  fclose(f);
  f = fopen("/tmp/team/o.s", "w");
  fwrite(object.assembly.data(), 1, object.assembly.size(), f);
  fclose(f);
  f = fopen("/tmp/team/o.ll", "w");
  fwrite(object.llvm.data(), 1, object.llvm.size(), f);
  fclose(f);
  const BpfObject e = EmitOrFail(Starter(), {Target::Evaluate, true, true, false});
  f = fopen("/tmp/team/e.bpf.o", "w");
  fwrite(e.elf.data(), 1, e.elf.size(), f);
  fclose(f);
  for (auto& p : object.programs) fmt::print("{} {} {}\n", p.section, p.instructions, p.stack_bytes);
  for (auto& p : e.programs) fmt::print("{} {} {}\n", p.section, p.instructions, p.stack_bytes);
}
}  // namespace
}  // namespace ks::codegen

// Objects for the agent, through this kernel's verifier: what records everything, and the limits of what policies may
// ask.
//   load_test [--keep FOLDER]     also writes the objects there, for other kernels
#include <fmt/format.h>

#include <chrono>
#include <cstring>

#include "compiler/codegen/codegen.h"
#include "compiler/ir/passes.h"
#include "runtime/evaluate/bpf_object.h"
#include "tests/agreement/plans.h"

namespace ks::agreement {
namespace {

using namespace evaluate;

int Milliseconds(std::chrono::steady_clock::time_point since) {
  return static_cast<int>(
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - since).count());
}

Status EmitAndLoad(const NamedPlan& plan, const std::string& folder, bool load) {
  const auto start = std::chrono::steady_clock::now();
  Result<codegen::BpfObject> object = codegen::Emit(plan.plan);
  if (!object) return object.error();
  fmt::print("{}: {} bytes of object, {} of maps, {} ms\n", plan.name, object->elf.size(), object->map_bytes,
             Milliseconds(start));
  for (const codegen::ProgramStats& program : object->programs) {
    fmt::print("  {}: {} instructions, {} bytes of stack\n", program.section, program.instructions,
               program.stack_bytes);
  }
  if (!folder.empty()) {
    if (Status written = WriteFile(fmt::format("{}/{}.bpf.o", folder, plan.name), object->elf); !written)
      return written;
  }
  if (!load) return Ok();
  const auto loading = std::chrono::steady_clock::now();
  Result<LoadedObject> loaded = LoadedObject::Load(object->elf);
  if (!loaded) return loaded.error();
  for (const Verified& program : loaded->programs()) {
    fmt::print("  {}: the verifier walked {} instructions\n", program.program, program.instructions);
  }
  for (const std::string& why : loaded->left_out()) fmt::print("  SKIPPED {}\n", why);
  fmt::print("  loaded in {} ms\n", Milliseconds(loading));
  return Ok();
}

int Main(int argc, char** argv) {
  const std::string folder = argc == 3 && strcmp(argv[1], "--keep") == 0 ? argv[2] : "";
  if (argc > 1 && folder.empty()) {
    fmt::print("usage: load_test [--keep FOLDER]\n");
    return 2;
  }
  const std::string why = WhyNoBpf();
  std::vector<NamedPlan> plans = RecordingPlans();
  for (const NamedProgram& program : LargePrograms()) {
    Result<ir::Plan> plan = ir::MakePlan(program.program);
    KS_CHECK(bool(plan), plan.error().ToString());
    plans.push_back({program.name, std::move(*plan)});
  }
  size_t failed = 0;
  for (const NamedPlan& plan : plans) {
    if (Status done = EmitAndLoad(plan, folder, why.empty()); !done) {
      failed++;
      fmt::print("{}: FAILED\n{}\n", plan.name, done.error().ToString());
    }
  }
  if (!why.empty()) fmt::print("SKIPPED loading: {}\n", why);
  fmt::print("{} objects, {} failed\n", plans.size(), failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace ks::agreement

int main(int argc, char** argv) { return ks::agreement::Main(argc, argv); }

// Objects for the agent, through this kernel's verifier: what records everything, and the limits of one.
#include <fmt/format.h>

#include "compiler/codegen/codegen.h"
#include "tests/agreement/bpf_object.h"

namespace ks::agreement {
namespace {

bool LoadRecording(const std::vector<schema::EventKind>& kinds) {
  Result<codegen::BpfObject> object = codegen::Emit(codegen::RecordingPlan(kinds));
  if (!object) {
    fmt::print("{}\n", object.error().ToString());
    return false;
  }
  Result<LoadedObject> loaded = LoadedObject::Load(object->elf);
  if (!loaded) {
    fmt::print("{}\n", loaded.error().ToString());
    return false;
  }
  for (const codegen::ProgramStats& program : object->programs) {
    fmt::print("  {}: {} instructions, {} bytes of stack\n", program.section, program.instructions,
               program.stack_bytes);
  }
  for (const Verified& program : loaded->programs()) {
    fmt::print("  {}: the verifier walked {} instructions\n", program.program, program.instructions);
  }
  fmt::print("  {} bytes of object, {} of maps\n", object->elf.size(), object->map_bytes);
  return true;
}

int Main() {
  if (const std::string why = WhyNoBpf(); !why.empty()) {
    fmt::print("SKIPPED: {}\n", why);
    return 0;
  }
  std::vector<schema::EventKind> all;
  int failed = 0;
  for (const schema::EventRow& event : schema::Events()) {
    all.push_back(event.kind);
    fmt::print("recording {}\n", event.name);
    failed += LoadRecording({event.kind}) ? 0 : 1;
  }
  fmt::print("recording all kinds\n");
  failed += LoadRecording(all) ? 0 : 1;
  fmt::print("{} of {} objects failed to load\n", failed, all.size() + 1);
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace ks::agreement

int main() { return ks::agreement::Main(); }

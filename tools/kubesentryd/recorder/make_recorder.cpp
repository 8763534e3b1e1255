// Build step: the BPF object that `kubesentryd record` loads, so that the daemon itself needs no code generator.
#include <fmt/format.h>

#include <string_view>
#include <vector>

#include "compiler/codegen/codegen.h"
#include "tools/kubesentryd/recorder/kinds.h"

int main(int argc, char** argv) {
  const std::string_view which = argc == 3 ? argv[1] : "";
  if (which != "usual" && which != "all") {
    fmt::print(stderr, "usage: make_recorder usual|all OUT\n");
    return 2;
  }
  std::vector<ks::ir::EventKind> kinds;
  for (const ks::schema::EventRow& row : ks::schema::Events()) {
    if (which == "all" || ks::agent::IsUsual(row.kind)) kinds.push_back(row.kind);
  }
  const auto object = ks::codegen::Emit(ks::codegen::RecordingPlan(kinds));
  if (!object) {
    fmt::print(stderr, "make_recorder: {}\n", object.error().ToString());
    return 3;
  }
  if (ks::Status written = ks::WriteFile(argv[2], object->elf); !written) {
    fmt::print(stderr, "make_recorder: {}\n", written.error().ToString());
    return 3;
  }
  return 0;
}

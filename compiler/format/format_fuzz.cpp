// Whatever parses without a mistake is formatted to what means the same, and formatting that changes nothing.
#include <cstdint>
#include <string>

#include "compiler/format/format.h"
#include "compiler/support/result.h"
#include "compiler/syntax/parser.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ks::SourceFile file("fuzz.ksp", std::string(reinterpret_cast<const char*>(data), size));
  ks::Diagnostics diagnostics;
  ks::syntax::Module module = ks::syntax::Parse(file, diagnostics);
  if (diagnostics.errors() > 0) return -1;
  ks::SourceFile formatted("formatted.ksp", ks::format::Format(module));
  ks::Diagnostics none;
  ks::syntax::Module again = ks::syntax::Parse(formatted, none);
  KS_CHECK(none.errors() == 0, "formatting made a mistake");
  KS_CHECK(ks::syntax::Dump(module) == ks::syntax::Dump(again), "formatting changed the tree");
  KS_CHECK(ks::format::Format(again) == formatted.text(), "formatting is not done after one time");
  return 0;
}

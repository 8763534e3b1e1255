// Any bytes end in a module and diagnostics whose spans lie in the text.
#include <cstdint>
#include <string>

#include "compiler/support/result.h"
#include "compiler/syntax/parser.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  ks::SourceFile file("fuzz.ksp", text);
  ks::Diagnostics diagnostics;
  ks::syntax::Module module = ks::syntax::Parse(file, diagnostics);
  for (const ks::Diagnostic& d : diagnostics.all()) {
    KS_CHECK(d.span.begin <= d.span.end && d.span.end <= size, "a span beyond the text");
    (void)ks::RenderHuman(d, false);
    (void)ks::RenderJson(d);
  }
  // Without a mistake the tree says all there is: the same text gives the same tree.
  if (diagnostics.errors() == 0) {
    ks::Diagnostics again;
    KS_CHECK(ks::syntax::Dump(module) == ks::syntax::Dump(ks::syntax::Parse(file, again)), "two trees of one text");
  }
  return 0;
}

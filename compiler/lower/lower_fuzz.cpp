// Any text is checked to the end; what has no mistake lowers, and the rules that come out have a text that reads back.
#include <cstdint>
#include <string>

#include "compiler/ir/passes.h"
#include "compiler/ir/text.h"
#include "compiler/lower/lower.h"
#include "compiler/support/result.h"
#include "compiler/syntax/parser.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ks::SourceFile file("fuzz.ksp", std::string(reinterpret_cast<const char*>(data), size));
  ks::Diagnostics diagnostics;
  ks::syntax::Module module = ks::syntax::Parse(file, diagnostics);
  ks::sema::Library library;
  library.AddUser(module);
  std::vector<ks::sema::CheckedModule> checked;
  checked.push_back(ks::sema::Check(module, library, {}, diagnostics));
  for (const ks::Diagnostic& d : diagnostics.all()) {
    KS_CHECK(d.span.begin <= d.span.end && d.span.end <= size, "a span beyond the text");
    for (const ks::FixIt& fix : d.fixes) KS_CHECK(fix.span.end <= size, "a fix beyond the text");
    (void)ks::RenderHuman(d, false);
  }
  (void)ks::sema::Dump(checked[0]);
  if (diagnostics.errors() > 0) return 0;
  for (const ks::sema::TestCase& test : checked[0].tests) (void)ks::lower::LowerTest(test);
  const ks::ir::Program program = ks::ir::MakeProgram(ks::lower::Lower(checked).rules);
  std::string text = ks::ir::Print(program);
  ks::Result<ks::ir::Program> again = ks::ir::ParseProgram(text);
  KS_CHECK(again && ks::ir::Print(*again) == text, "a rule's text does not read back");
  return 0;
}

// Whatever bytes a bundle holds as its program: an error, or a program that prints, parses again and has a plan or not.
#include <cstdint>

#include "compiler/ir/eval.h"
#include "compiler/ir/passes.h"
#include "compiler/ir/text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ks::Result<ks::ir::Program> program = ks::ir::ParseProgram({reinterpret_cast<const char*>(data), size});
  if (!program) return 0;
  std::string text = ks::ir::Print(*program);
  ks::Result<ks::ir::Program> again = ks::ir::ParseProgram(text);
  KS_CHECK(again, again.error().ToString());
  KS_CHECK(ks::ir::Print(*again) == text, "a program's text is not stable");
  (void)ks::ir::MakePlan(*program);
  ks::schema::Record nothing;
  for (const ks::ir::SplitRule& split : program->rules) (void)ks::ir::Eval(split.rule.when, nothing);
  return 0;
}

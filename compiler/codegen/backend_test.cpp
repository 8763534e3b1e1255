#include "compiler/codegen/backend.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <llvm/AsmParser/Parser.h>
#include <llvm/IR/Module.h>
#include <llvm/Support/SourceMgr.h>

namespace ks::codegen {
namespace {

Result<Compiled> CompileText(const std::string& body) {
  llvm::LLVMContext context;
  llvm::SMDiagnostic mistake;
  const std::unique_ptr<llvm::Module> module = llvm::parseAssemblyString(
      "target triple = \"bpfel\"\n"
      "target datalayout = \"e-m:e-p:64:64-i64:64-i128:128-n32:64-S128\"\n" +
          body,
      mistake, context);
  EXPECT_TRUE(module) << mistake.getMessage().str();
  return Compile(*module, {});
}

TEST(Backend, CompilesAProgram) {
  Result<Compiled> compiled = CompileText("define i32 @p(ptr %ctx) section \"syscall\" { ret i32 0 }");
  ASSERT_TRUE(compiled) << compiled.error().ToString();
  EXPECT_EQ(compiled->elf.substr(1, 3), "ELF");
}

// LLVM writes an object all the same.
TEST(Backend, TooMuchStackIsAnError) {
  Result<Compiled> compiled = CompileText(
      "define i32 @p(ptr %ctx) section \"syscall\" {\n"
      "  %a = alloca [600 x i8]\n"
      "  %r = call i64 inttoptr (i64 113 to ptr)(ptr %a, i32 600, ptr %ctx)\n"
      "  ret i32 0\n"
      "}\n");
  ASSERT_FALSE(compiled);
  EXPECT_EQ(compiled.error().code, "codegen-llvm");
  EXPECT_NE(compiled.error().cause.find("stack"), std::string::npos) << compiled.error().cause;
}

// LLVM aborts.
TEST(Backend, WhatLlvmDiesOfIsAnError) {
  std::string body = "define i32 @p(ptr %ctx) section \"syscall\" {\n  br label %b0\n";
  constexpr int kBlocks = 3000;
  for (int i = 0; i < kBlocks; i++) {
    body += fmt::format("b{0}:\n  %c{0} = load volatile i32, ptr %ctx\n  %z{0} = icmp eq i32 %c{0}, {0}\n", i);
    for (int j = 0; j < 10; j++) body += fmt::format("  store volatile i32 {}, ptr %ctx\n", 1000 * j + i);
    body += fmt::format("  br i1 %z{0}, label %far, label %b{1}\n", i, i + 1);
  }
  body += fmt::format("b{}:\n  ret i32 1\nfar:\n  ret i32 0\n}}\n", kBlocks);
  Result<Compiled> compiled = CompileText(body);
  ASSERT_FALSE(compiled);
  EXPECT_EQ(compiled.error().code, "codegen-llvm");
  EXPECT_NE(compiled.error().cause.find("out of"), std::string::npos) << compiled.error().cause;
}

}  // namespace
}  // namespace ks::codegen

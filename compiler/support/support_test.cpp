#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "compiler/support/diagnostics.h"
#include "compiler/support/result.h"
#include "compiler/support/source.h"

namespace ks {
namespace {

TEST(SourceFile, Positions) {
  SourceFile file("a.ksp", "ab\nc\xc3\xa9x\r\n");
  EXPECT_EQ(file.At(0).line, 1u);
  EXPECT_EQ(file.At(3).line, 2u);
  EXPECT_EQ(file.At(6).column, 3u);  // after the two-byte é
  EXPECT_EQ(file.Line(2), "c\xc3\xa9x");
  EXPECT_EQ(file.At(999).line, 3u);
}

TEST(Diagnostics, RenderShowsCaretAndFix) {
  SourceFile file("rules/shell.ksp", "ksp 1\n  on exec where x == 1\n");
  Diagnostics diagnostics;
  auto& d = diagnostics.Report<Diag::SyntaxError>(Span{&file, 22, 23}, "unknown `x`");
  d.label = "not a field";
  d.help = "guard it";
  d.fixes.push_back({Span{&file, 22, 22}, "y and "});
  EXPECT_EQ(RenderHuman(diagnostics.all()[0], false),
            "error[K0101]: unknown `x`\n"
            " --> rules/shell.ksp:2:17\n"
            "  |\n"
            "2 |   on exec where x == 1\n"
            "  |                 ^ not a field\n"
            "  |\n"
            "help: guard it\n"
            "2 |   on exec where y and x == 1\n"
            "  |                 ++++++\n");
  EXPECT_EQ(diagnostics.errors(), 1u);
  EXPECT_NE(RenderJson(diagnostics.all()[0]).find(R"("line":2,"column":17)"), std::string::npos);
}

TEST(Diagnostics, LongLinesAndControlCharactersAreTamed) {
  SourceFile file("a.ksp", std::string(100000, 'a') + "\x1b[2J" + std::string(100000, 'b'));
  Diagnostics diagnostics;
  diagnostics.Report<Diag::SyntaxError>(Span{&file, 100000, 100001}, "bad");
  std::string text = RenderHuman(diagnostics.all()[0], false);
  EXPECT_LT(text.size(), 1000u);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST(Diagnostics, AreBounded) {
  SourceFile file("a.ksp", "x");
  Diagnostics diagnostics;
  for (int i = 0; i < 1000; ++i) diagnostics.Report<Diag::SyntaxError>(Span{&file, 0, 1}, "bad");
  EXPECT_EQ(diagnostics.all().size(), kMaxDiagnostics);
  EXPECT_EQ(diagnostics.suppressed(), 1000 - kMaxDiagnostics);
  EXPECT_EQ(diagnostics.errors(), 1000u);
}

TEST(DidYouMean, FindsNear) {
  EXPECT_EQ(DidYouMean("process.nmae", {"process.pid", "process.name"}), "process.name");
  EXPECT_EQ(DidYouMean("severty", {"severity", "attack"}), "severity");
  EXPECT_EQ(DidYouMean("zzz", {"severity", "attack"}), "");
}

TEST(Files, ReadAndWrite) {
  auto folder = std::filesystem::temp_directory_path() / ("ks_support_" + std::to_string(getpid()));
  std::filesystem::create_directory(folder);
  std::string path = folder / "f";
  ASSERT_TRUE(WriteFile(path, "hello", 0600));
  struct stat info{};
  stat(path.c_str(), &info);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_EQ(*ReadFile(path, 5), "hello");
  EXPECT_EQ(ReadFile(path, 4).error().code, "file-too-large");
  EXPECT_EQ(ReadFile(folder, 4).error().code, "file-kind");
  EXPECT_EQ(ReadFile(path + "x", 4).error().code, "file-open");
  EXPECT_FALSE(WriteFile(folder / "no" / "f", "x"));
  EXPECT_EQ(WriteFile(folder, "x").error().code, "file-kind");
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(WriteFile(folder / "pipe", "x").error().code, "file-kind");
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace ks

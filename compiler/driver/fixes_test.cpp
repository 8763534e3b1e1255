#include "compiler/driver/fixes.h"

#include <gtest/gtest.h>

namespace ks::driver {
namespace {

const std::string kPolicy =
    "ksp 1\npackage a\nrule r \"A rule\" {\n  severity low\n  on exec where process.name in [\"sh\", \"bash\", "
    "\"sh\"]\n"
    "  alert \"x\"\n}\n";

std::unique_ptr<Analysis> Analyzed(const std::string& text) {
  auto analysis = Analyze(std::vector<Source>{{"a.ksp", text, ""}}, Options{});
  EXPECT_TRUE(analysis);
  return std::move(*analysis);
}

// A finding whose fix replaces `old` by `text`.
void Plant(Analysis* analysis, std::string_view old, std::string text) {
  const SourceFile& file = *analysis->files[0];
  auto at = static_cast<uint32_t>(file.text().find(old));
  Span span{&file, at, at + static_cast<uint32_t>(old.size())};
  Diagnostic& d = analysis->diagnostics.Report<Diag::Repeated>(span, "planted");
  d.fixes.push_back({span, std::move(text)});
  d.machine_applicable = true;
}

TEST(Fixes, AreWhatTheyAre) {
  auto analysis = Analyzed(kPolicy);
  FixPlan plan = PlanFixes(*analysis, {});
  ASSERT_EQ(plan.files.size(), 1u);
  EXPECT_NE(plan.files[0].text.find("[\"sh\", \"bash\"]"), std::string::npos) << plan.files[0].text;
  EXPECT_EQ(plan.applied.size(), 1u);
  EXPECT_TRUE(plan.refused.empty());
}

TEST(Fixes, ThatBreakTheTextAreRefusedAndTheOthersStay) {
  auto analysis = Analyzed(kPolicy);
  Plant(analysis.get(), "\"x\"", "");
  FixPlan plan = PlanFixes(*analysis, {});
  ASSERT_EQ(plan.refused.size(), 1u);
  EXPECT_EQ(plan.refused[0].diagnostic->message, "`planted` is listed twice");
  EXPECT_NE(plan.refused[0].why.find("a.ksp:"), std::string::npos) << plan.refused[0].why;
  ASSERT_EQ(plan.files.size(), 1u);
  EXPECT_NE(plan.files[0].text.find("alert \"x\""), std::string::npos);
  EXPECT_EQ(plan.files[0].text.find("\"bash\", \"sh\""), std::string::npos);
}

TEST(Fixes, ThatMakeMoreErrorsAreRefused) {
  auto analysis = Analyzed(kPolicy);
  Plant(analysis.get(), "process.name", "process.uid");  // compared with texts
  FixPlan plan = PlanFixes(*analysis, {});
  ASSERT_EQ(plan.refused.size(), 1u);
  EXPECT_EQ(plan.applied.size(), 1u);
}

TEST(Fixes, NoneIsNoPlan) {
  auto analysis = Analyzed("ksp 1\npackage a\n");
  FixPlan plan = PlanFixes(*analysis, {});
  EXPECT_TRUE(plan.files.empty());
  EXPECT_TRUE(plan.applied.empty());
}

}  // namespace
}  // namespace ks::driver

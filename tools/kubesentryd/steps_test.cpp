#include "tools/kubesentryd/steps.h"

#include <gtest/gtest.h>

namespace ks::agent {
namespace {

Step MakeStep(std::string_view name, std::string* trace, bool good = true) {
  return {name,
          [=]() -> Status {
            *trace += "+" + std::string(name);
            if (good) return Ok();
            return Error{"do", std::string(name), "it was told to fail", "", "test"};
          },
          [=] { *trace += "-" + std::string(name); }};
}

TEST(Steps, ComeDownInReverse) {
  std::string trace;
  Log log(false);
  {
    Steps steps({MakeStep("a", &trace), MakeStep("b", &trace)}, log);
    EXPECT_TRUE(steps.Up());
    steps.Down();
    EXPECT_EQ(trace, "+a+b-b-a");
  }
  EXPECT_EQ(trace, "+a+b-b-a") << "and only once";
}

TEST(Steps, AFailureTakesDownWhatStands) {
  std::string trace;
  Log log(true);
  Steps steps({MakeStep("a", &trace), MakeStep("b", &trace), MakeStep("c", &trace, false), MakeStep("d", &trace)}, log);
  testing::internal::CaptureStderr();
  EXPECT_FALSE(steps.Up());
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_EQ(trace, "+a+b+c-b-a");
  EXPECT_NE(
      said.find(R"("level":"error","what":"c","code":"test","tried":"do","on":"c","cause":"it was told to fail"})"),
      std::string::npos)
      << said;
}

}  // namespace
}  // namespace ks::agent

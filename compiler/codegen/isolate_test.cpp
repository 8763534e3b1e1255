#include "compiler/codegen/isolate.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

namespace ks::codegen {
namespace {

using Parts = std::vector<std::string>;

TEST(Isolate, HandsOverWhatTheWorkGave) {
  const Parts given{"one", "", std::string(3 << 20, 'x'), std::string("\0binary\xff", 8)};
  Result<Parts> got = RunIsolated([&](const ReportFailure&) -> Result<Parts> { return given; });
  ASSERT_TRUE(got);
  EXPECT_EQ(*got, given);
}

TEST(Isolate, AnErrorIsAnError) {
  Result<Parts> got =
      RunIsolated([](const ReportFailure&) -> Result<Parts> { return Error{"", "", "no such opcode", "", ""}; });
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().cause, "no such opcode");
}

TEST(Isolate, AReportEndsTheWork) {
  Result<Parts> got = RunIsolated([](const ReportFailure& report) -> Result<Parts> {
    report("stack overflow");
    return Parts{"not reached"};
  });
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().cause, "stack overflow");
}

TEST(Isolate, ACrashIsAnError) {
  Result<Parts> got = RunIsolated([](const ReportFailure&) -> Result<Parts> {
    kill(getpid(), SIGKILL);
    return Parts{};
  });
  ASSERT_FALSE(got);
  EXPECT_NE(got.error().cause.find("signal 9"), std::string::npos) << got.error().cause;
}

TEST(Isolate, AnEarlyExitIsAnError) {
  Result<Parts> got = RunIsolated([](const ReportFailure&) -> Result<Parts> { _exit(7); });
  ASSERT_FALSE(got);
  EXPECT_NE(got.error().cause.find("status 7"), std::string::npos) << got.error().cause;
}

}  // namespace
}  // namespace ks::codegen

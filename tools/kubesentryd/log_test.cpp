#include "tools/kubesentryd/log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>

namespace ks::agent {
namespace {

// A small pipe, and what came out of it.
class LogTest : public testing::Test {
 protected:
  LogTest() {
    KS_CHECK(pipe2(pipe_, O_CLOEXEC) == 0 && fcntl(pipe_[1], F_SETPIPE_SZ, 4096) == 4096, "pipe");
    KS_CHECK(fcntl(pipe_[0], F_SETFL, O_NONBLOCK) == 0, "O_NONBLOCK");
  }
  ~LogTest() override {
    CloseReader();
    close(pipe_[1]);
  }
  void CloseReader() {
    if (pipe_[0] >= 0) close(std::exchange(pipe_[0], -1));
  }
  // Reads what is there, and on while `log` has more.
  std::string Read(Log& log) const {
    std::string text;
    char buffer[4096];
    for (ssize_t got = 0; (got = read(pipe_[0], buffer, sizeof(buffer))) > 0; log.Flush()) {
      text.append(buffer, static_cast<size_t>(got));
    }
    return text;
  }
  int pipe_[2] = {-1, -1};
};

TEST_F(LogTest, WhatIsNotReadWaitsAndIsSaidInOrder) {
  Log log(false, pipe_[1]);
  std::string expected;
  for (int i = 0; i < 1000; i++) {
    log.Info("test", "message " + std::to_string(i));
    expected += "message " + std::to_string(i) + "\n";
  }
  EXPECT_EQ(Read(log), expected);
  EXPECT_EQ(log.unsaid(), 0u);
  EXPECT_EQ(fcntl(pipe_[1], F_GETFL) & O_NONBLOCK, 0) << "the open file may be others', too";
}

TEST_F(LogTest, WhatIsTooMuchIsCountedAndTheNumberSaid) {
  Log log(true, pipe_[1]);
  const std::string text(999, 'x');
  for (int i = 0; i < 1000; i++) log.Info("test", text, {{"text", text}});
  const uint64_t unsaid = log.unsaid();
  EXPECT_GT(unsaid, 500u);
  EXPECT_LT(unsaid, 900u);
  const std::string said = Read(log);
  EXPECT_EQ(log.unsaid(), 0u);
  uint64_t lines = 0;
  for (size_t at = said.find("\"test\""); at != std::string::npos; at = said.find("\"test\"", at + 1)) lines++;
  EXPECT_EQ(lines + unsaid, 1000u);
  EXPECT_NE(said.find("\"level\":\"warning\",\"what\":\"unsaid\",\"messages\":" + std::to_string(unsaid) + "}\n"), std::string::npos);
  log.Info("after", "it");
  EXPECT_NE(Read(log).find("\"what\":\"after\""), std::string::npos);
}

TEST_F(LogTest, AReaderThatIsGoneIsNoDeathAndIsCounted) {
  signal(SIGPIPE, SIG_IGN);
  Log log(false, pipe_[1]);
  CloseReader();
  for (int i = 0; i < 3; i++) log.Info("test", "message");
  EXPECT_EQ(log.unsaid(), 3u);
}

// A terminal that takes a byte polls writable, and would wait for room for the rest.
TEST(LogTerminal, OneThatNobodyReadsHoldsNothingUp) {
  const int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  ASSERT_GE(master, 0);
  ASSERT_EQ(grantpt(master), 0);
  ASSERT_EQ(unlockpt(master), 0);
  const int terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
  ASSERT_GE(terminal, 0);
  {
    Log log(false, terminal);
    for (int i = 0; i < 1000; i++) log.Info("test", std::string(999, 'x'));
    EXPECT_GT(log.unsaid(), 500u);
    EXPECT_EQ(fcntl(terminal, F_GETFL) & O_NONBLOCK, 0) << "the open file may be others', too";
  }
  close(terminal);
  close(master);
}

}  // namespace
}  // namespace ks::agent

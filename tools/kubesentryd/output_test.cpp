#include "tools/kubesentryd/output.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "tools/kubesentryd/clock.h"

namespace ks::agent {
namespace {

// A named pipe and a stop file that can be made readable.
class OutputTest : public testing::Test {
 protected:
  OutputTest() {
    KS_CHECK(mkdtemp(folder_) != nullptr && pipe2(stop_, O_CLOEXEC) == 0, "temporary folder");
    fifo_ = std::string(folder_) + "/fifo";
    KS_CHECK(mkfifo(fifo_.c_str(), 0600) == 0, "fifo");
    reader_ = open(fifo_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  }
  ~OutputTest() override {
    if (reader_ >= 0) close(reader_);
    close(stop_[0]);
    close(stop_[1]);
    std::filesystem::remove_all(folder_);
  }
  char folder_[24] = "/tmp/ks-output-XXXXXX";
  std::string fifo_;
  int reader_ = -1;
  int stop_[2] = {-1, -1};
};

TEST_F(OutputTest, AppendsLinesToAFileForItsOwner) {
  const std::string path = std::string(folder_) + "/alerts";
  for (const char* line : {"one", "two"}) {
    auto output = Output::Open(path, stop_[0]);
    ASSERT_TRUE(output);
    ASSERT_TRUE(output->Line(line));
    ASSERT_TRUE(output->Flush());
  }
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_EQ(text.str(), "one\ntwo\n");
  EXPECT_EQ(std::filesystem::status(path).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(OutputTest, EndsALineThatAKillHasCut) {
  const std::string path = std::string(folder_) + "/alerts";
  std::ofstream(path) << "one\ntw";
  for (const char* line : {"three", "four"}) {
    auto output = Output::Open(path, stop_[0]);
    ASSERT_TRUE(output);
    ASSERT_TRUE(output->Line(line));
    ASSERT_TRUE(output->Flush());
  }
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_EQ(text.str(), "one\ntw\nthree\nfour\n");
}

TEST_F(OutputTest, SaysWhatItCannotOpen) {
  const auto output = Output::Open("/nowhere/at/all", stop_[0]);
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code, "alerts");
  EXPECT_EQ(output.error().on, "/nowhere/at/all");
}

TEST_F(OutputTest, AFifoThatNobodyReadsIsAnErrorAtOnce) {
  close(std::exchange(reader_, -1));
  const auto output = Output::Open(fifo_, stop_[0]);
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().cause, "it is a FIFO that nobody reads");
}

TEST_F(OutputTest, AFileThatMayGrowNoFurtherIsAnError) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, SIG_IGN);  // as main() does
  auto output = Output::Open(std::string(folder_) + "/alerts", stop_[0]);
  ASSERT_TRUE(output);
  const rlimit small{.rlim_cur = 100, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  for (int i = 0; i < 10; i++) ASSERT_TRUE(output->Line("nineteen characters"));
  const Status written = output->Flush();
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().cause, "File too large; 5 alerts are given up");
  EXPECT_EQ(output->unwritten(), 5u);
}

TEST_F(OutputTest, WaitsForASlowReaderAndSaysSo) {
  auto output = Output::Open(fifo_, stop_[0]);
  ASSERT_TRUE(output);
  uint64_t waited = 0;
  output->set_on_wait([&](uint64_t ms) { waited = ms; });
  const std::string line(1000, 'x');
  std::thread reader([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(1300));
    char buffer[65536];
    for (size_t got = 0; got < 200 * 1001;) {
      const ssize_t size = read(reader_, buffer, sizeof(buffer));
      if (size > 0) got += static_cast<size_t>(size);
      if (size <= 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  for (int i = 0; i < 200; i++) ASSERT_TRUE(output->Line(line));
  ASSERT_TRUE(output->Flush());
  reader.join();
  EXPECT_GE(waited, 1000u);
}

TEST_F(OutputTest, GivesUpOnTheReaderWhenTheDaemonIsToEnd) {
  auto output = Output::Open(fifo_, stop_[0]);
  ASSERT_TRUE(output);
  ASSERT_EQ(write(stop_[1], "x", 1), 1);
  const std::string line(1000, 'x');
  Status written = Ok();
  for (int i = 0; i < 200 && written; i++) written = output->Line(line);
  if (written) written = output->Flush();
  ASSERT_FALSE(written);
  EXPECT_NE(written.error().cause.find("alerts are given up"), std::string::npos) << written.error().cause;
  // What follows from the records that are still in the ring is not waited for again.
  const uint64_t given_up = output->unwritten(), begin = BootNs();
  EXPECT_GT(given_up, 0u);
  for (int i = 0; i < 2000; i++) written = output->Line(line);
  EXPECT_FALSE(output->Flush());
  EXPECT_EQ(output->unwritten(), given_up + 2000);
  EXPECT_LT(BootNs() - begin, 1'000'000'000u);
}

TEST_F(OutputTest, AReaderThatIsGoneIsAnError) {
  auto output = Output::Open(fifo_, stop_[0]);
  ASSERT_TRUE(output);
  close(std::exchange(reader_, -1));
  signal(SIGPIPE, SIG_IGN);
  ASSERT_TRUE(output->Line("x"));
  const Status written = output->Flush();
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().cause, "Broken pipe; 1 alerts are given up");
}

}  // namespace
}  // namespace ks::agent

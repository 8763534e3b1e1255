#include "tools/kubesentryd/status_socket.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <thread>
#include <vector>

namespace ks::agent {
namespace {

class StatusSocketTest : public testing::Test {
 protected:
  StatusSocketTest() {
    KS_CHECK(mkdtemp(folder_) != nullptr, "temporary folder");
    path_ = std::string(folder_) + "/run/status.sock";
  }
  ~StatusSocketTest() override { std::filesystem::remove_all(folder_); }

  // A socket that nobody serves: its daemon was killed.
  void LeaveStaleSocket() const {
    std::filesystem::create_directory(std::string(folder_) + "/run");
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_.c_str(), sizeof(address.sun_path) - 1);
    KS_CHECK(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0, "bind");
    close(fd);
  }

  char folder_[24] = "/tmp/ks-status-XXXXXX";
  std::string path_;
};

TEST_F(StatusSocketTest, AnswersWhoAsks) {
  auto socket = StatusSocket::Listen(path_);
  ASSERT_TRUE(socket) << socket.error().ToString();
  struct stat info{};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  std::thread server([&] {
    for (int i = 0; i < 200; i++) {
      socket->Serve([](std::string_view) { return "{\"a\":\"" + std::string(20000, 'x') + "\"}\n"; });
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  });
  for (int i = 0; i < 3; i++) {
    const auto answer = Ask(path_, kAskStatus);
    ASSERT_TRUE(answer) << answer.error().ToString();
    EXPECT_EQ(answer->size(), 20009u);
  }
  server.join();
}

TEST_F(StatusSocketTest, AnswersTheLineOnly) {
  auto socket = StatusSocket::Listen(path_);
  ASSERT_TRUE(socket);
  const auto connected = [&] {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_.c_str(), sizeof(address.sun_path) - 1);
    KS_CHECK(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0, "connect");
    return fd;
  };
  std::vector<std::string> asked;
  const auto serve = [&] {
    socket->Serve([&](std::string_view request) {
      asked.emplace_back(request);
      return "x\n";
    });
  };
  char answer[8];
  const int slow = connected(), mute = connected(), endless = connected();
  close(mute);
  KS_CHECK(write(slow, "roll", 4) == 4, "write");
  KS_CHECK(write(endless, std::string(600, 'y').data(), 600) == 600, "write");
  serve();
  EXPECT_TRUE(asked.empty()) << "half a line asks nothing";
  KS_CHECK(write(slow, "back\nmore", 9) == 9, "write");
  serve();
  serve();
  EXPECT_EQ(asked, std::vector<std::string>{"rollback"});
  EXPECT_EQ(read(slow, answer, sizeof(answer)), 2);
  EXPECT_NE(read(endless, answer, sizeof(answer)), 2) << "is let go without an answer";
  close(slow);
  close(endless);
}

TEST_F(StatusSocketTest, DoesNotDoWhatACallerWantedWhoHasGone) {
  auto socket = StatusSocket::Listen(path_);
  ASSERT_TRUE(socket);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path_.c_str(), sizeof(address.sun_path) - 1);
  ASSERT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(write(fd, "rollback\n", 9), 9);
  close(fd);
  bool asked = false;
  for (int i = 0; i < 3; i++) {
    socket->Serve([&](std::string_view) {
      asked = true;
      return "done\n";
    });
  }
  EXPECT_FALSE(asked);
}

TEST_F(StatusSocketTest, BelievesNoOtherUser) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to be another user";
  std::filesystem::permissions(folder_, std::filesystem::perms::all);
  const std::string path = std::string(folder_) + "/status.sock";
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  constexpr uid_t kOther = 65534;
  const pid_t impostor = fork();
  if (impostor == 0) {
    if (setresuid(kOther, kOther, kOther) != 0) _exit(1);
    auto socket = StatusSocket::Listen(path);
    if (!socket || write(ready[1], "x", 1) != 1) _exit(1);
    for (;;) {
      socket->Serve([](std::string_view) { return "{}\n"; });
      usleep(1000);
    }
  }
  close(ready[1]);
  char byte = 0;
  EXPECT_EQ(read(ready[0], &byte, 1), 1);
  const auto refused = Ask(path, kAskStatus), named = Ask(path, kAskStatus, kOther);
  kill(impostor, SIGKILL);
  waitpid(impostor, nullptr, 0);
  close(ready[0]);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().cause,
            "who listens there is user 65534 (pid " + std::to_string(impostor) + "), which is neither root nor who asks");
  EXPECT_TRUE(named) << "--user";
}

TEST_F(StatusSocketTest, ReplacesASocketThatNobodyServesAndTidiesUp) {
  LeaveStaleSocket();
  {
    const auto socket = StatusSocket::Listen(path_);
    ASSERT_TRUE(socket) << socket.error().ToString();
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(StatusSocketTest, TakesNothingFromALivingDaemonNorFromAFile) {
  const auto first = StatusSocket::Listen(path_);
  ASSERT_TRUE(first);
  const auto second = StatusSocket::Listen(path_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().cause, "another kubesentryd answers there");
  EXPECT_TRUE(std::filesystem::exists(path_));
  const std::string file = std::string(folder_) + "/file";
  std::ofstream(file) << "x";
  EXPECT_FALSE(StatusSocket::Listen(file));
  EXPECT_TRUE(std::filesystem::exists(file));
}

TEST_F(StatusSocketTest, SaysWhyNobodyAnswers) {
  EXPECT_EQ(Ask(path_, kAskStatus).error().cause, "no daemon runs there");
  LeaveStaleSocket();
  EXPECT_EQ(Ask(path_, kAskStatus).error().cause, "no daemon runs there");
  EXPECT_FALSE(Ask(std::string(200, 'x'), kAskStatus));
  EXPECT_FALSE(Ask("", kAskStatus));
  EXPECT_FALSE(StatusSocket::Listen("/nowhere/at/all/socket"));
}

}  // namespace
}  // namespace ks::agent

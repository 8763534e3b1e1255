#include "tools/ksc/child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

namespace ks::ksc {
namespace {

constexpr size_t kMostOutput = 64 << 20;

class Pipe {
 public:
  Pipe() {
    if (::pipe2(ends_, O_CLOEXEC) != 0) ends_[0] = ends_[1] = -1;
  }
  ~Pipe() {
    CloseWriter();
    if (ends_[0] >= 0) ::close(ends_[0]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  bool ok() const { return ends_[0] >= 0; }
  int reader() const { return ends_[0]; }
  int writer() const { return ends_[1]; }
  void CloseWriter() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }
  // False at its end.
  bool Read(std::string* into) const {
    char buffer[65536];
    const ssize_t got = ::read(reader(), buffer, sizeof(buffer));
    if (got < 0) return errno == EINTR || errno == EAGAIN;
    if (into->size() < kMostOutput) into->append(buffer, static_cast<size_t>(got));
    return got > 0;
  }

 private:
  int ends_[2];
};

}  // namespace

Result<Ended> RunChild(const std::vector<std::string>& words, const std::function<void(int)>& waiting) {
  const auto failed = [&](int error) { return Error{"run", words[0], std::strerror(error), "", "child-run"}; };
  Pipe out, err;
  if (!out.ok() || !err.ok()) return failed(errno);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out.writer(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.writer(), STDERR_FILENO);
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t child = -1;
  const int spawned = posix_spawn(&child, words[0].c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (spawned != 0) return failed(spawned);
  out.CloseWriter();
  err.CloseWriter();

  Ended ended;
  const auto start = std::chrono::steady_clock::now();
  pollfd ends[] = {{out.reader(), POLLIN, 0}, {err.reader(), POLLIN, 0}};
  int told = 0;
  while (ends[0].fd >= 0 || ends[1].fd >= 0) {
    if (::poll(ends, 2, 1000) < 0 && errno != EINTR) break;
    if (ends[0].revents != 0 && !out.Read(&ended.out)) ends[0].fd = -1;
    if (ends[1].revents != 0 && !err.Read(&ended.err)) ends[1].fd = -1;
    ends[0].revents = ends[1].revents = 0;
    const std::chrono::duration<double> ran = std::chrono::steady_clock::now() - start;
    if (static_cast<int>(ran.count()) > told) waiting(told = static_cast<int>(ran.count()));
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return failed(errno);
  }
  ended.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return ended;
}

void Progress::operator()(int seconds) {
  constexpr int kPatience = 2;
  if (seconds <= kPatience || ::isatty(STDERR_FILENO) == 0) return;
  fmt::print(stderr, "\r{} … {} s", what_, seconds);
  std::fflush(stderr);
  shown_ = true;
}

Progress::~Progress() {
  if (shown_) fmt::print(stderr, "\r\x1b[K");
}

}  // namespace ks::ksc

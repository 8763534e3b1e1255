#include "compiler/codegen/isolate.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

namespace ks::codegen {
namespace {

constexpr unsigned kMostSeconds = 600;
constexpr char kGave = 'g', kFailed = 'f';

Error Failed(std::string cause) {
  return {"run the code generator", "child process", std::move(cause), "", "codegen-child"};
}

void Put(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) _exit(3);  // the parent is gone
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

[[noreturn]] void Answer(int fd, char tag, const std::vector<std::string>& parts) {
  Put(fd, {&tag, 1});
  for (const std::string& part : parts) {
    const uint64_t size = part.size();
    Put(fd, {reinterpret_cast<const char*>(&size), sizeof(size)});
    Put(fd, part);
  }
  _exit(0);
}

Result<std::string> ReadAll(int fd) {
  std::string bytes;
  char chunk[65536];
  for (;;) {
    const ssize_t n = read(fd, chunk, sizeof(chunk));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Failed(strerror(errno));
    if (n == 0) return bytes;
    bytes.append(chunk, static_cast<size_t>(n));
  }
}

Result<std::vector<std::string>> Parse(std::string_view answer, int status) {
  if (answer.empty()) {
    if (WIFSIGNALED(status))
      return Failed(fmt::format("it was ended by signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status))));
    return Failed(fmt::format("it ended with status {} and gave nothing", WEXITSTATUS(status)));
  }
  const char tag = answer.front();
  answer.remove_prefix(1);
  std::vector<std::string> parts;
  while (!answer.empty()) {
    uint64_t size = 0;
    if (answer.size() < sizeof(size)) return Failed("its answer is cut short");
    memcpy(&size, answer.data(), sizeof(size));
    answer.remove_prefix(sizeof(size));
    if (answer.size() < size) return Failed("its answer is cut short");
    parts.emplace_back(answer.substr(0, size));
    answer.remove_prefix(size);
  }
  if (tag == kFailed) return Failed(parts.empty() ? "it did not say why" : parts.front());
  return parts;
}

}  // namespace

Result<std::vector<std::string>> RunIsolated(
    const std::function<Result<std::vector<std::string>>(const ReportFailure& report)>& work) {
  int ends[2];
  if (pipe(ends) != 0) return Failed(strerror(errno));
  const pid_t child = fork();
  if (child < 0) {
    const int why = errno;
    close(ends[0]);
    close(ends[1]);
    return Failed(strerror(why));
  }
  if (child == 0) {
    close(ends[0]);
    const int out = ends[1];
    alarm(kMostSeconds);
    Result<std::vector<std::string>> result = work([out](const std::string& cause) { Answer(out, kFailed, {cause}); });
    if (!result) Answer(out, kFailed, {result.error().cause});
    Answer(out, kGave, *result);
  }
  close(ends[1]);
  Result<std::string> answer = ReadAll(ends[0]);
  close(ends[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!answer) return answer.error();
  return Parse(*answer, status);
}

}  // namespace ks::codegen

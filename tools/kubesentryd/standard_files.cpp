#include "tools/kubesentryd/standard_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <string_view>

namespace ks::agent {
namespace {

std::vector<std::string_view>& Closed() {
  static std::vector<std::string_view> closed;
  return closed;
}

}  // namespace

void HoldStandardFiles() {
  constexpr std::array<std::string_view, 3> kNames = {"standard input", "standard output", "standard error"};
  // Upwards: open takes the lowest that is free.
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) continue;
    if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) == fd) Closed().push_back(kNames[static_cast<size_t>(fd)]);
  }
}

const std::vector<std::string_view>& ClosedStandardFiles() { return Closed(); }

}  // namespace ks::agent

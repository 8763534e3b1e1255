#include "tools/kubesentryd/host.h"

#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace ks::agent {
namespace {

utsname Uname() {
  utsname names{};
  uname(&names);
  return names;
}

}  // namespace

std::string NodeName() { return Uname().nodename; }
std::string KernelRelease() { return Uname().release; }
std::string Architecture() { return Uname().machine; }

std::string BootId() {
  char text[64] = {};
  const int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "";
  const ssize_t size = read(fd, text, sizeof(text) - 1);
  close(fd);
  std::string id(text, static_cast<size_t>(std::max<ssize_t>(size, 0)));
  while (!id.empty() && id.back() == '\n') id.pop_back();
  return id;
}

std::string DefaultStatusSocket() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  if (geteuid() != 0 && runtime && runtime[0] == '/') return std::string(runtime) + "/kubesentryd/status.sock";
  return "/run/kubesentryd/status.sock";
}

}  // namespace ks::agent

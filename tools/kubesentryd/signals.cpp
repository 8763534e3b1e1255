#include "tools/kubesentryd/signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>

#include "compiler/support/result.h"

namespace ks::agent {

SignalFile::SignalFile(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : signals) sigaddset(&set, signal);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  fd_ = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  KS_CHECK(fd_ >= 0, "no file descriptor is left at start-up");
}

SignalFile::~SignalFile() { close(fd_); }

bool SignalFile::Came() {
  signalfd_siginfo info{};
  bool came = false;
  while (read(fd_, &info, sizeof(info)) == sizeof(info)) came = true;
  return came;
}

}  // namespace ks::agent

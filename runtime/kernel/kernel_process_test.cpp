// What the kernel half says of processes, against what the kernel says by other ways.
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <thread>

#include "bpf/schema/value.h"
#include "runtime/kernel/kernel_testing.h"

namespace ks::kernel {
namespace {

enum : int64_t { kClosed = 0, kFile = 1, kPipe = 2, kSocket = 3, kTty = 4, kOther = 5 };

std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// Runs `act` in a child and waits for it. The child's id.
pid_t InChild(const std::function<void()>& act, int* status_out = nullptr) {
  pid_t child = ::fork();
  if (child == 0) {
    act();
    ::_exit(0);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  if (status_out) *status_out = status;
  return child;
}

// One event of kind syscall in a child that has done `before`.
class ChildTest : public KernelTest {
 protected:
  Seen CallAfter(const std::function<void()>& before) {
    pid_t child = 0;
    std::vector<Seen> all = Record(
        KS_KIND_syscall,
        [&] {
          child = InChild([&] {
            before();
            ::syscall(SYS_getppid);
          });
        },
        0);
    for (Seen& seen : all) {
      if (seen.Int(KS_FIELD_process_pid) == child) return seen;
    }
    ADD_FAILURE() << "the child's call was not seen";
    return {};
  }
};

TEST_F(KernelTest, TheProcessIsDescribed) {
  Seen seen = RecordOne(KS_KIND_syscall, [] { ::syscall(SYS_getppid); });
  EXPECT_EQ(seen.Int(KS_FIELD_process_tid), ::gettid());
  EXPECT_EQ(seen.Text(KS_FIELD_process_name), "kst-test");
  EXPECT_EQ(seen.Int(KS_FIELD_process_uid), ::getuid());
  EXPECT_EQ(seen.Int(KS_FIELD_process_euid), ::geteuid());
  EXPECT_EQ(seen.Int(KS_FIELD_process_gid), ::getgid());
  EXPECT_EQ(seen.Int(KS_FIELD_process_egid), ::getegid());
  EXPECT_EQ(seen.Int(KS_FIELD_process_session), ::getsid(0));
  EXPECT_EQ(seen.Int(KS_FIELD_process_parent_pid), ::getppid());
  EXPECT_EQ(seen.Int(KS_FIELD_event_syscall), SYS_getppid);
  EXPECT_EQ(seen.Int(KS_FIELD_event_result), 0);
  std::string exe = std::filesystem::read_symlink("/proc/self/exe");
  EXPECT_EQ(seen.Text(KS_FIELD_process_exe), exe);
  EXPECT_EQ(seen.Text(KS_FIELD_process_cwd), std::filesystem::current_path().native());
  EXPECT_EQ(seen.Text(KS_FIELD_process_args), ReadAll("/proc/self/cmdline"));
  std::string parent = "/proc/" + std::to_string(::getppid());
  EXPECT_EQ(seen.Text(KS_FIELD_process_parent_name) + "\n", ReadAll(parent + "/comm"));
  std::error_code hidden;  // another user's
  std::filesystem::path parent_exe = std::filesystem::read_symlink(parent + "/exe", hidden);
  if (!hidden) {
    EXPECT_EQ(seen.Text(KS_FIELD_process_parent_exe), parent_exe.native());
  }
  std::string login = ReadAll("/proc/self/loginuid");
  EXPECT_EQ(seen.Int(KS_FIELD_process_loginuid), login.empty() ? 4294967295 : std::stoll(login));
  // Field 22 of stat, in ticks; the 20th behind the name's bracket.
  std::string stat = ReadAll("/proc/self/stat");
  std::istringstream words(stat.substr(stat.rfind(')') + 1));
  std::string word;
  for (int i = 0; i < 20; ++i) words >> word;
  EXPECT_EQ(seen.Int(KS_FIELD_process_start_time) / (1'000'000'000 / ::sysconf(_SC_CLK_TCK)), std::stoll(word));
}

// Of /proc/PID/stat: the words behind the name, the first being the state (field 3).
std::vector<std::string> StatOf(int pid) {
  std::string stat = ReadAll("/proc/" + std::to_string(pid) + "/stat");
  std::istringstream words(stat.substr(stat.rfind(')') + 1));
  return {std::istream_iterator<std::string>(words), {}};
}

TEST_F(KernelTest, AncestorsAreNamedNearestFirst) {
  Seen seen = RecordOne(KS_KIND_syscall, [] { ::syscall(SYS_getppid); });
  std::string names;
  const Item& ids = seen.At(KS_FIELD_process_ancestor_ids);
  size_t count = 0;
  for (int pid = ::getppid(); pid != 0 && count < 16; count++) {
    std::string name = ReadAll("/proc/" + std::to_string(pid) + "/comm");
    if (name.empty()) break;  // beyond what this process may see
    name.back() = '\0';
    names += name;
    const std::string id = ids.bytes.substr(24 * count, 24);
    ASSERT_EQ(id.size(), 24u);
    const int64_t start = std::stoll(id.substr(7), nullptr, 16);
    EXPECT_EQ(id.substr(0, 23), schema::ProcessId(pid, start));
    EXPECT_EQ(id.back(), '\0');
    const std::vector<std::string> stat = StatOf(pid);
    EXPECT_EQ(start / (1'000'000'000 / ::sysconf(_SC_CLK_TCK)), std::stoll(stat.at(19)));
    pid = std::stoi(stat.at(1));
  }
  ASSERT_GT(count, 0u);
  EXPECT_TRUE(seen.At(KS_FIELD_process_ancestors).bytes.starts_with(names)) << names;
  EXPECT_EQ(ids.bytes.size() % 24, 0u);
}

// Calls getppid in a descendant, `generations` below.
void CallBelow(int generations) {
  if (generations == 0) {
    ::syscall(SYS_getppid);
  } else {
    InChild([generations] { CallBelow(generations - 1); });
  }
}

// More than are kept: cut, never a shorter list that looks whole.
TEST_F(KernelTest, ManyAncestorsAreCut) {
  std::vector<Seen> calls = Record(KS_KIND_syscall, [] { CallBelow(17); }, 0);
  std::erase_if(calls, [](const Seen& seen) { return seen.Text(KS_FIELD_process_name) != "kst-test"; });
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls[0].StatusOf(KS_FIELD_process_ancestors), KS_TRUNCATED);
  EXPECT_EQ(calls[0].StatusOf(KS_FIELD_process_ancestor_ids), KS_TRUNCATED);
  EXPECT_EQ(calls[0].At(KS_FIELD_process_ancestor_ids).bytes.size(), 16u * 24);
  std::string names;
  for (int i = 0; i < 16; i++) names += std::string("kst-test\0", 9);
  EXPECT_EQ(calls[0].At(KS_FIELD_process_ancestors).bytes, names);
}

TEST_F(KernelTest, CapabilitiesAreTheEffectiveOnes) {
  Seen seen = RecordOne(KS_KIND_syscall, [] { ::syscall(SYS_getppid); });
  const std::string status = ReadAll("/proc/self/status");
  const std::string mask = status.substr(status.find("CapEff:") + 7);
  EXPECT_EQ(static_cast<uint64_t>(seen.Int(KS_FIELD_process_caps)), std::stoull(mask, nullptr, 16));
}

TEST_F(KernelTest, TheControlGroupIsItsLastComponents) {
  std::istringstream lines(ReadAll("/proc/self/cgroup"));
  std::string line, unified, pids, memory;
  while (std::getline(lines, line)) {
    std::string path = line.substr(line.find('/'));
    if (line.starts_with("0::")) unified = path;
    if (line.find(":pids:") != std::string::npos) pids = path;
    if (line.find(":memory:") != std::string::npos) memory = path;
  }
  std::string path = unified.size() > 1 ? unified : pids.size() > 1 ? pids : memory;
  while (std::count(path.begin(), path.end(), '/') > 8) path.erase(0, path.find('/', 1));
  Seen seen = RecordOne(KS_KIND_syscall, [] { ::syscall(SYS_getppid); });
  EXPECT_EQ("/" + seen.Text(KS_FIELD_process_cgroup), path.empty() ? "/" : path);
}

TEST_F(KernelTest, AThreadHasItsOwnIdAndTheProcessesStart) {
  pid_t tid = 0;
  std::vector<Seen> all = Record(KS_KIND_syscall, [&] {
    ::syscall(SYS_getppid);
    std::thread([&] {
      tid = ::gettid();
      ::syscall(SYS_getppid);
    }).join();
  });
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].Int(KS_FIELD_process_tid), ::gettid());
  EXPECT_EQ(all[1].Int(KS_FIELD_process_tid), tid);
  EXPECT_EQ(all[0].Int(KS_FIELD_process_start_time), all[1].Int(KS_FIELD_process_start_time));
}

TEST_F(KernelTest, ForkTellsTheNewProcessOrThread) {
  pid_t child = 0, tid = 0;
  Seen forked = RecordOne(KS_KIND_fork, [&] { child = InChild([] {}); });
  EXPECT_EQ(forked.Int(KS_FIELD_child_pid), child);
  EXPECT_EQ(forked.Int(KS_FIELD_process_pid), ::getpid());
  forked = RecordOne(KS_KIND_fork, [&] { std::thread([&] { tid = ::gettid(); }).join(); });
  EXPECT_EQ(forked.Int(KS_FIELD_child_pid), tid);
}

TEST_F(KernelTest, ExecIsTheNewProgramInTheOldProcess) {
  std::string program = Path("kst-program");
  std::filesystem::copy_file("/bin/true", program);
  std::filesystem::create_symlink(program, Path("link"));
  pid_t child = 0;
  auto run = [&](const std::function<void()>& exec) {
    std::vector<Seen> all = Record(KS_KIND_exec, [&] { child = InChild(exec); }, 0);
    EXPECT_EQ(all.size(), 1u);
    return all.empty() ? Seen() : all[0];
  };
  Seen seen = run([&] {
    std::string name = Path("link");
    char* arguments[] = {name.data(), const_cast<char*>("one"), const_cast<char*>(""), const_cast<char*>("t w o"),
                         nullptr};
    ::execv(name.c_str(), arguments);
  });
  EXPECT_EQ(seen.Int(KS_FIELD_process_pid), child);
  EXPECT_EQ(seen.Text(KS_FIELD_process_exe), program);
  EXPECT_EQ(seen.Text(KS_FIELD_process_name), "link");
  EXPECT_EQ(seen.Text(KS_FIELD_process_args), Path("link") + std::string("\0one\0\0t w o\0", 12));
  EXPECT_EQ(seen.Int(KS_FIELD_process_parent_pid), ::getpid());
  EXPECT_EQ(seen.Text(KS_FIELD_process_parent_name), "kst-test");

  seen = run([&] {
    std::string large(600, 'x');
    ::execl(program.c_str(), "name", large.c_str(), nullptr);
  });
  EXPECT_EQ(seen.StatusOf(KS_FIELD_process_args), KS_TRUNCATED);
  EXPECT_EQ(seen.At(KS_FIELD_process_args).bytes, std::string("name\0", 5) + std::string(507, 'x'));

  seen = run([&] {
    int memory = ::memfd_create("hidden thing", MFD_CLOEXEC);
    std::string image = ReadAll(program);
    EXPECT_EQ(::write(memory, image.data(), image.size()), static_cast<ssize_t>(image.size()));
    char* arguments[] = {const_cast<char*>("harmless"), nullptr};
    char* environment[] = {nullptr};
    ::fexecve(memory, arguments, environment);
  });
  EXPECT_EQ(seen.Text(KS_FIELD_process_exe), "/memfd:hidden thing");
  EXPECT_EQ(seen.Text(KS_FIELD_process_args), std::string("harmless\0", 9));

  seen = run([&] {
    ::unlink(program.c_str());
    ::execl(program.c_str(), "gone", nullptr);
    std::filesystem::copy_file("/bin/true", program);
    int fd = ::open(program.c_str(), O_RDONLY | O_CLOEXEC);
    ::unlink(program.c_str());
    char* arguments[] = {nullptr};
    ::fexecve(fd, arguments, arguments);
  });
  EXPECT_EQ(seen.Text(KS_FIELD_process_exe), program) << "a deleted file keeps its name";
}

TEST_F(KernelTest, TheEndOfAProcessIsToldOnce) {
  int status = 0;
  auto ends = [&](const std::function<void()>& act) {
    pid_t child = 0;
    std::vector<Seen> all = Record(KS_KIND_exit, [&] { child = InChild(act, &status); }, 0);
    std::vector<Seen> own;
    for (Seen& seen : all) {
      if (seen.Int(KS_FIELD_process_pid) == child) own.push_back(std::move(seen));
    }
    return own;
  };
  auto with_threads = [](int count) {
    for (int i = 0; i < count; ++i) std::thread([] { ::pause(); }).detach();
  };
  std::vector<Seen> own = ends([] { ::_exit(3); });
  ASSERT_EQ(own.size(), 1u);
  EXPECT_EQ(own[0].Int(KS_FIELD_event_exit_code), 3);
  EXPECT_EQ(own[0].Int(KS_FIELD_event_exit_signal), 0);
  EXPECT_EQ(own[0].Text(KS_FIELD_process_name), "kst-test");
  own = ends([] { ::raise(SIGKILL); });
  ASSERT_EQ(own.size(), 1u);
  EXPECT_EQ(own[0].Int(KS_FIELD_event_exit_code), 0);
  EXPECT_EQ(own[0].Int(KS_FIELD_event_exit_signal), SIGKILL);
  for (int round = 0; round < 20; ++round) {
    own = ends([&] {
      with_threads(8);
      ::_exit(7);
    });
    ASSERT_EQ(own.size(), 1u) << "round " << round;
    EXPECT_EQ(own[0].Int(KS_FIELD_event_exit_code), 7);
  }
  // Threads that go at once all find none of them alive: many processes, each told once.
  std::map<int64_t, int> told;
  auto many = [&] {
    for (int i = 0; i < 100; ++i) told[InChild([&] { with_threads(4); })] = 0;
  };
  for (const Seen& seen : Record(KS_KIND_exit, many, 0)) {
    if (auto one = told.find(seen.Int(KS_FIELD_process_pid)); one != told.end()) one->second++;
  }
  for (const auto& [pid, times] : told) EXPECT_EQ(times, 1) << "process " << pid;
  // The first thread goes first; the process ends with the last. By whose status, kernels differ.
  own = ends([] {
    std::thread([] {
      ::usleep(50'000);
      ::syscall(SYS_exit, 9);
    }).detach();
    ::syscall(SYS_exit, 5);
  });
  ASSERT_EQ(own.size(), 1u);
  EXPECT_EQ(own[0].Int(KS_FIELD_event_exit_code), WEXITSTATUS(status));
}

TEST_F(ChildTest, UserIdsAreTheNewOnesAndTheOnesAskedFor) {
  if (::getuid() != 0) GTEST_SKIP() << "needs root to change user ids";
  pid_t child = 0;
  auto become = [&](const std::function<void()>& act) {
    std::vector<Seen> all = Record(KS_KIND_setuid, [&] { child = InChild(act); }, 0);
    EXPECT_FALSE(all.empty());
    return all.empty() ? Seen() : all.back();
  };
  Seen seen = become([] { ::syscall(SYS_setresuid, -1, 12345, -1); });
  EXPECT_EQ(seen.Int(KS_FIELD_target_uid), 12345);
  EXPECT_EQ(seen.Int(KS_FIELD_process_uid), 0);
  EXPECT_EQ(seen.Int(KS_FIELD_process_euid), 12345);
  EXPECT_EQ(become([] { ::syscall(SYS_setresuid, 1, -1, -1); }).Int(KS_FIELD_target_uid), 1);
  EXPECT_EQ(become([] { ::syscall(SYS_setresuid, -1, -1, 2); }).Int(KS_FIELD_target_uid), 2);
  EXPECT_EQ(become([] { ::syscall(SYS_setresuid, -1, -1, -1); }).StatusOf(KS_FIELD_target_uid), KS_ABSENT);
  EXPECT_EQ(become([] { ::syscall(SYS_setreuid, 1, 3); }).Int(KS_FIELD_target_uid), 3);
  EXPECT_EQ(become([] { ::syscall(SYS_setfsuid, 4); }).Int(KS_FIELD_target_uid), 4);
  seen = become([] { ::syscall(SYS_setuid, 12345); });
  EXPECT_EQ(seen.Int(KS_FIELD_target_uid), 12345);
  EXPECT_EQ(seen.Int(KS_FIELD_process_uid), 12345);
  EXPECT_EQ(seen.Int(KS_FIELD_event_result), 0);
  seen = become([] {
    ::syscall(SYS_setuid, 12345);
    ::syscall(SYS_setuid, 0);
  });
  EXPECT_EQ(seen.Int(KS_FIELD_target_uid), 0);
  EXPECT_EQ(seen.Int(KS_FIELD_process_uid), 12345);
  EXPECT_EQ(seen.Int(KS_FIELD_event_result), 1);
  EXPECT_EQ(seen.Int(KS_FIELD_event_errno), EPERM);
  // setfsuid's answer does not tell that it was refused.
  seen = become([] {
    ::syscall(SYS_setuid, 12345);
    ::syscall(SYS_setfsuid, 0);
  });
  EXPECT_EQ(seen.Int(KS_FIELD_event_result), 1);
}

TEST_F(ChildTest, TheTerminalIsNamed) {
  const int main = ::posix_openpt(O_RDWR | O_NOCTTY);
  if (main < 0 || ::grantpt(main) != 0 || ::unlockpt(main) != 0) GTEST_SKIP() << "no pseudo terminals here";
  const std::string name = ::ptsname(main);  // /dev/pts/7
  Seen seen = CallAfter([&] {
    ::setsid();
    ::open(name.c_str(), O_RDWR);  // becomes the session's terminal
  });
  EXPECT_EQ("/dev/" + seen.Text(KS_FIELD_process_tty).insert(3, "/"), name);
  ::close(main);
  EXPECT_EQ(CallAfter([] { ::setsid(); }).StatusOf(KS_FIELD_process_tty), KS_ABSENT);
}

TEST_F(ChildTest, StandardOutputAndErrorAreToldApart) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  Seen seen = CallAfter([&] {
    ::dup2(ends[1], 1);
    ::close(2);
  });
  EXPECT_EQ(seen.Int(KS_FIELD_process_stdout), kPipe);
  EXPECT_EQ(seen.Int(KS_FIELD_process_stderr), kClosed);
  EXPECT_EQ(seen.StatusOf(KS_FIELD_process_stdout_peer), KS_ABSENT);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_F(ChildTest, StandardInputIsToldApart) {
  auto after = [&](int fd) { return CallAfter([fd] { ::dup2(fd, 0); }).Int(KS_FIELD_process_stdin); };
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  EXPECT_EQ(after(ends[0]), kPipe);
  ::close(ends[0]);
  ::close(ends[1]);
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  Seen seen = CallAfter([&] { ::dup2(ends[0], 0); });
  EXPECT_EQ(seen.Int(KS_FIELD_process_stdin), kSocket);
  EXPECT_EQ(seen.StatusOf(KS_FIELD_process_stdin_peer), KS_ABSENT);
  ::close(ends[0]);
  ::close(ends[1]);
  int fd = ::open(Create("input").c_str(), O_RDONLY);
  EXPECT_EQ(after(fd), kFile);
  ::close(fd);
  fd = ::open("/dev/null", O_RDONLY);
  EXPECT_EQ(after(fd), kOther);
  ::close(fd);
  fd = ::posix_openpt(O_RDWR | O_NOCTTY);
  if (fd >= 0) {
    EXPECT_EQ(after(fd), kTty);
    ::close(fd);
  }
  EXPECT_EQ(CallAfter([] { ::close(0); }).Int(KS_FIELD_process_stdin), kClosed);
}

}  // namespace
}  // namespace ks::kernel

#include "runtime/import/scap/event.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <limits>
#include <numeric>

#include "bpf/schema/schema.h"
#include "runtime/import/scap/wire.h"

namespace ks::import::scap {
namespace {

struct Row {
  uint16_t number;
  std::string_view name, parameters;
};
constexpr Row kRows[] = {
#define KS_SCAP_EVENT(number, name, parameters) {number, name, parameters},
#include "runtime/import/scap/events.def"
};

// Calls without events of their own come as `syscall`, with one of these numbers (ppm_syscall_code of falcosecurity/libs).
constexpr std::string_view kCodes[] = {
    "unknown", "restart_syscall", "exit", "read", "write", "open", "close", "creat", "link", "unlink", "chdir", "time", "mknod",
    "chmod", "stat", "lseek", "getpid", "mount", "ptrace", "alarm", "fstat", "pause", "utime", "access", "sync", "kill", "rename",
    "mkdir", "rmdir", "dup", "pipe", "times", "brk", "acct", "ioctl", "fcntl", "setpgid", "umask", "chroot", "ustat", "dup2", "getppid",
    "getpgrp", "setsid", "sethostname", "setrlimit", "getrusage", "gettimeofday", "settimeofday", "symlink", "lstat", "readlink",
    "uselib", "swapon", "reboot", "mmap", "munmap", "truncate", "ftruncate", "fchmod", "getpriority", "setpriority", "statfs",
    "fstatfs", "syslog", "setitimer", "getitimer", "uname", "vhangup", "wait4", "swapoff", "sysinfo", "fsync", "setdomainname",
    "adjtimex", "mprotect", "init_module", "delete_module", "quotactl", "getpgid", "fchdir", "sysfs", "personality", "getdents",
    "select", "flock", "msync", "readv", "writev", "getsid", "fdatasync", "mlock", "munlock", "mlockall", "munlockall",
    "sched_setparam", "sched_getparam", "sched_setscheduler", "sched_getscheduler", "sched_yield", "sched_get_priority_max",
    "sched_get_priority_min", "sched_rr_get_interval", "nanosleep", "mremap", "poll", "prctl", "rt_sigaction", "rt_sigprocmask",
    "rt_sigpending", "rt_sigtimedwait", "rt_sigqueueinfo", "rt_sigsuspend", "getcwd", "capget", "capset", "sendfile", "getrlimit",
    "lchown", "getuid", "getgid", "geteuid", "getegid", "setreuid", "setregid", "getgroups", "setgroups", "fchown", "setresuid",
    "getresuid", "setresgid", "getresgid", "chown", "setuid", "setgid", "setfsuid", "setfsgid", "pivot_root", "mincore", "madvise",
    "gettid", "setxattr", "lsetxattr", "fsetxattr", "getxattr", "lgetxattr", "fgetxattr", "listxattr", "llistxattr", "flistxattr",
    "removexattr", "lremovexattr", "fremovexattr", "tkill", "futex", "sched_setaffinity", "sched_getaffinity", "set_thread_area",
    "get_thread_area", "io_setup", "io_destroy", "io_getevents", "io_submit", "io_cancel", "exit_group", "epoll_create", "epoll_ctl",
    "epoll_wait", "remap_file_pages", "set_tid_address", "timer_create", "timer_settime", "timer_gettime", "timer_getoverrun",
    "timer_delete", "clock_settime", "clock_gettime", "clock_getres", "clock_nanosleep", "tgkill", "utimes", "mq_open", "mq_unlink",
    "mq_timedsend", "mq_timedreceive", "mq_notify", "mq_getsetattr", "kexec_load", "waitid", "add_key", "request_key", "keyctl",
    "ioprio_set", "ioprio_get", "inotify_init", "inotify_add_watch", "inotify_rm_watch", "openat", "mkdirat", "mknodat", "fchownat",
    "futimesat", "unlinkat", "renameat", "linkat", "symlinkat", "readlinkat", "fchmodat", "faccessat", "pselect6", "ppoll", "unshare",
    "set_robust_list", "get_robust_list", "splice", "tee", "vmsplice", "getcpu", "epoll_pwait", "utimensat", "signalfd",
    "timerfd_create", "eventfd", "timerfd_settime", "timerfd_gettime", "signalfd4", "eventfd2", "epoll_create1", "dup3", "pipe2",
    "inotify_init1", "preadv", "pwritev", "rt_tgsigqueueinfo", "perf_event_open", "fanotify_init", "prlimit64", "clock_adjtime",
    "syncfs", "setns", "getdents64", "socket", "bind", "connect", "listen", "accept", "getsockname", "getpeername", "socketpair",
    "sendto", "recvfrom", "shutdown", "setsockopt", "getsockopt", "sendmsg", "sendmmsg", "recvmsg", "recvmmsg", "accept4", "semop",
    "semget", "semctl", "msgsnd", "msgrcv", "msgget", "msgctl", "shmdt", "shmget", "shmctl", "statfs64", "fstatfs64", "fstatat64",
    "sendfile64", "ugetrlimit", "bdflush", "sigprocmask", "ipc", "socketcall", "stat64", "lstat64", "fstat64", "fcntl64", "mmap2",
    "_newselect", "sgetmask", "ssetmask", "sigpending", "olduname", "umount", "signal", "nice", "stime", "_llseek", "waitpid",
    "pread64", "pwrite64", "arch_prctl", "shmat", "rt_sigreturn", "fallocate", "newfstatat", "process_vm_readv", "process_vm_writev",
    "fork", "vfork", "setuid32", "getuid32", "setgid32", "geteuid32", "getgid32", "setresuid32", "setresgid32", "getresuid32",
    "getresgid32", "finit_module", "bpf", "seccomp", "sigaltstack", "getrandom", "fadvise64", "renameat2", "userfaultfd", "openat2",
    "umount2", "execve", "execveat", "copy_file_range", "clone", "clone3", "open_by_handle_at", "io_uring_setup", "io_uring_enter",
    "io_uring_register", "mlock2", "getegid32", "fsconfig", "fspick", "fsmount", "fsopen", "open_tree", "move_mount", "mount_setattr",
    "memfd_create", "memfd_secret", "ioperm", "kexec_file_load", "pidfd_getfd", "pidfd_open", "pidfd_send_signal", "pkey_alloc",
    "pkey_mprotect", "pkey_free", "landlock_create_ruleset", "quotactl_fd", "landlock_restrict_self", "landlock_add_rule",
    "epoll_pwait2", "migrate_pages", "move_pages", "preadv2", "pwritev2", "kcmp", "sched_setattr", "mbind", "epoll_ctl_old",
    "lookup_dcookie", "modify_ldt", "statx", "set_mempolicy", "io_pgetevents", "set_mempolicy_home_node", "semtimedop",
    "get_kernel_syms", "readahead", "futex_waitv", "getpmsg", "name_to_handle_at", "process_mrelease", "nfsservctl", "epoll_wait_old",
    "rseq", "create_module", "-", "sched_getattr", "faccessat2", "_sysctl", "query_module", "get_mempolicy", "sync_file_range",
    "process_madvise", "membarrier", "iopl", "close_range", "fanotify_mark",
};

constexpr std::string_view kParameterNames[] = {
#define KS_SCAP_PARAMETER(name) #name,
    KS_SCAP_PARAMETERS(KS_SCAP_PARAMETER)
#undef KS_SCAP_PARAMETER
};

// Where each row has the parameters that are asked for.
constexpr uint8_t kNone = 255;
struct Positions {
  std::array<uint8_t, static_cast<size_t>(Parameter::Count)> of;
  uint8_t count = 0;
  Positions() { of.fill(kNone); }
};

const std::vector<Positions>& AllPositions() {
  static const std::vector<Positions> all = [] {
    std::vector<Positions> rows;
    for (const Row& row : kRows) {
      Positions& positions = rows.emplace_back();
      std::string_view rest = row.parameters;
      while (!rest.empty()) {
        const std::string_view name = rest.substr(0, rest.find(' '));
        rest.remove_prefix(std::min(rest.size(), name.size() + 1));
        const auto* const found = std::find(std::begin(kParameterNames), std::end(kParameterNames), name);
        if (found != std::end(kParameterNames)) positions.of[static_cast<size_t>(found - std::begin(kParameterNames))] = positions.count;
        ++positions.count;
      }
    }
    return rows;
  }();
  return all;
}

struct Shape {
  uint32_t type;
  bool counted, flagged, large;  // it says how many parameters there are · has flags · lengths of 32 bits
};
constexpr Shape kShapes[] = {{0x204, false, false, false}, {0x8010ABCD, false, false, false}, {0x208, false, true, false},
                             {0x216, true, false, false},  {0x217, true, true, false},        {0x221, true, false, true},
                             {0x222, true, true, true}};

const Shape* ShapeOf(uint32_t type) {
  const auto* const found = std::find_if(std::begin(kShapes), std::end(kShapes), [&](const Shape& one) { return one.type == type; });
  return found == std::end(kShapes) ? nullptr : found;
}

constexpr size_t kMostParameters = 256;
constexpr uint32_t kHead = 22;                // of an event of version 1
constexpr uint16_t kGenericExit = 1;

// Notifications and events of the infrastructure say three bytes more than they have.
bool HasNote(uint16_t type) { return type == 280 || type == 286; }

// Before version 2 of event blocks nothing says how many there are: as many as the table has, or fewer if it is an older event.
// Their sizes must make up the event's own: `size` bytes behind its head.
bool Uncounted(uint16_t type, std::string_view rest, size_t size, std::vector<std::string_view>* out) {
  const size_t most = type < AllPositions().size() ? AllPositions()[type].count : 0;
  std::array<uint16_t, kMostParameters> lengths;
  for (size_t count = most + 1; count-- > 0;) {
    Wire wire(rest);
    const auto end = lengths.begin() + static_cast<ptrdiff_t>(count);
    const bool read = std::all_of(lengths.begin(), end, [&](uint16_t& length) { return wire.Number(&length); });
    if (!read) continue;
    const size_t sum = std::accumulate(lengths.begin(), end, size_t{0});
    const size_t all = 2 * count + sum;
    if (sum > wire.left() || (all != size && !(HasNote(type) && all + 3 == size))) continue;
    out->resize(count);
    for (size_t i = 0; i < count; ++i) wire.Take(lengths[i], &(*out)[i]);
    return true;
  }
  return false;
}

bool Counted(uint32_t count, bool large, Wire wire, std::vector<std::string_view>* out) {
  if (count > kMostParameters) return false;
  std::array<uint32_t, kMostParameters> lengths;
  for (uint32_t i = 0; i < count; ++i) {
    uint16_t narrow = 0;
    if (!(large ? wire.Number(&lengths[i]) : wire.Number(&narrow))) return false;
    if (!large) lengths[i] = narrow;
  }
  out->resize(count);
  for (size_t i = 0; i < count; ++i) {
    if (!wire.Take(lengths[i], &(*out)[i])) return false;
  }
  return true;
}

std::string_view CallName(uint16_t type) {
  switch (type) {
    case 56:
    case 57:
    case 248:
    case 249: return "accept4";  // named accept in the table
    default: return type < std::size(kRows) ? kRows[type].name : "";
  }
}

// What the table names otherwise than the kernel.
std::string_view KernelName(std::string_view name) {
  if (name == "umount") return "umount2";
  if (name == "pread" || name == "pwrite") return name == "pread" ? "pread64" : "pwrite64";
  if (name == "prlimit") return "prlimit64";
  return name;
}

}  // namespace

std::optional<std::string_view> Event::Find(Parameter parameter) const {
  const std::vector<Positions>& all = AllPositions();
  if (type >= all.size()) return std::nullopt;
  const uint8_t at = all[type].of[static_cast<size_t>(parameter)];
  if (at >= parameters.size()) return std::nullopt;
  return parameters[at];
}

bool IsEventBlock(uint32_t type) { return ShapeOf(type) != nullptr; }

bool DecodeEvent(const Block& block, Event* event, std::string* why) {
  const Shape& shape = *ShapeOf(block.type);
  event->parameters.clear();
  Wire wire(block.body);
  uint32_t length = 0, count = 0;
  if (!wire.Number(&event->cpu) || (shape.flagged && !wire.Skip(4)) || !wire.Number(&event->time_ns) || !wire.Number(&event->tid) ||
      !wire.Number(&length) || !wire.Number(&event->type) || (shape.counted && !wire.Number(&count))) {
    *why = "an event without its head";
    return false;
  }
  if (event->time_ns > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    *why = fmt::format("an event ({}) whose time cannot be", SourceName(event->type));
    return false;
  }
  const size_t size = length > kHead ? length - kHead : 0;
  const bool read =
      shape.counted ? Counted(count, shape.large, wire, &event->parameters) : Uncounted(event->type, wire.rest(), size, &event->parameters);
  if (!read) *why = fmt::format("an event ({}) whose parameters do not fit into it", SourceName(event->type));
  return read;
}

SourceNumber SourceOf(const Event& event) {
  uint16_t code = 0;
  const std::optional<std::string_view> id = event.type <= kGenericExit ? event.Find(Parameter::ID) : std::nullopt;
  return id && Wire(*id).Number(&code) ? kSourceCall + code : event.type;
}

std::string SourceName(SourceNumber number) {
  if (number < kSourceCall) return number < std::size(kRows) ? std::string(kRows[number].name) : fmt::format("event {}", number);
  const SourceNumber code = number - kSourceCall;
  return code < std::size(kCodes) ? std::string(kCodes[code]) : fmt::format("syscall {}", code);
}

std::optional<int64_t> SyscallOf(const Event& event) {
  static const std::vector<std::optional<int64_t>> of_types = [] {
    std::vector<std::optional<int64_t>> numbers;
    for (uint16_t type = 0; type < std::size(kRows); ++type) numbers.push_back(schema::EnumeratorValue("syscall", KernelName(CallName(type))));
    return numbers;
  }();
  static const std::vector<std::optional<int64_t>> of_codes = [] {
    std::vector<std::optional<int64_t>> numbers;
    for (const std::string_view name : kCodes) numbers.push_back(schema::EnumeratorValue("syscall", KernelName(name)));
    return numbers;
  }();
  if (event.is_enter()) return std::nullopt;
  if (event.type != kGenericExit) return event.type < of_types.size() ? of_types[event.type] : std::nullopt;
  uint16_t code = 0;
  const std::optional<std::string_view> id = event.Find(Parameter::ID);
  if (!id || !Wire(*id).Number(&code) || code >= of_codes.size()) return std::nullopt;
  return of_codes[code];
}

}  // namespace ks::import::scap

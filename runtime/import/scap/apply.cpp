// What calls do to the machine: descriptors, folders, programs, owners.
#include <netinet/in.h>
#include <sys/syscall.h>

#include <algorithm>

#include "runtime/import/scap/calls.h"
#include "runtime/import/scap/fields.h"

namespace ks::import::scap {
namespace {

// PPM_FCNTL_F_DUPFD, …_CLOEXEC; PPM_O_CLOEXEC; SOCK_CLOEXEC and O_CLOEXEC of the kernel; PPM_CL_…
constexpr int64_t kDupFd = 1, kDupFdCloexec = 26, kOpenCloexec = 1 << 12, kCloexec = 02000000;
constexpr int64_t kCloneFiles = 1, kNewMounts = 1 << 5, kCloneThread = 1 << 13, kInPidns = 1 << 29;
constexpr int64_t kInProgress = -115;  // EINPROGRESS: the connection goes on
constexpr size_t kMostText = 4096, kMostName = 15;

const Descriptor* Find(const Process& process, std::optional<int64_t> number) {
  return number ? process.descriptors.read().Find(*number) : nullptr;
}

void Set(Process& process, std::optional<int64_t> number, Descriptor descriptor) {
  if (number.value_or(-1) >= 0) process.descriptors.write().Set(*number, std::move(descriptor));
}

void Open(const Call& call, Process& process) {
  const auto name = call.number() == SYS_open_by_handle_at ? call.Text(Parameter::path) : call.Text(Parameter::name);
  const int64_t folder = call.Signed(Parameter::dirfd).value_or(kWorkingFolder);
  Descriptor opened = OfPath(name ? Resolve(process, folder, *name).value_or("").substr(0, kMostText) : "");
  opened.close_on_exec = (call.Number(Parameter::flags).value_or(0) & kOpenCloexec) != 0;
  Set(process, call.result(), std::move(opened));
}

Descriptor OfSocket(const Call& call) {
  Descriptor made;
  made.refers = Refers::Socket;
  const int64_t family = call.Number(Parameter::domain).value_or(0), flags = call.Number(Parameter::type).value_or(0), type = flags & 0xf;
  made.inet = family == 2 || family == 10;
  made.close_on_exec = (flags & kCloexec) != 0;
  const int64_t protocol = call.Number(Parameter::proto).value_or(0);
  if (made.inet) made.protocol = static_cast<uint8_t>(protocol != 0 ? protocol : type == 1 ? IPPROTO_TCP : type == 2 ? IPPROTO_UDP : 0);
  return made;
}

void Connect(const Call& call, Process& process) {
  const Descriptor* socket = Find(process, call.Signed(Parameter::fd));
  if (!socket || (call.failed() && call.result() != kInProgress)) return;
  Descriptor connected = *socket;
  schema::Endpoint from, to;
  const std::optional<std::string_view> tuple = call.Bytes(Parameter::tuple), address = call.Bytes(Parameter::addr);
  if (tuple && ReadTuple(*tuple, &from, &to)) {
    connected.local = from;
  } else if (!address || !ReadAddress(*address, &to)) {
    return;
  }
  connected.inet = true;
  connected.remote = to;
  Set(process, call.Signed(Parameter::fd), std::move(connected));
}

void Bind(const Call& call, Process& process) {
  const Descriptor* socket = Find(process, call.Signed(Parameter::fd));
  const auto address = call.Bytes(Parameter::addr);
  schema::Endpoint own;
  if (!socket || call.failed() || !address || !ReadAddress(*address, &own)) return;
  Descriptor bound = *socket;
  bound.inet = true;
  bound.local = own;
  Set(process, call.Signed(Parameter::fd), std::move(bound));
}

void Accept(const Call& call, Process& process) {
  Descriptor taken;
  taken.refers = Refers::Socket;
  taken.close_on_exec = call.number() == SYS_accept4 && (call.Number(Parameter::flags).value_or(0) & kCloexec) != 0;
  schema::Endpoint from, to;
  if (const auto tuple = call.Bytes(Parameter::tuple); tuple && ReadTuple(*tuple, &from, &to)) {
    taken.inet = true;
    taken.protocol = IPPROTO_TCP;
    taken.remote = from;
    taken.local = to;
  }
  Set(process, call.result(), std::move(taken));
}

void Duplicate(const Call& call, Process& process, std::optional<int64_t> from, bool close_on_exec) {
  const Descriptor* old = Find(process, from);
  Descriptor copy;
  copy.refers = Refers::Unknown;
  if (old) copy = *old;
  copy.close_on_exec = close_on_exec;
  Set(process, call.result(), std::move(copy));
}

void SetIds(const Call& call, Thread& thread) {
  if (call.failed()) return;
  const auto take = [&](std::optional<int64_t>* id, Parameter parameter) {
    constexpr int64_t kUnchanged = 0xffffffff;
    if (const std::optional<int64_t> asked = call.Number(parameter); asked && *asked != kUnchanged) *id = asked;
  };
  const std::optional<int64_t> before = thread.euid;
  switch (call.number()) {
    case SYS_setuid:
      // Root gives itself up altogether; others set the effective one.
      if (before == 0) take(&thread.uid, Parameter::uid);
      take(&thread.euid, Parameter::uid);
      break;
    case SYS_setgid:
      if (before == 0) take(&thread.gid, Parameter::gid);
      take(&thread.egid, Parameter::gid);
      break;
    case SYS_setreuid:
    case SYS_setresuid:
      take(&thread.uid, Parameter::ruid);
      take(&thread.euid, Parameter::euid);
      break;
    default:
      take(&thread.gid, Parameter::rgid);
      take(&thread.egid, Parameter::egid);
  }
  // The kernel takes capabilities from who gives up root, and gives them back.
  if (before != thread.euid) thread.caps.reset();
}

// What a program or a new thread says of itself.
void TakeSelf(const Call& call, Thread& thread) {
  Process& process = *thread.process;
  if (const auto name = call.Text(Parameter::comm); name && !name->empty()) {
    thread.name = name->substr(0, kMostName);
    if (thread.tid == process.pid) process.name = thread.name;
  }
  if (const auto cgroups = call.Bytes(Parameter::cgroups)) process.cgroup = ReadCgroups(*cgroups).substr(0, kMostText);
  if (const auto cwd = call.Text(Parameter::cwd); cwd && cwd->starts_with('/')) process.cwd = event::NormalizePath(cwd->substr(0, kMostText));
  if (const auto uid = call.Number(Parameter::uid)) thread.euid = uid;
  if (const auto gid = call.Number(Parameter::gid)) thread.egid = gid;
  // Empty: it has none but its own name.
  if (const auto args = call.exit().Find(Parameter::args)) {
    process.args = std::string(call.Text(Parameter::exe).value_or("").substr(0, kMostText)) + '\0' + std::string(args->substr(0, kMostText));
    if (!process.args->ends_with('\0')) *process.args += '\0';
  }
}

void Exec(const Call& call, Machine& machine) {
  if (call.result() != 0) return;
  Thread& thread = machine.At(call.exit().tid);
  machine.EndOthers(thread);
  Process& process = *thread.process;
  process.guessed = false;
  // What an older recording does not say of the new program is not what the old one was.
  process.args.reset();
  if (!call.Bytes(Parameter::uid)) thread.euid.reset();
  if (!call.Bytes(Parameter::gid)) thread.egid.reset();
  thread.caps = call.Number(Parameter::cap_effective);
  std::optional<std::string> image;
  if (const auto told = call.Text(Parameter::trusted_exepath); told && told->starts_with('/')) {
    image = *told;
  } else {
    image = call.Text(call.number() == SYS_execveat ? Parameter::pathname : Parameter::filename);
    const int64_t folder = call.number() == SYS_execveat ? call.Signed(Parameter::dirfd).value_or(kWorkingFolder) : kWorkingFolder;
    if (image) image = image->empty() ? std::nullopt : Resolve(process, folder, *image);
  }
  process.exe = image.value_or("").substr(0, kMostText);
  thread.name = process.name = process.exe.substr(process.exe.rfind('/') + 1).substr(0, kMostName);
  TakeSelf(call, thread);
  if (const auto uid = call.Number(Parameter::loginuid)) process.login_uid = uid;
  if (const auto tty = call.Number(Parameter::tty)) process.tty = tty;
  process.descriptors.Unshare();
  process.descriptors.write().EraseClosedOnExec();
  machine.ChangedForAll();
}

// In the parent the answer is the child, in the child 0. Whichever comes first makes it.
void Clone(const Call& call, Machine& machine) {
  const std::optional<int64_t> result = call.result();
  if (!result || *result < 0) return;
  const int64_t flags = call.Number(Parameter::flags).value_or(0), tid = call.exit().tid;
  if (*result > 0) {
    Thread& maker = machine.At(tid);
    maker.in_pid_namespace |= (flags & kInPidns) != 0;
    // Another namespace's number is nobody's here: the child says its own.
    if (maker.in_pid_namespace || *result > kMostThreadNumber || machine.Find(*result)) return;
    const bool is_thread = (flags & kCloneThread) != 0;
    machine.Make(*result, is_thread ? maker.process->pid : *result, &maker, (flags & kCloneFiles) != 0, call.exit().time_ns).awaited = true;
    return;
  }
  Thread* self = machine.Find(tid);
  const int64_t pid = call.Signed(Parameter::pid).value_or(tid);
  if (pid < 0 || pid > kMostThreadNumber) return;
  // One that is there and not awaited had this number before.
  if (!self || !self->awaited) {
    const int64_t parent = call.Signed(Parameter::ptid).value_or(-1);
    self = &machine.Make(tid, pid, machine.Find(tid == pid ? parent : pid), (flags & kCloneFiles) != 0, call.exit().time_ns);
    if (!self->process->parent && self->process->parent_pid != parent) {
      self->process->parent_pid = parent;
      machine.ChangedForAll();
    }
  }
  self->awaited = false;
  self->in_pid_namespace = (flags & kInPidns) != 0;
  const std::string before = self->process->name;
  TakeSelf(call, *self);
  machine.Changed(*self->process);
  if (self->process->name != before) machine.ChangedForAll();
}

// Folders and ids: true if it was one of those.
bool ApplyToProcess(const Call& call, Thread& thread) {
  Process& process = *thread.process;
  const bool done = !call.failed();
  switch (call.number()) {
    case SYS_chdir:
      if (const auto path = call.Text(Parameter::path); done) process.cwd = path ? Resolve(process, kWorkingFolder, *path).value_or("").substr(0, kMostText) : "";
      return true;
    case SYS_fchdir:
      if (const Descriptor* folder = Find(process, call.Signed(Parameter::fd)); done) process.cwd = folder ? folder->path : "";
      return true;
    case SYS_chroot:
    case SYS_pivot_root:
    case SYS_setns:
      // What its folder is called from now on is not told.
      if (done && (call.number() != SYS_setns || call.Number(Parameter::nstype).value_or(0) == 0 || call.Number(Parameter::nstype).value_or(0) & kNewMounts)) process.cwd.clear();
      return true;
    case SYS_setsid:
      if (call.result().value_or(-1) > 0) process.session = process.pid, process.tty = 0;
      return true;
    case SYS_capset:
      if (done) thread.caps = call.Number(Parameter::cap_effective);
      return true;
    case SYS_setuid:
    case SYS_setreuid:
    case SYS_setresuid:
    case SYS_setgid:
    case SYS_setregid:
    case SYS_setresgid: SetIds(call, thread); return true;
    default: return false;
  }
}

void ApplyToDescriptors(const Call& call, Process& process) {
  switch (call.number()) {
    case SYS_open:
    case SYS_openat:
    case SYS_openat2:
    case SYS_creat:
    case SYS_open_by_handle_at: return Open(call, process);
    case SYS_socket: return Set(process, call.result(), OfSocket(call));
    case SYS_connect: return Connect(call, process);
    case SYS_accept:
    case SYS_accept4: return Accept(call, process);
    case SYS_bind: return Bind(call, process);
    case SYS_pipe:
    case SYS_pipe2:
    case SYS_socketpair:
      for (const Parameter end : {Parameter::fd1, Parameter::fd2}) {
        Descriptor made;
        made.refers = call.number() == SYS_socketpair ? Refers::Socket : Refers::Pipe;
        if (!call.failed()) Set(process, call.Signed(end), std::move(made));
      }
      return;
    case SYS_dup:
    case SYS_dup2:
    case SYS_dup3: {
      const std::optional<int64_t> old = call.Signed(Parameter::oldfd);
      const bool close = call.number() == SYS_dup3 && (call.Number(Parameter::flags).value_or(0) & kOpenCloexec) != 0;
      return Duplicate(call, process, old ? old : call.Signed(Parameter::fd), close);
    }
    case SYS_fcntl:
      if (const auto command = call.Number(Parameter::cmd); command == kDupFd || command == kDupFdCloexec) {
        Duplicate(call, process, call.Signed(Parameter::fd), command == kDupFdCloexec);
      }
      return;
    case SYS_close:
      if (const auto number = call.Signed(Parameter::fd); number && !call.failed()) process.descriptors.write().Erase(*number);
      return;
    case SYS_close_range: return process.descriptors.write().Forget();  // which ones is not told
    case SYS_memfd_create:
      if (const auto name = call.Text(Parameter::name)) Set(process, call.result(), OfPath("/memfd:" + std::string(name->substr(0, kMostText))));
      return;
    case SYS_eventfd:
    case SYS_eventfd2:
    case SYS_epoll_create:
    case SYS_epoll_create1:
    case SYS_signalfd:
    case SYS_signalfd4:
    case SYS_timerfd_create:
    case SYS_inotify_init:
    case SYS_inotify_init1:
    case SYS_userfaultfd:
    case SYS_io_uring_setup:
    case SYS_pidfd_open:
    case SYS_bpf:
    case SYS_perf_event_open:
    case SYS_fanotify_init:
    case SYS_fsopen: return Set(process, call.result(), Descriptor());
    case SYS_pidfd_getfd:
    case SYS_open_tree: {
      Descriptor unknown;
      unknown.refers = Refers::Unknown;
      return Set(process, call.result(), std::move(unknown));
    }
    default: return;
  }
}

}  // namespace

void Apply(const Call& call, Machine& machine) {
  switch (call.number()) {
    case SYS_clone:
    case SYS_clone3:
    case SYS_fork:
    case SYS_vfork: return Clone(call, machine);
    case SYS_execve:
    case SYS_execveat: return Exec(call, machine);
    default: break;
  }
  Thread& thread = machine.At(call.exit().tid);
  if (ApplyToProcess(call, thread)) {
    machine.Changed(*thread.process);
  } else {
    ApplyToDescriptors(call, *thread.process);
  }
}

}  // namespace ks::import::scap

// What calls do to the machine: descriptors, folders, programs, owners.
#include <netinet/in.h>
#include <sys/syscall.h>

#include <algorithm>

#include "runtime/import/scap/calls.h"
#include "runtime/import/scap/fields.h"

namespace ks::import::scap {
namespace {

constexpr int64_t kDupFd = 1, kDupFdCloexec = 26;                                // PPM_FCNTL_F_DUPFD, …_CLOEXEC
constexpr int64_t kCloneFiles = 1, kCloneThread = 1 << 13, kInPidns = 1 << 29;  // PPM_CL_…

Descriptor* Find(Process& process, std::optional<int64_t> number) {
  if (!number) return nullptr;
  const auto found = process.descriptors->find(*number);
  return found == process.descriptors->end() ? nullptr : &found->second;
}

Descriptor OfPath(const std::optional<std::string>& path) {
  Descriptor opened;
  opened.path = path.value_or("");
  opened.refers = opened.path.starts_with("/dev/pts/") || opened.path.starts_with("/dev/tty") ? Refers::Tty : Refers::File;
  return opened;
}

void Open(const Call& call, Process& process) {
  if (call.failed() || !call.result()) return;
  const std::optional<std::string> name = call.number() == SYS_open_by_handle_at ? call.Text(Parameter::path) : call.Text(Parameter::name);
  const int64_t folder = call.Signed(Parameter::dirfd).value_or(kWorkingFolder);
  (*process.descriptors)[*call.result()] = OfPath(name ? Resolve(process, folder, *name) : std::nullopt);
}

Descriptor OfSocket(const Call& call) {
  Descriptor made;
  made.refers = Refers::Socket;
  const int64_t family = call.Number(Parameter::domain).value_or(0), type = call.Number(Parameter::type).value_or(0) & 0xf;
  made.inet = family == 2 || family == 10;
  const int64_t protocol = call.Number(Parameter::proto).value_or(0);
  if (made.inet) made.protocol = static_cast<uint8_t>(protocol != 0 ? protocol : type == 1 ? IPPROTO_TCP : type == 2 ? IPPROTO_UDP : 0);
  return made;
}

void Connect(const Call& call, Process& process) {
  Descriptor* socket = Find(process, call.Signed(Parameter::fd));
  schema::Endpoint from, to;
  const std::optional<std::string_view> tuple = call.Bytes(Parameter::tuple), address = call.Bytes(Parameter::addr);
  // -EINPROGRESS: it goes on.
  if (!socket || (call.failed() && call.result() != -115)) return;
  if (tuple && ReadTuple(*tuple, &from, &to)) {
    socket->inet = true;
    socket->local = from;
    socket->remote = to;
  } else if (address && ReadAddress(*address, &to)) {
    socket->inet = true;
    socket->remote = to;
  }
}

void Accept(const Call& call, Process& process) {
  if (call.failed() || !call.result()) return;
  Descriptor taken;
  taken.refers = Refers::Socket;
  schema::Endpoint from, to;
  if (const auto tuple = call.Bytes(Parameter::tuple); tuple && ReadTuple(*tuple, &from, &to)) {
    taken.inet = true;
    taken.protocol = IPPROTO_TCP;
    taken.remote = from;
    taken.local = to;
  }
  (*process.descriptors)[*call.result()] = taken;
}

void Duplicate(const Call& call, Process& process, std::optional<int64_t> from) {
  const std::optional<int64_t> made = call.result();
  const Descriptor* old = Find(process, from);
  if (call.failed() || !made) return;
  (*process.descriptors)[*made] = old ? Descriptor(*old) : Descriptor();
}

void SetIds(const Call& call, Thread& thread) {
  if (call.failed()) return;
  const auto take = [&](std::optional<int64_t>* id, Parameter parameter) {
    constexpr int64_t kUnchanged = 0xffffffff;
    if (const std::optional<int64_t> asked = call.Number(parameter); asked && *asked != kUnchanged) *id = asked;
  };
  switch (call.number()) {
    case SYS_setuid:
      // Root gives itself up altogether; others set the effective one.
      if (thread.euid == 0) take(&thread.uid, Parameter::uid);
      take(&thread.euid, Parameter::uid);
      break;
    case SYS_setgid:
      if (thread.euid == 0) take(&thread.gid, Parameter::gid);
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
}

// What a program or a new thread says of itself.
void TakeSelf(const Call& call, Thread& thread) {
  Process& process = *thread.process;
  if (const auto name = call.Text(Parameter::comm); name && !name->empty()) {
    thread.name = *name;
    if (thread.tid == process.pid) process.name = *name;
  }
  if (const auto cgroups = call.Bytes(Parameter::cgroups); cgroups && !cgroups->empty()) process.cgroup = ReadCgroups(*cgroups);
  if (const auto cwd = call.Text(Parameter::cwd); cwd && cwd->starts_with('/')) process.cwd = event::NormalizePath(*cwd);
  if (const auto uid = call.Number(Parameter::uid)) thread.euid = uid;
  if (const auto gid = call.Number(Parameter::gid)) thread.egid = gid;
  if (const auto args = call.Bytes(Parameter::args)) {
    process.args = call.Text(Parameter::exe).value_or("") + '\0' + std::string(*args);
    if (!process.args.ends_with('\0')) process.args += '\0';
  }
}

void Exec(const Call& call, Thread& thread) {
  if (call.result() != 0) return;
  Process& process = *thread.process;
  TakeSelf(call, thread);
  std::optional<std::string> image = call.Text(Parameter::trusted_exepath);
  if (!image || !image->starts_with('/')) {
    image = call.Text(call.number() == SYS_execveat ? Parameter::pathname : Parameter::filename);
    const int64_t folder = call.number() == SYS_execveat ? call.Signed(Parameter::dirfd).value_or(kWorkingFolder) : kWorkingFolder;
    if (image) image = image->empty() ? std::nullopt : Resolve(process, folder, *image);
  }
  process.exe = image.value_or("");
  if (const auto uid = call.Number(Parameter::loginuid)) process.login_uid = uid;
  if (const auto tty = call.Number(Parameter::tty)) process.tty = tty;
  if (const auto caps = call.Number(Parameter::cap_effective)) thread.caps = caps;
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
    if (maker.in_pid_namespace || machine.Find(*result)) return;
    const bool is_thread = (flags & kCloneThread) != 0;
    machine.Make(*result, is_thread ? maker.process->pid : *result, &maker, (flags & kCloneFiles) != 0, call.exit().time_ns).awaited = true;
    return;
  }
  Thread* self = machine.Find(tid);
  const int64_t pid = call.Signed(Parameter::pid).value_or(tid);
  // One that is there and not awaited had this number before.
  if (!self || !self->awaited) {
    const int64_t parent = call.Signed(Parameter::ptid).value_or(-1);
    self = &machine.Make(tid, pid, machine.Find(tid == pid ? parent : pid), (flags & kCloneFiles) != 0, call.exit().time_ns);
    if (!self->process->parent) self->process->parent_pid = parent;
  }
  self->awaited = false;
  self->in_pid_namespace = (flags & kInPidns) != 0;
  TakeSelf(call, *self);
}

}  // namespace

void Apply(const Call& call, Machine& machine) {
  switch (call.number()) {
    case SYS_clone:
    case SYS_clone3:
    case SYS_fork:
    case SYS_vfork: return Clone(call, machine);
    default: break;
  }
  Thread& thread = machine.At(call.exit().tid);
  Process& process = *thread.process;
  switch (call.number()) {
    case SYS_open:
    case SYS_openat:
    case SYS_openat2:
    case SYS_creat:
    case SYS_open_by_handle_at: return Open(call, process);
    case SYS_execve:
    case SYS_execveat: return Exec(call, thread);
    case SYS_socket:
      if (!call.failed() && call.result()) (*process.descriptors)[*call.result()] = OfSocket(call);
      return;
    case SYS_connect: return Connect(call, process);
    case SYS_accept:
    case SYS_accept4: return Accept(call, process);
    case SYS_bind: {
      Descriptor* socket = Find(process, call.Signed(Parameter::fd));
      schema::Endpoint own;
      const auto address = call.Bytes(Parameter::addr);
      if (socket && !call.failed() && address && ReadAddress(*address, &own)) socket->inet = true, socket->local = own;
      return;
    }
    case SYS_pipe:
    case SYS_pipe2:
    case SYS_socketpair:
      for (const Parameter end : {Parameter::fd1, Parameter::fd2}) {
        const std::optional<int64_t> number = call.Signed(end);
        if (!number || call.failed()) continue;
        Descriptor made;
        made.refers = call.number() == SYS_socketpair ? Refers::Socket : Refers::Pipe;
        (*process.descriptors)[*number] = made;
      }
      return;
    case SYS_dup:
    case SYS_dup2:
    case SYS_dup3: {
      const std::optional<int64_t> old = call.Signed(Parameter::oldfd);
      return Duplicate(call, process, old ? old : call.Signed(Parameter::fd));
    }
    case SYS_fcntl:
      if (const auto command = call.Number(Parameter::cmd); command == kDupFd || command == kDupFdCloexec) {
        Duplicate(call, process, call.Signed(Parameter::fd));
      }
      return;
    case SYS_close:
      if (const auto number = call.Signed(Parameter::fd); number && !call.failed()) process.descriptors->erase(*number);
      return;
    case SYS_chdir:
      if (const auto path = call.Text(Parameter::path); path && !call.failed()) process.cwd = Resolve(process, kWorkingFolder, *path).value_or("");
      return;
    case SYS_fchdir:
      if (const Descriptor* folder = Find(process, call.Signed(Parameter::fd)); folder && !call.failed()) process.cwd = folder->path;
      return;
    case SYS_setsid:
      if (call.result().value_or(-1) > 0) process.session = process.pid;
      return;
    case SYS_capset:
      if (const auto caps = call.Number(Parameter::cap_effective); caps && !call.failed()) thread.caps = caps;
      return;
    case SYS_setuid:
    case SYS_setreuid:
    case SYS_setresuid:
    case SYS_setgid:
    case SYS_setregid:
    case SYS_setresgid: return SetIds(call, thread);
    case SYS_memfd_create:
      if (const auto name = call.Text(Parameter::name); name && call.result().value_or(-1) >= 0) {
        (*process.descriptors)[*call.result()] = OfPath("/memfd:" + *name);
      }
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
      if (call.result().value_or(-1) >= 0) (*process.descriptors)[*call.result()] = Descriptor();
      return;
    default: return;
  }
}

}  // namespace ks::import::scap

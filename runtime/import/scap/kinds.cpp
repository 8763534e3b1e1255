// Calls as events: which kind, and what its fields are.
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "runtime/import/scap/calls.h"
#include "runtime/import/scap/fields.h"
#include "runtime/import/scap/wire.h"

namespace ks::import::scap {
namespace {

using schema::EventKind;
using schema::FieldId;
using schema::Record;
using Status = schema::Status;

// The table of the kernel half: by number of x86-64.
struct Kinded {
  int64_t number;
  EventKind kind;
};
#define KS_CALL(name, kind, dir, path, old_dir, old_path, fd, flags, value, pid) constexpr EventKind kKindOf_##name = EventKind::kind##_;
#include "bpf/fields/calls.def"
constexpr Kinded kKinds[] = {
#define KS_CALL64(name, number) {number, kKindOf_##name},
#include "bpf/fields/calls.def"
};

// Flags of a recording → ours.
using Bits = std::pair<int64_t, int64_t>;
template <size_t N>
int64_t Translate(int64_t flags, const std::array<Bits, N>& table) {
  int64_t out = 0;
  for (const auto& [theirs, ours] : table) out |= flags & theirs ? ours : 0;
  return out;
}
constexpr int64_t kOpenCreated = 1 << 14;  // PPM_O_F_CREATED
constexpr std::array<Bits, 4> kAccess = {{{1, 1}, {2, 2}, {1 << 3, 4}, {kOpenCreated, 8}}};  // PPM_O_RDONLY, WRONLY, APPEND
constexpr int64_t kOpenTruncate = 1 << 8, kAccessTruncate = 16, kAccessWrite = 2;
constexpr std::array<Bits, 7> kNamespaces = {{{1 << 3, 0x8000000}, {1 << 4, 0x40000000}, {1 << 5, 0x20000}, {1 << 6, 0x20000000},
                                              {1 << 7, 0x4000000}, {1 << 20, 0x10000000}, {1 << 28, 0x2000000}}};  // PPM_CL_CLONE_NEW…
constexpr std::array<Bits, 5> kProtection = {{{1, 1}, {2, 2}, {4, 4}, {1 << 4, 0x1000000}, {1 << 5, 0x2000000}}};  // PPM_PROT_…
constexpr int64_t kMountFlags = 0x1f702f;  // of MS_…, those that have names here; PPM_MS_… are the same bits
constexpr int64_t kRemoveFolder = 0x200;   // AT_REMOVEDIR

// PPM_PTRACE_… in their order → the kernel's.
constexpr std::array<int64_t, 26> kPtrace = {-1,     0,      1,      2,      3,      4,      5,      6,      7,
                                             8,      9,      16,     17,     24,     0x4200, 0x4201, 0x4202, 0x4203,
                                             0x4204, 0x4205, 0x4206, 0x4207, 0x4208, 0x4209, 0x420a, 0x420b};

std::optional<std::string> PathAt(const Call& call, const Process& process, std::initializer_list<Parameter> folders, std::initializer_list<Parameter> paths) {
  int64_t folder = kWorkingFolder;
  for (const Parameter parameter : folders) {
    if (const auto number = call.Signed(parameter)) folder = *number;
  }
  for (const Parameter parameter : paths) {
    if (const auto path = call.Text(parameter); path && !path->empty()) return Resolve(process, folder, *path);
  }
  return std::nullopt;
}

std::optional<std::string> PathOf(const Call& call, const Process& process) {
  if (const auto path = PathAt(call, process, {Parameter::dirfd, Parameter::newdir, Parameter::newdirfd, Parameter::linkdirfd},
                               {Parameter::newpath, Parameter::linkpath, Parameter::dir, Parameter::path, Parameter::pathname, Parameter::name, Parameter::filename})) {
    return path;
  }
  const Descriptor* found = process.descriptors.read().Find(call.Signed(Parameter::fd).value_or(-1));
  return !found || found->path.empty() ? std::nullopt : std::optional(found->path);
}

// new_encode_dev → major << 20 | minor.
std::optional<int64_t> Device(std::optional<int64_t> device) {
  if (!device) return std::nullopt;
  return (*device >> 8 & 0xfff) << 20 | (*device & 0xff) | (*device >> 12 & 0xfff00);
}

void SetOpened(const Call& call, const Process& process, Record& record) {
  const bool by_handle = call.number() == SYS_open_by_handle_at;
  const auto path = PathAt(call, process, {Parameter::dirfd}, {by_handle ? Parameter::path : Parameter::name});
  SetText(record, FieldId::file_path, path);
  SetText(record, FieldId::file_canonical, path);
  // A failed open has no file.
  SetNumber(record, FieldId::file_inode, call.failed() ? std::nullopt : call.Number(Parameter::ino));
  SetNumber(record, FieldId::file_device, call.failed() ? std::nullopt : Device(call.Number(Parameter::dev)));
  std::optional<int64_t> access;
  if (const auto flags = call.Number(Parameter::flags)) {
    access = Translate(*flags, kAccess);
    if ((*access & kAccessWrite || call.failed()) && *flags & kOpenTruncate) *access |= kAccessTruncate;
  } else if (call.number() == SYS_creat) {
    access = kAccessWrite | kAccessTruncate;
  }
  SetNumber(record, FieldId::event_access, access);
}

const Descriptor* SocketOf(const Call& call, const Process& process) {
  const auto number = call.number() == SYS_accept || call.number() == SYS_accept4 ? call.result() : call.Signed(Parameter::fd);
  return process.descriptors.read().Find(number.value_or(-1));
}

void SetSocket(const Call& call, EventKind kind, const Process& process, Record& record) {
  const Descriptor* socket = SocketOf(call, process);
  std::optional<schema::Endpoint> from, to;
  schema::Endpoint first, second;
  if (const auto tuple = call.Bytes(Parameter::tuple); tuple && ReadTuple(*tuple, &first, &second)) from = first, to = second;
  if (const auto address = call.Bytes(Parameter::addr); address && ReadAddress(*address, &second)) (kind == EventKind::bind_ ? from : to) = second;
  if (socket && !from && kind != EventKind::accept_) from = socket->local;
  static const auto other = schema::EnumeratorValue("transport", "other");
  std::optional<int64_t> transport;
  if (socket && socket->inet) transport = socket->protocol == 6 || socket->protocol == 17 ? std::optional<int64_t>(socket->protocol) : other;
  SetNumber(record, FieldId::event_transport, transport);
  SetEndpoint(record, FieldId::event_src, from);
  if (kind != EventKind::bind_ && kind != EventKind::listen_) SetEndpoint(record, FieldId::event_dst, to);
  if (kind == EventKind::listen_) SetNumber(record, FieldId::event_backlog, call.Signed(Parameter::backlog));
}

std::optional<int64_t> PtraceRequest(const Call& call) {
  switch (call.number()) {
    case SYS_process_vm_readv: return schema::EnumeratorValue("ptrace_request", "PROCESS_VM_READ");
    case SYS_process_vm_writev: return schema::EnumeratorValue("ptrace_request", "PROCESS_VM_WRITE");
    case SYS_pidfd_getfd: return schema::EnumeratorValue("ptrace_request", "PIDFD_GETFD");
    default: break;
  }
  const int64_t request = call.Number(Parameter::request).value_or(0);
  const bool known = request > 0 && request < static_cast<int64_t>(kPtrace.size());
  return known ? std::optional(kPtrace[static_cast<size_t>(request)]) : std::nullopt;
}

// In a PID namespace a number is that namespace's. Of a thread alone its process is not known.
std::optional<int64_t> Target(const Call& call, const Thread& thread) {
  const std::optional<int64_t> pid = call.Signed(Parameter::pid);
  return thread.in_pid_namespace && pid.value_or(0) > 0 ? std::nullopt : pid;
}

void SetTargetIds(const Call& call, EventKind kind, Record& record) {
  const bool user = kind == EventKind::setuid_;
  auto asked = call.Number(user ? Parameter::euid : Parameter::egid);
  if (!asked) asked = call.Number(user ? Parameter::uid : Parameter::gid);
  SetNumber(record, user ? FieldId::target_uid : FieldId::target_gid, asked);
}

const std::vector<FieldId>& KernelFields(EventKind kind) {
  static const auto by_kind = [] {
    std::array<std::vector<FieldId>, schema::kKindCount> fields;
    for (const schema::EventRow& event : schema::Events()) {
      for (const schema::FieldRow& row : schema::Fields()) {
        if (row.decided == schema::Decided::Kernel && schema::Has(event.kind, row.id)) fields[static_cast<size_t>(event.kind)].push_back(row.id);
      }
    }
    return fields;
  }();
  return by_kind[static_cast<size_t>(kind)];
}

// Of x86-64's numbers; nothing for most.
std::optional<EventKind> KindOfNumber(int64_t number) {
  static const auto by_number = [] {
    std::vector<std::optional<EventKind>> kinds;
    for (const Kinded& one : kKinds) {
      const auto at = static_cast<size_t>(one.number);
      if (kinds.size() <= at) kinds.resize(at + 1);
      if (!kinds[at]) kinds[at] = one.kind;
    }
    return kinds;
  }();
  return number >= 0 && static_cast<size_t>(number) < by_number.size() ? by_number[static_cast<size_t>(number)] : std::nullopt;
}

std::optional<int64_t> ToNumber(std::optional<std::string_view> bytes) {
  if (!bytes || bytes->size() > sizeof(int64_t)) return std::nullopt;
  int64_t number = 0;
  std::memcpy(&number, bytes->data(), bytes->size());
  return number;
}

bool IsOfInternet(const Call& call, const Thread& thread) {
  schema::Endpoint from, to;
  if (const auto tuple = call.Bytes(Parameter::tuple); tuple && !tuple->empty()) return ReadTuple(*tuple, &from, &to);
  if (const auto address = call.Bytes(Parameter::addr); address && !address->empty()) return ReadAddress(*address, &to);
  const Descriptor* socket = SocketOf(call, *thread.process);
  return socket && socket->inet;
}

}  // namespace

std::optional<std::string_view> Call::Bytes(Parameter parameter) const {
  if (const auto bytes = exit_.Find(parameter); bytes && !bytes->empty()) return bytes;
  if (enter_) {
    if (const auto bytes = enter_->Find(parameter); bytes && !bytes->empty()) return bytes;
  }
  return std::nullopt;
}

std::optional<int64_t> Call::Number(Parameter parameter) const { return ToNumber(Bytes(parameter)); }

std::optional<int64_t> Call::Signed(Parameter parameter) const {
  const auto bytes = Bytes(parameter);
  const auto number = ToNumber(bytes);
  return number && bytes->size() == 4 ? std::optional<int64_t>(static_cast<int32_t>(*number)) : number;
}

std::optional<std::string_view> Call::Text(Parameter parameter) const {
  const auto bytes = Bytes(parameter);
  if (!bytes) return std::nullopt;
  const std::string_view text = bytes->substr(0, bytes->find('\0'));
  if (text == "<NA>" || text == "(NULL)") return std::nullopt;
  return text;
}

std::optional<int64_t> Call::FindResult() const {
  if (exit_.Find(Parameter::res)) return Signed(Parameter::res);
  // Calls that answer a descriptor name it so.
  switch (number_) {
    case SYS_open:
    case SYS_openat:
    case SYS_openat2:
    case SYS_creat:
    case SYS_open_by_handle_at:
    case SYS_socket:
    case SYS_accept:
    case SYS_accept4:
    case SYS_memfd_create:
    case SYS_pidfd_open:
    case SYS_pidfd_getfd:
    case SYS_bpf: {
      const auto bytes = exit_.Find(Parameter::fd);
      return bytes && !bytes->empty() ? Signed(Parameter::fd) : std::nullopt;
    }
    default: return std::nullopt;
  }
}

bool Created(const Call& call) {
  return !call.failed() && (call.Number(Parameter::flags).value_or(0) & kOpenCreated) != 0;
}

std::optional<EventKind> KindOf(const Call& call, const Thread& thread) {
  const std::optional<EventKind> kind = KindOfNumber(call.number());
  if (call.number() == SYS_execve || call.number() == SYS_execveat) return call.result() == 0 ? std::optional(EventKind::exec_) : std::nullopt;
  if (!kind) return std::nullopt;
  switch (*kind) {
    case EventKind::unlink_:
      if (call.number() == SYS_unlinkat && call.Number(Parameter::flags).value_or(0) & kRemoveFolder) return EventKind::rmdir_;
      break;
    case EventKind::connect_:
    case EventKind::accept_:
    case EventKind::bind_:
    case EventKind::listen_:
      if (!IsOfInternet(call, thread)) return std::nullopt;
      break;
    case EventKind::sendto_: {
      // The recording gives the ends of a connected socket, too: only a datagram that goes where its socket is not connected to names one.
      const Descriptor* socket = SocketOf(call, *thread.process);
      schema::Endpoint from, to;
      const auto tuple = call.Bytes(Parameter::tuple);
      const bool named = socket && socket->protocol != 6 && !socket->remote && tuple && ReadTuple(*tuple, &from, &to) && to.port != 0;
      if (!named) return std::nullopt;
      break;
    }
    default: break;
  }
  return kind;
}

void SetOutcome(const Call& call, Record& record) {
  record.Set(FieldId::event_syscall, call.number());
  const std::optional<int64_t> result = call.result();
  SetNumber(record, FieldId::event_result, result ? std::optional<int64_t>(*result < 0) : std::nullopt);
  SetNumber(record, FieldId::event_errno, result ? std::optional<int64_t>(std::max<int64_t>(0, -std::max<int64_t>(*result, -4095))) : std::nullopt);
}

void SetFields(const Call& call, EventKind kind, const Thread& thread, Record& record) {
  const Process& process = *thread.process;
  switch (kind) {
    case EventKind::exec_:
      SetText(record, FieldId::file_canonical, process.exe);
      SetNumber(record, FieldId::file_inode, call.Number(Parameter::exe_ino));
      record.SetStatus(FieldId::file_device, Status::Unknown);
      return;
    case EventKind::open_:
    case EventKind::create_:
    case EventKind::open_by_handle_:
      SetOpened(call, process, record);
      break;
    case EventKind::connect_:
    case EventKind::accept_:
    case EventKind::bind_:
    case EventKind::listen_:
    case EventKind::sendto_: SetSocket(call, kind, process, record); break;
    case EventKind::setuid_:
    case EventKind::setgid_: SetTargetIds(call, kind, record); break;
    case EventKind::capset_: SetNumber(record, FieldId::target_caps, call.Number(Parameter::cap_effective)); break;
    case EventKind::ptrace_: {
      SetNumber(record, FieldId::event_request, PtraceRequest(call));
      SetNumber(record, FieldId::target_pid, Target(call, thread));
      break;
    }
    case EventKind::signal_: {
      SetNumber(record, FieldId::event_signal, call.Number(Parameter::sig));
      SetNumber(record, FieldId::target_pid, Target(call, thread));
      break;
    }
    case EventKind::setns_:
    case EventKind::unshare_: {
      const auto flags = call.Number(kind == EventKind::setns_ ? Parameter::nstype : Parameter::flags);
      // setns by descriptor alone does not say what it enters.
      const bool says = flags && (kind == EventKind::unshare_ || *flags != 0);
      SetNumber(record, FieldId::event_namespaces, says ? std::optional(Translate(*flags, kNamespaces)) : std::nullopt);
      break;
    }
    case EventKind::prctl_: SetNumber(record, FieldId::event_option, call.Number(Parameter::option)); break;
    case EventKind::memfd_create_: {
      const auto name = call.Text(Parameter::name);
      SetText(record, FieldId::file_path, name ? std::optional("/memfd:" + std::string(*name)) : std::nullopt);
      SetNumber(record, FieldId::event_memfd_flags, call.Number(Parameter::flags));
      break;
    }
    case EventKind::mprotect_: {
      const auto flags = call.Number(Parameter::prot);
      SetNumber(record, FieldId::event_protection, flags ? std::optional(Translate(*flags, kProtection)) : std::nullopt);
      break;
    }
    case EventKind::rename_:
    case EventKind::link_:
      SetText(record, FieldId::file_path, PathAt(call, process, {Parameter::newdir, Parameter::newdirfd}, {Parameter::newpath}));
      SetText(record, FieldId::file_old_path, PathAt(call, process, {Parameter::olddir, Parameter::olddirfd}, {Parameter::oldpath}));
      break;
    case EventKind::symlink_:
      SetText(record, FieldId::file_path, PathOf(call, process));
      SetText(record, FieldId::file_target, call.Text(Parameter::target));
      break;
    case EventKind::mount_: {
      SetText(record, FieldId::file_path, PathOf(call, process));
      SetText(record, FieldId::file_source, call.Text(Parameter::dev));
      SetText(record, FieldId::event_fs_type, call.Text(Parameter::type));
      const auto flags = call.Number(Parameter::flags);
      SetNumber(record, FieldId::event_mount_flags, flags ? std::optional(*flags & kMountFlags) : std::nullopt);
      break;
    }
    case EventKind::chown_:
      SetText(record, FieldId::file_path, PathOf(call, process));
      SetNumber(record, FieldId::target_uid, call.Number(Parameter::uid));
      SetNumber(record, FieldId::target_gid, call.Number(Parameter::gid));
      break;
    case EventKind::socket_:
      SetNumber(record, FieldId::event_family, call.Number(Parameter::domain));
      SetNumber(record, FieldId::event_socket_type, call.Number(Parameter::type) ? std::optional(*call.Number(Parameter::type) & 0xf) : std::nullopt);
      SetNumber(record, FieldId::event_protocol, call.Number(Parameter::proto));
      break;
    case EventKind::bpf_: SetNumber(record, FieldId::event_bpf_command, call.Number(Parameter::cmd)); break;
    case EventKind::chmod_:
    case EventKind::mkdir_:
    case EventKind::mknod_: {
      SetText(record, FieldId::file_path, PathOf(call, process));
      const auto mode = call.Number(Parameter::mode);
      SetNumber(record, FieldId::event_mode, mode ? std::optional(*mode & 07777) : std::nullopt);
      if (kind != EventKind::mknod_) break;
      const int64_t type = mode.value_or(0) & 0170000;
      SetNumber(record, FieldId::event_node, mode ? std::optional(type == 0 ? int64_t{0100000} : type) : std::nullopt);
      if (type == 0020000 || type == 0060000) {
        SetNumber(record, FieldId::event_node_device, Device(call.Number(Parameter::dev)));
      } else if (mode) {
        record.SetStatus(FieldId::event_node_device, Status::Absent);
      }
      break;
    }
    default:
      if (schema::Has(kind, FieldId::file_path)) SetText(record, FieldId::file_path, PathOf(call, process));
  }
  SetOutcome(call, record);
  // What only the call's arguments tell, and the recording does not have.
  for (const FieldId field : KernelFields(kind)) {
    if (record[field].status == Status::Unread) record.SetStatus(field, Status::Unknown);
  }
}

}  // namespace ks::import::scap

// Calls as events: which kind, and what its fields are.
#include <netinet/in.h>
#include <sys/syscall.h>

#include <algorithm>

#include "runtime/event/event.h"
#include "runtime/import/audit/call.h"
#include "runtime/import/ancestry.h"
#include "runtime/import/scap/fields.h"

namespace ks::import::audit {
namespace {

using scap::SetEndpoint;
using scap::SetNumber;
using scap::SetText;
using schema::EventKind;
using schema::FieldId;
using Status = schema::Status;

// open's flags; the same for all architectures that are read here.
constexpr int64_t kAccessMode = 3, kTruncate = 01000, kAppend = 02000, kPathOnly = 010000000;
constexpr int64_t kRead = 1, kWrite = 2, kAppended = 4, kMade = 8, kTruncated = 16, kPath = 32;  // of the enumeration `access`
constexpr int64_t kRemoveFolder = 0x200;      // AT_REMOVEDIR
constexpr int64_t kWorkingFolder = -100;      // AT_FDCWD
constexpr int64_t kMountFlags = 0x1f702f;     // of MS_…, those that have names here
constexpr int64_t kNamespaces = 0x7e020080;   // CLONE_NEW…

const PathItem* Find(const Call& call, std::string_view type, size_t skip = 0) {
  for (const PathItem& item : call.paths) {
    if (item.type == type && skip-- == 0) return &item;
  }
  return nullptr;
}

// Of what is not a folder that something was made in.
const PathItem* FindOwn(const Call& call, size_t skip = 0) {
  for (const PathItem& item : call.paths) {
    if (item.type != "PARENT" && skip-- == 0) return &item;
  }
  return nullptr;
}

// `folder`: the argument that a relative path belongs to. What is relative to a descriptor is not known.
std::optional<std::string> Absolute(const Call& call, const PathItem* item, uint8_t folder) {
  if (!item || !item->name || item->name->empty()) return std::nullopt;
  if (item->name->starts_with('/')) return event::NormalizePath(*item->name);
  if (folder != kNoArgument && call.Argument(folder) != kWorkingFolder) return std::nullopt;
  if (!call.cwd || !call.cwd->starts_with('/')) return std::nullopt;
  return event::NormalizePath(*call.cwd + "/" + *item->name);
}

std::optional<int64_t> Access(const Call& call) {
  std::optional<int64_t> flags = call.open_flags ? call.open_flags : call.Argument(call.row->flags);
  if (call.number == SYS_creat) flags = 1 | kTruncate;
  if (!flags) return std::nullopt;
  if (*flags & kPathOnly) return kPath;
  const int64_t mode = *flags & kAccessMode;
  int64_t access = mode == 0 ? kRead : mode == 1 ? kWrite : mode == 2 ? kRead | kWrite : 0;
  if (*flags & kAppend) access |= kAppended;
  if (*flags & kTruncate && (access & kWrite || call.failed())) access |= kTruncated;
  if (Created(call)) access |= kMade;
  return access;
}

void SetOpened(const Call& call, EventKind kind, schema::Record& record) {
  const PathItem* made = Find(call, "CREATE");
  const PathItem* item = made ? made : FindOwn(call);
  const std::optional<std::string> path = Absolute(call, item, call.row->dir);
  SetText(record, FieldId::file_path, path);
  SetText(record, FieldId::file_canonical, path);
  // A failed open has no file.
  const bool there = item && call.succeeded();
  SetNumber(record, FieldId::file_inode, there ? item->inode : std::nullopt);
  SetNumber(record, FieldId::file_device, there ? item->device : std::nullopt);
  SetNumber(record, FieldId::event_access, Access(call));
  if (kind == EventKind::create_) SetNumber(record, FieldId::event_mode, item && item->mode ? std::optional(*item->mode & 07777) : std::nullopt);
}

// The effective id where the call sets one, else the real, else the saved one; absent if all are to stay as they are.
void SetId(const Call& call, FieldId field, uint8_t argument, bool is_pair, bool is_triple, schema::Record& record) {
  const auto at = [&](uint8_t index) -> std::optional<int64_t> {
    const std::optional<int64_t> id = call.Argument(index);
    if (!id) return std::nullopt;
    if (call.old_ids) return (*id & 0xffff) == 0xffff ? int64_t{0xffffffff} : *id & 0xffff;
    return *id & 0xffffffff;
  };
  constexpr int64_t kStays = 0xffffffff;
  std::optional<int64_t> id = at(argument);
  if (is_pair || is_triple) {
    if (const auto second = at(1); second != kStays) id = second;
    if (is_triple && id == kStays) id = at(2);
  }
  if (id == kStays) {
    record.SetStatus(field, Status::Absent);
  } else {
    SetNumber(record, field, id);
  }
}

// new_encode_dev of include/linux/kdev_t.h → major << 20 | minor.
std::optional<int64_t> Device(std::optional<int64_t> device) {
  if (!device) return std::nullopt;
  return (*device >> 8 & 0xfff) << 20 | (*device & 0xff) | (*device >> 12 & 0xfff00);
}

std::optional<int64_t> PtraceRequest(const Call& call) {
  switch (call.number.value_or(-1)) {
    case SYS_process_vm_readv: return schema::EnumeratorValue("ptrace_request", "PROCESS_VM_READ");
    case SYS_process_vm_writev: return schema::EnumeratorValue("ptrace_request", "PROCESS_VM_WRITE");
    case SYS_pidfd_getfd: return schema::EnumeratorValue("ptrace_request", "PIDFD_GETFD");
    default: return call.Argument(0);
  }
}

// Whom the record of the object names is the host's number; an argument may be that of a namespace. A group is none of these.
std::optional<int64_t> Target(const Call& call) {
  const std::optional<int64_t> asked = call.Argument(call.row->pid);
  if (asked && *asked <= 0 && call.row->kind == EventKind::signal_) return asked;
  return call.object_pid;
}

void SetMoved(const Call& call, EventKind kind, schema::Record& record) {
  const PathItem* to = Find(call, "CREATE");
  const PathItem* from = kind == EventKind::rename_ ? Find(call, "DELETE") : Find(call, "NORMAL");
  // What failed has neither: the two in their order.
  if (!to && !from && FindOwn(call, 1) && !FindOwn(call, 2)) from = FindOwn(call), to = FindOwn(call, 1);
  SetText(record, FieldId::file_path, Absolute(call, to, call.row->dir));
  SetText(record, FieldId::file_old_path, Absolute(call, from, call.row->old_dir));
}

}  // namespace

std::optional<schema::Endpoint> EndpointOf(const Call& call) {
  if (!call.address || call.address->size() < 8) return std::nullopt;
  const auto byte = [&](size_t at) { return static_cast<uint8_t>((*call.address)[at]); };
  schema::Endpoint end;
  end.port = static_cast<uint16_t>(byte(2) << 8 | byte(3));
  const int family = byte(0) | byte(1) << 8;
  if (family == AF_INET) {
    end.ip.bytes[10] = end.ip.bytes[11] = 0xff;
    for (size_t i = 0; i < 4; ++i) end.ip.bytes[12 + i] = byte(4 + i);
    return end;
  }
  if (family != AF_INET6 || call.address->size() < 24) return std::nullopt;
  for (size_t i = 0; i < 16; ++i) end.ip.bytes[i] = byte(8 + i);
  return end;
}

bool Created(const Call& call) { return call.succeeded() && Find(call, "CREATE") != nullptr; }

bool MakesProcess(const Call& call) {
  const bool makes = call.number == SYS_clone || call.number == SYS_clone3 || call.number == SYS_fork || call.number == SYS_vfork;
  return makes && call.result.value_or(0) > 0;
}

std::optional<EventKind> KindOf(const Call& call) {
  if (call.number == SYS_execve || call.number == SYS_execveat) return call.succeeded() ? std::optional(EventKind::exec_) : std::nullopt;
  if (call.number == SYS_exit_group) return EventKind::exit_;
  if (MakesProcess(call)) return EventKind::fork_;
  if (!call.row) return std::nullopt;
  switch (call.row->kind) {
    case EventKind::unlink_:
      if (call.number == SYS_unlinkat && call.Argument(2).value_or(0) & kRemoveFolder) return EventKind::rmdir_;
      break;
    // That a socket is one of IP, only its address says.
    case EventKind::connect_:
    case EventKind::accept_:
    case EventKind::bind_:
    case EventKind::sendto_:
    case EventKind::listen_:
      if (!EndpointOf(call)) return std::nullopt;
      break;
    default: break;
  }
  return call.row->kind;
}

void SetOutcome(const Call& call, schema::Record& record) {
  constexpr int64_t kRestart = 512, kLastRestart = 516;  // ERESTARTSYS and the like: an interrupted call
  constexpr int64_t kInterrupted = 4, kNotPermitted = 1, kMostError = 4095;
  SetNumber(record, FieldId::event_syscall, call.number);
  std::optional<int64_t> error;
  if (call.result) error = *call.result < 0 && *call.result >= -kMostError ? -*call.result : 0;
  if (error && *error >= kRestart && *error <= kLastRestart) error = kInterrupted;
  // Their answer is the old id: they did what they were asked if it is the new one now.
  if (call.number == SYS_setfsuid || call.number == SYS_setfsgid) {
    const std::optional<int64_t> asked = call.Argument(0), now = call.number == SYS_setfsuid ? call.fsuid : call.fsgid;
    error = asked && now ? std::optional(*now == (*asked & 0xffffffff) ? 0 : kNotPermitted) : std::nullopt;
  } else if (call.success && error && *call.success != (*error == 0)) {
    error.reset();  // it contradicts itself
  }
  std::optional<int64_t> result;
  if (error) {
    result = *error != 0;
  } else if (call.success && !call.result) {
    result = !*call.success;
    if (*call.success) error = 0;
  }
  SetNumber(record, FieldId::event_result, result);
  SetNumber(record, FieldId::event_errno, error);
}

void SetFields(const Call& call, EventKind kind, schema::Record& record) {
  const uint8_t folder = call.row ? call.row->dir : kNoArgument;
  const auto masked = [&](uint8_t index, int64_t mask) {
    const std::optional<int64_t> value = call.Argument(index);
    return value ? std::optional(*value & mask) : std::nullopt;
  };
  const std::optional<schema::Endpoint> end = EndpointOf(call);
  switch (kind) {
    case EventKind::exec_: {
      const std::optional<std::string>& exe = call.exe;
      SetText(record, FieldId::file_canonical, exe);
      // The first item is what was asked for: a script, or a link, is not the program.
      const PathItem* item = FindOwn(call);
      const bool same = item && exe && Absolute(call, item, call.number == SYS_execveat ? 0 : kNoArgument) == *exe;
      SetNumber(record, FieldId::file_inode, same ? item->inode : std::nullopt);
      SetNumber(record, FieldId::file_device, same ? item->device : std::nullopt);
      return;
    }
    case EventKind::exit_:
      SetNumber(record, FieldId::event_exit_code, masked(0, 0xff));
      record.Set(FieldId::event_exit_signal, int64_t{0});
      return;
    case EventKind::fork_:
      SetNumber(record, FieldId::child_pid, call.result);
      return;
    case EventKind::open_:
    case EventKind::create_:
    case EventKind::open_by_handle_: SetOpened(call, kind, record); break;
    case EventKind::connect_:
    case EventKind::sendto_: SetEndpoint(record, FieldId::event_dst, end); break;
    case EventKind::accept_:
    case EventKind::bind_: SetEndpoint(record, FieldId::event_src, end); break;
    case EventKind::setuid_: SetId(call, FieldId::target_uid, 0, call.number == SYS_setreuid, call.number == SYS_setresuid, record); break;
    case EventKind::setgid_: SetId(call, FieldId::target_gid, 0, call.number == SYS_setregid, call.number == SYS_setresgid, record); break;
    case EventKind::chown_:
      SetText(record, FieldId::file_path, Absolute(call, FindOwn(call), folder));
      SetId(call, FieldId::target_uid, call.row->value, false, false, record);
      SetId(call, FieldId::target_gid, static_cast<uint8_t>(call.row->value + 1), false, false, record);
      break;
    case EventKind::capset_: SetNumber(record, FieldId::target_caps, call.caps); break;
    case EventKind::ptrace_:
      SetNumber(record, FieldId::event_request, PtraceRequest(call));
      SetNumber(record, FieldId::target_pid, Target(call));
      break;
    case EventKind::signal_:
      SetNumber(record, FieldId::event_signal, call.Argument(call.row->value));
      SetNumber(record, FieldId::target_pid, Target(call));
      break;
    case EventKind::setns_:
    case EventKind::unshare_: {
      // setns by descriptor alone does not say what it enters.
      const auto flags = masked(call.row->value, kNamespaces);
      SetNumber(record, FieldId::event_namespaces, kind == EventKind::setns_ && flags == 0 ? std::nullopt : flags);
      break;
    }
    case EventKind::prctl_: SetNumber(record, FieldId::event_option, call.Argument(0)); break;
    case EventKind::memfd_create_: SetNumber(record, FieldId::event_memfd_flags, call.Argument(1)); break;
    case EventKind::mprotect_: SetNumber(record, FieldId::event_protection, call.Argument(2)); break;
    case EventKind::rename_:
    case EventKind::link_: SetMoved(call, kind, record); break;
    case EventKind::symlink_: {
      SetText(record, FieldId::file_path, Absolute(call, Find(call, "CREATE"), folder));
      const PathItem* text = Find(call, "CREATE") ? Find(call, "UNKNOWN") : nullptr;
      SetText(record, FieldId::file_target, text ? text->name : std::nullopt);
      break;
    }
    case EventKind::unlink_:
    case EventKind::rmdir_:
      SetText(record, FieldId::file_path, Absolute(call, Find(call, "DELETE") ? Find(call, "DELETE") : FindOwn(call), folder));
      break;
    case EventKind::mount_: {
      SetText(record, FieldId::file_path, call.number == SYS_mount ? Absolute(call, FindOwn(call), kNoArgument) : std::nullopt);
      const std::optional<int64_t> flags = call.number == SYS_mount ? masked(3, kMountFlags) : std::nullopt;
      SetNumber(record, FieldId::event_mount_flags, flags);
      break;
    }
    case EventKind::socket_:
      SetNumber(record, FieldId::event_family, call.Argument(0));
      SetNumber(record, FieldId::event_socket_type, masked(1, 0xf));
      SetNumber(record, FieldId::event_protocol, call.Argument(2));
      break;
    case EventKind::bpf_: SetNumber(record, FieldId::event_bpf_command, call.Argument(0)); break;
    case EventKind::keyctl_: SetNumber(record, FieldId::event_key_operation, call.Argument(0)); break;
    case EventKind::reboot_: SetNumber(record, FieldId::event_reboot_command, masked(2, 0xffffffff)); break;
    case EventKind::truncate_:
      SetText(record, FieldId::file_path, Absolute(call, FindOwn(call), folder));
      if (call.arguments[1] && call.number) SetNumber(record, FieldId::event_size, static_cast<int64_t>(*call.arguments[1]));
      break;
    case EventKind::chmod_:
    case EventKind::mkdir_:
    case EventKind::mknod_: {
      const PathItem* made = Find(call, "CREATE");
      SetText(record, FieldId::file_path, Absolute(call, made ? made : FindOwn(call), folder));
      const auto mode = call.Argument(call.row->value);
      SetNumber(record, FieldId::event_mode, masked(call.row->value, 07777));
      if (kind != EventKind::mknod_) break;
      const int64_t type = mode.value_or(0) & 0170000;
      SetNumber(record, FieldId::event_node, mode ? std::optional(type == 0 ? int64_t{0100000} : type) : std::nullopt);
      if (type == 0020000 || type == 0060000) {
        SetNumber(record, FieldId::event_node_device, Device(masked(static_cast<uint8_t>(call.row->value + 1), 0xffffffff)));
      } else if (mode) {
        record.SetStatus(FieldId::event_node_device, Status::Absent);
      }
      break;
    }
    default:
      if (schema::Has(kind, FieldId::file_path)) SetText(record, FieldId::file_path, Absolute(call, FindOwn(call), folder));
  }
  SetOutcome(call, record);
  SetRest(record, kind);
}

}  // namespace ks::import::audit

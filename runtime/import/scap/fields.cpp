#include "runtime/import/scap/fields.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/event/in_place.h"

namespace ks::import::scap {
namespace {

using schema::FieldId;
using schema::Record;
using Status = schema::Status;

constexpr size_t kMostAncestors = 16;

// Which terminal a device number of the list or of exec is: new_encode_dev of include/linux/kdev_t.h.
std::optional<std::string> TerminalName(int64_t device) {
  const int64_t major = device >> 8 & 0xfff, minor = (device & 0xff) | (device >> 12 & 0xfff00);
  if (major >= 136 && major <= 143) return fmt::format("pts{}", (major - 136) * 256 + minor);
  if (major == 4) return minor < 64 ? fmt::format("tty{}", minor) : fmt::format("ttyS{}", minor - 64);
  if (major == 5 && minor == 1) return "console";
  return std::nullopt;
}

void SetStream(Record& record, const Process& process, int64_t number, FieldId field, FieldId peer) {
  const Table& table = process.descriptors.read();
  const Descriptor* stream = table.Find(number);
  const Refers refers = stream ? stream->refers : table.whole() ? Refers::Closed : Refers::Unknown;
  if (refers == Refers::Unknown) {
    record.SetStatus(field, Status::Unknown);
    record.SetStatus(peer, Status::Unknown);
    return;
  }
  record.Set(field, static_cast<int64_t>(refers));
  if (refers == Refers::Socket && stream->inet && stream->remote) {
    record.Set(peer, *stream->remote);
  } else {
    record.SetStatus(peer, Status::Absent);
  }
}

// Nearest first; cut where the recording does not know who made one.
void SetAncestors(Record& record, const Process& process) {
  std::string names, ids;
  size_t count = 0;
  const Process* top = &process;
  for (const Process* one = process.parent.get(); one && count < kMostAncestors; one = one->parent.get(), ++count) {
    names += one->name + '\0';
    ids += one->Id() + '\0';
    top = one;
  }
  const bool whole = !top->parent && top->parent_pid == 0;
  const auto set = [&](FieldId field, std::string list) {
    bool fits = true;
    while (list.size() > schema::Row(field).capture) {
      fits = false;
      list.resize(list.rfind('\0', list.size() - 2) + 1);
    }
    record.Set(field, std::move(list), whole && fits ? Status::Ok : Status::Truncated);
  };
  set(FieldId::process_ancestors, std::move(names));
  set(FieldId::process_ancestor_ids, std::move(ids));
}

void SetParent(Record& record, const Process& process) {
  const Process* parent = process.parent.get();
  SetNumber(record, FieldId::process_parent_pid, parent ? parent->pid : process.parent_pid >= 0 ? std::optional(process.parent_pid) : std::nullopt);
  SetText(record, FieldId::process_parent_name, parent ? std::optional<std::string_view>(parent->name) : std::nullopt);
  SetText(record, FieldId::process_parent_exe, parent && !parent->exe.empty() ? std::optional<std::string_view>(parent->exe) : std::nullopt);
  record.SetStatus(FieldId::process_parent_uid, Status::Unknown);
}

// The last components, as many as the field takes.
void SetCgroup(Record& record, std::string_view cgroup) {
  if (cgroup.empty()) {
    record.SetStatus(FieldId::process_cgroup, Status::Unknown);
    return;
  }
  const size_t most = schema::Row(FieldId::process_cgroup).capture;
  const bool fits = cgroup.size() <= most;
  record.Set(FieldId::process_cgroup, std::string(fits ? cgroup : cgroup.substr(cgroup.size() - most)), fits ? Status::Ok : Status::Truncated);
}

}  // namespace

void SetNumber(Record& record, FieldId field, std::optional<int64_t> number) {
  if (number) {
    record.Set(field, *number);
  } else {
    record.SetStatus(field, Status::Unknown);
  }
}

void SetText(Record& record, FieldId field, std::optional<std::string_view> text) {
  const schema::FieldRow& row = schema::Row(field);
  if (!text || (text->empty() && row.type == schema::TypeId::Path)) {
    record.SetStatus(field, Status::Unknown);
    return;
  }
  const bool fits = text->size() <= row.capture;
  event::SetTextInPlace(record, field, text->substr(0, row.capture), fits ? Status::Ok : Status::Truncated);
  // What is cut of a list ends in a part of an element.
  if (!fits && row.type == schema::TypeId::StringList) std::get<std::string>(event::FieldAt(record, field).value).back() = '\0';
}

void SetEndpoint(Record& record, FieldId field, const std::optional<schema::Endpoint>& endpoint) {
  if (endpoint) {
    record.Set(field, *endpoint);
  } else {
    record.SetStatus(field, Status::Unknown);
  }
}

void SetProcess(Record& record, const Thread& thread) {
  const Process& process = *thread.process;
  SetNumber(record, FieldId::process_pid, process.guessed ? std::nullopt : std::optional(process.pid));
  record.Set(FieldId::process_tid, thread.tid);
  SetText(record, FieldId::process_name, thread.name.empty() ? std::nullopt : std::optional<std::string_view>(thread.name));
  SetNumber(record, FieldId::process_uid, thread.uid);
  SetNumber(record, FieldId::process_euid, thread.euid);
  SetNumber(record, FieldId::process_gid, thread.gid);
  SetNumber(record, FieldId::process_egid, thread.egid);
  SetNumber(record, FieldId::process_loginuid, process.login_uid);
  SetNumber(record, FieldId::process_session, process.session);
  SetNumber(record, FieldId::process_start_time, process.start_ns ? std::optional(static_cast<int64_t>(*process.start_ns)) : std::nullopt);
  SetText(record, FieldId::process_exe, process.exe);
  SetText(record, FieldId::process_args, process.args);
  SetText(record, FieldId::process_cwd, process.cwd);
  SetCgroup(record, process.cgroup);
  SetNumber(record, FieldId::process_caps, thread.caps);
  if (!process.tty) {
    record.SetStatus(FieldId::process_tty, Status::Unknown);
  } else if (*process.tty == 0) {
    record.SetStatus(FieldId::process_tty, Status::Absent);
  } else {
    SetText(record, FieldId::process_tty, TerminalName(*process.tty));
  }
  SetStream(record, process, 0, FieldId::process_stdin, FieldId::process_stdin_peer);
  SetStream(record, process, 1, FieldId::process_stdout, FieldId::process_stdout_peer);
  SetStream(record, process, 2, FieldId::process_stderr, FieldId::process_stderr_peer);
  SetAncestors(record, process);
  SetParent(record, process);
}

std::optional<std::string> Resolve(const Process& process, int64_t folder, std::string_view path) {
  if (path.starts_with('/')) return event::NormalizePath(path);
  std::string base = process.cwd;
  if (folder != kWorkingFolder) {
    const Descriptor* found = process.descriptors.read().Find(folder);
    base = found ? found->path : "";
  }
  if (base.empty()) return std::nullopt;
  return event::NormalizePath(base + "/" + std::string(path));
}

}  // namespace ks::import::scap

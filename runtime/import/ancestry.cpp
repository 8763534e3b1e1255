#include "runtime/import/ancestry.h"

#include "runtime/import/scap/fields.h"

namespace ks::import {
namespace {

using schema::FieldId;
using schema::Record;
using Status = schema::Status;

constexpr size_t kMostProcesses = 1 << 18;
constexpr size_t kMostAncestors = 16;
constexpr int kMostGenerations = 1000;

}  // namespace

Process::~Process() {
  --*count_;
  for (std::shared_ptr<Process> next = std::move(parent); next && next.use_count() == 1;) {
    std::shared_ptr<Process> above = std::move(next->parent);
    next = std::move(above);
  }
}

std::shared_ptr<Process> Processes::Find(const std::string& key) const {
  const auto found = alive_.find(key);
  return found == alive_.end() ? nullptr : found->second;
}

std::shared_ptr<Process> Processes::Make(const std::string& key, int64_t pid, uint64_t time_ns, bool begins) {
  if (*kept_ >= kMostProcesses) {
    alive_.clear();
    exceeded_ = true;
  }
  auto made = std::make_shared<Process>(kept_);
  made->pid = pid;
  const bool is_first = numbers_.insert(pid).second;
  made->made_ns = is_first && !begins ? 0 : time_ns;
  alive_[key] = made;
  return made;
}

bool Processes::TakeExceeded() {
  if (!exceeded_ || said_) return false;
  return said_ = true;
}

void Rename(Process& process, const std::optional<std::string>& name, const std::optional<std::string>& exe) {
  // One more byte than a field has says that it was cut.
  if (name) process.name = name->substr(0, schema::Row(FieldId::process_parent_name).capture + 1);
  if (exe) process.exe = exe->substr(0, schema::Row(FieldId::process_parent_exe).capture + 1);
}

void SetParent(Process& process, std::shared_ptr<Process> parent) {
  process.parent = std::move(parent);
  CutLine(process.parent.get());
}

bool Descends(const Process& process, const Process* other) {
  int generations = 0;
  const Process* one = process.parent.get();
  while (one && one != other && generations < kMostGenerations) one = one->parent.get(), ++generations;
  return one != nullptr;
}

void SetLineage(Record& record, const Process* process) {
  const Process* parent = process ? process->parent.get() : nullptr;
  scap::SetNumber(record, FieldId::process_parent_pid, parent ? std::optional(parent->pid) : std::nullopt);
  scap::SetText(record, FieldId::process_parent_name, parent && !parent->name.empty() ? std::optional(parent->name) : std::nullopt);
  scap::SetText(record, FieldId::process_parent_exe, parent ? std::optional(parent->exe) : std::nullopt);
  record.SetStatus(FieldId::process_parent_uid, Status::Unknown);
  std::string names, ids;
  size_t count = 0;
  bool named = true;
  const Process* one = parent;
  for (; one && one->pid > 0 && !one->guessed && count < kMostAncestors; one = one->parent.get(), ++count) {
    named = named && !one->name.empty();
    if (named) names += one->name.substr(0, schema::Row(FieldId::process_name).capture) + '\0';
    ids += one->Id() + '\0';
  }
  // The first ones are made by the kernel, which is told as number 0.
  const bool whole = one && one->pid == 0;
  const auto set = [&](FieldId field, std::string list, bool known) {
    while (list.size() > schema::Row(field).capture) {
      known = false;
      list.resize(list.rfind('\0', list.size() - 2) + 1);
    }
    record.Set(field, std::move(list), known ? Status::Ok : Status::Truncated);
  };
  set(FieldId::process_ancestors, std::move(names), whole && named);
  set(FieldId::process_ancestor_ids, std::move(ids), whole);
}

void SetUntold(Record& record) {
  for (const FieldId field : {FieldId::process_start_time, FieldId::process_session, FieldId::process_cgroup, FieldId::process_caps, FieldId::process_stdin,
                              FieldId::process_stdout, FieldId::process_stderr, FieldId::process_stdin_peer, FieldId::process_stdout_peer, FieldId::process_stderr_peer}) {
    record.SetStatus(field, Status::Unknown);
  }
}

void SetRest(Record& record, schema::EventKind kind) {
  for (const schema::FieldRow& row : schema::Fields()) {
    if (row.decided == schema::Decided::Kernel && schema::Has(kind, row.id) && record[row.id].status == Status::Unread) record.SetStatus(row.id, Status::Unknown);
  }
}

}  // namespace ks::import

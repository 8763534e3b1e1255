#include "runtime/import/audit/audit.h"

#include <fmt/format.h>
#include <sys/syscall.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

#include "runtime/enrich/enrich.h"
#include "runtime/import/ancestry.h"
#include "runtime/import/audit/call.h"
#include "runtime/import/audit/joiner.h"
#include "runtime/import/audit/record.h"
#include "runtime/import/lines.h"
#include "runtime/import/scap/fields.h"

namespace ks::import::audit {
namespace {

using schema::EventKind;
using schema::FieldId;
using Status = schema::Status;

constexpr size_t kMostAhead = 50;                     // lines
constexpr size_t kMostNodes = 1000;
constexpr size_t kMostTypes = 1000;                   // that are counted by name
constexpr int64_t kMostProcess = int64_t{1} << 22;    // PID_MAX_LIMIT of the kernel
constexpr int64_t kCloneThread = 0x10000;             // CLONE_THREAD
// What the kernel, auditd and its dispatcher say when records are lost.
constexpr std::string_view kLost = "audit: audit_lost=";
constexpr std::string_view kLosses[] = {"audit: backlog limit exceeded", "dispatch err (pipe full) event lost", "queue to plugins is full - dropping event"};

class AuditImporter : public Importer {
 public:
  explicit AuditImporter(Source source) : lines_(std::move(source)) {}
  // Up to the first record, which may say of which node it is.
  void Begin();
  std::string format() const override { return "audit"; }
  const trace::HostFacts& host() const override { return host_; }
  Report ForEach(const std::function<void(const event::Event&)>& on_event) override;

 private:
  struct Carried {
    std::string message;
    uint64_t line = 0;
  };
  std::optional<Carried> Read();
  std::optional<Carried> Next();
  void Take(const Carried& carried);
  bool TakeLoss(std::string_view message);
  void Lose(uint64_t records);
  void TakeEvent(const std::vector<Record>& records);
  void TakeCall(const Call& call, const std::string& node);
  std::shared_ptr<Process> ProcessOf(const Call& call, const std::string& node);
  void Tell(EventKind kind, const Process* process, event::Event& told);
  void Count(std::map<std::string, uint64_t>* counts, const std::string& name) const;

  Lines lines_;
  trace::HostFacts host_;
  Report report_;
  Processes processes_;
  std::deque<Carried> ahead_;  // read by Begin
  const std::function<void(const event::Event&)>* on_event_ = nullptr;
  Joiner* joiner_ = nullptr;
  uint64_t sequence_ = 0, newest_ns_ = 0, records_ = 0;
  std::optional<uint64_t> lost_;  // as the kernel counts, since it was booted
  bool counted_ = false;          // the loss that the next message is about
};

std::string KeyOf(int64_t pid, const std::string& node) { return fmt::format("{}/{}", pid, node); }

std::optional<AuditImporter::Carried> AuditImporter::Read() {
  while (const std::optional<std::string_view> line = lines_.Next()) {
    if (lines_.too_long()) {
      AddDamage(fmt::format("line {} is longer than {} bytes: skipped", lines_.number(), kMostLine), &report_);
    } else if (line->find_first_not_of(" \t") != std::string_view::npos) {
      std::optional<std::string> message = MessageOf(*line);
      if (message) return Carried{std::move(*message), lines_.number()};
      AddForeign(lines_.number(), *line, &report_);
    }
  }
  return std::nullopt;
}

void AuditImporter::Begin() {
  while (ahead_.size() < kMostAhead) {
    std::optional<Carried> one = Read();
    if (!one) return;
    const std::optional<Record> record = ParseRecord(one->message);
    ahead_.push_back(std::move(*one));
    if (!record) continue;
    // auoms says it in the body.
    host_.node = !record->node.empty() ? record->node : std::string(Fields(record->body).Raw("node").value_or(""));
    return;
  }
}

std::optional<AuditImporter::Carried> AuditImporter::Next() {
  if (ahead_.empty()) return Read();
  Carried one = std::move(ahead_.front());
  ahead_.pop_front();
  return one;
}

Report AuditImporter::ForEach(const std::function<void(const event::Event&)>& on_event) {
  on_event_ = &on_event;
  Joiner joiner([&](const std::vector<Record>& records) { TakeEvent(records); },
                [&](const Id& id, std::string_view what) {
                  AddDamage(fmt::format("event {}.{:03}:{}: {}", id.time_ns / 1'000'000'000, id.time_ns / 1'000'000 % 1000, id.serial, what), &report_);
                });
  joiner_ = &joiner;
  while (const std::optional<Carried> carried = Next()) Take(*carried);
  joiner.Finish();
  if (const std::string damage = lines_.damage(); !damage.empty()) AddDamage(damage, &report_);
  if (records_ == 0 && lines_.number() > 0) AddDamage(fmt::format("none of its {} lines is an audit record", lines_.number()), &report_);
  joiner_ = nullptr;
  on_event_ = nullptr;
  return std::move(report_);
}

void AuditImporter::Take(const Carried& carried) {
  std::optional<Record> record = ParseRecord(carried.message);
  if (!record) {
    if (!TakeLoss(carried.message)) AddForeign(carried.line, carried.message, &report_);
    return;
  }
  ++records_;
  newest_ns_ = std::max(newest_ns_, record->id.time_ns);
  // More of them are told apart by their numbers only.
  if (report_.nodes.size() >= kMostNodes && !report_.nodes.contains(record->node)) record->node.clear();
  ++report_.nodes[record->node];
  // The daemon could not write or hand on what it had: how much, it does not say.
  if (record->type == "DAEMON_ERR") Lose(1);
  joiner_->Add(std::move(*record));
}

// The kernel says how many it has lost since it was booted, and then why. False if the message is about no loss.
bool AuditImporter::TakeLoss(std::string_view message) {
  const size_t at = message.find(kLost);
  if (at != std::string_view::npos && IsCarriersHead(message.substr(0, at))) {
    const auto count = Fields(message.substr(message.find("audit_lost=", at))).Number("audit_lost");
    if (!count || *count < 0) return false;
    const auto now = static_cast<uint64_t>(*count);
    // Fewer than before: it was booted anew.
    const uint64_t since = lost_ && *lost_ <= now ? now - *lost_ : now;
    lost_ = now;
    counted_ = since > 0;
    if (since > 0) Lose(since);
    return true;
  }
  const auto is_said = [&](std::string_view loss) {
    const size_t begin = message.find(loss);
    return begin != std::string_view::npos && IsCarriersHead(message.substr(0, begin));
  };
  if (std::ranges::none_of(kLosses, is_said)) return false;
  if (!counted_) Lose(1);
  counted_ = false;
  return true;
}

void AuditImporter::Lose(uint64_t records) { TellLost({newest_ns_, records, 0, {}}); }

void AuditImporter::Count(std::map<std::string, uint64_t>* counts, const std::string& name) const {
  const bool known = counts->size() < kMostTypes || counts->contains(name);
  ++(*counts)[known ? name : "others"];
}

void AuditImporter::TakeEvent(const std::vector<Record>& records) {
  ++report_.events;
  std::vector<bool> used;
  const std::optional<Call> call = ReadCall(records, &used);
  for (size_t i = 0; i < records.size(); ++i) {
    const bool is_call = records[i].type == "SYSCALL" || records[i].type.starts_with("AUOMS_");
    // Of what is no call, no record tells anything here.
    if (call ? !used[i] : records[i].type != "EOE") {
      Count(&report_.unmapped, records[i].type);
    } else if (!is_call) {
      Count(&report_.merged, records[i].type);
    }
  }
  if (!call) return;
  if (!call->number && !call->row) return Count(&report_.unmapped, call->name);
  TakeCall(*call, records[0].node);
  if (processes_.TakeExceeded()) AddDamage("more processes than are kept: what they were before is forgotten", &report_);
}

// The one of that number, or a new one: if the old one ended, or has another parent, which is not the one that takes orphans.
std::shared_ptr<Process> AuditImporter::ProcessOf(const Call& call, const std::string& node) {
  const auto valid = [](std::optional<int64_t> pid) { return pid && *pid > 0 && *pid <= kMostProcess; };
  if (!valid(call.pid)) return nullptr;
  const std::string key = KeyOf(*call.pid, node);
  const bool has_parent = call.parent_pid && *call.parent_pid >= 0 && *call.parent_pid <= kMostProcess && call.parent_pid != call.pid;
  std::shared_ptr<Process> process = processes_.Find(key);
  if (process && process->parent && has_parent && process->parent->pid != *call.parent_pid && *call.parent_pid != 1) {
    const std::shared_ptr<Process> other = processes_.Find(KeyOf(*call.parent_pid, node));
    if (!other || !Descends(*process, other.get())) process = processes_.Make(key, *call.pid, call.id.time_ns, true);
  }
  if (!process) process = processes_.Make(key, *call.pid, call.id.time_ns, false);
  if (!process->parent && has_parent) {
    const std::string above = KeyOf(*call.parent_pid, node);
    std::shared_ptr<Process> parent = processes_.Find(above);
    if (!parent) parent = processes_.Make(above, *call.parent_pid, call.id.time_ns, false);
    if (parent != process && !Descends(*parent, process.get())) SetParent(*process, std::move(parent));
  }
  Rename(*process, call.comm, call.exe);
  return process;
}

void SetProcess(const Call& call, const Process* process, schema::Record& record) {
  SetUntold(record);
  scap::SetNumber(record, FieldId::process_pid, process ? std::optional(process->pid) : std::nullopt);
  record.SetStatus(FieldId::process_tid, Status::Unknown);
  scap::SetText(record, FieldId::process_name, call.comm);
  scap::SetNumber(record, FieldId::process_uid, call.uid);
  scap::SetNumber(record, FieldId::process_euid, call.euid);
  scap::SetNumber(record, FieldId::process_gid, call.gid);
  scap::SetNumber(record, FieldId::process_egid, call.egid);
  scap::SetNumber(record, FieldId::process_loginuid, call.login_uid);
  scap::SetText(record, FieldId::process_exe, call.exe);
  scap::SetText(record, FieldId::process_args, call.args);
  if (call.args && call.args_cut) record.SetStatus(FieldId::process_args, Status::Truncated);
  scap::SetText(record, FieldId::process_cwd, call.cwd && call.cwd->starts_with('/') ? std::optional(event::NormalizePath(*call.cwd)) : std::nullopt);
  if (call.tty == "(none)") {
    record.SetStatus(FieldId::process_tty, Status::Absent);
  } else {
    scap::SetText(record, FieldId::process_tty, call.tty == "?" ? std::nullopt : call.tty);
  }
  SetLineage(record, process);
}

void AuditImporter::Tell(EventKind kind, const Process* process, event::Event& told) {
  told.kind = kind;
  told.sequence = sequence_++;
  enrich::Derive(told, nullptr);
  if (process) told.record.Set(FieldId::process_id, process->Id());
  ++report_.made[std::string(schema::Row(kind).name)];
  (*on_event_)(told);
}

void AuditImporter::TakeCall(const Call& call, const std::string& node) {
  const std::shared_ptr<Process> process = ProcessOf(call, node);
  event::Event base;
  event::SetTime(base, call.id.time_ns);
  SetProcess(call, process.get(), base.record);
  const std::optional<EventKind> kind = KindOf(call);
  const auto tell = [&](EventKind one) {
    event::Event told = base;
    SetFields(call, one, told.record);
    Tell(one, process.get(), told);
  };
  if (kind) {
    tell(*kind);
    if (*kind == EventKind::open_ && Created(call)) tell(EventKind::create_);
    if (*kind == EventKind::open_ && call.number == SYS_open_by_handle_at) tell(EventKind::open_by_handle_);
  }
  // Of a call that does not return, only the end of the process is told.
  if (call.number == SYS_exit || call.number == SYS_exit_group) {
    if (call.number == SYS_exit) Count(&report_.merged, "exit");
    if (process && kind) processes_.End(KeyOf(process->pid, node));
    return;
  }
  event::Event told = base;
  SetOutcome(call, told.record);
  Tell(EventKind::syscall_, process.get(), told);
  // In a namespace of its own the answer may be the number of another: who is known stays.
  const bool is_process = call.number != SYS_clone3 && (call.number != SYS_clone || (call.Argument(0).value_or(kCloneThread) & kCloneThread) == 0);
  if (!process || !MakesProcess(call) || !is_process || *call.result > kMostProcess) return;
  const std::string key = KeyOf(*call.result, node);
  if (processes_.Find(key)) return;
  const std::shared_ptr<Process> child = processes_.Make(key, *call.result, call.id.time_ns, true);
  SetParent(*child, process);
  child->name = process->name;
  child->exe = process->exe;
}

}  // namespace

Place FindRecord(std::string_view begin) {
  return FindLine(begin, [](const std::string& message) { return ParseRecord(message) ? message.find("type=") : std::string::npos; });
}

std::unique_ptr<Importer> Open(Source source) {
  auto importer = std::make_unique<AuditImporter>(std::move(source));
  importer->Begin();
  return importer;
}

}  // namespace ks::import::audit

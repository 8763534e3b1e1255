#include "runtime/import/sysmon/sysmon.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <deque>
#include <limits>
#include <optional>
#include <utility>

#include "runtime/enrich/enrich.h"
#include "runtime/import/ancestry.h"
#include "runtime/import/lines.h"
#include "runtime/import/scap/fields.h"
#include "runtime/import/sysmon/xml.h"

namespace ks::import::sysmon {
namespace {

using scap::SetEndpoint;
using scap::SetNumber;
using scap::SetText;
using schema::EventKind;
using schema::FieldId;
using Status = schema::Status;

constexpr int64_t kProcessCreate = 1, kNetworkConnect = 3, kProcessTerminate = 5, kRawAccess = 9, kProcessAccess = 10, kFileCreate = 11, kFileDelete = 23,
                  kFileDeleteDetected = 26;
constexpr size_t kMostNodes = 1000, kMostTypes = 1000;
constexpr int64_t kMostProcess = int64_t{1} << 22;  // PID_MAX_LIMIT of the kernel

// "2021-10-14 13:30:58.123", "2021-10-14T13:30:58.123456000Z": UTC. Nanoseconds since 1970.
std::optional<uint64_t> ReadTime(std::string_view text) {
  constexpr std::string_view kShape = "dddd-dd-dd dd:dd:dd";
  if (text.size() < kShape.size()) return std::nullopt;
  for (size_t i = 0; i < kShape.size(); ++i) {
    const bool fits = kShape[i] == 'd' ? text[i] >= '0' && text[i] <= '9' : kShape[i] == ' ' ? text[i] == ' ' || text[i] == 'T' : text[i] == kShape[i];
    if (!fits) return std::nullopt;
  }
  const auto number = [&](size_t at, size_t size) {
    int value = 0;
    std::from_chars(text.data() + at, text.data() + at + size, value);
    return value;
  };
  using std::chrono::day, std::chrono::month, std::chrono::year;
  const std::chrono::year_month_day date(year(number(0, 4)), month(static_cast<unsigned>(number(5, 2))), day(static_cast<unsigned>(number(8, 2))));
  const int hour = number(11, 2), minute = number(14, 2), second = number(17, 2);
  if (!date.ok() || number(0, 4) < 1970 || number(0, 4) > 2200 || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  const auto days = static_cast<uint64_t>(std::chrono::sys_days(date).time_since_epoch().count());
  uint64_t ns = (((days * 24 + static_cast<uint64_t>(hour)) * 60 + static_cast<uint64_t>(minute)) * 60 + static_cast<uint64_t>(second)) * 1'000'000'000;
  std::string_view rest = text.substr(kShape.size());
  if (rest.starts_with('.')) {
    uint64_t unit = 100'000'000;
    for (rest.remove_prefix(1); !rest.empty() && rest[0] >= '0' && rest[0] <= '9'; rest.remove_prefix(1), unit /= 10) ns += static_cast<uint64_t>(rest[0] - '0') * unit;
  }
  return ns;
}

// What Sysmon calls its events, for those that have no counterpart.
std::string NameOf(int64_t id) {
  constexpr std::pair<int64_t, std::string_view> kNames[] = {{4, "SysmonServiceStateChange"}, {16, "SysmonConfigurationChange"}, {255, "Error"}};
  const auto* const found = std::ranges::find(kNames, id, &std::pair<int64_t, std::string_view>::first);
  return found == std::end(kNames) ? fmt::format("event {}", id) : fmt::format("{} {}", id, found->second);
}

class SysmonImporter : public Importer {
 public:
  explicit SysmonImporter(Source source) : lines_(std::move(source)) {}
  // Up to the first event, which says of which computer it is.
  void Begin();
  std::string format() const override { return "sysmon"; }
  const trace::HostFacts& host() const override { return host_; }
  Report ForEach(const std::function<void(const event::Event&)>& on_event) override;

 private:
  std::optional<Event> Read();
  void Take(const Event& event);
  std::shared_ptr<Process> ProcessOf(const Event& event, uint64_t time_ns);
  std::shared_ptr<Process> Known(const std::optional<std::string>& guid, std::optional<int64_t> pid, uint64_t time_ns, bool begins);
  void Tell(const Event& event, EventKind kind, uint64_t time_ns);

  Lines lines_;
  trace::HostFacts host_;
  Report report_;
  Processes processes_;  // by ProcessGuid
  std::optional<Event> first_;
  const std::function<void(const event::Event&)>* on_event_ = nullptr;
  uint64_t sequence_ = 0;
};

std::optional<Event> SysmonImporter::Read() {
  while (const std::optional<std::string_view> line = lines_.Next()) {
    if (lines_.too_long()) {
      AddDamage(fmt::format("line {} is longer than {} bytes: skipped", lines_.number(), kMostLine), &report_);
      continue;
    }
    if (line->find_first_not_of(" \t") == std::string_view::npos) continue;
    const std::optional<std::string> message = MessageOf(*line);
    const std::optional<std::string_view> xml = message ? FindXml(*message) : std::nullopt;
    if (!xml) {
      AddForeign(lines_.number(), *line, &report_);
      continue;
    }
    ++report_.events;
    std::string why = "the event is cut";
    std::optional<Event> event = xml->empty() ? std::nullopt : Parse(*xml, &why);
    if (event) return event;
    AddDamage(fmt::format("line {}: {}", lines_.number(), why), &report_);
  }
  return std::nullopt;
}

void SysmonImporter::Begin() {
  first_ = Read();
  if (first_) host_.node = first_->computer;
}

Report SysmonImporter::ForEach(const std::function<void(const event::Event&)>& on_event) {
  on_event_ = &on_event;
  for (std::optional<Event> event = std::exchange(first_, std::nullopt); event; event = Read()) Take(*event);
  if (const std::string damage = lines_.damage(); !damage.empty()) AddDamage(damage, &report_);
  if (report_.events == 0 && lines_.number() > 0) AddDamage(fmt::format("none of its {} lines is an event of Sysmon's", lines_.number()), &report_);
  on_event_ = nullptr;
  return std::move(report_);
}

void SysmonImporter::Take(const Event& event) {
  const std::string& node = report_.nodes.size() < kMostNodes || report_.nodes.contains(event.computer) ? event.computer : host_.node;
  ++report_.nodes[node];
  std::optional<uint64_t> time = ReadTime(event.Text("UtcTime").value_or(""));
  if (!time) time = ReadTime(event.time);
  if (!time) return AddDamage(fmt::format("line {}: event {} has no time", lines_.number(), event.id), &report_);
  switch (event.id) {
    case kProcessCreate: Tell(event, EventKind::exec_, *time); break;
    // Of what was accepted, it names the same ends: from whom, to whom.
    case kNetworkConnect: Tell(event, event.Text("Initiated") == "false" ? EventKind::accept_ : EventKind::connect_, *time); break;
    case kProcessTerminate: Tell(event, EventKind::exit_, *time); break;
    case kRawAccess: Tell(event, EventKind::open_, *time); break;
    case kProcessAccess: Tell(event, EventKind::ptrace_, *time); break;
    case kFileCreate: Tell(event, EventKind::create_, *time); break;
    case kFileDelete:
    case kFileDeleteDetected: Tell(event, EventKind::unlink_, *time); break;
    default: {
      const std::string name = NameOf(event.id);
      ++report_.unmapped[report_.unmapped.size() < kMostTypes || report_.unmapped.contains(name) ? name : "others"];
    }
  }
  if (processes_.TakeExceeded()) AddDamage("more processes than are kept: what they were before is forgotten", &report_);
}

std::shared_ptr<Process> SysmonImporter::Known(const std::optional<std::string>& guid, std::optional<int64_t> pid, uint64_t time_ns, bool begins) {
  if (!pid || *pid < 0 || *pid > kMostProcess) return nullptr;
  // Where Sysmon does not know who it is, the guid is zero; without one, a number may be anybody's.
  constexpr std::string_view kNobody = "{00000000-0000-0000-0000-000000000000}";
  constexpr size_t kMostGuid = 64;
  if (!guid || guid->empty() || *guid == kNobody || guid->size() > kMostGuid) {
    auto unknown = std::make_shared<Process>();
    unknown->pid = *pid;
    unknown->guessed = true;
    return unknown;
  }
  std::shared_ptr<Process> process = processes_.Find(*guid);
  return process && process->pid == *pid ? process : processes_.Make(*guid, *pid, time_ns, begins);
}

std::shared_ptr<Process> SysmonImporter::ProcessOf(const Event& event, uint64_t time_ns) {
  const bool is_access = event.id == kProcessAccess;
  const std::shared_ptr<Process> process =
      Known(event.Text(is_access ? "SourceProcessGUID" : "ProcessGuid"), event.Number(is_access ? "SourceProcessId" : "ProcessId"), time_ns, event.id == kProcessCreate);
  if (!process) return nullptr;
  Rename(*process, std::nullopt, event.Text(is_access ? "SourceImage" : "Image"));
  if (event.id != kProcessCreate || process->parent) return process;
  std::shared_ptr<Process> parent = Known(event.Text("ParentProcessGuid"), event.Number("ParentProcessId"), time_ns, false);
  if (!parent || parent == process || Descends(*parent, process.get())) return process;
  Rename(*parent, std::nullopt, event.Text("ParentImage"));
  SetParent(*process, std::move(parent));
  return process;
}

std::optional<std::string> PathIn(const Event& event, const std::string& name) {
  const std::optional<std::string> path = event.Text(name);
  return path && path->starts_with('/') ? std::optional(event::NormalizePath(*path)) : std::nullopt;
}

std::optional<schema::Endpoint> EndIn(const Event& event, const std::string& which) {
  schema::Endpoint end;
  const std::optional<int64_t> port = event.Number(which + "Port");
  if (!port || *port < 0 || *port > 0xffff || !schema::ParseIp(event.Text(which + "Ip").value_or(""), &end.ip)) return std::nullopt;
  end.port = static_cast<uint16_t>(*port);
  return end;
}

void SetProcess(const Event& event, const Process* process, schema::Record& record) {
  SetUntold(record);
  for (const FieldId field : {FieldId::process_tid, FieldId::process_name, FieldId::process_uid, FieldId::process_euid, FieldId::process_gid,
                              FieldId::process_egid, FieldId::process_loginuid, FieldId::process_tty}) {
    record.SetStatus(field, Status::Unknown);
  }
  SetNumber(record, FieldId::process_pid, process ? std::optional(process->pid) : std::nullopt);
  SetText(record, FieldId::process_exe, PathIn(event, event.id == kProcessAccess ? "SourceImage" : "Image"));
  // It joins them by spaces: where one ends, it does not say, unless there is but one.
  const std::optional<std::string> line = event.Text("CommandLine");
  SetText(record, FieldId::process_args, line && line->find(' ') == std::string::npos ? std::optional(*line + '\0') : std::nullopt);
  SetText(record, FieldId::process_cwd, PathIn(event, "CurrentDirectory"));
  SetLineage(record, process);
}

// What it tells has happened: it has no events of failures.
void SetDone(EventKind kind, schema::Record& record) {
  if (schema::Has(kind, FieldId::event_result)) record.Set(FieldId::event_result, int64_t{0});
  if (schema::Has(kind, FieldId::event_errno)) record.Set(FieldId::event_errno, int64_t{0});
}

void SysmonImporter::Tell(const Event& event, EventKind kind, uint64_t time_ns) {
  const std::shared_ptr<Process> process = ProcessOf(event, time_ns);
  event::Event told;
  event::SetTime(told, time_ns);
  SetProcess(event, process.get(), told.record);
  schema::Record& record = told.record;
  switch (event.id) {
    case kProcessCreate: SetText(record, FieldId::file_canonical, PathIn(event, "Image")); break;
    case kNetworkConnect: {
      const std::string protocol = event.Text("Protocol").value_or("");
      SetNumber(record, FieldId::event_transport, schema::EnumeratorValue("transport", protocol));
      SetEndpoint(record, FieldId::event_src, EndIn(event, "Source"));
      SetEndpoint(record, FieldId::event_dst, EndIn(event, "Destination"));
      break;
    }
    case kRawAccess: SetText(record, FieldId::file_path, PathIn(event, "Device")); break;
    case kProcessAccess: SetNumber(record, FieldId::target_pid, event.Number("TargetProcessId")); break;
    case kFileCreate:
    case kFileDelete:
    case kFileDeleteDetected: SetText(record, FieldId::file_path, PathIn(event, "TargetFilename")); break;
    default: break;
  }
  SetDone(kind, record);
  SetRest(record, kind);
  told.kind = kind;
  told.sequence = sequence_++;
  enrich::Derive(told, nullptr);
  if (process && !process->guessed) record.Set(FieldId::process_id, process->Id());
  ++report_.made[std::string(schema::Row(kind).name)];
  (*on_event_)(told);
  if (const auto guid = event.Text("ProcessGuid"); event.id == kProcessTerminate && guid) processes_.End(*guid);
}

}  // namespace

Place FindEvent(std::string_view begin) {
  return FindLine(begin, [](const std::string& message) { return FindXml(message) ? message.find("<Event") : std::string::npos; });
}

std::unique_ptr<Importer> Open(Source source) {
  auto importer = std::make_unique<SysmonImporter>(std::move(source));
  importer->Begin();
  return importer;
}

}  // namespace ks::import::sysmon

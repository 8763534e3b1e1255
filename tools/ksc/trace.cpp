// ksc trace: recordings of events, ours and those of other tools.
#include "runtime/trace/trace.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>

#include "runtime/event/event.h"
#include "runtime/import/import.h"
#include "tools/ksc/commands.h"
#include "tools/ksc/progress_line.h"
#include "tools/ksc/trace_files.h"

namespace ks::ksc {
namespace {

using Counts = std::map<std::string, uint64_t>;

constexpr std::chrono::milliseconds kFollowEvery{200};

std::string ToJson(const Counts& counts) {
  std::string out;
  for (const auto& [name, count] : counts) out += fmt::format("{}{}:{}", out.empty() ? "" : ",", JsonText(name), count);
  return "{" + out + "}";
}

std::string ToJson(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : ",") + JsonText(text);
  return "[" + out + "]";
}

uint64_t Sum(const Counts& counts) {
  uint64_t sum = 0;
  for (const auto& [name, count] : counts) sum += count;
  return sum;
}

// The most frequent first, a few to a line.
void PrintCounts(const char* what, const Counts& counts) {
  std::vector<std::pair<std::string, uint64_t>> sorted(counts.begin(), counts.end());
  std::ranges::stable_sort(sorted, [](const auto& a, const auto& b) { return a.second > b.second; });
  std::string line;
  for (const auto& [name, count] : sorted) line += fmt::format("{}{} {}", line.empty() ? "" : ", ", event::Printable(name), count);
  fmt::print(stderr, "  {:<9} {:>9}{}{}\n", what, Sum(counts), line.empty() ? "" : "  ", line);
}

void PrintReport(const std::string& path, const import::Importer& importer, const import::Report& report, uint64_t lost, bool json) {
  if (json) {
    fmt::print(
        R"({{"file":{},"format":{},"node":{},"events":{},"processes":{},"made":{},"merged":{},"unmapped":{},"blocks":{},"nodes":{},"lost":{},"foreign_lines":{},"foreign":{},"damage":{}}})"
        "\n",
        JsonText(path), JsonText(importer.format()), JsonText(importer.host().node), report.events, report.processes,
        ToJson(report.made), ToJson(report.merged), ToJson(report.unmapped), ToJson(report.blocks), ToJson(report.nodes), lost, report.foreign_lines, ToJson(report.foreign),
        ToJson(report.damage));
    return;
  }
  fmt::print(stderr, "{}: {}, {}{}\n", path, importer.format(), Count(report.events, "event"),
             report.processes > 0 ? fmt::format(", {} there before", Count(report.processes, "thread")) : "");
  PrintCounts("made", report.made);
  PrintCounts("merged", report.merged);
  PrintCounts("unmapped", report.unmapped);
  if (lost > 0) fmt::print(stderr, "  lost      {:>9}  by what the recording says\n", lost);
  if (report.nodes.size() > 1) PrintCounts("nodes", report.nodes);
  if (report.foreign_lines > 0) fmt::print(stderr, "  no record {:>9}\n", report.foreign_lines);
  for (const std::string& line : report.foreign) fmt::print(stderr, "    {}\n", event::Printable(line));
  for (const std::string& damage : report.damage) fmt::print(stderr, "warning: {}: {}\n", path, event::Printable(damage));
}

std::string Human(const event::Event& event) {
  const auto text = [&](schema::FieldId field) {
    const schema::FieldRow& row = schema::Row(field);
    const schema::FieldValue& value = event.record[field];
    const bool there = value.status == schema::Status::Ok || value.status == schema::Status::Truncated;
    return there ? event::Printable(schema::ToString(value.value, row.type, row.enumeration)) : "?";
  };
  std::string out = fmt::format("{} {:<14} {} {}", schema::ToString(static_cast<int64_t>(event.time_ns), schema::TypeId::Time, ""),
                                schema::Row(event.kind).name, text(schema::FieldId::process_pid), text(schema::FieldId::process_name));
  for (const schema::FieldRow& row : schema::Fields()) {
    const schema::Status status = event.record[row.id].status;
    const bool own = !row.dotted.starts_with("process.") && row.id != schema::FieldId::event_time;
    if (own && (status == schema::Status::Ok || status == schema::Status::Truncated)) out += fmt::format(" {}={}", row.dotted, text(row.id));
  }
  return out;
}

// Values as a policy would write them. What is not there says why: "unknown", "absent".
std::string Json(const event::Event& event) {
  std::string fields, missing, cut;
  for (const schema::FieldRow& row : schema::Fields()) {
    const schema::FieldValue& value = event.record[row.id];
    const auto add = [&](std::string& to, const std::string& json) { to += fmt::format("{}{}:{}", to.empty() ? "" : ",", JsonText(row.dotted), json); };
    switch (value.status) {
      case schema::Status::Unread: break;
      case schema::Status::Truncated:
        cut += (cut.empty() ? "" : ",") + JsonText(row.dotted);
        [[fallthrough]];
      case schema::Status::Ok: add(fields, JsonText(schema::ToString(value.value, row.type, row.enumeration))); break;
      case schema::Status::Absent: add(missing, R"("absent")"); break;
      default: add(missing, R"("unknown")");
    }
  }
  return fmt::format(R"({{"time_ns":{},"kind":{},"cpu":{},"fields":{{{}}},"missing":{{{}}},"cut":[{}]}})", event.time_ns,
                     JsonText(schema::Row(event.kind).name), event.cpu, fields, missing, cut);
}

}  // namespace

int TraceImport(const Words& words) {
  const cli::Command command = {
      "ksc trace import",
      "FILE…",
      1,
      10'000,
      "Makes a trace of recordings of other tools: .scap (Falco, sysdig), logs of the Linux audit system, Sysmon for Linux; logs also as syslog or "
      "JSON carries them, all of them plain or gzip. Files follow each other in the order in which "
      "they are given. What the recording does not say is unknown in the trace; events without a counterpart are listed, with their number. "
      "What is damaged is said, and what comes before it is kept.",
      "  ksc trace import incident.scap.gz -o incident.kst && ksc replay rules/ incident.kst",
      {FormatOption(),
       OutputOption(),
       {"--from", "FORMAT", "what the files are; guessed if it is not said", false, {std::begin(import::kFormats), std::end(import::kFormats)}},
       {"--strict", "", "a damaged recording is a failure (exit status 3); the trace is kept", false, {}}}};
  int code = cli::kFine;
  auto arguments = cli::Parse(command, words, &code);
  if (!arguments) return code;
  const bool json = WantsJson(*arguments);
  const std::string out = arguments->Get("-o");
  if (auto failed = CheckOutput(command, out)) return *failed;
  for (const std::string& path : arguments->positionals()) {  // before the first is read, and half of a trace is made
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) continue;  // a pipe opens once
    if (const auto readable = import::Open(path, arguments->Get("--from")); !readable) return cli::Fail(readable.error(), json);
  }
  std::optional<trace::Writer> writer;
  trace::HostFacts host;
  Status written = Ok();
  uint64_t events = 0, newest_ns = 0;
  bool damaged = false;
  for (const std::string& path : arguments->positionals()) {
    Result<std::unique_ptr<import::Importer>> importer = import::Open(path, arguments->Get("--from"));
    if (!importer) {
      // What came before it is kept, and whole.
      if (Status closed = writer ? writer->Close() : Ok(); !closed) return cli::Fail(closed.error(), json);
      return cli::Fail(importer.error(), json);
    }
    if (!writer) {
      host = (*importer)->host();
      Result<trace::Writer> created = MakeTrace(out, host);
      if (!created) return cli::Fail(created.error(), json);
      writer.emplace(std::move(*created));
    } else if ((*importer)->host().node != host.node) {
      fmt::print(stderr, "warning: {} is of node {}, the first recording of {}: the trace says the first\n", path, event::Printable((*importer)->host().node), event::Printable(host.node));
    }
    ProgressLine progress;
    bool first = true;
    const auto on_event = [&](const event::Event& event) {
      if (first && event.time_ns < newest_ns) {
        fmt::print(stderr, "warning: {} begins before the file in front of it ends: rules over several events may see them in another order\n", path);
      }
      first = false;
      newest_ns = std::max(newest_ns, event.time_ns);
      if (written) written = writer->Add(event);
      ++events;
      progress.Tick([&](double seconds) { return fmt::format("{} events, {:.0f} events/s", events, static_cast<double>(events) / seconds); });
    };
    uint64_t lost = 0;
    const import::Report report = (*importer)->ForEach(on_event, [&](const trace::Lost& one) {
      if (written) written = writer->AddLost(one);
      lost += one.records;
    });
    if (!written) return cli::Fail(written.error(), json);
    PrintReport(path, **importer, report, lost, json);
    damaged |= !report.damage.empty();
  }
  if (Status closed = writer->Close(); !closed) return cli::Fail(closed.error(), json);
  if (!json) fmt::print(stderr, "{}: {}\n", out, Count(events, "event"));
  return damaged && arguments->Has("--strict") ? cli::kWorldFailed : cli::kFine;
}

int TraceInfo(const Words& words) {
  const cli::Command command = {"ksc trace info",
                                "TRACE.kst",
                                1,
                                1,
                                "Says where and when a trace was recorded and what it holds. Of one that is still being written, or damaged: what is there, "
                                "and where it ends.",
                                "  ksc trace info incident.kst",
                                {FormatOption(), StrictOption()}};
  int code = cli::kFine;
  auto arguments = cli::Parse(command, words, &code);
  if (!arguments) return code;
  const bool json = WantsJson(*arguments);
  const std::string& path = arguments->positionals()[0];
  Result<trace::Reader> reader = trace::Reader::Open(path);
  if (!reader) return cli::Fail(reader.error(), json);
  const trace::Info& info = reader->info();
  Counts kinds;
  uint64_t lost = 0;
  Status read = reader->ForEach([&](const event::Event& event) { ++kinds[std::string(schema::Row(event.kind).name)]; },
                                [&](const trace::Lost& one) { lost += one.records; });
  // What could not be decoded is said behind what could.
  const auto end = [&] { return SayEnd(path, info, read, arguments->Has("--strict"), json); };
  if (!read && read.error().code != "trace-damaged") return end();
  if (json) {
    fmt::print(
        R"({{"file":{},"node":{},"kernel":{},"arch":{},"boot":{},"schema":{},"match_only":{},"events":{},"kinds":{},"lost":{},"first_ns":{},"last_ns":{},"cut":{},"damage":{},"whole_bytes":{},"columns":{},"unknown_columns":{},"unknown_kinds":{}}})"
        "\n",
        JsonText(path), JsonText(info.host.node), JsonText(info.host.kernel), JsonText(info.host.arch), JsonText(info.host.boot),
        JsonText(info.schema_hash), JsonText(info.match_only), info.events, ToJson(kinds), lost, info.first_time_ns, info.last_time_ns,
        info.index_rebuilt, read ? "null" : JsonText(read.error().cause), info.whole_bytes, ToJson(info.columns), ToJson(info.unknown_columns), ToJson(info.unknown_kinds));
    return end();
  }
  const auto time = [](uint64_t ns) { return schema::ToString(static_cast<int64_t>(ns), schema::TypeId::Time, ""); };
  const auto fact = [](const std::string& text) { return text.empty() ? "not said" : event::Printable(text); };
  fmt::print("node      {}\nkernel    {}, {}\n", fact(info.host.node), fact(info.host.kernel), fact(info.host.arch));
  if (info.events > 0) fmt::print("from      {}\nto        {}\n", time(info.first_time_ns), time(info.last_time_ns));
  fmt::print("events    {}\n", info.events);
  for (const auto& [kind, count] : kinds) fmt::print("  {:>9}  {}\n", count, kind);
  fmt::print("lost      {}\ncolumns   {}, match-only fields {}\n", lost, info.columns.size(), event::Printable(info.match_only));
  for (const std::string& column : info.unknown_columns) fmt::print("unknown   column {}: skipped\n", event::Printable(column));
  for (const std::string& kind : info.unknown_kinds) fmt::print("unknown   kind {}: skipped\n", event::Printable(kind));
  return end();
}

int TraceCat(const Words& words) {
  const cli::Command command = {"ksc trace cat",
                                "TRACE.kst",
                                1,
                                1,
                                "Prints the events of a trace, a line each, paths and arguments included.",
                                "  ksc trace cat incident.kst | grep ' exec '\n  ksc trace cat incident.kst --format json | jq .fields",
                                {FormatOption(),
                                 {"--kind", "KIND", "only events of this kind", false, {}},
                                 {"--follow", "", "wait for what is still being written, until its writer ends it", false, {}},
                                 StrictOption()}};
  int code = cli::kFine;
  auto arguments = cli::Parse(command, words, &code);
  if (!arguments) return code;
  const bool json = WantsJson(*arguments);
  std::optional<schema::EventKind> only;
  if (arguments->Has("--kind")) {
    only = schema::FindEvent(arguments->Get("--kind"));
    if (!only) return cli::Usage(command, fmt::format("there is no event kind `{}`; `ksc schema` lists them", arguments->Get("--kind")));
  }
  const std::string& path = arguments->positionals()[0];
  Result<trace::Reader> reader = trace::Reader::Open(path);
  if (!reader) return cli::Fail(reader.error(), json);
  const auto on_event = [&](const event::Event& event) {
    if (!only || event.kind == *only) fmt::print("{}\n", json ? Json(event) : Human(event));
  };
  const auto on_lost = [&](const trace::Lost& lost) {
    if (json) {
      fmt::print("{{\"time_ns\":{},\"lost\":{},\"cpu\":{}}}\n", lost.time_ns, lost.records, lost.cpu);
    } else {
      fmt::print("{} LOST           {}\n", schema::ToString(static_cast<int64_t>(lost.time_ns), schema::TypeId::Time, ""), Count(lost.records, "record"));
    }
  };
  if (!arguments->Has("--follow")) {
    const Status read = reader->ForEach(on_event, on_lost);
    return SayEnd(path, reader->info(), read, arguments->Has("--strict"), json);
  }
  while (true) {
    const Result<bool> more = reader->Next(on_event, on_lost);
    if (!more) return SayEnd(path, reader->info(), more.error(), arguments->Has("--strict"), json);
    if (*more) continue;
    if (reader->ended()) return cli::kFine;
    std::fflush(stdout);
    std::this_thread::sleep_for(kFollowEvery);
  }
}

}  // namespace ks::ksc

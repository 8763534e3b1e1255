#include "tools/ksc/replay_output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>

#include "tools/ksc/commands.h"

namespace ks::ksc {
namespace {

void PrintTotals(const replay::Totals& totals, double seconds) {
  fmt::print(stderr, "\n{}, {} in {:.2f} s ({:.0f} events/s)", Count(totals.events, "event"),
             Count(totals.alerts, "alert"), seconds, static_cast<double>(totals.events) / std::max(seconds, 1e-6));
  if (totals.lost > 0) fmt::print(stderr, "; {} were lost when this was recorded", Count(totals.lost, "record"));
  fmt::print(stderr, "\n");
  if (!totals.may_have_missed.empty()) {
    fmt::print(stderr, "  rules that may have missed: {}\n", fmt::join(totals.may_have_missed, ", "));
  }
  if (totals.damaged > 0) fmt::print(stderr, "  {} could not be read to the end\n", Count(totals.damaged, "trace"));
  for (const auto& [rule, alerts] : totals.alerts_by_rule) fmt::print(stderr, "  {:>8}  {}\n", alerts, rule);
  // What rules over several events did not say, or do not say yet.
  if (totals.late > 0) fmt::print(stderr, "  {} came later than the bound\n", Count(totals.late, "event"));
  for (const auto& [rule, counts] : totals.state) {
    std::string notes;
    const auto note = [&](uint64_t number, std::string_view what) {
      if (number > 0) notes += fmt::format("{}{} {}", notes.empty() ? "" : ", ", number, what);
    };
    note(counts.live, "open");
    note(counts.waiting, "of them complete but for the end of their window");
    note(counts.evicted, "evicted");
    note(counts.suppressed, "alerts held back by its limit");
    if (!notes.empty()) fmt::print(stderr, "  {}: {}\n", rule, notes);
  }
}

// Tells two what one is told.
class Both : public replay::Observer {
 public:
  Both(replay::Observer& first, replay::Observer& second) : first_(first), second_(second) {}
  void OnTrace(const std::string& path, const trace::Info& info) override {
    first_.OnTrace(path, info);
    second_.OnTrace(path, info);
  }
  bool WantsEvents() const override { return first_.WantsEvents() || second_.WantsEvents(); }
  void OnEvent(const event::Event& event) override {
    first_.OnEvent(event);
    second_.OnEvent(event);
  }
  void OnLost(const trace::Lost& lost) override {
    first_.OnLost(lost);
    second_.OnLost(lost);
  }
  void OnAlert(const event::Match& match) override {
    first_.OnAlert(match);
    second_.OnAlert(match);
  }
  void OnEnd(const std::string& path, const replay::TraceEnd& end) override {
    first_.OnEnd(path, end);
    second_.OnEnd(path, end);
  }

 private:
  replay::Observer &first_, &second_;
};

constexpr size_t kMaxExpected = size_t{256} << 20;

// Prints what differs; for machines (see Render) each alert as a case. kFindings if something differs.
int JudgeExpectations(const std::string& path, const std::vector<std::string>& raised, const std::string& format,
                      const RulePlaces& places) {
  const bool json = format == "json";
  Result<std::string> expected = ReadFile(path, kMaxExpected);
  if (!expected) return cli::Fail(expected.error(), json);
  Result<replay::Comparison> comparison = replay::Compare(*expected, raised, path);
  if (!comparison) return cli::Fail(comparison.error(), json);
  if (IsForMachines(format)) {
    fmt::print("{}", Render(format, FindingsOfComparison(*comparison, raised, *expected, path, places)));
  }
  for (const std::string& line : comparison->missing) fmt::print(stderr, "missing:    {}\n", line);
  for (const std::string& line : comparison->unexpected) fmt::print(stderr, "unexpected: {}\n", line);
  if (comparison->same()) {
    fmt::print(stderr, "as expected: {}\n", Count(raised.size(), "alert"));
    return cli::kFine;
  }
  fmt::print(stderr, "not as expected: {} missing, {} unexpected\n", comparison->missing.size(),
             comparison->unexpected.size());
  return cli::kFindings;
}

}  // namespace

Printer::Printer(const ir::Program& program, alert::Origin origin, std::string_view format, bool keep_lines)
    : program_(program),
      origin_(std::move(origin)),
      json_(format == "json"),
      prints_(!IsForMachines(format)),
      keep_lines_(keep_lines || !prints_),
      color_(isatty(STDOUT_FILENO) && !std::getenv("NO_COLOR")) {}

void Printer::OnTrace(const std::string& path, const trace::Info& info) {
  for (const std::string& column : info.unknown_columns) {
    fmt::print(stderr, "note: {}: column `{}` is unknown to this build and is skipped\n", path, column);
  }
  for (const std::string& kind : info.unknown_kinds) {
    fmt::print(stderr, "note: {}: events of kind `{}` are unknown to this build and are skipped\n", path, kind);
  }
  if (info.index_rebuilt) fmt::print(stderr, "warning: {} was cut; what follows its last whole block is gone\n", path);
  for (const replay::MissingColumn& missing : replay::FindMissingColumns(program_, info)) {
    fmt::print(stderr, "warning: {}: the trace has no `{}`, which {} asks for; it is unknown there\n", path,
               missing.field, missing.rule);
  }
  origin_.node = info.host.node;
  origin_.boot = info.host.boot;
}

void Printer::OnAlert(const event::Match& match) {
  ++alerts_;
  std::string line;
  if (json_ || keep_lines_) line = alert::Format(match, origin_, alerts_, 0);
  if (prints_) fmt::print("{}\n", json_ ? line : alert::FormatHuman(match, color_));
  if (keep_lines_) lines_.push_back(std::move(line));
}

void Printer::OnEnd(const std::string& path, const replay::TraceEnd& end) {
  if (end.ends_replay) return;
  uint64_t unmapped = 0;
  for (const auto& [name, number] : end.unmapped) unmapped += number;
  if (unmapped > 0) {
    fmt::print(stderr, "note: {}: {} of the recording have no counterpart here; `ksc trace import` lists them\n", path,
               Count(unmapped, "event"));
  }
  if (!end.status) fmt::print(stderr, "warning: {}\n", end.status.error().ToString());
}

cli::Option ReplayFormatOption() {
  return {"--format",
          "FORMAT",
          "how to print: human, json (an object per line); sarif, github: alerts, or with --expect what differs; junit, tap: "
          "with --expect, a case for each alert",
          false,
          {"human", "json", "junit", "sarif", "tap", "github"}};
}
cli::Option ExpectOption() {
  return {"--expect", "FILE", "alerts as JSON lines; any that is missing or unexpected is a finding", false, {}};
}
cli::Option StrictOption() {
  return {"--strict", "", "a trace that cannot be read to its end is a failure: exit status 3, after all was replayed", false, {}};
}

std::optional<int> CheckOutputOptions(const cli::Command& command, const cli::Arguments& arguments) {
  const std::string format = arguments.Get("--format", "human");
  if ((format == "junit" || format == "tap") && !arguments.Has("--expect")) {
    return cli::Usage(command, fmt::format("--format {} prints what passed and failed, and nothing does without --expect", format));
  }
  if (arguments.Has("--expect")) {  // before an hour of replaying, not behind it
    const std::string path = arguments.Get("--expect");
    Result<std::string> readable = ReadFile(path, kMaxExpected);
    if (!readable) return cli::Fail(readable.error(), WantsJson(arguments));
    if (auto parsed = replay::Compare(*readable, {}, path); !parsed) return cli::Fail(parsed.error(), WantsJson(arguments));
  }
  return std::nullopt;
}

void ShowReplayed(ProgressLine& progress, uint64_t events, uint64_t alerts) {
  progress.Show([&](double seconds) {
    return fmt::format("{} events, {} alerts, {:.0f} events/s", events, alerts, static_cast<double>(events) / seconds);
  });
}

int ReplayAndPrint(const ir::Program& program, const alert::Origin& origin, const RulePlaces& places,
                   const cli::Arguments& arguments, HtmlReport* report, const Replaying& replay) {
  const std::string format = arguments.Get("--format", "human");
  Printer printer(program, origin, format, arguments.Has("--expect"));
  std::optional<Both> both;
  if (report != nullptr) both.emplace(printer, *report);
  replay::Observer& observer = both ? static_cast<replay::Observer&>(*both) : printer;
  const auto start = std::chrono::steady_clock::now();
  const Result<replay::Totals> totals = [&] {
    ProgressLine progress;
    return replay(observer, [&](uint64_t events, uint64_t alerts) { ShowReplayed(progress, events, alerts); });
  }();
  std::fflush(stdout);
  if (!totals) {
    const int failed = cli::Fail(totals.error(), WantsJson(arguments));
    return totals.error().code == "engines-disagree" ? cli::kFindings : failed;
  }
  PrintTotals(*totals, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  if (report != nullptr) {
    Result<std::string> said = report->Write(arguments.Get("--report"));
    if (!said) return cli::Fail(said.error(), WantsJson(arguments));
    fmt::print(stderr, "{}\n", *said);
  }
  int code = cli::kFine;
  if (arguments.Has("--expect")) {
    code = JudgeExpectations(arguments.Get("--expect"), printer.lines(), format, places);
  } else if (IsForMachines(format)) {
    fmt::print("{}", Render(format, FindingsOfAlerts(format, printer.lines(), places)));
  }
  return totals->damaged > 0 && arguments.Has("--strict") ? cli::kWorldFailed : code;
}

}  // namespace ks::ksc

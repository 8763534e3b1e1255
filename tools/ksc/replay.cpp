// ksc replay: a policy meets recorded events. Time is the trace's; nothing is loaded into a kernel.
#include "runtime/replay/replay.h"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "runtime/alert/alert.h"
#include "runtime/replay/source.h"
#include "tools/ksc/alert_results.h"
#include "tools/ksc/commands.h"
#include "tools/ksc/html_report.h"
#include "tools/ksc/policy.h"
#include "tools/ksc/progress_line.h"

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

// Alerts on stdout as they come, what is to be known of their traces on stderr.
class Printer : public replay::Observer {
 public:
  // Of a format for machines nothing is printed yet. `keep_lines`: of all alerts, for that, and for what is expected.
  Printer(const ir::Program& program, alert::Origin origin, std::string_view format, bool keep_lines)
      : program_(program),
        origin_(std::move(origin)),
        json_(format == "json"),
        prints_(!IsForMachines(format)),
        keep_lines_(keep_lines || !prints_) {}

  void OnTrace(const std::string& path, const trace::Info& info) override {
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
  void OnAlert(const event::Match& match) override {
    ++alerts_;
    std::string line;
    if (json_ || keep_lines_) line = alert::Format(match, origin_, alerts_, 0);
    if (prints_) fmt::print("{}\n", json_ ? line : alert::FormatHuman(match, color_));
    if (keep_lines_) lines_.push_back(std::move(line));
  }
  void OnEnd(const std::string& path, const replay::TraceEnd& end) override {
    if (!end.is_opened) return;
    uint64_t unmapped = 0;
    for (const auto& [name, number] : end.unmapped) unmapped += number;
    if (unmapped > 0) {
      fmt::print(stderr, "note: {}: {} of the recording have no counterpart here; `ksc trace import` lists them\n", path,
                 Count(unmapped, "event"));
    }
    if (!end.status) fmt::print(stderr, "warning: {}\n", end.status.error().ToString());
  }
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  const ir::Program& program_;
  alert::Origin origin_;
  const bool json_, prints_, keep_lines_;
  const bool color_ = isatty(STDOUT_FILENO) && !std::getenv("NO_COLOR");
  uint64_t alerts_ = 0;
  std::vector<std::string> lines_;
};

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

// A whole number from `least` to `most`; nothing if it is none.
std::optional<unsigned> ParseCount(const std::string& text, unsigned least, unsigned most) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < least || number > most) return std::nullopt;
  return number;
}

constexpr unsigned kMaxJobs = 256;

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

int Replay(const Words& words) {
  const cli::Command command = {
      "ksc replay",
      "BUNDLE-OR-SOURCES TRACE…",
      2,
      10'000,
      "Decides the events of recorded traces (.kst) and of recordings of other tools (.scap …). Alerts go to stdout, totals to "
      "stderr. Without --expect the exit status is 0 whether or not there are alerts.",
      "  ksc replay prod.kspb traces/nginx-1h.kst\n  ksc replay rules/ capture.scap --format json > expected.jsonl\n"
      "  ksc replay rules/ archive/*.kst --jobs 4 --expect expected.jsonl\n"
      "  ksc replay rules/ t.kst --report report.html",
      {{"--format",
        "FORMAT",
        "how to print: human, json (an object per line); sarif, github: alerts, or with --expect what differs; junit, tap: "
        "with --expect, a case for each alert",
        false,
        {"human", "json", "junit", "sarif", "tap", "github"}},
       EnvironmentOption(),
       {"--expect", "FILE", "alerts as JSON lines; any that is missing or unexpected is a finding", false, {}},
       {"--jobs", "N", "traces that are replayed at the same time (default: processors); the output is the same", false, {}},
       {"--strict", "", "a trace that cannot be read to its end is a failure: exit status 3, after all was replayed", false, {}},
       {"--engine",
        "ENGINE",
        "fast (default), or reference: slow, written from the meaning of the language, which fast is held against",
        false,
        {"fast", "reference"}},
       {"--report", "FILE.html", "a page with timeline, processes, alerts and why each fired (docs/report.md)", false, {}},
       {"--report-events", "N", "events in it at most (default 250000); of the others it has numbers only", false, {}},
       {"--trust", "KEY.pub", "verify the bundle before it is replayed", false, {}}}};
  int code = cli::kFine;
  auto arguments = cli::Parse(command, words, &code);
  if (!arguments) return code;
  bool json = WantsJson(*arguments);
  const std::string format = arguments->Get("--format", "human");
  if ((format == "junit" || format == "tap") && !arguments->Has("--expect")) {
    return cli::Usage(command, fmt::format("--format {} prints what passed and failed, and nothing does without --expect", format));
  }
  std::vector<std::string> traces, policies;
  for (const std::string& path : arguments->positionals()) {
    (replay::Source::Is(path) ? traces : policies).push_back(path);
  }
  if (traces.empty()) return cli::Usage(command, "there is no trace (*.kst) and no recording among the arguments");
  if (policies.empty()) return cli::Usage(command, "there is no bundle and no policy among the arguments");
  const std::optional<unsigned> jobs = ParseCount(arguments->Get("--jobs", "1"), 1, kMaxJobs);
  if (!jobs) return cli::Usage(command, fmt::format("--jobs is a number from 1 to {}", kMaxJobs));
  bool is_bundle = policies.size() == 1 && IsBundle(policies[0]);
  if (arguments->Has("--trust") && !is_bundle) {
    return cli::Usage(command, fmt::format("--trust verifies a bundle, and {} is none: only bundles are signed",
                                           policies.size() == 1 ? policies[0] : Count(policies.size(), "policy file")));
  }
  if (arguments->Has("--env") && is_bundle) {
    return cli::Usage(
        command, fmt::format("--env chooses tunes when sources are compiled; {} is compiled already", policies[0]));
  }
  if (arguments->Has("--expect")) {  // before an hour of replaying, not behind it
    if (Result<std::string> readable = ReadFile(arguments->Get("--expect"), kMaxExpected); !readable) {
      return cli::Fail(readable.error(), json);
    }
  }
  const std::optional<unsigned> report_events = ParseCount(arguments->Get("--report-events", "250000"), 1, HtmlReport::kMaxMaxEvents);
  if (!report_events) return cli::Usage(command, fmt::format("--report-events is a number from 1 to {}", HtmlReport::kMaxMaxEvents));
  if (arguments->Has("--report-events") && !arguments->Has("--report")) {
    return cli::Usage(command, "--report-events says how large the page of --report FILE.html is, and there is none");
  }
  const std::string report_path = arguments->Get("--report");
  if (arguments->Has("--report")) {
    if (Status writable = HtmlReport::CanWrite(report_path); !writable) return cli::Fail(writable.error(), json);
  }
  auto policy = LoadPolicy(policies, *arguments, &code);
  if (!policy) return code;

  engine::Engine engine(std::move(policy->program));
  replay::Options options;
  options.state.late_bound_ns = state::kDefaultLateBoundNs;
  options.jobs = arguments->Has("--jobs") ? *jobs : std::clamp(std::thread::hardware_concurrency(), 1u, kMaxJobs);
  if (arguments->Get("--engine", "fast") == "reference") {
    options.by_reference = true;
    options.state.engine = state::Options::Engine::Reference;
  }
  Printer printer(engine.program(), policy->origin, format, arguments->Has("--expect"));
  std::optional<HtmlReport> report;
  std::optional<Both> both;
  if (arguments->Has("--report")) both.emplace(printer, report.emplace(engine, *report_events));
  replay::Observer& observer = both ? static_cast<replay::Observer&>(*both) : printer;
  auto start = std::chrono::steady_clock::now();
  Result<replay::Totals> totals = [&] {
    ProgressLine progress;
    return replay::ReplayTraces(engine, traces, options, observer, [&](uint64_t events, uint64_t alerts) {
      progress.Show([&](double seconds) {
        return fmt::format("{} events, {} alerts, {:.0f} events/s", events, alerts, static_cast<double>(events) / seconds);
      });
    });
  }();
  std::fflush(stdout);
  if (!totals) return cli::Fail(totals.error(), json);
  PrintTotals(*totals, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  if (report) {
    Result<std::string> said = report->Write(report_path);
    if (!said) return cli::Fail(said.error(), json);
    fmt::print(stderr, "{}\n", *said);
  }
  code = cli::kFine;
  if (arguments->Has("--expect")) {
    code = JudgeExpectations(arguments->Get("--expect"), printer.lines(), format, policy->places);
  } else if (IsForMachines(format)) {
    fmt::print("{}", Render(format, FindingsOfAlerts(format, printer.lines(), policy->places)));
  }
  return totals->damaged > 0 && arguments->Has("--strict") ? cli::kWorldFailed : code;
}

}  // namespace ks::ksc

// ksc replay: a policy meets recorded events. Time is the trace's; nothing is loaded into a kernel.
#include "runtime/replay/replay.h"

#include <fmt/format.h>

#include <charconv>
#include <thread>

#include "compiler/ir/text.h"
#include "runtime/evaluate/evaluator.h"
#include "runtime/replay/shard.h"
#include "runtime/replay/source.h"
#include "tools/ksc/alert_results.h"
#include "tools/ksc/commands.h"
#include "tools/ksc/html_report.h"
#include "tools/ksc/policy.h"
#include "tools/ksc/replay_output.h"

namespace ks::ksc {
namespace {

constexpr unsigned kMaxJobs = 256;

// "K/N", K from 0.
std::optional<std::pair<unsigned, unsigned>> ParseShard(const std::string& text) {
  const size_t slash = text.find('/');
  if (slash == std::string::npos) return std::nullopt;
  const std::optional<unsigned> shards = cli::ParseCount(text.substr(slash + 1), 1, replay::kMaxShards);
  const std::optional<unsigned> shard = shards ? cli::ParseCount(text.substr(0, slash), 0, *shards - 1) : std::nullopt;
  if (!shard) return std::nullopt;
  return std::pair(*shard, *shards);
}

// Writes the shard's part.
int ReplayShard(const engine::Engine& engine, const std::vector<std::string>& traces, const replay::ShardOptions& options,
                const std::string& out, bool json, bool strict) {
  const Result<replay::Totals> totals = [&] {
    ProgressLine progress;
    return replay::WriteShard(engine, traces, options, out,
                              [&](uint64_t events, uint64_t alerts) { ShowReplayed(progress, events, alerts); });
  }();
  if (!totals) return cli::Fail(totals.error(), json);
  fmt::print(stderr, "shard {} of {}: {}, {} passed by single events or steps, in {}\n", options.shard, options.shards,
             Count(totals->events, "event"), Count(totals->alerts, "answer"), out);
  if (totals->damaged == 0) return cli::kFine;
  fmt::print(stderr, "  {} could not be read to the end\n", Count(totals->damaged, "trace"));
  return strict ? cli::kWorldFailed : cli::kFine;
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
      "  ksc replay rules/ archive/*.kst --shard 3/16 -o 3.ksr\n"
      "  ksc replay rules/ t.kst --report report.html",
      {ReplayFormatOption(),
       EnvironmentOption(),
       ExpectOption(),
       {"--jobs", "N", "traces that are replayed at the same time (default: processors); the output is the same", false, {}},
       StrictOption(),
       {"--shard", "K/N", "decides only what belongs to shard K (from 0) of N, and writes a part for `ksc replay merge`", false, {}},
       {"-o", "PART.ksr", "of --shard: where to; replaces a part that is there, and nothing else", false, {}},
       {"--report", "FILE.html", "a page with timeline, processes, alerts and why each fired (docs/report.md)", false, {}},
       {"--report-events", "N", "events in it at most (default 250000); of the others it has numbers only", false, {}},
       {"--engine",
        "ENGINE",
        "fast (default); reference: slow, written from the meaning of the language; kernel: the generated BPF itself, in this kernel "
        "(needs root); all: these three on each event, up to the first on which they disagree, exit status 1",
        false,
        {"fast", "reference", "kernel", "all"}},
       {"--trust", "KEY.pub", "verify the bundle before it is replayed", false, {}}}};
  int code = cli::kFine;
  auto arguments = cli::Parse(command, words, &code);
  if (!arguments) return code;
  bool json = WantsJson(*arguments);
  std::vector<std::string> traces, policies;
  for (const std::string& path : arguments->positionals()) {
    (replay::Source::Is(path) ? traces : policies).push_back(path);
  }
  if (traces.empty()) return cli::Usage(command, "there is no trace (*.kst) and no recording among the arguments");
  if (policies.empty()) return cli::Usage(command, "there is no bundle and no policy among the arguments");
  const std::optional<unsigned> jobs = cli::ParseCount(arguments->Get("--jobs", "1"), 1, kMaxJobs);
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
  std::optional<std::pair<unsigned, unsigned>> shard;
  if (arguments->Has("--shard")) {
    shard = ParseShard(arguments->Get("--shard"));
    if (!shard) return cli::Usage(command, fmt::format("--shard is K/N: K from 0 to N-1, N from 1 to {}", replay::kMaxShards));
    if (!arguments->Has("-o")) return cli::Usage(command, "--shard writes a part: say where to, with -o PART.ksr");
    for (const char* other : {"--expect", "--jobs", "--report"}) {
      if (arguments->Has(other)) {
        return cli::Usage(command, fmt::format("{} does not go with --shard, which writes a part and nothing else", other));
      }
    }
    if (const std::string how = arguments->Get("--engine", "fast"); how == "kernel" || how == "all") {
      return cli::Usage(command, fmt::format("--engine {} does not go with --shard", how));
    }
  } else if (arguments->Has("-o")) {
    return cli::Usage(command, "-o is where the part of a shard goes: there is no --shard");
  }
  if (auto failed = CheckOutputOptions(command, *arguments)) return *failed;
  const std::optional<unsigned> report_events = cli::ParseCount(arguments->Get("--report-events", "250000"), 1, HtmlReport::kMaxMaxEvents);
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
  const std::string how = arguments->Get("--engine", "fast");
  std::optional<evaluate::Evaluator> evaluator;
  uint64_t decided = 0;
  if (how == "reference") {
    options.state.engine = state::Options::Engine::Reference;
    options.decide = [&](const event::Event& event) { return engine.DecideAllByReference(event); };
  } else if (how != "fast") {
    Result<evaluate::Evaluator> made = evaluate::Evaluator::Create(engine);
    if (!made) return cli::Fail(made.error(), json);
    evaluator.emplace(std::move(*made));
    if (arguments->Has("--jobs") && *jobs > 1) {
      return cli::Usage(command, fmt::format("--engine {} replays one trace at a time: without --jobs", how));
    }
    options.jobs = 1;  // there is one scratch
    options.checks_state = how == "all";
    options.decide = [&](const event::Event& event) {
      ++decided;
      return how == "all" ? evaluator->DecideByAll(event) : evaluator->Decide(event);
    };
  }
  if (shard) {
    replay::ShardOptions of_shard{shard->first, shard->second, how == "reference", {}};
    of_shard.policy.bundle_digest = policy->origin.bundle_digest;
    of_shard.policy.egress_digest = policy->origin.egress_digest;
    of_shard.policy.bundle_version = policy->origin.bundle_version;
    of_shard.policy.late_bound_ns = options.state.late_bound_ns;
    return ReplayShard(engine, traces, of_shard, arguments->Get("-o"), json, arguments->Has("--strict"));
  }
  std::optional<HtmlReport> report;
  if (arguments->Has("--report")) report.emplace(engine, *report_events);
  code = ReplayAndPrint(engine.program(), policy->origin, policy->places, *arguments, report ? &*report : nullptr,
                        [&](replay::Observer& observer, const replay::OnProgress& on_progress) {
                          return replay::ReplayTraces(engine, traces, options, observer, on_progress);
                        });
  if (how == "all" && code != cli::kWorldFailed && decided > 0) {
    fmt::print(stderr, "{} decided by all engines, {}\n", Count(decided, "event"), code == cli::kFine ? "0 disagreements" : "up to here");
  }
  return code;
}

int ReplayMerge(const Words& words) {
  const cli::Command command = {
      "ksc replay merge",
      "PART.ksr…",
      1,
      replay::kMaxShards,
      "Merges the parts that `ksc replay --shard` wrote, all of them: prints what one process would have printed, alerts, order and "
      "totals. Rules over several events and limits are decided here.",
      "  ksc replay prod.kspb archive/*.kst --shard 0/2 -o 0.ksr\n  ksc replay prod.kspb archive/*.kst --shard 1/2 -o 1.ksr\n"
      "  ksc replay merge 0.ksr 1.ksr --format json > alerts.jsonl",
      {ReplayFormatOption(), ExpectOption(), StrictOption()}};
  int code = cli::kFine;
  auto arguments = cli::Parse(command, words, &code);
  if (!arguments) return code;
  const bool json = WantsJson(*arguments);
  if (auto failed = CheckOutputOptions(command, *arguments)) return *failed;
  Result<replay::Parts> parts = replay::Parts::Open(arguments->positionals());
  if (!parts) return cli::Fail(parts.error(), json);
  const replay::PartPolicy& policy = parts->head().policy;
  Result<ir::Program> program = ir::ParseProgram(policy.program);
  if (!program) return cli::Fail(program.error(), json);
  alert::Origin origin;
  origin.bundle_digest = policy.bundle_digest;
  origin.bundle_version = policy.bundle_version;
  origin.egress_digest = policy.egress_digest;
  const RulePlaces places = RulePlacesOf(*program, {});
  const engine::Engine engine(std::move(*program));
  return ReplayAndPrint(engine.program(), origin, places, *arguments, nullptr,
                        [&](replay::Observer& observer, const replay::OnProgress& on_progress) {
                          return parts->Replay(engine, observer, on_progress);
                        });
}

}  // namespace ks::ksc

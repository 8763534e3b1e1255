// kubesentryd record: events with all their fields, into a trace.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "compiler/support/diagnostics.h"
#include "recorder_all.h"
#include "recorder_usual.h"
#include "runtime/kernel/kernel.h"
#include "runtime/loader/loader.h"
#include "runtime/loader/names.h"
#include "runtime/trace/trace.h"
#include "tools/cli/args.h"
#include "tools/kubesentryd/arguments.h"
#include "tools/kubesentryd/clock.h"
#include "tools/kubesentryd/commands.h"
#include "tools/kubesentryd/enricher.h"
#include "tools/kubesentryd/gaps.h"
#include "tools/kubesentryd/host.h"
#include "tools/kubesentryd/log.h"
#include "tools/kubesentryd/losses.h"
#include "tools/kubesentryd/recorder/kinds.h"
#include "tools/kubesentryd/report.h"
#include "tools/kubesentryd/run_command.h"
#include "tools/kubesentryd/signals.h"
#include "tools/kubesentryd/steps.h"
#include "tools/kubesentryd/trust.h"

namespace ks::agent {
namespace {

using schema::EventKind;
using schema::FieldId;

constexpr uint64_t kSecondNs = 1000000000;
constexpr uint64_t kLongestDrainNs = 20 * kSecondNs;
constexpr int kConsumeMs = 20;
constexpr size_t kRecordsPerCommit = 1024;

const cli::Command& RecordCommand() {
  static const cli::Command kCommand{
      .name = "kubesentryd record",
      .about =
          "Writes every event with all its fields to a trace, until SIGINT, SIGTERM or the end of --seconds. A trace "
          "holds\n"
          "what alerts never do: paths, arguments and working directories of all processes. It is made readable for "
          "its\n"
          "owner only.\n\n"
          "Needs CAP_BPF and CAP_PERFMON, like `run`.",
      .example =
          "  kubesentryd record -o t.kst --seconds 60\n"
          "  kubesentryd record -o t.kst --kind open,exec --bundle rules.kspb --trust KEY.pub\n"
          "  ksc replay rules.kspb t.kst",
      .options = {
          {.name = "-o", .value = "FILE", .about = "the trace to write (.kst)", .required = true},
          {.name = "--kind",
           .value = "KINDS",
           .about = "kinds of events, with commas; by default all but fork and syscall"},
          {.name = "--seconds", .value = "N", .about = "end after so many seconds"},
          {.name = "--bundle",
           .value = "FILE",
           .about = "resolve the files that this bundle's rules name, for file.canonical"},
          {.name = "--trust", .value = "FILE", .about = "public keys (PEM) that the bundle must be signed with"},
          {.name = "--metadata",
           .value = "FILE",
           .about = "names of containers, images and pods, one JSON object a line; read again when it changes"},
          FetchArgumentsOption(),
          {.name = "--log",
           .value = "FORMAT",
           .about = "of what is said on stderr: human (default) or json",
           .choices = {"human", "json"}},
      }};
  return kCommand;
}

// "open,exec" → kinds. An error is a sentence.
std::optional<std::set<EventKind>> ParseKinds(std::string_view text, std::string* why) {
  std::set<EventKind> kinds;
  std::vector<std::string_view> names;
  for (const schema::EventRow& row : schema::Events()) names.push_back(row.name);
  while (true) {
    const std::string_view name = text.substr(0, text.find(','));
    const auto kind = schema::FindEvent(name);
    if (!kind) {
      const std::string_view near = DidYouMean(name, names);
      *why = fmt::format("there is no kind of event `{}`{}", name,
                         near.empty() ? "" : fmt::format("; did you mean `{}`?", near));
      return std::nullopt;
    }
    kinds.insert(*kind);
    if (name.size() == text.size()) return kinds;
    text.remove_prefix(name.size() + 1);
  }
}

std::set<EventKind> UsualKinds() {
  std::set<EventKind> kinds;
  for (const schema::EventRow& row : schema::Events()) {
    if (IsUsual(row.kind)) kinds.insert(row.kind);
  }
  return kinds;
}

class Recorder {
 public:
  Recorder(const cli::Arguments& arguments, std::set<EventKind> kinds, uint64_t seconds)
      : path_(arguments.Get("-o")),
        bundle_path_(arguments.Get("--bundle")),
        trust_path_(arguments.Get("--trust")),
        metadata_path_(arguments.Get("--metadata")),
        argument_bounds_(ArgumentBoundsOf(arguments)),
        kinds_(std::move(kinds)),
        seconds_(seconds),
        log_(arguments.Get("--log", "human") == "json") {}

  int Run() {
    Steps steps({{"names", [this] { return ReadNames(); }},
                 {"metadata", [this] { return OpenMetadata(); }},
                 {"trace", [this] { return CreateTrace(); }},
                 {"kernel", [this] { return OpenKernel(); }, [this] { CloseKernel(); }},
                 {"load", [this] { return Load(); }}},
                log_);
    if (!steps.Up()) {
      if (writer_) unlink(path_.c_str());
      return cli::kWorldFailed;
    }
    std::string names;
    for (EventKind kind : kinds_) names += fmt::format("{}{}", names.empty() ? "" : ", ", schema::Row(kind).name);
    log_.Info(
        "recording",
        fmt::format("recording {} to {}, with paths and arguments of all processes; end with Ctrl-C", names, path_),
        {{"trace", path_}, {"kinds", names}, {"holds_match_only", true}});
    bool good = Loop();
    kernel_->Detach();
    const uint64_t give_up = BootNs() + kLongestDrainNs;
    size_t records = 1;
    while (good && records > 0 && BootNs() < give_up) good = ReadRing(0, &records);
    if (good && records == 0) {
      gaps_.End(kernel_->Streams());
      good = WriteLosses();
    }
    if (Status closed = writer_->Close(); !closed) {
      log_.Failure("trace", closed.error());
      good = false;
    }
    Summarise();
    steps.Down();
    return good ? cli::kFine : cli::kWorldFailed;
  }

 private:
  Status ReadNames() {
    if (bundle_path_.empty()) return Ok();
    auto trust = ReadTrust(trust_path_);
    if (!trust) return trust.error();
    auto bundle = loader::ReadBundle(bundle_path_, *trust, NowSeconds());
    if (!bundle) return bundle.error();
    named_ = engine::Engine(bundle->program()).plan().names;
    return Ok();
  }
  Status OpenMetadata() {
    auto enricher = Enricher::Open(metadata_path_, log_);
    if (!enricher) return enricher.error();
    enricher_ = std::move(*enricher);
    return Ok();
  }
  Status CreateTrace() {
    auto writer = trace::Writer::Create(path_, {NodeName(), KernelRelease(), Architecture(), BootId()});
    if (!writer) return writer.error();
    writer_ = std::move(*writer);
    return Ok();
  }
  Status OpenKernel() {
    auto kernel = kernel::OpenLibbpfKernel({.arguments = argument_bounds_});
    if (!kernel) return kernel.error();
    kernel_ = std::move(*kernel);
    return Ok();
  }
  void CloseKernel() {
    object_.reset();
    kernel_.reset();
  }
  Status Load() {
    const auto usual = UsualKinds();
    const bool enough = std::includes(usual.begin(), usual.end(), kinds_.begin(), kinds_.end());
    auto object = kernel_->Load(enough ? embedded::recorder_usual() : embedded::recorder_all(), 1);
    if (!object) return object.error();
    object_ = std::move(*object);
    if (Status named = kernel_->SetInodes(loader::ResolveNames(named_)); !named) return named.error();
    boot_to_utc_ns_ = BootToUtcNs();
    return kernel_->Activate(*object_);
  }

  Status Take(std::string_view record) {
    received_++;
    auto event = event::Decode(record, boot_to_utc_ns_);
    if (!event) {
      malformed_++;
      return Ok();
    }
    gaps_.Saw(event->cpu, event->sequence);
    if (!kinds_.contains(event->kind)) return Ok();
    // What we do ourselves would fill the trace with its own writing.
    const schema::FieldValue& pid = event->record[FieldId::process_pid];
    if (pid.status == schema::Status::Ok && std::get<int64_t>(pid.value) == getpid()) return Ok();
    ReadUnknownArguments(kernel_->arguments(), boot_to_utc_ns_, &*event);
    enricher_->Derive(*event);
    written_[event->kind]++;
    return writer_->Add(*event);
  }

  // False if the trace cannot be written or the ring not be read.
  bool ReadRing(int wait_ms, size_t* records) {
    Status written = Ok();
    size_t taken = 0;
    auto consumed = kernel_->Consume(wait_ms, [&](std::string_view record) {
      // Often, so that a flood has its room back.
      if (++taken % kRecordsPerCommit == 0) kernel_->Commit({});
      if (Status one = Take(record); !one && written) written = one;
    });
    if (!written) log_.Failure("trace", written.error());
    if (!consumed) log_.Failure("ring", consumed.error());
    if (!WriteLosses() || !written || !consumed) return false;
    kernel_->Commit({});
    *records = *consumed;
    return true;
  }

  // False if the trace cannot be written.
  bool WriteLosses() {
    const std::vector<Gap> gaps = gaps_.Settle();
    if (gaps.empty()) return true;
    const std::vector<kernel::KindCounters> counters = kernel_->Counters();
    for (const Gap& gap : gaps) {
      const std::vector<EventKind> kinds = lost_kinds_.Of(gap.ring, counters);
      std::vector<std::string_view> names;
      for (EventKind kind : kinds) names.push_back(schema::Row(kind).name);
      log_.Warn("lost",
                fmt::format("{} records of CPU {} were lost: the ring was full{}{}; the trace says so", gap.records,
                            gap.cpu, names.empty() ? "" : ". Events: ", fmt::join(names, ", ")),
                {{"cpu", gap.cpu}, {"records", gap.records}, {"ring", Name(gap.ring)}, {"kinds", names}});
      const uint64_t now = BootNs() + static_cast<uint64_t>(boot_to_utc_ns_);
      if (Status written = writer_->AddLost({now, gap.records, gap.cpu, kinds}); !written) {
        log_.Failure("trace", written.error());
        return false;
      }
    }
    return true;
  }

  bool Loop() {
    const uint64_t end = seconds_ == 0 ? UINT64_MAX : BootNs() + seconds_ * kSecondNs;
    uint64_t next_tick = BootNs() + kSecondNs;
    while (!stop_.Came() && BootNs() < end) {
      size_t records = 0;
      if (!ReadRing(kConsumeMs, &records)) return false;
      if (BootNs() < next_tick) continue;
      next_tick = BootNs() + kSecondNs;
      log_.Flush();
      // `ksc trace cat --follow` is a few seconds behind, and a power cut takes no more than these.
      if (Status flushed = writer_->Flush(BootNs() + static_cast<uint64_t>(boot_to_utc_ns_)); !flushed) {
        log_.Failure("trace", flushed.error());
        return false;
      }
      boot_to_utc_ns_ = BootToUtcNs();
      enricher_->Refresh();
      const Status named = kernel_->SetInodes(loader::ResolveNames(named_));
      if (!named && !names_failed_) log_.Failure("names", named.error());
      names_failed_ = !named;
    }
    return true;
  }

  void Summarise() {
    const auto total = Total(kernel_->Counters());
    uint64_t events = 0;
    std::string kinds;
    nlohmann::ordered_json by_kind;
    for (const auto& [kind, count] : written_) {
      events += count;
      kinds += fmt::format("{}{} {}", kinds.empty() ? "" : ", ", schema::Row(kind).name, count);
      by_kind[std::string(schema::Row(kind).name)] = count;
    }
    log_.Info("stopped",
              fmt::format("stopped: {} events in {}{}; {} events seen, {} filtered, {} limited, {} submitted, {} dropped; {} received, "
                          "{} lost, {} malformed",
                          events,
                          path_, kinds.empty() ? "" : " (" + kinds + ")", total.seen, total.filtered, total.limited,
                          total.submitted, total.dropped, received_,
                          gaps_.lost(), malformed_),
              {{"trace", path_},
               {"events", events},
               {"kinds", by_kind},
               {"seen", total.seen},
               {"filtered", total.filtered},
               {"limited", total.limited},
               {"submitted", total.submitted},
               {"dropped", total.dropped},
               {"received", received_},
               {"lost", gaps_.lost()},
               {"malformed", malformed_}});
  }

  const std::string path_, bundle_path_, trust_path_, metadata_path_;
  const kernel::ArgumentBounds argument_bounds_;
  const std::set<EventKind> kinds_;
  const uint64_t seconds_;
  Log log_;
  SignalFile stop_{SIGTERM, SIGINT, SIGHUP};

  std::optional<Enricher> enricher_;
  std::vector<std::string> named_;
  std::optional<trace::Writer> writer_;
  std::unique_ptr<kernel::Kernel> kernel_;
  std::unique_ptr<kernel::LoadedObject> object_;
  int64_t boot_to_utc_ns_ = 0;
  GapTracker gaps_;
  LostKinds lost_kinds_;
  bool names_failed_ = false;
  uint64_t received_ = 0, malformed_ = 0;
  std::map<EventKind, uint64_t> written_;
};

}  // namespace

int RecordTrace(const Words& words) {
  int exit_code = 0;
  const auto arguments = cli::Parse(RecordCommand(), words, &exit_code);
  if (!arguments) return exit_code;
  if (arguments->Has("--bundle") != arguments->Has("--trust")) {
    return cli::Usage(RecordCommand(),
                      "--bundle and --trust go together: nothing is read from a bundle that is not trusted");
  }
  std::string why;
  const auto kinds = arguments->Has("--kind") ? ParseKinds(arguments->Get("--kind"), &why) : UsualKinds();
  if (!kinds) return cli::Usage(RecordCommand(), why);
  uint64_t seconds = 0;
  if (const std::string text = arguments->Get("--seconds"); arguments->Has("--seconds")) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (error != std::errc() || end != text.data() + text.size() || seconds == 0 || seconds > 31536000) {
      return cli::Usage(RecordCommand(),
                        fmt::format("--seconds takes a whole number from 1 to 31536000, not `{}`", text));
    }
  }
  return Recorder(*arguments, *kinds, seconds).Run();
}

}  // namespace ks::agent

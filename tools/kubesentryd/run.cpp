// kubesentryd run: verify, load, attach; then events to alerts until told to end.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "tools/cli/args.h"
#include "tools/kubesentryd/clock.h"
#include "tools/kubesentryd/closing.h"
#include "tools/kubesentryd/commands.h"
#include "tools/kubesentryd/host.h"
#include "tools/kubesentryd/limits.h"
#include "tools/kubesentryd/output.h"
#include "tools/kubesentryd/pipeline.h"
#include "tools/kubesentryd/report.h"
#include "tools/kubesentryd/requests.h"
#include "tools/kubesentryd/run_command.h"
#include "tools/kubesentryd/signals.h"
#include "tools/kubesentryd/standard_files.h"
#include "tools/kubesentryd/status_socket.h"
#include "tools/kubesentryd/steps.h"
#include "tools/kubesentryd/swapper.h"
#include "tools/kubesentryd/trust.h"
#include "tools/kubesentryd/watch.h"

namespace ks::agent {
namespace {

constexpr int kConsumeMs = 20;
constexpr size_t kRecordsPerWrite = 1024;
constexpr uint64_t kSecondNs = 1000000000;
constexpr uint64_t kLongestDrainNs = 20 * kSecondNs;  // full rings, on a busy machine
constexpr uint64_t kSaveEveryNs = 60 * kSecondNs;
constexpr size_t kMostState = 1UL << 30;

class Runner {
 public:
  Runner(const cli::Arguments& arguments)
      : bundle_path_(arguments.Get("--bundle")),
        trust_path_(arguments.Get("--trust")),
        metadata_path_(arguments.Get("--metadata")),
        alerts_path_(arguments.Get("--alerts", "-")),
        status_path_(arguments.Get("--status-socket", DefaultStatusSocket())),
        status_wanted_(arguments.Has("--status-socket")),
        state_path_(arguments.Get("--state")),
        node_(arguments.Get("--node", NodeName())),
        kernel_options_(KernelOptionsOf(arguments)),
        human_(arguments.Get("--format", "json") == "human"),
        late_bound_ms_(std::stoll(arguments.Get("--late-bound", "1000"))),
        log_(arguments.Get("--log", "human") == "json") {}

  int Run() {
    for (std::string_view closed : ClosedStandardFiles()) {
      log_.Warn("closed", fmt::format("{} was closed at the start; what is written there or read from there fails", closed),
                {{"file", closed}});
    }
    // All that can fail for other reasons than the kernel comes before it: a start that fails leaves no programs attached.
    Steps steps({{"trust", [this] { return TrustKeys(); }},
                 {"verify", [this] { return VerifyBundle(); }},
                 {"metadata", [this] { return OpenMetadata(); }},
                 {"alerts", [this] { return OpenAlerts(); }, [this] { output_.reset(); }},
                 {"watch", [this] { return WatchBundle(); }, [this] { watch_.reset(); }},
                 {"status", [this] { return OpenStatus(); }, [this] { status_.reset(); }},
                 {"kernel", [this] { return OpenKernel(); }, [this] { CloseKernel(); }},
                 {"load", [this] { return LoadFirst(); }},
                 {"state", [this] { return LoadState(); }}},
                log_);
    if (!steps.Up()) return cli::kWorldFailed;
    log_.Info("ready", "ready: " + ReadyText(*kernel_, *loader_->active()), ReadyFacts(*kernel_, *loader_->active()));
    const bool good = Drain(Loop());
    SayStopped(*kernel_, *loader_, *pipeline_, *output_, (BootNs() - started_ns_) / kSecondNs, log_);
    steps.Down();
    return good ? cli::kFine : cli::kWorldFailed;
  }

 private:
  Status TrustKeys() {
    auto trust = ReadTrust(trust_path_);
    if (!trust) return trust.error();
    trust_ = std::move(*trust);
    return Ok();
  }
  // Before the kernel is touched: what is wrong with the bundle is said also where BPF is not to be had.
  Status VerifyBundle() {
    auto verified = loader::ReadBundle(bundle_path_, trust_, NowSeconds(), &first_bytes_);
    if (verified) {
      first_ = std::move(*verified);
    } else if (kernel_options_.pin.empty()) {
      return verified.error();
    } else {
      first_refused_ = verified.error();  // there may be one that goes on
    }
    return Ok();
  }
  Status OpenMetadata() {
    auto enricher = Enricher::Open(metadata_path_, log_);
    if (!enricher) return enricher.error();
    enricher_ = std::move(*enricher);
    return Ok();
  }
  Status OpenAlerts() {
    auto output = Output::Open(alerts_path_, stop_.fd());
    if (!output) return output.error();
    output_ = std::move(*output);
    output_->set_on_wait([this](uint64_t ms) {
      log_.Warn("slow-reader",
                fmt::format("alerts wait for their reader, {} ms so far; events wait in the ring until it is full", ms),
                {{"waited_ms", ms}});
    });
    return Ok();
  }
  Status WatchBundle() {
    auto watch = FileWatch::Create(bundle_path_, bool(first_refused_));
    if (!watch) return watch.error();
    watch_ = std::move(*watch);
    SayUnwatched();
    return Ok();
  }
  void SayUnwatched() {
    if (watch_->watches() == !unwatched_) return;
    unwatched_ = !unwatched_;
    if (!unwatched_) return;
    log_.Warn("watch", fmt::format("the folder of {} cannot be watched; it is tried again until it is there", bundle_path_),
              {{"bundle", bundle_path_}});
  }
  Status OpenKernel() {
    auto kernel = kernel::OpenLibbpfKernel(kernel_options_);
    if (!kernel) return kernel.error();
    kernel_ = std::move(*kernel);
    SayNotices();
    loader_.emplace(*kernel_);
    limits_.emplace(*kernel_);
    pipeline_.emplace(*loader_, node_, BootId(), human_,
                      state::Options{.late_bound_ns = late_bound_ms_ * 1'000'000, .holding = limits_->holding()});
    ReadClocks();
    pipeline_->set_enricher(&*enricher_);
    pipeline_->set_arguments(kernel_->arguments());
    pipeline_->Resume(kernel_->Resumed());
    limits_->set_boot_to_utc_ns(pipeline_->boot_to_utc_ns());
    dropped_ = pipeline_->gaps().lost();
    swapper_.emplace(*loader_, *kernel_, trust_, bundle_path_, log_);
    requests_.emplace(*kernel_, *loader_, *pipeline_, *swapper_, kernel_options_.pin, started_ns_, log_);
    return Ok();
  }
  void CloseKernel() {
    requests_.reset();
    swapper_.reset();
    pipeline_.reset();
    limits_.reset();
    loader_.reset();
    kernel_.reset();
  }
  Status LoadFirst() {
    for (const Error& strange : loader_->Resume(trust_)) SayStrange(strange.ToString());
    SayNotices();
    Status loaded = first_refused_ ? Status(*first_refused_) : LoadFile();
    if (loaded || !loader_->active()) return loaded;
    // As any swap that is refused: what is active stays so.
    loader_->CountRefusal(loaded.error());
    log_.Failure("refused", loaded.error());
    return Ok();
  }
  Status LoadFile() {
    const loader::Loader::Known known = loader_->Knows(first_->digest());
    if (known == loader::Loader::Known::RolledBack) {
      log_.Warn("rolled-back",
                fmt::format("{} holds the bundle that was rolled back from; SIGHUP, or another file, swaps to it", bundle_path_),
                {{"bundle", bundle_path_}});
    }
    if (known != loader::Loader::Known::No) return Ok();
    auto loaded = loader_->Load(std::move(*first_), std::exchange(first_bytes_, {}), NowSeconds());
    if (!loaded) {
      Error error = loaded.error();
      if (error.on == "the bundle") error.on = bundle_path_;
      return error;
    }
    const Status activated = loader_->Activate(std::move(*loaded));
    SayNotices();
    return activated;
  }
  // Of what an agent before this one pinned.
  void SayStrange(const std::string& text) { log_.Warn("pins", text, {{"on", kernel_options_.pin}, {"cause", text}}); }
  void SayNotices() {
    for (const std::string& notice : kernel_->Notices()) SayStrange(notice);
  }
  // What is wrong with it stops nothing: rules then start without.
  Status LoadState() {
    struct stat info{};
    if (state_path_.empty() || (::stat(state_path_.c_str(), &info) != 0 && errno == ENOENT)) return Ok();
    const uint64_t now = BootNs() + static_cast<uint64_t>(pipeline_->boot_to_utc_ns());
    const auto saved = ReadFile(state_path_, kMostState);
    const auto rules = saved ? pipeline_->LoadState(*saved, now, *output_) : Result<size_t>(saved.error());
    if (rules) {
      log_.Info("state", fmt::format("{} rules over several events go on where they were", *rules), {{"rules", *rules}});
    } else {
      log_.Warn("state", fmt::format("rules over several events start anew: {}", rules.error().ToString()),
                {{"code", rules.error().code}, {"on", state_path_}, {"cause", rules.error().cause}});
    }
    return Ok();
  }
  void SaveState() {
    if (state_path_.empty()) return;
    next_save_ns_ = BootNs() + kSaveEveryNs;
    const std::string saved = pipeline_->SaveState();
    if (saved.empty()) return;
    const Status written = WriteFile(state_path_, saved, 0600);
    if (!written && !save_failed_) log_.Failure("state", written.error());
    save_failed_ = !written;
  }

  Status OpenStatus() {
    auto socket = StatusSocket::Listen(status_path_);
    if (socket) {
      status_ = std::move(*socket);
    } else if (status_wanted_) {
      return socket.error();
    } else {
      // Nobody asked for it: detection matters more.
      log_.Warn("status", fmt::format("`kubesentryd status` will not work: {}", socket.error().ToString()),
                {{"code", socket.error().code}, {"on", status_path_}, {"cause", socket.error().cause}});
    }
    return Ok();
  }

  // One reading of the ring and what follows from it. False if alerts cannot be written or the ring not be read.
  bool ReadRing(int wait_ms, size_t* records) {
    Status written = Ok();
    const uint64_t begin_ns = BootNs();
    size_t taken = 0;
    auto consumed = kernel_->Consume(wait_ms, [&](std::string_view record) {
      // Often: what is written is not told again by the next agent, and a flood has its room back.
      if (written && (output_->full() || ++taken % kRecordsPerWrite == 0)) written = WriteAlerts();
      // What is in the ring is still taken and counted after alerts have nowhere to go.
      if (Status one = pipeline_->Take(record, *output_); !one && written) written = one;
    });
    const auto offset = static_cast<uint64_t>(pipeline_->boot_to_utc_ns());
    if (consumed && *consumed < kernel::kRecordsPerConsume) pipeline_->ReadUpTo(begin_ns + offset);
    const uint64_t now = BootNs() + offset;
    if (Status one = pipeline_->Advance(now, *output_); !one && written) written = one;
    if (written) written = WriteAlerts();
    pipeline_->Settle(*kernel_, log_);
    if (!written) log_.Failure("alerts", written.error());
    if (!consumed) log_.Failure("ring", consumed.error());
    if (!written || !consumed) return false;
    loader_->Consumed(*consumed, BootNs());
    *records = *consumed;
    return true;
  }

  // What follows from the records so far; then these need not be handed out again.
  Status WriteAlerts() {
    if (Status flushed = output_->Flush(); !flushed) return flushed;
    kernel_->Commit(pipeline_->Progress());
    return Ok();
  }

  bool Loop() {
    uint64_t next_tick = BootNs() + kSecondNs;
    while (!stop_.Came()) {
      size_t records = 0;
      if (!ReadRing(kConsumeMs, &records)) return false;
      if (reload_.Came() || watch_->Changed()) swapper_->Want();
      swapper_->Step();
      if (status_) status_->Serve([this](std::string_view request) { return requests_->Answer(request).dump() + "\n"; });
      if (BootNs() >= next_tick) {
        next_tick = BootNs() + kSecondNs;
        Tick();
      }
    }
    return true;
  }

  void ReadClocks() {
    const int64_t offset = BootToUtcNs();
    limits_->set_boot_to_utc_ns(offset);
    pipeline_->set_boot_to_utc_ns(offset);
  }

  // Every second.
  void Tick() {
    ReadClocks();
    log_.Flush();
    SayUnwatched();
    // The rings are read more often.
    limits_->Collect(BootNs() + static_cast<uint64_t>(pipeline_->boot_to_utc_ns() - late_bound_ms_ * 1'000'000) - kSecondNs);
    enricher_->Refresh();
    if (BootNs() >= next_save_ns_) SaveState();
    const Status named = loader_->RefreshNames();
    if (!named && !names_failed_) log_.Failure("names", named.error());
    names_failed_ = !named;
    // Losses that no sequence number proves yet: nothing came after them on their CPU, or the kernel skipped a program.
    const uint64_t dropped = Total(kernel_->Counters()).dropped;
    if (dropped > dropped_ && pipeline_->gaps().lost() < dropped) {
      log_.Warn("dropped", fmt::format("the ring was full: {} records dropped, {} in all", dropped - dropped_, dropped),
                {{"records", dropped - dropped_}, {"total", dropped}});
    }
    dropped_ = dropped;
    SayMissed(/*settled=*/false);
  }

  // What was skipped may be recovered yet, by a task that is preempted between the two programs: unless all is `settled`, said is what is
  // missed at the next look, too.
  void SayMissed(bool settled) {
    uint64_t now = 0;
    for (const kernel::HookStatus& hook : kernel_->Hooks()) now += hook.missed;
    const uint64_t missed = settled ? now : std::min(now, missed_before_);
    missed_before_ = now;
    if (missed > missed_) {
      log_.Warn("missed",
                fmt::format("the kernel skipped {} runs of our programs, {} in all", missed - missed_, missed),
                {{"runs", missed - missed_}, {"total", missed}});
    }
    missed_ = std::max(missed_, missed);
  }

  // What the rings hold is still decided, if that can go anywhere (`good`). Pinned programs go on, and the next agent with
  // what they send from here on; else nothing new is seen any more, and what is left in the rings then is lost, and said
  // to be.
  bool Drain(bool good) {
    const bool ends = !kernel_->pinned();
    if (ends) kernel_->Detach();
    SayMissed(/*settled=*/true);
    const uint64_t give_up = BootNs() + kLongestDrainNs;
    const size_t least = ends ? 1 : kernel::kRecordsPerConsume;
    for (size_t records = least; good && records >= least && BootNs() < give_up;) good = ReadRing(0, &records);
    if (ends) {
      pipeline_->End(*kernel_);
      if (const uint64_t unread = pipeline_->unread(); unread > 0) {
        log_.Warn("unread",
                  fmt::format("{} records were left in the rings: {}", unread,
                              good ? fmt::format("reading them took more than {} s", kLongestDrainNs / kSecondNs)
                                   : "what follows from them cannot be written"),
                  {{"records", unread}});
      }
      pipeline_->Settle(*kernel_, log_);
    }
    if (!good) return false;
    // What waited for late events is decided; windows that are still open end with us, and the closing line counts them.
    Status written = pipeline_->Flush(*output_);
    if (Status one = WriteAlerts(); !one && written) written = one;
    if (!written) log_.Failure("alerts", written.error());
    SaveState();
    return bool(written);
  }

  const std::string bundle_path_, trust_path_, metadata_path_, alerts_path_, status_path_;
  const bool status_wanted_;
  const std::string state_path_;
  const std::string node_;
  const kernel::KernelOptions kernel_options_;
  const bool human_;
  const int64_t late_bound_ms_;
  Log log_;
  SignalFile stop_{SIGTERM, SIGINT}, reload_{SIGHUP};
  const uint64_t started_ns_ = BootNs();

  bundle::Trust trust_;
  std::optional<Enricher> enricher_;
  std::optional<bundle::VerifiedBundle> first_;
  std::string first_bytes_;
  std::optional<Error> first_refused_;
  std::optional<Output> output_;
  std::optional<FileWatch> watch_;
  std::unique_ptr<kernel::Kernel> kernel_;
  std::optional<loader::Loader> loader_;
  std::optional<Limits> limits_;
  std::optional<Pipeline> pipeline_;
  std::optional<Swapper> swapper_;
  std::optional<Requests> requests_;
  std::optional<StatusSocket> status_;
  bool names_failed_ = false, unwatched_ = false;
  uint64_t dropped_ = 0, missed_ = 0, missed_before_ = 0;
  uint64_t next_save_ns_ = started_ns_ + kSaveEveryNs;
  bool save_failed_ = false;
};

}  // namespace

int RunAgent(const Words& words) {
  int exit_code = 0;
  const auto arguments = cli::Parse(RunCommand(), words, &exit_code);
  if (!arguments) return exit_code;
  // As of a variable that is not set: to go on without would be noticed when it is missed.
  for (const char* option : {"--pin", "--state", "--metadata", "--status-socket"}) {
    if (arguments->Has(option) && arguments->Get(option).empty()) return cli::Usage(RunCommand(), fmt::format("{} is empty", option));
  }
  return Runner(*arguments).Run();
}

}  // namespace ks::agent

// Traces, one after the other or several at a time.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "runtime/alert/alert.h"
#include "runtime/replay/replay.h"
#include "runtime/replay/source.h"

namespace ks::replay {
namespace {

struct Counters {
  std::atomic<uint64_t> events{0}, alerts{0};
};

// How often progress is told, in events, by whoever replays himself.
constexpr uint64_t kProgressEvents = 4096;

// Alerts of both engines for rules over several events, since the last comparison.
struct StateCheck {
  std::vector<std::string> said, reference;

  std::optional<Error> Compare(const std::string& path, uint64_t time_ns) {
    if (reference.empty() && said.empty()) return std::nullopt;
    const auto lines = std::exchange(said, {}), others = std::exchange(reference, {});
    if (lines == others) return std::nullopt;
    Error error{"decide rules over several events by both engines", path, "they do not say the same at " + std::to_string(time_ns) + " ns",
                "this is a bug of Kubesentry: please report it with the trace", "engines-disagree"};
    for (const std::string& line : others) error.detail += "reference: " + line + "\n";
    for (const std::string& line : lines) error.detail += "fast:      " + line + "\n";
    return error;
  }
};

TraceEnd ReplayOne(const engine::Engine& engine, const std::string& path, const Options& options, Observer& observer,
                   Counters& counters, const OnProgress& on_progress, const std::atomic<bool>* is_stopped) {
  TraceEnd end;
  Result<Source> source = Source::Open(path);
  if (!source) {
    end.ends_replay = true;
    end.status = source.error();
    return end;
  }
  observer.OnTrace(path, source->info());
  StateCheck check;
  Run run(engine, options.state, [&](const event::Match& match) {
    counters.alerts.fetch_add(1, std::memory_order_relaxed);
    if (options.checks_state) check.said.push_back(alert::Format(match, {}, 0, 0));
    observer.OnAlert(match);
  });
  state::Options reference = options.state;
  reference.engine = state::Options::Engine::Reference;
  std::optional<Run> second;
  if (options.checks_state) {
    second.emplace(engine, reference, [&](const event::Match& match) { check.reference.push_back(alert::Format(match, {}, 0, 0)); });
  }
  const bool tells_events = observer.WantsEvents();
  std::optional<Error> failed;
  end.status = source->ForEach(
      [&](const event::Event& event) {
        // Nobody waits for the rest.
        if (failed || (is_stopped != nullptr && is_stopped->load(std::memory_order_relaxed))) return;
        end.totals.CountEvent(event.time_ns);
        if (tells_events) observer.OnEvent(event);
        if (!options.decide) {
          run.Take(event, engine.DecideAll(event));
        } else if (auto matches = options.decide(event)) {
          run.Take(event, *matches);
          if (second) second->Take(event, *matches);
          failed = check.Compare(path, event.time_ns);
        } else {
          failed = matches.error();
        }
        const uint64_t events = counters.events.fetch_add(1, std::memory_order_relaxed) + 1;
        if (on_progress && events % kProgressEvents == 0) on_progress(events, counters.alerts);
      },
      [&](const trace::Lost& lost) {
        end.totals.CountLost(lost, engine.program());
        observer.OnLost(lost);
      });
  end.totals.Add(run.Finish());
  if (second) second->Finish();
  if (!failed) failed = check.Compare(path, static_cast<uint64_t>(end.totals.last_ns));
  if (failed) {
    end.ends_replay = true;
    end.status = *failed;
  }
  if (source->report() != nullptr) end.unmapped = source->report()->unmapped;
  end.SettleDamage(engine.program(), source->info());
  return end;
}

// A match with all that it points to, but for its rule.
class OwnMatch {
 public:
  explicit OwnMatch(const event::Match& of)
      : match_(of), event_(*of.event), words_(of.matched.begin(), of.matched.end()), shown_(of.shown.begin(), of.shown.end()) {
    for (const event::StepMatch& step : of.steps) steps_.push_back({*step.event, {step.shown.begin(), step.shown.end()}});
    match_.event = &event_;
    match_.matched.assign(words_.begin(), words_.end());
    match_.shown = shown_;
    for (size_t i = 0; i < steps_.size(); ++i) {
      match_.steps[i].event = &steps_[i].event;
      match_.steps[i].shown = steps_[i].shown;
    }
  }
  OwnMatch(const OwnMatch&) = delete;
  OwnMatch& operator=(const OwnMatch&) = delete;
  const event::Match& match() const { return match_; }

 private:
  struct Step {
    event::Event event;
    std::vector<schema::FieldId> shown;
  };
  event::Match match_;
  event::Event event_;
  std::vector<std::string> words_;
  std::vector<schema::FieldId> shown_;
  std::vector<Step> steps_;
};

// What an observer will be told of one trace when its turn comes. Who has told as much as it keeps waits until then.
class Later : public Observer {
 public:
  using Call = std::function<void(Observer&)>;
  // `keeps`: calls, of which an event or an alert is a kilobyte or two.
  Later(size_t keeps, bool wants_events, const std::atomic<bool>& is_stopped)
      : keeps_(keeps), wants_events_(wants_events), is_stopped_(is_stopped) {}

  void OnTrace(const std::string& path, const trace::Info& info) override {
    Push([path, kept = info_ = std::make_shared<trace::Info>(info)](Observer& to) { to.OnTrace(path, *kept); });
  }
  bool WantsEvents() const override { return wants_events_; }
  void OnEvent(const event::Event& event) override {
    Push([kept = std::make_shared<event::Event>(event)](Observer& to) { to.OnEvent(*kept); });
  }
  void OnLost(const trace::Lost& lost) override {
    Push([lost](Observer& to) { to.OnLost(lost); });
  }
  void OnAlert(const event::Match& match) override {
    Push([kept = std::make_shared<OwnMatch>(match)](Observer& to) { to.OnAlert(kept->match()); });
  }
  void OnEnd(const std::string& path, const TraceEnd& end) override {
    Push([path, end](Observer& to) { to.OnEnd(path, end); });
    const std::lock_guard lock(mutex_);
    end_ = end;
    changed_.notify_all();
  }

  // Tells what is there, or waits a little for it. The end, once all was told.
  std::optional<TraceEnd> Tell(Observer& to, std::chrono::milliseconds at_most) {
    std::deque<Call> calls;
    std::optional<TraceEnd> end;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, at_most, [&] { return !calls_.empty() || end_; });
      calls.swap(calls_);
      end = end_;
    }
    changed_.notify_all();
    for (const Call& call : calls) call(to);
    return end;
  }
  void WakeUp() { changed_.notify_all(); }

 private:
  void Push(Call call) {
    std::unique_lock lock(mutex_);
    while (calls_.size() >= keeps_ && !is_stopped_) changed_.wait_for(lock, std::chrono::milliseconds(100));
    if (is_stopped_) return;
    calls_.push_back(std::move(call));
    if (calls_.size() == 1) changed_.notify_all();
  }
  const size_t keeps_;
  const bool wants_events_;
  const std::atomic<bool>& is_stopped_;
  std::shared_ptr<trace::Info> info_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Call> calls_;
  std::optional<TraceEnd> end_;
};

// Calls that all traces ahead keep together, and one at least: with fewer, a trace of many alerts is not replayed beside another, but
// behind it.
constexpr size_t kKept = 65'536, kLeastKept = 1024;

// Threads that take one trace after the other, not too far ahead of whose turn it is.
class Workers {
 public:
  Workers(const engine::Engine& engine, const std::vector<std::string>& paths, const Options& options, bool wants_events)
      : engine_(engine), paths_(paths), options_(options), ahead_(size_t{2} * options.jobs) {
    for (size_t i = 0; i < paths.size(); ++i) later_.push_back(nullptr);
    for (size_t i = 0; i < std::min<size_t>(options.jobs, paths.size()); ++i) {
      threads_.emplace_back([this, wants_events] { Work(wants_events); });
    }
  }
  ~Workers() {
    is_stopped_ = true;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& later : later_) {
        if (later) later->WakeUp();
      }
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // Whose turn it is now; those before are forgotten.
  Later& Turn(size_t trace) {
    std::unique_lock lock(mutex_);
    if (trace > 0) later_[trace - 1] = nullptr;
    turn_ = trace;
    changed_.notify_all();
    changed_.wait(lock, [&] { return later_[trace] != nullptr; });
    return *later_[trace];
  }
  const Counters& counters() const { return counters_; }

 private:
  void Work(bool wants_events) {
    while (true) {
      size_t trace = 0;
      std::shared_ptr<Later> later;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return is_stopped_ || next_ >= paths_.size() || next_ < turn_ + ahead_; });
        if (is_stopped_ || next_ >= paths_.size()) return;
        trace = next_++;
        later = later_[trace] = std::make_shared<Later>(std::max(kLeastKept, kKept / ahead_), wants_events, is_stopped_);
        changed_.notify_all();
      }
      later->OnEnd(paths_[trace], ReplayOne(engine_, paths_[trace], options_, *later, counters_, nullptr, &is_stopped_));
    }
  }
  const engine::Engine& engine_;
  const std::vector<std::string>& paths_;
  const Options& options_;
  const size_t ahead_;
  Counters counters_;
  std::atomic<bool> is_stopped_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t next_ = 0, turn_ = 0;
  std::vector<std::shared_ptr<Later>> later_;  // by trace
  std::vector<std::thread> threads_;
};

constexpr auto kProgressPause = std::chrono::milliseconds(200);

}  // namespace

Run::Run(const engine::Engine& engine, const state::Options& options, state::OnAlert on_alert) : tracker_(engine, options) {
  on_alert_ = [this, tell = std::move(on_alert)](const event::Match& match) {
    ++totals_.alerts;
    ++totals_.alerts_by_rule[match.rule->id];
    tell(match);
  };
}

void Run::Take(const event::Event& event, std::span<const event::Match> matches) { tracker_.Take(event, matches, on_alert_); }

void Run::Advance(uint64_t time_ns) { tracker_.Advance(time_ns, on_alert_); }

Totals Run::Finish() {
  tracker_.Flush(on_alert_);
  const state::Counts counts = tracker_.counts();
  totals_.late = counts.late;
  for (const state::RuleCounts& counted : counts.rules) totals_.state[counted.rule] = counted;
  return std::move(totals_);
}

Result<Totals> ReplayTraces(const engine::Engine& engine, const std::vector<std::string>& paths, const Options& options,
                            Observer& observer, const OnProgress& on_progress) {
  Totals all;
  // Adds a trace that has ended.
  const auto add = [&](const TraceEnd& end) -> Status {
    if (end.ends_replay) return end.status;
    all.Add(end.totals);
    return Ok();
  };
  if (options.jobs <= 1 || paths.size() <= 1) {
    Counters counters;
    for (const std::string& path : paths) {
      const TraceEnd end = ReplayOne(engine, path, options, observer, counters, on_progress, nullptr);
      observer.OnEnd(path, end);
      if (Status added = add(end); !added) return added.error();
    }
    return all;
  }
  Workers workers(engine, paths, options, observer.WantsEvents());
  for (size_t i = 0; i < paths.size(); ++i) {
    Later& later = workers.Turn(i);
    std::optional<TraceEnd> end;
    while (!(end = later.Tell(observer, kProgressPause))) on_progress(workers.counters().events, workers.counters().alerts);
    on_progress(workers.counters().events, workers.counters().alerts);
    if (Status added = add(*end); !added) return added.error();
  }
  return all;
}

}  // namespace ks::replay

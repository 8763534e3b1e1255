#include "tools/ksc/test_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "compiler/ir/eval.h"
#include "runtime/state/tracker.h"
#include "runtime/trace/trace.h"
#include "tools/ksc/commands.h"
#include "tools/ksc/in_parallel.h"

namespace ks::ksc {
namespace {

constexpr size_t kMostKept = 10'000;  // events of traces, to say why an expectation failed

std::string Place(const Span& span) {
  return span.file == nullptr ? "" : fmt::format("{}:{}", span.file->name(), span.file->At(span.begin).line);
}

constexpr int64_t kDayNs = 86'400'000'000'000;

// Of an alert: which of the case's events it is of.
Raised RaisedOf(const event::Match& match) {
  Raised raised{match.rule->id, match.message, {}};
  for (const event::StepMatch& step : match.steps) {
    raised.steps.push_back({step.step, step.event->sequence, step.events});
  }
  if (raised.steps.empty()) raised.steps.push_back({"", match.event->sequence, 1});
  return raised;
}

// One case: its own clock, its own state. The clock starts with the day (UTC): what has expired holds no longer, and two
// runs on one day say the same.
class Run {
 public:
  Run(const engine::Engine& engine, const lower::TestCase& test, int64_t start_ns)
      : engine_(engine), test_(test), start_ns_(start_ns), tracker_(engine, {}) {}

  // Without `explain` a failure has no reason: that takes longer than the case.
  CaseResult Go(bool explain) {
    explain_ = explain;
    CaseResult out;
    out.outcome = RunSteps();
    out.fed = std::move(fed_);
    out.alerts = std::move(judged_);
    std::move(raised_.begin(), raised_.end(), std::back_inserter(out.alerts));
    return out;
  }

 private:
  TestOutcome RunSteps() {
    for (const auto& step : test_.steps) {
      if (const auto* feed = std::get_if<lower::Feed>(&step)) {
        Take(*feed);
      } else if (const auto* trace = std::get_if<lower::ReplayTrace>(&step)) {
        if (TestOutcome outcome = Replay(*trace); !outcome.passed) return outcome;
      } else {
        const auto& expect = std::get<lower::Expect>(step);
        tracker_.Advance(At(expect.offset_ns), on_alert_);
        if (TestOutcome outcome = Judge(expect); !outcome.passed) return outcome;
        auto judged = std::stable_partition(raised_.begin(), raised_.end(),
                                            [&](const Raised& alert) { return alert.rule != expect.rule; });
        std::move(judged, raised_.end(), std::back_inserter(judged_));
        raised_.erase(judged, raised_.end());
      }
    }
    return {};
  }

  // A trace that was replayed has moved the clock on.
  uint64_t At(int64_t offset_ns) const { return static_cast<uint64_t>(start_ns_ + offset_ns + replayed_ns_); }

  void Take(event::Event event, std::string place) {
    tracker_.Take(event, engine_.DecideAll(event), on_alert_);
    uint64_t since = event.time_ns - static_cast<uint64_t>(start_ns_);
    if (fed_.size() < kMostKept) fed_.push_back({std::move(event), std::move(place), since});
  }

  void Take(const lower::Feed& feed) {
    event::Event event;
    event.kind = feed.kind;
    event.record = feed.record;
    event.time_ns = At(feed.offset_ns);
    // A time that the test gives stays what it is.
    const schema::FieldValue& time = event.record[schema::FieldId::event_time];
    if (time.value == schema::Value(feed.offset_ns)) event::SetTime(event, event.time_ns);
    event.sequence = ++number_;
    Take(std::move(event), Place(feed.span));
  }

  TestOutcome Replay(const lower::ReplayTrace& trace) {
    Result<trace::Reader> reader = trace::Reader::Open(trace.path);
    if (!reader) return Broken(reader.error(), trace);
    std::optional<uint64_t> first;
    uint64_t last = 0;
    uint64_t begin = At(trace.offset_ns);
    Status read = reader->ForEach(
        [&](const event::Event& recorded) {
          if (!first) first = recorded.time_ns;
          event::Event event = recorded;
          uint64_t since = recorded.time_ns >= *first ? recorded.time_ns - *first : 0;
          last = std::max(last, since);
          event::SetTime(event, begin + since);
          event.sequence = ++number_;
          Take(std::move(event), fmt::format("{}#{}", trace.path, number_));
        },
        [](const trace::Lost&) {});
    replayed_ns_ += static_cast<int64_t>(last);
    if (!read) return Broken(read.error(), trace);
    return {};
  }

  static TestOutcome Broken(const Error& error, const lower::ReplayTrace& trace) {
    TestOutcome out;
    out.passed = false;
    out.why = fmt::format("  could not replay {}: {}\n", trace.path, error.cause);
    out.span = trace.span;
    return out;
  }

  TestOutcome Judge(const lower::Expect& expect) const {
    std::vector<const Raised*> got;
    for (const Raised& alert : raised_) {
      if (alert.rule == expect.rule) got.push_back(&alert);
    }
    bool met = got.size() == expect.count;
    std::string wanted = expect.count == 0 ? "no alert" : Count(expect.count, "alert");
    if (expect.what == lower::Expect::What::Text) {
      for (const Raised* alert : got) met = met && alert->message == expect.text;
      wanted = fmt::format("{} \"{}\"", expect.count == 1 ? "one alert" : wanted, expect.text);
    }
    if (met) return {};
    if (!explain_) return {false, "", expect.span, nullptr};
    std::string from = expect.rule == test_.rule ? "" : " from " + expect.rule;
    TestOutcome out;
    out.passed = false;
    out.span = expect.span;
    out.why = fmt::format("  expected {}{}, got {}\n", wanted, from, got.empty() ? "none" : Count(got.size(), "alert"));
    for (const Raised* alert : got) {
      out.why += fmt::format("    alert \"{}\"\n", alert->message) + EventsOf(*alert, fed_);
    }
    for (const Raised& alert : raised_) {
      if (alert.rule != expect.rule) out.why += fmt::format("    of {}: alert \"{}\"\n", alert.rule, alert.message);
    }
    // The steps of alerts that are there have been said.
    if (got.size() >= expect.count && !got.empty() && !got[0]->steps[0].name.empty()) return out;
    std::vector<Raised> all = judged_;
    all.insert(all.end(), raised_.begin(), raised_.end());
    out.why += WhyNot(engine_.program(), expect.rule, fed_, all);
    return out;
  }

  const engine::Engine& engine_;
  const lower::TestCase& test_;
  int64_t start_ns_;
  std::vector<Raised> raised_, judged_;  // not asked for yet; and those that were
  std::vector<Fed> fed_;
  uint64_t number_ = 0;
  bool explain_ = true;
  int64_t replayed_ns_ = 0;
  state::OnAlert on_alert_ = [this](const event::Match& match) { raised_.push_back(RaisedOf(match)); };
  state::Tracker tracker_;
};

}  // namespace

CaseResult RunCase(const engine::Engine& engine, const lower::TestCase& test, bool explain) {
  return Run(engine, test, Now() * 1'000'000'000 / kDayNs * kDayNs).Go(explain);
}

std::vector<TestOutcome> RunTests(const driver::Analysis& analysis,
                                  const std::function<bool(const sema::TestCase&)>& wanted, unsigned jobs) {
  engine::Engine engine(analysis.program);
  std::vector<const sema::TestCase*> tests;
  for (const sema::CheckedModule& module : analysis.checked) {
    for (const sema::TestCase& test : module.tests) {
      if (test.environment == analysis.environment && wanted(test)) tests.push_back(&test);
    }
  }
  std::vector<TestOutcome> out(tests.size());
  InParallel(jobs, tests.size(), [&](size_t i) {
    out[i] = RunCase(engine, lower::LowerTest(*tests[i]), true).outcome;
    out[i].test = tests[i];
  });
  return out;
}

}  // namespace ks::ksc

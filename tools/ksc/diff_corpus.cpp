// What two policies say of the same recorded events. An alert is known by its rule, its events and its key: what it
// says of them in words is compared apart.
#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <set>
#include <system_error>

#include "runtime/event/event.h"
#include "runtime/replay/source.h"
#include "runtime/state/tracker.h"
#include "tools/ksc/commands.h"
#include "tools/ksc/diff.h"
#include "tools/ksc/progress_line.h"

namespace ks::ksc {
namespace {

constexpr size_t kMaxRecordings = 100'000;
constexpr size_t kMaxOpen = 2'000'000;  // alerts of one policy, of one recording, that the other has not raised

struct EventId {
  uint64_t time_ns = 0, sequence = 0;
  uint16_t cpu = 0;
  schema::EventKind kind{};
  auto operator<=>(const EventId&) const = default;
};
EventId IdOf(const event::Event& event) { return {event.time_ns, event.sequence, event.cpu, event.kind}; }

struct AlertId {
  size_t pair = 0;
  std::vector<EventId> events;  // in the order of the steps
  std::string key;
  auto operator<=>(const AlertId&) const = default;
};

struct Alert {
  uint64_t time_ns = 0;
  std::string severity, message;
  bool uncertain = false;
};

struct Example {
  std::string recording;
  Alert alert;
  bool lost = false;
};

// Of one pair of rules, over all recordings.
struct Tally {
  uint64_t before = 0, after = 0;  // alerts
  uint64_t gone = 0, lost = 0;     // lost: of those gone, with an event that the new policy says nothing of
  uint64_t fresh = 0;
  uint64_t severity = 0, message = 0, certainty = 0;  // told differently
  std::vector<Example> gone_examples, fresh_examples;
  bool silenced() const { return before > 0 && after == 0; }
};

// One policy's half of the work on one recording.
struct Side {
  std::map<AlertId, std::deque<Alert>> open;  // not raised by the other side yet
  size_t open_count = 0;
};

class Comparer {
 public:
  Comparer(const Policy& before, const Policy& after, const std::vector<RulePair>& pairs, const DiffOptions& options)
      : pairs_(pairs), options_(options), before_(before.program), after_(after.program), tallies_(pairs.size()) {
    for (size_t i = 0; i < pairs.size(); ++i) {
      if (pairs[i].before != nullptr) pair_before_[pairs[i].before->id] = i;
      if (pairs[i].after != nullptr) pair_after_[pairs[i].after->id] = i;
    }
  }

  Status Compare(replay::Source& source);
  const std::vector<Tally>& tallies() const { return tallies_; }
  uint64_t events() const { return events_; }
  uint64_t lost_records() const { return lost_records_; }

 private:
  void Take(const event::Match& match, bool after);
  void Close(const std::string& recording);
  bool IsToldElsewhere(const AlertId& id, const Alert& alert) const;

  const std::vector<RulePair>& pairs_;
  const DiffOptions& options_;
  engine::Engine before_, after_;
  std::map<std::string, size_t, std::less<>> pair_before_, pair_after_;
  std::vector<Tally> tallies_;
  uint64_t events_ = 0, lost_records_ = 0;
  // Of the recording at hand:
  Side sides_[2];
  std::set<EventId> spoken_of_;  // by the new policy
  std::map<std::pair<size_t, std::string>, std::set<uint64_t>>
      counted_at_;  // its alerts of rules that count or are limited
};

// How far apart two alerts of a rule that counts, or is limited, may be and still tell of the same events.
int64_t Slack(const ir::Rule& rule) {
  return std::max(rule.aggregate ? rule.aggregate->within_ns : 0, rule.limit ? rule.limit->per_ns : 0);
}

void Comparer::Take(const event::Match& match, bool after) {
  const size_t pair = (after ? pair_after_ : pair_before_).find(match.rule->id)->second;
  Tally& tally = tallies_[pair];
  ++(after ? tally.after : tally.before);
  AlertId id{pair, {}, match.key};
  for (const event::StepMatch& step : match.steps) id.events.push_back(IdOf(*step.event));
  if (id.events.empty()) id.events.push_back(IdOf(*match.event));
  if (after) {
    spoken_of_.insert(id.events.begin(), id.events.end());
    if (Slack(*pairs_[pair].after) > 0) counted_at_[{pair, id.key}].insert(match.time_ns);
  }
  Alert alert{match.time_ns, match.rule->severity, match.message, !match.uncertain.empty()};
  Side& other = sides_[after ? 0 : 1];
  auto found = other.open.find(id);
  if (found == other.open.end()) {
    Side& own = sides_[after ? 1 : 0];
    own.open[std::move(id)].push_back(std::move(alert));
    ++own.open_count;
    return;
  }
  const Alert& twin = found->second.front();
  tally.severity += twin.severity != alert.severity ? 1 : 0;
  tally.message += twin.message != alert.message ? 1 : 0;
  tally.certainty += twin.uncertain != alert.uncertain ? 1 : 0;
  found->second.pop_front();
  if (found->second.empty()) other.open.erase(found);
  --other.open_count;
}

bool Comparer::IsToldElsewhere(const AlertId& id, const Alert& alert) const {
  if (std::ranges::all_of(id.events, [&](const EventId& event) { return spoken_of_.contains(event); })) return true;
  auto counted = counted_at_.find({id.pair, id.key});
  const RulePair& pair = pairs_[id.pair];
  if (counted == counted_at_.end() || pair.before == nullptr) return false;
  const auto slack = static_cast<uint64_t>(std::max(Slack(*pair.before), Slack(*pair.after)));
  auto at = counted->second.lower_bound(alert.time_ns - std::min(alert.time_ns, slack));
  return at != counted->second.end() && *at <= alert.time_ns + slack;
}

void Comparer::Close(const std::string& recording) {
  for (size_t side = 0; side < 2; ++side) {
    for (const auto& [id, alerts] : sides_[side].open) {
      Tally& tally = tallies_[id.pair];
      for (const Alert& alert : alerts) {
        const bool lost = side == 0 && !IsToldElsewhere(id, alert);
        ++(side == 0 ? tally.gone : tally.fresh);
        tally.lost += lost ? 1 : 0;
        std::vector<Example>& examples = side == 0 ? tally.gone_examples : tally.fresh_examples;
        if (examples.size() < options_.examples) examples.push_back({recording, alert, lost});
      }
    }
    sides_[side] = {};
  }
  spoken_of_.clear();
  counted_at_.clear();
}

Status Comparer::Compare(replay::Source& source) {
  state::Options options;
  options.late_bound_ns = state::kDefaultLateBoundNs;
  state::Tracker before(before_, options), after(after_, options);
  const state::OnAlert on_before = [&](const event::Match& match) { Take(match, false); };
  const state::OnAlert on_after = [&](const event::Match& match) { Take(match, true); };
  ProgressLine progress;
  bool full = false;
  Status read = source.ForEach(
      [&](const event::Event& event) {
        if (full) return;
        ++events_;
        before.Take(event, before_.DecideAll(event), on_before);
        after.Take(event, after_.DecideAll(event), on_after);
        full = std::max(sides_[0].open_count, sides_[1].open_count) > kMaxOpen;
        progress.Tick([&](double seconds) {
          return fmt::format("{}: {} events, {:.0f} events/s", source.path(), events_,
                             static_cast<double>(events_) / seconds);
        });
      },
      [&](const trace::Lost& lost) { lost_records_ += lost.records; });
  before.Flush(on_before);
  after.Flush(on_after);
  Close(source.path());
  if (full) {
    return Error{"compare the alerts", source.path(),
                 fmt::format("the policies differ in more than {} of them", kMaxOpen),
                 "what comes before was compared; compare fewer rules, or shorter recordings", "diff-too-large"};
  }
  return read ? source.WhyNotWhole() : read;
}

// Files as they are given, below folders what is named as a recording, in order of name.
Result<std::vector<std::string>> ListRecordings(const std::vector<std::string>& paths) {
  namespace fs = std::filesystem;
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      files.push_back(path);
      continue;
    }
    const size_t first = files.size();
    fs::recursive_directory_iterator it(path, error), end;
    for (; !error && it != end; it.increment(error)) {
      std::error_code ignored;
      if (replay::Source::Is(it->path().string()) && it->is_regular_file(ignored)) files.push_back(it->path().string());
      if (files.size() > kMaxRecordings) {
        return Error{"list the recordings", path, fmt::format("there are more than {}", kMaxRecordings),
                     "give smaller folders", "folder-too-large"};
      }
    }
    if (error) return Error{"list the recordings", path, error.message(), "", "folder-read"};
    if (files.size() == first) {
      return Error{"list the recordings", path, "there is none in it",
                   "recordings are .kst, .scap, .log, .json, .jsonl, also with .gz", "folder-empty"};
    }
    std::sort(files.begin() + static_cast<std::ptrdiff_t>(first), files.end());
  }
  return files;
}

// ---- What is printed

std::string At(uint64_t time_ns) { return schema::ToString(static_cast<int64_t>(time_ns), schema::TypeId::Time, ""); }

void PrintExamples(const RulePair& pair, const Tally& tally, const DiffOptions& options) {
  for (const auto* examples : {&tally.gone_examples, &tally.fresh_examples}) {
    const bool gone = examples == &tally.gone_examples;
    for (const Example& example : *examples) {
      const Alert& alert = example.alert;
      if (options.json) {
        fmt::print(
            R"({{"type":"alert","change":"{}","rule":{},"lost":{},"recording":{},"time":{},"severity":{},"message":{},"uncertain":{}}})"
            "\n",
            gone ? "disappeared" : "appeared", JsonString(pair.id()), example.lost, JsonString(example.recording),
            JsonString(At(alert.time_ns)), JsonString(alert.severity), JsonString(alert.message), alert.uncertain);
      } else {
        fmt::print("    {} {}  {}  {}{}{}\n", gone ? '-' : '+', example.recording, At(alert.time_ns), alert.message,
                   alert.uncertain ? "  (uncertain)" : "",
                   gone && !example.lost ? "  (its events are told by another alert)" : "");
      }
    }
    const uint64_t all = gone ? tally.gone : tally.fresh;
    if (!options.json && !examples->empty() && all > examples->size()) {
      fmt::print("    {} {} more\n", gone ? '-' : '+', all - examples->size());
    }
  }
}

// Why a detection is lost, in words; "" if none is.
std::string WhyLost(const RulePair& pair, const Tally& tally) {
  if (tally.silenced()) return pair.after == nullptr ? "the rule is gone" : "the rule is silent";
  if (tally.lost > 0) return fmt::format("{} with events that no rule alerts on any more", Count(tally.lost, "alert"));
  return "";
}

void PrintPair(const RulePair& pair, const Tally& tally, const DiffOptions& options) {
  const std::string why = WhyLost(pair, tally);
  if (options.json) {
    fmt::print(
        R"({{"type":"rule","rule":{},"now":{},"alerts_before":{},"alerts_after":{},"disappeared":{},"appeared":{},"lost":{},"why":{},)"
        R"("other_severity":{},"other_message":{},"other_certainty":{}}})"
        "\n",
        JsonString(pair.id()), pair.after == nullptr ? "null" : JsonString(pair.after->id), tally.before, tally.after,
        tally.gone, tally.fresh, !why.empty(), JsonString(why), tally.severity, tally.message, tally.certainty);
  } else {
    const std::string now = pair.renamed()           ? fmt::format(", now {}", pair.after->id)
                            : pair.before == nullptr ? ", new"
                                                     : "";
    fmt::print("{}{}: {} before, {} after\n", pair.id(), now, Count(tally.before, "alert"), tally.after);
    if (!why.empty()) fmt::print("  LOST: {}\n", why);
    if (tally.severity > 0) fmt::print("  {} with another severity\n", Count(tally.severity, "alert"));
    if (tally.message > 0) fmt::print("  {} with another text\n", Count(tally.message, "alert"));
    if (tally.certainty > 0)
      fmt::print("  {} where one policy is certain and the other is not\n", Count(tally.certainty, "alert"));
  }
  PrintExamples(pair, tally, options);
}

}  // namespace

CorpusOutcome DiffCorpus(const Policy& before, const Policy& after, const std::vector<RulePair>& pairs,
                         const std::vector<std::string>& paths, const DiffOptions& options) {
  CorpusOutcome outcome;
  Result<std::vector<std::string>> files = ListRecordings(paths);
  if (!files) {
    cli::Fail(files.error(), options.json);
    outcome.failed = true;
    return outcome;
  }
  Comparer comparer(before, after, pairs, options);
  for (const std::string& path : *files) {
    Result<replay::Source> source = replay::Source::Open(path);
    Status compared = source ? comparer.Compare(*source) : Status(source.error());
    if (compared) continue;
    cli::Fail(compared.error(), options.json);
    outcome.failed = true;
  }
  uint64_t alerts_before = 0, alerts_after = 0, gone = 0, fresh = 0, lost = 0;
  for (size_t i = 0; i < pairs.size(); ++i) {
    const Tally& tally = comparer.tallies()[i];
    alerts_before += tally.before;
    alerts_after += tally.after;
    gone += tally.gone;
    fresh += tally.fresh;
    lost += WhyLost(pairs[i], tally).empty() ? 0 : 1;
    const bool differs =
        tally.gone + tally.fresh + tally.severity + tally.message + tally.certainty > 0 || tally.silenced();
    if (differs) PrintPair(pairs[i], tally, options);
  }
  outcome.lost = lost > 0;
  if (options.json) {
    fmt::print(
        R"({{"type":"corpus","recordings":{},"events":{},"lost_records":{},"alerts_before":{},"alerts_after":{},"disappeared":{},"appeared":{},"rules_lost":{}}})"
        "\n",
        files->size(), comparer.events(), comparer.lost_records(), alerts_before, alerts_after, gone, fresh, lost);
    return outcome;
  }
  fmt::print("{}, {}: {} before, {} after; {} disappeared, {} appeared; {}\n", Count(files->size(), "recording"),
             Count(comparer.events(), "event"), Count(alerts_before, "alert"), alerts_after, gone, fresh,
             lost == 0 ? "no detection is lost" : fmt::format("{} lost a detection", Count(lost, "rule")));
  if (comparer.lost_records() > 0) {
    fmt::print("{} were lost when these were recorded: of what was in them nothing can be said\n",
               Count(comparer.lost_records(), "record"));
  }
  return outcome;
}

}  // namespace ks::ksc

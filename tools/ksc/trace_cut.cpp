// ksc trace cut and merge: a part of a trace, and several as one.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "runtime/engine/engine.h"
#include "tools/ksc/commands.h"
#include "tools/ksc/progress_line.h"
#include "tools/ksc/trace_files.h"

namespace ks::ksc {
namespace {

using schema::EventKind;
using schema::FieldId;

std::optional<int64_t> NumberOf(const event::Event& event, FieldId field) {
  const schema::FieldValue& value = event.record[field];
  if (value.status != schema::Status::Ok) return std::nullopt;
  return std::get<int64_t>(value.value);
}

// A process and its descendants, as far as events tell: by parents, and by who forked. All of them are learnt first,
// since an event may come before the one that tells whose child its process is. A parent is known by its number only:
// where numbers were used again, others may be among them.
class Family {
 public:
  explicit Family(int64_t root) : root_(root) {}

  void Learn(const event::Event& event) {
    const std::optional<Process> process = ProcessOf(event);
    if (!process) return;
    std::set<int64_t>& parents = parents_[*process];
    if (const auto parent = NumberOf(event, FieldId::process_parent_pid)) parents.insert(*parent);
    if (const auto child = NumberOf(event, FieldId::child_pid)) forkers_[*child].insert(process->first);
  }
  void Close() {
    std::map<int64_t, std::vector<Process>> children;  // by the parent's number
    for (const auto& [process, parents] : parents_) {
      for (int64_t parent : parents) children[parent].push_back(process);
      const auto forkers = forkers_.find(process.first);
      if (forkers == forkers_.end()) continue;
      for (int64_t forker : forkers->second) children[forker].push_back(process);
    }
    for (const auto& [process, parents] : parents_) {
      if (process.first == root_) members_.insert(process);
    }
    std::set<int64_t> known = {root_};
    for (std::vector<int64_t> next = {root_}; !next.empty();) {
      const int64_t parent = next.back();
      next.pop_back();
      for (const Process& child : children[parent]) {
        members_.insert(child);
        if (known.insert(child.first).second) next.push_back(child.first);
      }
    }
  }
  // Whether the event is one of theirs; nothing if it does not say whose it is.
  std::optional<bool> Has(const event::Event& event) const {
    const std::optional<Process> process = ProcessOf(event);
    if (!process) return std::nullopt;
    return members_.contains(*process);
  }

 private:
  using Process = std::pair<int64_t, std::optional<int64_t>>;  // pid, and when it started if that is known
  static std::optional<Process> ProcessOf(const event::Event& event) {
    const auto pid = NumberOf(event, FieldId::process_pid);
    if (!pid) return std::nullopt;
    return Process{*pid, NumberOf(event, FieldId::process_start_time)};
  }
  int64_t root_;
  std::map<Process, std::set<int64_t>> parents_;
  std::map<int64_t, std::set<int64_t>> forkers_;  // by number of the child
  std::set<Process> members_;
};

std::string RuleOn(std::string_view kind, const std::string& condition) {
  return fmt::format("rule on_{0} \"{0}\" {{\n  severity low\n  on {0}\n  where ({1}\n  )\n  alert \"\"\n}}\n", kind,
                     condition);
}

std::unique_ptr<driver::Analysis> Analyzed(const std::string& rules) {
  std::vector<driver::Source> sources;
  sources.push_back({"--where", "ksp 1\npackage cut\n" + rules, ""});
  driver::Options options;
  options.now_ns = Now() * 1'000'000'000;
  Result<std::unique_ptr<driver::Analysis>> analysis = driver::Analyze(std::move(sources), options);
  return analysis ? std::move(*analysis) : nullptr;
}

// The condition for each kind that has its fields. Null if there is none: the mistakes have been printed.
std::unique_ptr<engine::Engine> Compile(const std::string& condition, const std::set<EventKind>& kinds) {
  std::string rules;
  std::unique_ptr<driver::Analysis> refused;
  for (const schema::EventRow& row : schema::Events()) {
    if (!kinds.empty() && !kinds.contains(row.kind)) continue;
    const std::string rule = RuleOn(row.name, condition);
    auto analysis = Analyzed(rule);
    if (analysis && analysis->ok())
      rules += rule;
    else if (!refused)
      refused = std::move(analysis);
  }
  if (rules.empty()) {
    if (refused) Report(*refused, {});
    return nullptr;
  }
  auto analysis = Analyzed(rules);
  // It was one condition for each, and is none for all: it is none.
  if (!analysis || !analysis->ok()) {
    if (analysis) Report(*analysis, {});
    return nullptr;
  }
  return std::make_unique<engine::Engine>(std::move(analysis->program));
}

// What a cut keeps.
struct Filter {
  uint64_t from_ns = 0, to_ns = UINT64_MAX;  // the end exclusive
  std::set<EventKind> kinds;                 // empty: all
  std::optional<Family> family;
  std::unique_ptr<engine::Engine> where;
  uint64_t nobodys = 0;  // left out: they do not say whose they are

  bool Keeps(const event::Event& event) {
    bool keeps = event.time_ns >= from_ns && event.time_ns < to_ns;
    if (keeps && family) {
      const std::optional<bool> theirs = family->Has(event);
      nobodys += !theirs;
      keeps = theirs.value_or(false);
    }
    if (!kinds.empty() && !kinds.contains(event.kind)) return false;
    return keeps && (!where || !where->DecideAll(event).empty());
  }
  bool Keeps(const trace::Lost& lost) const {
    return lost.time_ns >= from_ns && lost.time_ns < to_ns &&
           (kinds.empty() || lost.kinds.empty() ||
            std::ranges::any_of(lost.kinds, [&](EventKind kind) { return kinds.contains(kind); }));
  }
};

// Fills the filter from the command line; else gives the exit status.
std::optional<int> ReadFilter(const cli::Command& command, const cli::Arguments& arguments, const trace::Info& info,
                              Filter* filter) {
  for (const auto& [option, ns] : {std::pair{"--from", &filter->from_ns}, {"--to", &filter->to_ns}}) {
    if (!arguments.Has(option)) continue;
    const auto moment = ParseMoment(arguments.Get(option), info.first_time_ns);
    if (!moment)
      return cli::Usage(
          command, fmt::format("{} takes 2026-11-23T17:12:03Z, or +90s after the first event (ms, s, m, h), not `{}`",
                               option, arguments.Get(option)));
    *ns = *moment;
  }
  if (filter->from_ns >= filter->to_ns) return cli::Usage(command, "--from is not before --to");
  for (const std::string& name : arguments.All("--kind")) {
    const auto kind = schema::FindEvent(name);
    if (!kind) return cli::Usage(command, fmt::format("there is no event kind `{}`; `ksc schema` lists them", name));
    filter->kinds.insert(*kind);
  }
  if (arguments.Has("--pid")) {
    const std::string text = arguments.Get("--pid");
    int64_t pid = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
    if (error != std::errc() || end != text.data() + text.size() || pid < 0)
      return cli::Usage(command, fmt::format("--pid takes a number, not `{}`", text));
    filter->family.emplace(pid);
  }
  if (arguments.Has("--where") && !(filter->where = Compile(arguments.Get("--where"), filter->kinds)))
    return cli::kFindings;
  return std::nullopt;
}

// The next record of one of several traces, and no more: a block of a few bytes can stand for gigabytes of events.
struct Queue {
  std::string path;
  trace::Reader reader;
  const event::Event* event = nullptr;  // the reader's own
  std::optional<trace::Lost> loss = {};
  Status status = Ok();
  bool at_end = false;

  // Nothing if there is no more. A trace is nearly in order; its writer was at most a second late.
  std::optional<uint64_t> Time() {
    while (!event && !loss && !at_end) {
      Result<bool> more = reader.NextRow([&](const event::Event& next) { event = &next; },
                                         [&](const trace::Lost& next) { loss = next; });
      if (!more) status = more.error();
      at_end = !more || !*more;
    }
    if (event) return event->time_ns;
    return loss ? std::optional(loss->time_ns) : std::nullopt;
  }
};

}  // namespace

int TraceCut(const Words& words) {
  const cli::Command command = {
      "ksc trace cut",
      "TRACE.kst",
      1,
      1,
      "Makes a trace of a part of another: what all of the options keep. Losses are kept where they concern it. An "
      "event of which a "
      "condition's field is unknown is kept: it may be one.",
      "  ksc trace cut day.kst -o minute.kst --from 2026-11-23T17:12:00Z --to 2026-11-23T17:13:00Z\n"
      "  ksc trace cut day.kst -o shell.kst --pid 4711 --kind exec --kind open\n"
      "  ksc trace cut day.kst -o etc.kst --where 'file.path under \"/etc\"'",
      {OutputOption(),
       {"--from", "TIME", "from then on: 2026-11-23T17:12:03Z, or +90s after the first event", false, {}},
       {"--to", "TIME", "until before then", false, {}},
       {"--kind", "KIND", "events of this kind; may be repeated", false, {}, true},
       {"--pid", "N", "events of this process and its descendants", false, {}},
       {"--where",
        "CONDITION",
        "events for which this may hold, in the words of a rule; kinds without its fields are left out",
        false,
        {}},
       StrictOption(),
       FormatOption()}};
  int code = cli::kFine;
  auto arguments = cli::Parse(command, words, &code);
  if (!arguments) return code;
  const bool json = WantsJson(*arguments);
  const std::string& path = arguments->positionals()[0];
  const std::string out = arguments->Get("-o");
  if (auto failed = CheckOutput(command, out)) return *failed;
  Result<trace::Reader> reader = trace::Reader::Open(path);
  if (!reader) return cli::Fail(reader.error(), json);
  Filter filter;
  if (auto refused = ReadFilter(command, *arguments, reader->info(), &filter)) return *refused;
  SayUnknown(path, reader->info());
  if (filter.family) {  // what cannot be read is said when it is read again
    (void)reader->ForEach([&](const event::Event& event) { filter.family->Learn(event); }, [](const trace::Lost&) {});
    filter.family->Close();
  }
  Result<trace::Writer> writer = MakeTrace(out, reader->info().host, reader->info().match_only);
  if (!writer) return cli::Fail(writer.error(), json);
  uint64_t events = 0, of = 0, lost = 0;
  Status written = Ok();
  ProgressLine progress;
  const Status read = reader->ForEach(
      [&](const event::Event& event) {
        ++of;
        progress.Tick([&](double) { return fmt::format("{} of {} events", events, of); });
        if (!written || !filter.Keeps(event)) return;
        ++events;
        written = writer->Add(event);
      },
      [&](const trace::Lost& one) {
        if (!written || !filter.Keeps(one)) return;
        ++lost;
        written = writer->AddLost(one);
      });
  if (!written) return cli::Fail(written.error(), json);
  if (filter.nobodys > 0)
    fmt::print(stderr, "warning: {}: {} left out that {} not say of which process\n", path,
               Count(filter.nobodys, "event"), filter.nobodys == 1 ? "does" : "do");
  const int finished = Finish(*writer, out, events, of, lost, json);
  return std::max(finished, SayEnd(path, reader->info(), read, arguments->Has("--strict"), json));
}

int TraceMerge(const Words& words) {
  const cli::Command command = {"ksc trace merge",
                                "TRACE.kst…",
                                2,
                                64,
                                "Makes one trace of several, in the order of time. Facts of the host in which they "
                                "differ are not said in it: events of one host "
                                "cannot be told from those of another then, nor processes whose numbers are the same.",
                                "  ksc trace merge morning.kst evening.kst -o day.kst",
                                {OutputOption(), StrictOption(), FormatOption()}};
  int code = cli::kFine;
  auto arguments = cli::Parse(command, words, &code);
  if (!arguments) return code;
  const bool json = WantsJson(*arguments);
  const std::string out = arguments->Get("-o");
  if (auto failed = CheckOutput(command, out)) return *failed;
  std::vector<Queue> queues;
  trace::HostFacts host;
  std::set<std::string> match_only;
  for (const std::string& path : arguments->positionals()) {
    Result<trace::Reader> reader = trace::Reader::Open(path);
    if (!reader) return cli::Fail(reader.error(), json);
    SayUnknown(path, reader->info());
    match_only.insert(reader->info().match_only);
    if (queues.empty()) host = reader->info().host;
    queues.push_back({path, std::move(*reader)});
  }
  for (std::string trace::HostFacts::*fact :
       {&trace::HostFacts::node, &trace::HostFacts::kernel, &trace::HostFacts::arch, &trace::HostFacts::boot}) {
    for (const Queue& queue : queues) {
      if (queue.reader.info().host.*fact == host.*fact) continue;
      if (fact == &trace::HostFacts::node) {
        fmt::print(stderr,
                   "warning: {} is of node {}, {} of {}: {} does not say of which, and rules that keep state by "
                   "process may join what is of two\n",
                   queues[0].path, event::Printable(host.node), queue.path,
                   event::Printable(queue.reader.info().host.node), out);
      }
      (host.*fact).clear();
      break;
    }
  }
  Result<trace::Writer> writer = MakeTrace(out, host, fmt::format("{}", fmt::join(match_only, "; ")));
  if (!writer) return cli::Fail(writer.error(), json);
  uint64_t events = 0, lost = 0;
  ProgressLine progress;
  while (true) {
    Queue* first = nullptr;
    uint64_t first_ns = UINT64_MAX;
    for (Queue& queue : queues) {
      const std::optional<uint64_t> time = queue.Time();
      if (time && (first == nullptr || *time < first_ns)) first = &queue, first_ns = *time;
    }
    if (first == nullptr) break;
    Status written = Ok();
    if (first->event) {
      ++events;
      written = writer->Add(*first->event);
      first->event = nullptr;
    } else {
      ++lost;
      written = writer->AddLost(*first->loss);
      first->loss.reset();
    }
    if (!written) return cli::Fail(written.error(), json);
    progress.Tick([&](double seconds) {
      return fmt::format("{} events, {:.0f} events/s", events, static_cast<double>(events) / seconds);
    });
  }
  code = Finish(*writer, out, events, events, lost, json);
  for (const Queue& queue : queues) {
    code = std::max(code, SayEnd(queue.path, queue.reader.info(), queue.status, arguments->Has("--strict"), json));
  }
  return code;
}

}  // namespace ks::ksc

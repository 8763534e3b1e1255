// What deciding a recorded event costs, by number of rules: the index of the engine against the reference, in one run.
// Reading the trace and deriving fields is counted apart; so is making the matches, which only alerts need.
//
//   engine_bench --generator tools/house/generate_rules.py TRACE.kst…            10 to 10,000 rules
//   engine_bench --smoke --generator … TRACE.kst                                 10 to 1,000: fails where both differ
//   engine_bench --rules N --generator … TRACE.kst                               N alone
//   engine_bench --instructions [--rules N] …                                    under callgrind: see engine_cost.py
//
// Events are decided as the agent and `ksc replay` do it: right after they were made, while they are in the caches; a
// hundred thousand of them are 400 MB.
#include <fmt/format.h>
#include <unistd.h>
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#define KS_COUNT_INSTRUCTIONS 1
#endif

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "compiler/driver/driver.h"
#include "runtime/engine/engine.h"
#include "runtime/enrich/enrich.h"
#include "runtime/trace/trace.h"

namespace ks {
namespace {

// CPU time: what others do meanwhile is not in it, though their use of the caches is.
double CpuNs() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

constexpr size_t kMostEvents = 100'000, kMostCounted = 4'000, kTogether = 64;

struct Arguments {
  bool smoke = false, instructions = false;
  int rules = 0;
  std::string generator;
  std::vector<std::string> traces;
};

using Events = std::vector<event::Event>;
using Decide = std::function<size_t(const event::Event&)>;  // how many rules match

struct Numbers {
  double ns = 0;  // an event
  uint64_t matches = 0, silent = 0;
};

// The best of some runs: a machine with other work is never too fast.
Numbers Run(const Events& events, int runs, const Decide& decide) {
  Numbers best;
  for (int run = 0; run < runs; ++run) {
    Numbers now;
    for (size_t from = 0; from < events.size(); from += kTogether) {
      const size_t to = std::min(from + kTogether, events.size());
      const Events fresh(events.begin() + static_cast<ptrdiff_t>(from), events.begin() + static_cast<ptrdiff_t>(to));
      const double start = CpuNs();
      for (const event::Event& event : fresh) {
        const size_t matches = decide(event);
        now.matches += matches;
        now.silent += matches == 0 ? 1 : 0;
      }
      now.ns += CpuNs() - start;
    }
    now.ns /= static_cast<double>(std::max<size_t>(events.size(), 1));
    if (run == 0 || now.ns < best.ns) best = now;
  }
  return best;
}

// Callgrind writes what it counted to a part of its own, named by the text.
void Count([[maybe_unused]] const char* what, const Events& events, const Decide& decide) {
  for (const event::Event& event : events) decide(event);  // what is made once is made
#ifdef KS_COUNT_INSTRUCTIONS
  CALLGRIND_START_INSTRUMENTATION;
  CALLGRIND_ZERO_STATS;
  for (const event::Event& event : events) decide(event);
  CALLGRIND_DUMP_STATS_AT(what);
  CALLGRIND_STOP_INSTRUMENTATION;
#endif
}

Result<engine::Engine> EngineOf(const std::string& generator, int rules) {
  const std::string folder =
      fmt::format("{}/engine_bench.{}.{}", std::filesystem::temp_directory_path().string(), getpid(), rules);
  const std::string command = fmt::format("python3 '{}' {} '{}' --varied > /dev/null", generator, rules, folder);
  if (std::system(command.c_str()) != 0) return Error{"generate rules", generator, "it failed", "run it by hand", ""};
  Result<std::unique_ptr<driver::Analysis>> analysis = driver::Analyze({folder}, {});
  std::filesystem::remove_all(folder);
  if (!analysis) return analysis.error();
  if (!(*analysis)->ok()) return Error{"compile", folder, "the generated rules have mistakes", "ksc check them", ""};
  return engine::Engine(std::move((*analysis)->program));
}

Result<Events> Read(const std::vector<std::string>& traces) {
  Events events;
  for (const std::string& trace : traces) {
    Result<trace::Reader> reader = trace::Reader::Open(trace);
    if (!reader) return reader.error();
    const Status read = reader->ForEach(
        [&](const event::Event& event) {
          if (events.size() < kMostEvents) events.push_back(event);
        },
        [](const trace::Lost&) {});
    if (!read) return read.error();
  }
  return events;
}

void SayKinds(const Events& events) {
  std::map<std::string_view, size_t> kinds;
  for (const event::Event& event : events) ++kinds[schema::Row(event.kind).name];
  std::vector<std::pair<size_t, std::string_view>> most;
  for (const auto& [kind, count] : kinds) most.emplace_back(count, kind);
  std::sort(most.rbegin(), most.rend());
  std::string text;
  for (const auto& [count, kind] : most) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, kind);
  fmt::print("{} events: {}\n", events.size(), text);
}

// Whether both decide alike.
bool Measure(const engine::Engine& engine, int rules, const Events& events) {
  const double start = CpuNs();
  uint64_t bytes = 0, widened = 0;
  for (const schema::EventRow& row : schema::Events()) {
    if (const ir::IndexMatcher* index = engine.IndexOf(row.kind)) {
      bytes += index->index().Bytes();
      widened += index->index().widened.size();
    }
  }
  const double built = (CpuNs() - start) / 1e6;
  Events silent, loud;
  for (const event::Event& event : events) (engine.CountMatches(event) == 0 ? silent : loud).push_back(event);
  const Decide count = [&](const event::Event& event) { return engine.CountMatches(event); };
  const Decide match = [&](const event::Event& event) { return engine.DecideAll(event).size(); };
  const Numbers fast = Run(events, 3, count), none = Run(silent, 3, count), some = Run(loud, 3, count);
  const Numbers made = Run(loud, 3, match);
  const double whole = (none.ns * static_cast<double>(silent.size()) + made.ns * static_cast<double>(loud.size())) /
                       static_cast<double>(std::max<size_t>(1, events.size()));
  // The reference is slow: a part of the events is enough to know it, and all of it must agree.
  Events part;
  const size_t step = std::max<size_t>(1, events.size() * static_cast<size_t>(rules) / 5'000'000);
  for (size_t i = 0; i < events.size(); i += step) part.push_back(events[i]);
  const Numbers reference =
      Run(part, 1, [&](const event::Event& event) { return engine.DecideAllByReference(event).size(); });
  const Numbers again = Run(part, 1, match);
  fmt::print(
      "{:>6} rules: {:.0f} ns an event, {:.0f} ns with its matches: {:.0f} ns of the {} that match nothing, {:.0f} ns of "
      "the {} that match {:.1f} rules each, {:.0f} ns with the matches made; reference {:.0f} ns; index {} KB in {:.0f} ms, {} rules widened\n",
      rules, fast.ns, whole, none.ns, silent.size(), some.ns, loud.size(),
      static_cast<double>(some.matches) / static_cast<double>(std::max<size_t>(1, loud.size())), made.ns, reference.ns,
      bytes / 1000, built, widened);
  std::fflush(stdout);
  if (again.matches == reference.matches && again.silent == reference.silent) return true;
  fmt::print(stderr, "the index and the reference differ: {} and {} matches\n", again.matches, reference.matches);
  return false;
}

// The names of the parts are engine_cost.py's.
void CountAll(const engine::Engine& engine, int rules, const Events& events) {
  Events part, silent;
  const size_t step = std::max<size_t>(1, events.size() / kMostCounted);
  for (size_t i = 0; i < events.size(); i += step) part.push_back(events[i]);
  for (const event::Event& event : part) {
    if (engine.CountMatches(event) == 0) silent.push_back(event);
  }
  const Decide count = [&](const event::Event& event) { return engine.CountMatches(event); };
  uint64_t matches = 0;
  for (const event::Event& event : part) matches += engine.CountMatches(event);
  fmt::print("{} rules: counted over {} events, {} matches, {} events that match nothing\n", rules, part.size(),
             matches, silent.size());
  Count("decide all", part, count);
  Count("decide silent", silent, count);
  Count("make matches", part, [&](const event::Event& event) { return engine.DecideAll(event).size(); });
}

int Main(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--smoke") {
      arguments.smoke = true;
    } else if (word == "--instructions") {
      arguments.instructions = true;
    } else if (word == "--rules" && i + 1 < argc) {
      arguments.rules = std::atoi(argv[++i]);
    } else if (word == "--generator" && i + 1 < argc) {
      arguments.generator = argv[++i];
    } else {
      arguments.traces.push_back(word);
    }
  }
  Result<Events> events = Read(arguments.traces);
  if (!events) return fmt::print(stderr, "{}\n", events.error().ToString()), 3;
  if (arguments.generator.empty() || events->empty()) {
    return fmt::print(stderr,
                      "usage: engine_bench [--smoke] [--instructions] [--rules N] --generator generate_rules.py "
                      "TRACE.kst...\n"),
           2;
  }
  SayKinds(*events);
  const double start = CpuNs();
  for (event::Event& event : *events) enrich::Derive(event, nullptr);
  fmt::print("deriving their fields costs {:.0f} ns each\n", (CpuNs() - start) / static_cast<double>(events->size()));
  bool agree = true;
  for (int rules = 10; rules <= (arguments.smoke ? 1000 : 10'000); rules *= 10) {
    if (arguments.rules != 0) rules = arguments.rules;
    Result<engine::Engine> engine = EngineOf(arguments.generator, rules);
    if (!engine) return fmt::print(stderr, "{}\n", engine.error().ToString()), 3;
    if (arguments.instructions) {
      CountAll(*engine, rules, *events);
    } else {
      agree = Measure(*engine, rules, *events) && agree;
    }
    if (arguments.rules != 0) break;
  }
  return agree ? 0 : 1;
}

}  // namespace
}  // namespace ks

int main(int argc, char** argv) { return ks::Main(argc, argv); }

// What deciding a recorded event costs, by number of rules: the index of the engine against the reference, in one run.
// Reading the trace and deriving fields is counted apart.
//
//   engine_bench --generator tools/house/generate_rules.py TRACE.kst…            10 to 10,000 rules
//   engine_bench --smoke --generator … TRACE.kst                                 10 to 1,000: fails where both differ
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "compiler/driver/driver.h"
#include "runtime/engine/engine.h"
#include "runtime/enrich/enrich.h"
#include "runtime/trace/trace.h"

namespace ks {
namespace {

using Clock = std::chrono::steady_clock;
double NsSince(Clock::time_point start) {
  return static_cast<double>(std::chrono::nanoseconds(Clock::now() - start).count());
}

constexpr size_t kMostEvents = 100'000;

struct Numbers {
  double ns = 0;
  uint64_t matches = 0, silent = 0;
};

template <typename Decide>
Numbers Run(const std::vector<event::Event>& events, int runs, const Decide& decide) {
  Numbers best;
  for (int run = 0; run < runs; ++run) {
    Numbers now;
    const auto start = Clock::now();
    for (const event::Event& event : events) {
      const size_t matches = decide(event).size();
      now.matches += matches;
      now.silent += matches == 0 ? 1 : 0;
    }
    now.ns = NsSince(start) / static_cast<double>(std::max<size_t>(events.size(), 1));
    if (run == 0 || now.ns < best.ns) best = now;
  }
  return best;
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

int Main(int argc, char** argv) {
  bool smoke = false;
  std::string generator;
  std::vector<event::Event> events;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--smoke") {
      smoke = true;
    } else if (word == "--generator" && i + 1 < argc) {
      generator = argv[++i];
    } else {
      Result<trace::Reader> reader = trace::Reader::Open(word);
      if (!reader) return fmt::print(stderr, "{}\n", reader.error().ToString()), 3;
      const Status read = reader->ForEach(
          [&](const event::Event& event) {
            if (events.size() < kMostEvents) events.push_back(event);
          },
          [](const trace::Lost&) {});
      if (!read) return fmt::print(stderr, "{}\n", read.error().ToString()), 3;
    }
  }
  if (generator.empty() || events.empty()) {
    return fmt::print(stderr, "usage: engine_bench [--smoke] --generator generate_rules.py TRACE.kst...\n"), 2;
  }
  auto start = Clock::now();
  for (event::Event& event : events) enrich::Derive(event, nullptr);
  fmt::print("{} events; deriving their fields costs {:.0f} ns each\n", events.size(),
             NsSince(start) / static_cast<double>(events.size()));
  for (int rules = 10; rules <= (smoke ? 1000 : 10'000); rules *= 10) {
    Result<engine::Engine> engine = EngineOf(generator, rules);
    if (!engine) return fmt::print(stderr, "{}\n", engine.error().ToString()), 3;
    start = Clock::now();
    uint64_t bytes = 0, widened = 0;
    for (const schema::EventRow& row : schema::Events()) {
      if (const ir::IndexMatcher* index = engine->IndexOf(row.kind)) {
        bytes += index->index().Bytes();
        widened += index->index().widened.size();
      }
    }
    const double built = NsSince(start) / 1e6;
    std::vector<event::Event> silent;
    for (const event::Event& event : events) {
      if (engine->DecideAll(event).empty()) silent.push_back(event);
    }
    const Numbers fast = Run(events, 3, [&](const event::Event& event) { return engine->DecideAll(event); });
    const Numbers none = Run(silent, 3, [&](const event::Event& event) { return engine->DecideAll(event); });
    // The reference is slow: a part of the events is enough to know it, and all of it must agree.
    std::vector<event::Event> part;
    const size_t step = std::max<size_t>(1, events.size() * static_cast<size_t>(rules) / 5'000'000);
    for (size_t i = 0; i < events.size(); i += step) part.push_back(events[i]);
    const Numbers reference =
        Run(part, 1, [&](const event::Event& event) { return engine->DecideAllByReference(event); });
    const Numbers again = Run(part, 1, [&](const event::Event& event) { return engine->DecideAll(event); });
    fmt::print(
        "{:>6} rules: {:.0f} ns an event, {:.0f} ns of the {} that match nothing; reference {:.0f} ns; {} matches; "
        "index {} KB in {:.0f} ms, {} rules widened\n",
        rules, fast.ns, none.ns, none.silent, reference.ns, fast.matches, bytes / 1000, built, widened);
    std::fflush(stdout);
    if (again.matches != reference.matches || again.silent != reference.silent) {
      return fmt::print(stderr, "the index and the reference differ: {} and {} matches\n", again.matches,
                        reference.matches),
             1;
    }
  }
  return 0;
}

}  // namespace
}  // namespace ks

int main(int argc, char** argv) { return ks::Main(argc, argv); }

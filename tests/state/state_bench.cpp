// What rules over several events cost: memory and time of live partials, and the whole of an engine's work.
//
//   state_bench            every figure
//   state_bench --smoke    the same with a hundredth of the numbers, for the tests: fails where memory grows without bound
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <ctime>
#include <string_view>

#include "runtime/enrich/enrich.h"
#include "runtime/state/state_testing.h"

namespace ks::state {
namespace {

using Clock = std::chrono::steady_clock;
using enum schema::EventKind;

uint64_t ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  uint64_t size = 0, resident = 0;
  file >> size >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}
double NsSince(Clock::time_point start) {
  return static_cast<double>(std::chrono::nanoseconds(Clock::now() - start).count());
}

// A file is dropped and then run; the one is found again by its path.
ir::Rule DropAndRun(uint64_t max_keys) {
  ir::Step run = Match("run", chmod_);
  run.joins.push_back({Of(FieldId::file_path), Of(FieldId::file_path, 1)});
  ir::Rule rule = SequenceRule({Match("drop", open_), run}, 3600, {Of(FieldId::container_id)});
  rule.max_keys = max_keys;
  rule.sequence->steps[1].cross = ir::True();
  return rule;
}

event::Event Touch(EventKind kind, uint64_t number, uint64_t time_ns) {
  event::Event event;
  event.kind = kind;
  event::SetTime(event, time_ns);
  event.record.Set(FieldId::process_pid, static_cast<int64_t>(number % 32768));
  event.record.Set(FieldId::process_tid, static_cast<int64_t>(number % 32768));
  event.record.Set(FieldId::process_uid, int64_t{1000});
  event.record.Set(FieldId::process_euid, int64_t{1000});
  event.record.Set(FieldId::process_name, std::string("worker"));
  event.record.Set(FieldId::process_parent_name, std::string("supervisor"));
  event.record.Set(FieldId::process_start_time, static_cast<int64_t>(1'000'000'000 + number));
  event.record.Set(FieldId::container_id, fmt::format("{:064x}", number % 1000));
  event.record.Set(FieldId::file_path, fmt::format("/var/lib/files/{:08}", number));
  return event;
}

struct Cost {
  double ns = 0;
  uint64_t rss = 0, counted = 0, live = 0;
};

// The cost of one event (one that starts a partial, then one that completes it) beside `live` others.
Cost AtLive(uint64_t live, uint64_t probes) {
  const uint64_t before = ResidentBytes();
  Bench bench(Options::Engine::Fast, {DropAndRun(live * 2)});
  uint64_t time = kStart;
  const OnAlert ignore = [](const event::Match&) {};
  const auto feed = [&](const event::Event& event) {
    std::vector<event::Match> matches = bench.engine->DecideAll(event);
    bench.tracker.Take(event, matches, ignore);
  };
  for (uint64_t i = 0; i < live; ++i) feed(Touch(open_, i, time += 1000));
  Cost cost;
  cost.rss = ResidentBytes() - before;
  const RuleCounts counts = bench.Count();
  cost.counted = counts.bytes;
  cost.live = counts.live;
  cost.ns = 1e18;
  for (int run = 0; run < 5; ++run) {
    double spent = 0;
    for (uint64_t i = 0; i < probes; ++i) {
      // Somewhere among the others, so that no cache helps.
      const uint64_t number = live + i, old = (i * 7919 + static_cast<uint64_t>(run)) % live;
      const event::Event drop = Touch(open_, number, time += 1000), done = Touch(chmod_, number, time += 1000);
      const event::Event again = Touch(open_, old, time += 1000);
      std::vector<event::Match> a = bench.engine->DecideAll(drop), b = bench.engine->DecideAll(done),
                                c = bench.engine->DecideAll(again);
      const auto start = Clock::now();
      bench.tracker.Take(drop, a, ignore);
      bench.tracker.Take(done, b, ignore);
      bench.tracker.Take(again, c, ignore);
      spent += NsSince(start);
    }
    cost.ns = std::min(cost.ns, spent / static_cast<double>(3 * probes));
  }
  return cost;
}

std::vector<ir::Rule> FiftyRules() {
  std::vector<ir::Rule> rules;
  for (int i = 0; i < 50; ++i) {
    ir::Rule rule;
    if (i % 3 == 0) {
      rule = DropAndRun(16384);
    } else if (i % 3 == 1) {
      rule = SequenceRule({Match("a", open_), Without(unlink_), Match("b", chmod_), Without(rename_)}, 10 + i,
                          {Of(FieldId::process_pid)});
    } else {
      rule = AggregateRule(static_cast<ir::Aggregate::Function>(i / 3 % 4), 20, 60, {Of(FieldId::process_uid)});
      rule.kinds = {open_, chmod_};
    }
    // As most rules, each asks for something that most events are not.
    const ir::Pred rare = Is(Of(FieldId::process_uid), static_cast<int64_t>(i));
    rule.when = rule.sequence ? ir::True() : rare;
    if (rule.sequence) {
      for (ir::Step& step : rule.sequence->steps) step.when = rare;
    }
    rule.id += std::to_string(i);
    rules.push_back(std::move(rule));
  }
  return rules;
}

void Throughput(uint64_t events) {
  Bench bench(Options::Engine::Fast, FiftyRules(), kDefaultLateBoundNs);
  const EventKind kinds[] = {open_, chmod_, unlink_, rename_};
  std::vector<event::Event> ready;
  for (uint64_t i = 0; i < 4096; ++i) {
    ready.push_back(Touch(kinds[i * 2654435761U >> 8 & 3], i, kStart));
    ready.back().record.Set(FieldId::process_uid, static_cast<int64_t>(i * 40503U % 100));
  }
  uint64_t alerts = 0, time = kStart;
  const auto start = Clock::now();
  for (uint64_t i = 0; i < events; ++i) {
    event::Event& event = ready[i % ready.size()];
    event::SetTime(event, time += 10'000);
    event.sequence = i;
    bench.tracker.Take(event, bench.engine->DecideAll(event), [&](const event::Match&) { ++alerts; });
  }
  const double seconds = NsSince(start) / 1e9;
  fmt::print("{} events through 50 rules with state: {:.1f} s, {:.0f} events/s, {} alerts, {} MB resident\n", events,
             seconds, static_cast<double>(events) / seconds, alerts, ResidentBytes() >> 20);
}

double CpuNs() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

// As tests/flood makes them: first steps of a sequence that none completes, with the fields that the kernel half sends.
std::vector<std::string> Records(const engine::Engine& engine, uint64_t count) {
  event::Event event;
  event.kind = setgid_;
  event.passed = {1};
  const auto plan = std::ranges::find(engine.plan().kinds, setgid_, &ir::KindPlan::kind);
  for (FieldId field : plan->rules.front().copies) {
    const schema::Slot slot = schema::Row(schema::Row(field).type).slot;
    if (slot == schema::Slot::Int) event.record.Set(field, int64_t{1000});
    if (slot == schema::Slot::Text) event.record.Set(field, std::string("worker"));
  }
  std::vector<std::string> records;
  for (uint64_t i = 0; i < count; ++i) {
    event::SetTime(event, i * 100'000);  // so that most come out again: window and late bound are a second each
    event.sequence = i;
    records.push_back(event::Encode(event));
  }
  return records;
}

// That no test's events concern.
std::vector<ir::Rule> Others(int count) {
  std::vector<ir::Rule> rules;
  for (int i = 0; i < count; ++i) {
    rules.push_back(i % 2 == 0 ? AggregateRule(ir::Aggregate::Function::Count, 20, 60)
                               : SequenceRule({Match("a", open_), Match("b", chmod_)}, 60));
    rules.back().id += std::to_string(i);
  }
  return rules;
}

// A swap: another program with the same rules takes over what this one's keep.
void TakeOver(int rules) {
  Bench old(Options::Engine::Fast, Others(rules)), next(Options::Engine::Fast, Others(rules));
  const double start = CpuNs();
  const size_t taken = next.tracker.Adopt(old.tracker, old.Listener());
  fmt::print("{} of {} rules taken over by the next program: {:.1f} ms\n", taken, rules, (CpuNs() - start) / 1e6);
}

// The agent's way from the ring to the tracker, beside rules with state that ask for other events.
void FromTheRing(uint64_t count, int others) {
  const ir::Pred asked = Is(Of(FieldId::target_gid), int64_t{1000});
  ir::Step first = Match("begin", setgid_);
  first.when = asked;
  std::vector<ir::Rule> rules = Others(others);
  rules.push_back(SequenceRule({first, Match("end", exec_)}, 1, {Of(FieldId::process_session)}));
  Bench bench(Options::Engine::Fast, std::move(rules), kDefaultLateBoundNs);
  const std::vector<std::string> records = Records(*bench.engine, count);
  uint64_t alerts = 0, matches = 0;
  const double start = CpuNs();
  for (const std::string& record : records) {
    Result<event::Event> event = event::Decode(record, static_cast<int64_t>(kStart));
    KS_CHECK(bool(event), "a record that Encode made");
    enrich::Derive(*event, nullptr);
    const std::vector<event::Match> decided = bench.engine->DecidePassed(*event);
    matches += decided.size();
    bench.tracker.Take(*event, decided, [&](const event::Match&) { ++alerts; });
  }
  fmt::print("{} records of {} bytes from the ring, beside {} other rules with state: {:.0f} ns each, {} matches, "
             "{} alerts\n",
             count, records[0].size(), others, (CpuNs() - start) / static_cast<double>(count), matches, alerts);
}

int Main(bool smoke) {
  const uint64_t most = smoke ? 10'000 : 1'000'000;
  double first = 0, last = 0;
  for (uint64_t live = smoke ? 1000 : 1000; live <= most; live *= 10) {
    const Cost cost = AtLive(live, std::min<uint64_t>(live, 20'000));
    fmt::print("{:>8} live: {:.0f} ns an event, {:.1f} MB resident ({:.0f} bytes each), {:.1f} MB counted\n", cost.live,
               cost.ns, static_cast<double>(cost.rss) / 1e6, static_cast<double>(cost.rss) / static_cast<double>(live),
               static_cast<double>(cost.counted) / 1e6);
    std::fflush(stdout);
    if (first == 0) first = cost.ns;
    last = cost.ns;
    if (cost.live != live || cost.rss > live * 400 + (8 << 20)) return 1;
  }
  fmt::print("from the least to the most: {:.2f} times\n", last / first);
  Throughput(smoke ? 20'000 : 10'000'000);
  for (const int others : {0, 1000}) FromTheRing(smoke ? 20'000 : 300'000, others);
  TakeOver(1000);
  return 0;
}

}  // namespace
}  // namespace ks::state

int main(int argc, char** argv) {
  return ks::state::Main(argc > 1 && std::string_view(argv[1]) == "--smoke");
}

// What is held back below changes no alert, and no number of suppressed ones.
#include "runtime/state/holding.h"

#include <algorithm>
#include <random>
#include <utility>

#include "runtime/state/state_testing.h"

namespace ks::state {
namespace {

using enum schema::EventKind;

// The kernel half, as far as limits go.
class Below : public Holder {
 public:
  struct One {
    uint64_t from_ns = 0, until_ns = 0, held = 0, told = 0;
  };
  explicit Below(size_t room = 1000) : room_(room) {}

  std::optional<uint32_t> Place(uint64_t rule, std::span<const uint64_t> words) override {
    const std::pair key(rule, std::vector<uint64_t>(words.begin(), words.end()));
    const auto known = places.find(key);
    if (known != places.end()) return known->second;
    if (places.size() >= room_) return std::nullopt;
    ones.emplace_back();
    return places[key] = static_cast<uint32_t>(ones.size() - 1);
  }
  void Free(uint32_t place) override {
    std::erase_if(places, [&](const auto& entry) { return entry.second == place; });
  }
  void Hold(uint32_t place, uint64_t from_ns, uint64_t until_ns) override {
    ones[place].from_ns = from_ns;
    ones[place].until_ns = until_ns;
  }
  void Release(uint32_t place) override { ones[place].until_ns = 0; }
  uint64_t Held(uint32_t place) override { return ones[place].held; }
  uint64_t Told(uint32_t place) override { return ones[place].told; }
  void Tell(uint32_t place, uint64_t told) override { ones[place].told = told; }
  void Keep(const std::set<uint64_t>& rules) override {
    std::erase_if(places, [&](const auto& entry) { return !rules.contains(entry.first.first); });
  }

  bool HoldsBack(uint64_t rule, const ir::Key& by, const event::Event& event) {
    const auto words = KeyWords(by, event.record);
    if (!words) return false;
    const auto known = places.find({rule, *words});
    if (known == places.end()) return false;
    One& one = ones[known->second];
    if (event.time_ns < one.from_ns || event.time_ns > one.until_ns) return false;
    ++one.held;
    return true;
  }

  std::map<std::pair<uint64_t, std::vector<uint64_t>>, uint32_t> places;
  std::vector<One> ones;

 private:
  size_t room_;
};

// Two agents that see the same: one is told of all, the other of what the kernel half leaves.
class Pair {
 public:
  Pair(std::vector<ir::Rule> rules, int64_t bound, size_t room = 1000, size_t most_keys = 1000)
      : below(room),
        holding(below, most_keys),
        all(Options::Engine::Reference, rules, bound),
        engine(ir::MakeProgram(std::move(rules))),
        tracker(engine, {Options::Engine::Fast, bound, &holding}) {
    Retain(engine);
  }

  void Retain(const engine::Engine& of) {
    std::map<uint64_t, Holding::Rule> limited;
    for (const ir::Machine& machine : of.program().machines) {
      if (!machine.rule.sequence && !machine.rule.aggregate) limited[ir::LimitId(machine)] = {*machine.rule.limit, machine.rule.max_keys};
    }
    holding.Retain(limited);
  }

  // It happens; it is read later.
  void Happens(event::Event event) {
    event.sequence = ++sequence;
    all.tracker.Take(event, all.engine->DecideAll(event), all.Listener());
    ++happened;
    std::vector<event::Match> matches = engine.DecideAll(event);
    std::vector<uint32_t> passed;
    for (const event::Match& match : matches) {
      const ir::SplitRule& probe = engine.program().rules[match.probe];
      const ir::Machine& machine = engine.program().machines[*probe.machine];
      if (machine.rule.aggregate || !below.HoldsBack(ir::LimitId(machine), machine.rule.limit->by, event))
        passed.push_back(match.probe);
    }
    if (!passed.empty()) ring.emplace_back(std::move(event), std::move(passed));
  }
  void Read() {
    for (auto& [event, passed] : ring) {
      ++received;
      std::vector<event::Match> matches = engine.DecideAll(event);
      std::erase_if(matches, [&](const event::Match& match) { return !std::ranges::count(passed, match.probe); });
      tracker.Take(event, matches, [&](const event::Match& match) { alerts.push_back(Bench::Say(match)); });
    }
    ring.clear();
  }
  // Rings of two CPUs: what is read first may be younger, by less than the bound.
  void Mix(std::mt19937& random) {
    std::vector<std::pair<uint64_t, size_t>> order;
    for (size_t i = 0; i < ring.size(); ++i) order.emplace_back(ring[i].first.time_ns + random() % (kSecond / 2), i);
    std::ranges::sort(order);
    std::vector<std::pair<event::Event, std::vector<uint32_t>>> mixed;
    for (const auto& [time, i] : order) mixed.push_back(std::move(ring[i]));
    ring = std::move(mixed);
  }
  void Clock(uint64_t now_ns) {
    all.tracker.Advance(now_ns, all.Listener());
    tracker.Advance(now_ns, [&](const event::Match& match) { alerts.push_back(Bench::Say(match)); });
  }
  uint64_t Suppressed(const Tracker& of) const {
    uint64_t sum = 0;
    for (const RuleCounts& rule : of.counts().rules) sum += rule.suppressed;
    return sum;
  }

  Below below;
  Holding holding;
  Bench all;
  engine::Engine engine;
  Tracker tracker;
  std::vector<std::pair<event::Event, std::vector<uint32_t>>> ring;
  Lines alerts;
  uint64_t sequence = 0;
  size_t happened = 0, received = 0;
};

ir::Rule Limited(uint64_t count, uint64_t seconds) {
  ir::Rule rule = MakeRule("limited");
  rule.kinds = {connect_};
  rule.limit = LimitOf(count, seconds);
  return rule;
}

TEST(Holding, AFloodComesUpUntilItIsRead) {
  Pair pair({Limited(1, 10)}, kSecond);
  for (int i = 0; i < 1000; ++i) {
    pair.Happens(Bench::Make(1 + 0.001 * i, connect_));
    if (i % 20 == 19) pair.Read();
  }
  pair.Happens(Bench::Make(12, connect_));
  pair.Read();
  pair.Clock(kStart + 20 * kSecond);
  EXPECT_EQ(pair.alerts, (Lines{"1s:", "12s: +999"}));
  EXPECT_EQ(pair.alerts, pair.all.alerts);
  EXPECT_EQ(pair.received, 21u);
  EXPECT_EQ(pair.Suppressed(pair.tracker), 999u);
}

TEST(Holding, WhatNoAlertTellsIsCounted) {
  Pair pair({Limited(1, 10)}, 0);
  pair.Happens(Bench::Make(1, connect_));
  pair.Read();
  for (int i = 2; i < 9; ++i) pair.Happens(Bench::Make(i, connect_));
  pair.Read();
  EXPECT_EQ(pair.received, 1u);
  EXPECT_EQ(pair.Suppressed(pair.tracker), 7u);
  pair.holding.Collect(kStart + 40 * kSecond);  // its place is given to others
  EXPECT_TRUE(pair.below.places.empty());
  EXPECT_EQ(pair.Suppressed(pair.tracker), 7u);
  pair.Happens(Bench::Make(50, connect_));
  pair.Read();
  EXPECT_EQ(pair.alerts, (Lines{"1s:", "50s: +7"}));
}

// Each of many processes is held back, and ends: what no alert will tell does not take the room of those that come.
TEST(Holding, KeysThatNeverComeAgainAreForgotten) {
  constexpr int kKeys = 1000, kAtOnce = 20;
  Pair pair({Limited(1, 10)}, 0, /*room=*/kAtOnce, /*most_keys=*/100);
  double second = 1;
  for (int pid = 1; pid <= kKeys; pid += kAtOnce, second += 20) {
    for (int i = 0; i < 2 * kAtOnce; ++i) {
      pair.Happens(Bench::Make(second, connect_, pid + i / 2));
      pair.Read();
    }
    pair.holding.Collect(kStart + static_cast<uint64_t>((second + 19) * kSecond));
    ASSERT_LE(pair.holding.keys(), 50u);
  }
  EXPECT_EQ(pair.received, size_t{kKeys}) << "the second event of each was held back";
  EXPECT_EQ(pair.Suppressed(pair.tracker), uint64_t{kKeys});
}

TEST(Holding, AnotherLimitBeginsAnew) {
  Pair pair({Limited(1, 10)}, 0);
  pair.Happens(Bench::Make(1, connect_));
  pair.Read();
  const engine::Engine next(ir::MakeProgram({Limited(2, 10)}));
  pair.Retain(next);
  EXPECT_TRUE(pair.below.places.empty());
  EXPECT_EQ(pair.holding.keys(), 0u);
}

TEST(Holding, WithoutRoomEverythingComesUp) {
  Pair pair({Limited(1, 10)}, 0, /*room=*/1);
  for (int i = 1; i < 9; ++i) {
    for (int pid = 1; pid <= 2; ++pid) pair.Happens(Bench::Make(i, connect_, pid));
    pair.Read();
  }
  EXPECT_EQ(pair.alerts, pair.all.alerts);
  EXPECT_EQ(pair.received, 9u);
  EXPECT_EQ(pair.Suppressed(pair.tracker), 14u);
}

TEST(Holding, WhatIsNotKnownForCertainIsNoKey) {
  schema::Record record;
  record.Set(FieldId::process_pid, int64_t{7});
  record.Set(FieldId::process_name, std::string("a long name"), schema::Status::Truncated);
  EXPECT_EQ(*KeyWords({Of(FieldId::process_pid)}, record), (std::vector<uint64_t>{1, 7}));
  EXPECT_FALSE(KeyWords({Of(FieldId::process_pid), Of(FieldId::process_name)}, record));
  EXPECT_FALSE(KeyWords({Of(FieldId::process_uid)}, record));
  record.Set(FieldId::process_name, std::string("abcdefgh!"));
  EXPECT_EQ(*KeyWords({Of(FieldId::process_name)}, record), (std::vector<uint64_t>{1, 9, 0x6867666564636261, '!'}));
}

// Random limits, keys, times and moments at which the ring is read; events of two CPUs come out of order.
TEST(Holding, ChangesNoAlert) {
#ifdef KS_SANITIZED
  constexpr uint32_t kRuns = 100;
#else
  constexpr uint32_t kRuns = 600;
#endif
  size_t happened = 0, received = 0, alerts = 0;
  for (uint32_t seed = 0; seed < kRuns; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](uint64_t bound) { return random() % bound; };
    std::vector<ir::Rule> rules;
    for (int i = 0; i < 2; ++i) {
      rules.push_back(Limited(1 + below(4), 1 + below(20)));
      rules.back().id += std::to_string(i);
      if (below(3) == 0) rules.back().limit->by.clear();
      if (below(4) == 0) rules.back().max_keys = 1 + below(8);
    }
    const bool ordered = below(2) == 0;
    const int64_t bound = ordered ? 0 : static_cast<int64_t>(kSecond);
    Pair pair(rules, bound, below(4) == 0 ? 2 : 1000);
    const bool few_keys = std::ranges::all_of(rules, [](const ir::Rule& rule) { return rule.max_keys > 8; });
    const uint64_t keys = few_keys ? 1 + below(6) : 1;  // more than max keys: which are evicted may differ
    uint64_t now = kStart + kSecond;
    for (int i = 0; i < 400; ++i) {
      now += below(8) == 0 ? below(6 * kSecond) : below(kSecond / 20);
      event::Event event = Bench::Make(0, connect_, static_cast<int64_t>(below(keys)));
      // One time twice is one that the order of CPUs decides: what is held back has no such order.
      event::SetTime(event, now - (ordered ? 0 : below(kSecond / 100)) + (ordered ? 1 : 0));
      pair.Happens(std::move(event));
      if (below(10) == 0) {
        if (!ordered) pair.Mix(random);
        pair.Read();
        if (below(3) == 0) pair.Clock(now);
        if (below(3) == 0) pair.holding.Collect(now - static_cast<uint64_t>(bound) - kSecond);
        if (below(40) == 0) pair.holding.ReleaseAll();
      }
    }
    pair.Read();
    pair.Clock(now + 60 * kSecond);
    ASSERT_EQ(pair.all.alerts, pair.alerts) << "seed " << seed;
    ASSERT_EQ(pair.Suppressed(pair.all.tracker), pair.Suppressed(pair.tracker)) << "seed " << seed;
    happened += pair.happened;
    received += pair.received;
    alerts += pair.alerts.size();
  }
  EXPECT_LT(received, happened * 3 / 4);  // else nothing was held back
  EXPECT_GT(alerts, happened / 50);
  RecordProperty("happened", static_cast<int>(happened));
  RecordProperty("received", static_cast<int>(received));
}

}  // namespace
}  // namespace ks::state

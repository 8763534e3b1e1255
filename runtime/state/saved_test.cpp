// State goes over a restart, whole or not at all.
#include <cstring>

#include "runtime/event/hash.h"
#include "runtime/state/random_testing.h"

namespace ks::state {
namespace {

using enum schema::EventKind;
constexpr uint64_t kNow = kStart + 1'000'000 * kSecond;

// As if the agent had ended and another had started.
void Restart(Bench* bench, const std::vector<ir::Rule>& rules) {
  const std::string saved = bench->tracker.Save();
  Bench next(Options::Engine::Fast, rules);
  const auto loaded = next.tracker.Load(saved, kNow);
  ASSERT_TRUE(loaded) << loaded.error().ToString();
  ASSERT_EQ(*loaded, rules.size());
  next.alerts = bench->alerts;
  next.sequence = bench->sequence;
  *bench = std::move(next);
}

std::string Numbers(const Tracker& tracker) {
  std::string out;
  for (const RuleCounts& rule : tracker.counts().rules) {
    out += rule.rule + " " + std::to_string(rule.live) + " " + std::to_string(rule.waiting) + " " +
           std::to_string(rule.evicted) + " " + std::to_string(rule.suppressed) + "; ";
  }
  return out;
}

TEST(Saved, StateSurvivesARestart) {
#ifdef KS_SANITIZED
  constexpr uint32_t kMachines = 300;
#else
  constexpr uint32_t kMachines = 1500;
#endif
  size_t after = 0;
  for (uint32_t seed = 0; seed < kMachines; ++seed) {
    Random random(seed);
    const std::vector<ir::Rule> rules = {random.Rule(0), random.Rule(1)};
    Bench whole(Options::Engine::Fast, rules), broken(Options::Engine::Fast, rules);
    double second = 0;
    for (int i = 0; i < 60; ++i) {
      const event::Event event = random.Event(&second);
      whole.Feed(event);
      broken.Feed(event);
      ASSERT_EQ(whole.alerts, broken.alerts) << "seed " << seed << ", event " << i;
      ASSERT_EQ(Numbers(whole.tracker), Numbers(broken.tracker)) << "seed " << seed << ", event " << i;
      if (i % 15 == 14) Restart(&broken, rules);
      if (HasFatalFailure()) return;
    }
    after += whole.alerts.size();
    ASSERT_EQ(whole.Clock(second + 60).alerts, broken.Clock(second + 60).alerts) << "seed " << seed;
  }
  EXPECT_GT(after, kMachines * 3);
}

std::vector<ir::Rule> Every() {
  ir::Rule chain = SequenceRule({Repeated(Match("a", open_), 2), Joined(Match("b", chmod_), FieldId::file_path, 1),
                                 Without(exit_)},
                                100);
  ir::Rule any = SequenceRule({Match("a", open_), Match("b", unlink_)}, 100);
  any.id = "t.any";
  any.sequence->unordered = true;
  ir::Rule count = AggregateRule(ir::Aggregate::Function::Count, 3, 100);
  count.limit = LimitOf(1, 100);
  ir::Rule distinct = AggregateRule(ir::Aggregate::Function::Distinct, 9, 100, {Of(FieldId::process_name)});
  distinct.id = "t.distinct";
  ir::Rule sum = AggregateRule(ir::Aggregate::Function::Sum, 9999, 100, {Of(FieldId::process_pid)});
  sum.id = "t.sum";
  return {chain, any, count, distinct, sum};
}
Bench Filled() {
  Bench bench(Options::Engine::Fast, Every());
  bench.At(1, open_).At(2, open_).At(3, chmod_).At(4, open_, 2, "/b");
  for (int i = 5; i < 12; ++i) bench.At(i, connect_);
  return bench;
}
// With a checksum that holds, so that what is behind it is reached.
std::string Summed(std::string bytes) {
  const uint64_t sum = event::Fnv1a64(std::string_view(bytes).substr(0, bytes.size() - 8));
  for (int i = 0; i < 8; ++i) bytes[bytes.size() - 8 + static_cast<size_t>(i)] = static_cast<char>(sum >> (8 * i));
  return bytes;
}

TEST(Saved, WhatIsCutOffOrDamagedIsRefused) {
  const std::string saved = Filled().tracker.Save();
  const Bench::SharedEngine engine = Bench::EngineOf(Every());
  const auto refused = [&](std::string_view bytes) {
    Bench bench(Options::Engine::Fast, engine);
    const auto loaded = bench.tracker.Load(bytes, kNow);
    for (const RuleCounts& rule : bench.tracker.counts().rules) EXPECT_EQ(rule.live, 0u);
    return !loaded && loaded.error().code == "state-refused";
  };
  for (size_t size = 0; size < saved.size(); ++size) EXPECT_TRUE(refused(saved.substr(0, size))) << size;
  for (size_t bit = 0; bit < saved.size() * 8; ++bit) {
    std::string bytes = saved;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << bit % 8);
    EXPECT_TRUE(refused(bytes)) << bit;
  }
  EXPECT_TRUE(refused(Summed(saved + "x")));
  std::string other_table = saved;
  other_table[saved.find(schema::Hash())] ^= 1;
  EXPECT_TRUE(refused(Summed(other_table)));
}

TEST(Saved, LiesBehindARightChecksumDoNoHarm) {
  const std::string saved = Filled().tracker.Save();
  const Bench::SharedEngine engine = Bench::EngineOf(Every());
  const std::string untouched = Bench(Options::Engine::Fast, engine).tracker.Save();
  const std::vector<event::Event> then = {Bench::Make(13, open_), Bench::Make(14, chmod_), Bench::Make(15, unlink_),
                                          Bench::Make(16, connect_), Bench::Make(17, exit_)};
  size_t refused = 0, loaded = 0;
  const auto tries = [&](const std::string& bytes) {
    Bench bench(Options::Engine::Fast, engine);
    const auto result = bench.tracker.Load(bytes, kNow);
    ++(result ? loaded : refused);
    if (!result) {
      EXPECT_EQ(bench.tracker.Save(), untouched);
      for (const RuleCounts& rule : bench.tracker.counts().rules) EXPECT_EQ(rule.live, 0u);
    }
    // Whatever was loaded can go on, and be saved.
    for (const event::Event& event : then) bench.Feed(event);
    bench.Clock(1000);
    const std::string again = bench.tracker.Save();
    Bench next(Options::Engine::Fast, engine);
    EXPECT_TRUE(next.tracker.Load(again, kNow));
  };
  for (size_t bit = 0; bit < (saved.size() - 8) * 8; ++bit) {
    std::string bytes = saved;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << bit % 8);
    tries(Summed(bytes));
  }
  for (size_t size = 8; size < saved.size(); ++size) tries(Summed(saved.substr(0, size)));
  for (size_t at = 8; at + 8 < saved.size(); ++at) {
    std::string bytes = saved;
    bytes.replace(at, 1, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    tries(Summed(bytes));
  }
  EXPECT_GT(refused, saved.size());
  EXPECT_GT(loaded, 0u);
}

TEST(Saved, StateFromTheFutureIsRefused) {
  const std::string saved = Filled().tracker.Save();
  Bench bench(Options::Engine::Fast, Every());
  EXPECT_FALSE(bench.tracker.Load(saved, kStart));
  EXPECT_TRUE(bench.tracker.Load(saved, kStart + 11 * kSecond));
}

TEST(Saved, OnlyRulesThatAreTheSameGoOn) {
  std::vector<ir::Rule> rules = Every();
  rules[0].sequence->within_ns += 1;
  std::swap(rules[1], rules[4]);
  Bench bench(Options::Engine::Fast, rules);
  const auto loaded = bench.tracker.Load(Filled().tracker.Save(), kNow);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(*loaded, 4u);
  const std::vector<RuleCounts> counts = bench.tracker.counts().rules;
  EXPECT_EQ(counts[0].live, 0u);
  EXPECT_EQ(counts[4].live, 2u);
}

// The agent was away when the window ended, and saw nothing that would have ended the wait.
TEST(Saved, WindowsThatEndedMeanwhileFireAtTheStart) {
  const std::vector<ir::Rule> rules = {SequenceRule({Match("a", open_), Without(exit_)}, 10)};
  Bench bench(Options::Engine::Fast, rules);
  bench.At(1, open_);
  Restart(&bench, rules);
  EXPECT_EQ(bench.Clock(100).alerts, Lines{"11s: 1"});
}

}  // namespace
}  // namespace ks::state

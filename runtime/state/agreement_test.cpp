// Random machines on random events: both engines say the same, in the same order.
#include "runtime/state/random_testing.h"

namespace ks::state {
namespace {

std::string Numbers(const Tracker& tracker) {
  std::string out;
  for (const RuleCounts& rule : tracker.counts().rules) {
    out += rule.rule + " " + std::to_string(rule.live) + " " + std::to_string(rule.waiting) + " " +
           std::to_string(rule.evicted) + " " + std::to_string(rule.suppressed) + "; ";
  }
  return out + std::to_string(tracker.counts().late);
}

TEST(Agreement, ReferenceAndFastSayTheSame) {
#ifdef KS_SANITIZED
  constexpr uint32_t kMachines = 600;
#else
  constexpr uint32_t kMachines = 3000;
#endif
  size_t alerts = 0, speaking = 0;
  for (uint32_t seed = 0; seed < kMachines; ++seed) {
    Random random(seed);
    const std::vector<ir::Rule> rules = {random.Rule(0), random.Rule(1)};
    const int64_t bound = random.OneIn(2) ? 0 : static_cast<int64_t>(kSecond);
    Bench reference(Options::Engine::Reference, rules, bound), fast(Options::Engine::Fast, rules, bound);
    double second = 0;
    for (int i = 0; i < 60; ++i) {
      const event::Event event = random.Event(&second);
      reference.Feed(event);
      fast.Feed(event);
      ASSERT_EQ(reference.alerts, fast.alerts) << "seed " << seed << ", event " << i;
      ASSERT_EQ(Numbers(reference.tracker), Numbers(fast.tracker)) << "seed " << seed << ", event " << i;
    }
    ASSERT_EQ(reference.Clock(second + 60).alerts, fast.Clock(second + 60).alerts) << "seed " << seed;
    alerts += fast.alerts.size();
    speaking += fast.alerts.empty() ? 0 : 1;
  }
  // Silence would agree too.
  EXPECT_GT(speaking, kMachines / 2);
  EXPECT_GT(alerts, kMachines * 3);
  RecordProperty("alerts", static_cast<int>(alerts));
}

}  // namespace
}  // namespace ks::state

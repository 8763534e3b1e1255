// What is proved of rules over several events, against random runs of events: where one is said never to fire without
// the other, it does not.
#include <gtest/gtest.h>

#include "compiler/prove/relation.h"
#include "runtime/state/random_testing.h"

namespace ks::prove {
namespace {

using Is = Beyond::Is;

#ifdef KS_SANITIZED
constexpr uint32_t kPairs = 3;
#else
constexpr uint32_t kPairs = 15;
#endif
constexpr int kRuns = 15, kEvents = 40;

// The rule, changed a little.
ir::Rule Edited(ir::Rule rule, state::Random* random) {
  if (rule.aggregate) {
    ir::Aggregate& aggregate = *rule.aggregate;
    switch (random->Below(5)) {
      case 0:
        aggregate.within_ns = random->Within();
        break;
      case 1:
        aggregate.at_least = 1 + random->Below(4);
        break;
      case 2:
        aggregate.by = random->KeyOf();
        break;
      case 3:
        rule.kinds.push_back(random->Kind());
        break;
      default:
        rule.when = state::Is(state::Of(schema::FieldId::process_uid), int64_t{1});
    }
    return rule;
  }
  ir::Sequence& sequence = *rule.sequence;
  ir::Step& step = sequence.steps[random->Below(sequence.steps.size())];
  switch (random->Below(5)) {
    case 0:
      sequence.within_ns = random->Within();
      break;
    case 1:
      sequence.by = random->KeyOf();
      break;
    case 2:
      step.kinds.push_back(random->Kind());
      break;
    case 3:
      step.repeat = step.role == ir::Step::Role::Match ? 1 + static_cast<uint32_t>(random->Below(3)) : 1;
      break;
    default:
      step.when = state::Is(state::Of(schema::FieldId::process_uid), int64_t{1});
  }
  return rule;
}

TEST(Runs, NoRunContradicts) {
  if (!Available()) GTEST_SKIP() << "this build has no Z3";
  size_t excluded = 0, fired = 0;
  for (uint32_t seed = 0; seed < kPairs; ++seed) {
    state::Random random(seed);
    ir::Rule before = random.Rule(0);
    before.max_keys = ir::kDefaultMaxKeys;  // evictions are left aside
    before.limit.reset();
    const ir::Rule after = Edited(before, &random);
    const Relation relation = Relate(before, after, std::chrono::seconds(10));
    const bool never_lost = relation.lost.is == Is::Excluded, never_gained = relation.gained.is == Is::Excluded;
    excluded += (never_lost ? 1 : 0) + (never_gained ? 1 : 0);
    if (!never_lost && !never_gained) continue;
    const auto old_engine = state::Bench::EngineOf({before}), new_engine = state::Bench::EngineOf({after});
    for (int run = 0; run < kRuns; ++run) {
      state::Bench old_rule(state::Options::Engine::Fast, old_engine),
          new_rule(state::Options::Engine::Fast, new_engine);
      double second = 0;
      for (int i = 0; i < kEvents; ++i) {
        const event::Event event = random.Event(&second);
        old_rule.Feed(event);
        new_rule.Feed(event);
        ASSERT_FALSE(never_lost && !old_rule.alerts.empty() && new_rule.alerts.empty()) << "seed " << seed;
        ASSERT_FALSE(never_gained && old_rule.alerts.empty() && !new_rule.alerts.empty()) << "seed " << seed;
      }
      fired += old_rule.alerts.empty() ? 0 : 1;
    }
  }
  std::printf("%zu times excluded, %zu runs fired\n", excluded, fired);
  EXPECT_GT(excluded, kPairs / 3);
  EXPECT_GT(fired, kPairs);
}

}  // namespace
}  // namespace ks::prove

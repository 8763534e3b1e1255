// Events dealt out to shards and merged again: what one run says, whatever rules, borders and lateness.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "compiler/ir/text.h"
#include "runtime/alert/alert.h"
#include "runtime/event/hash.h"
#include "runtime/replay/shard.h"
#include "runtime/state/random_testing.h"

namespace ks::replay {
namespace {

class Collect : public Observer {
 public:
  void OnTrace(const std::string&, const trace::Info&) override {}
  void OnAlert(const event::Match& match) override { lines.push_back(alert::Format(match, {}, lines.size() + 1, 0)); }
  void OnEnd(const std::string&, const TraceEnd& end) override { totals = end.totals; }
  std::vector<std::string> lines;
  Totals totals;
};

class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / ("ks-part-test-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

std::string NumbersOf(const Totals& totals) {
  std::string out = std::to_string(totals.events) + " events, " + std::to_string(totals.alerts) + " alerts, " +
                    std::to_string(totals.late) + " late, " + std::to_string(totals.first_ns) + " to " +
                    std::to_string(totals.last_ns);
  for (const auto& [rule, counts] : totals.state) {
    out += "; " + rule + " " + std::to_string(counts.live) + " " + std::to_string(counts.evicted) + " " +
           std::to_string(counts.suppressed) + " " + std::to_string(counts.waiting);
  }
  return out;
}

// One trace, in chunks of up to four events.
struct Dealt {
  explicit Dealt(uint32_t seed) : random(seed) {
    // As bundles have it; a random rule may be none that can be written down (kinds that repeat).
    Result<ir::Program> program = ir::Program();
    do {
      std::vector<ir::Rule> rules = {random.Rule(0), random.Rule(1), state::MakeRule("single")};
      rules.back().kinds = {random.Kind()};
      if (random.OneIn(2)) rules.back().limit = state::LimitOf(1 + random.Below(2), 1 + random.Below(5));
      program = ir::ParseProgram(ir::Print(ir::MakeProgram(std::move(rules))));
    } while (!program);
    engine = std::make_unique<engine::Engine>(std::move(*program));
    double second = 0;
    for (uint64_t i = 0; i < 60; ++i) {
      event::Event event = random.Event(&second);
      event.sequence = i + 1;
      if (chunks.empty() || random.OneIn(4)) chunks.emplace_back();
      chunks.back().push_back(std::move(event));
    }
    options.late_bound_ns = random.OneIn(2) ? 0 : static_cast<int64_t>(state::kSecond);
  }

  void RunWhole(Collect* to) const {
    Run run(*engine, options, [&](const event::Match& match) { to->OnAlert(match); });
    Totals totals;
    for (const auto& chunk : chunks) {
      for (const event::Event& event : chunk) {
        totals.CountEvent(event.time_ns);
        run.Take(event, engine->DecideAll(event));
      }
    }
    totals.Add(run.Finish());
    to->totals = totals;
  }

  PartHead Head(unsigned shard, unsigned shards) const {
    PartHead head;
    head.policy.program = ir::Print(engine->program());
    head.policy.late_bound_ns = options.late_bound_ns;
    head.traces = {{"t.kst", "sha256:t", chunks.size(), {}}};
    head.shard = shard;
    head.shards = shards;
    return head;
  }

  std::vector<std::string> Write(const Folder& folder, unsigned shards) const {
    std::vector<std::string> paths;
    for (unsigned shard = 0; shard < shards; ++shard) {
      paths.push_back(folder / ("part" + std::to_string(shard)));
      Result<PartWriter> writer = PartWriter::Create(paths.back(), Head(shard, shards));
      KS_CHECK(bool(writer), "the folder can be written to");
      for (size_t i = 0; i < chunks.size(); ++i) {
        if (ShardOf(0, i, shards) != shard) continue;
        Totals totals;
        for (const event::Event& event : chunks[i]) {
          totals.CountEvent(event.time_ns);
          KS_CHECK(bool(writer->Add(*engine, event, engine->DecideAll(event))), "it is written");
        }
        KS_CHECK(bool(writer->EndChunk(0, i, totals, {}, {})), "it is written");
      }
      KS_CHECK(bool(writer->Finish()), "it is written");
    }
    return paths;
  }

  state::Random random;
  std::unique_ptr<engine::Engine> engine;
  std::vector<std::vector<event::Event>> chunks;
  state::Options options;
};

TEST(Parts, MergedAreWhatOneRunSays) {
#ifdef KS_SANITIZED
  constexpr uint32_t kSeeds = 20;
#else
  constexpr uint32_t kSeeds = 100;
#endif
  const Folder folder;
  size_t alerts = 0;
  for (uint32_t seed = 0; seed < kSeeds; ++seed) {
    Dealt dealt(seed);
    Collect whole;
    dealt.RunWhole(&whole);
    for (const unsigned shards : {1u, 2u, 8u}) {
      Result<Parts> parts = Parts::Open(dealt.Write(folder, shards));
      ASSERT_TRUE(parts) << parts.error().ToString();
      Result<ir::Program> program = ir::ParseProgram(parts->head().policy.program);
      ASSERT_TRUE(program) << program.error().ToString();
      const engine::Engine engine(std::move(*program));
      Collect merged;
      Result<Totals> totals = parts->Replay(engine, merged, [](uint64_t, uint64_t) {});
      ASSERT_TRUE(totals) << totals.error().ToString();
      ASSERT_TRUE(merged.lines == whole.lines) << "seed " << seed << ", " << shards << " shards";
      ASSERT_EQ(NumbersOf(*totals), NumbersOf(whole.totals)) << "seed " << seed << ", " << shards << " shards";
    }
    alerts += whole.lines.size();
  }
  EXPECT_GT(alerts, kSeeds * 5);
}

// Any byte of a part may be anything, its checksums be right all the same: then it is refused, or it is the part of another
// replay, but nothing is read that is not there (the sanitizers watch).
TEST(Parts, HostileBytesAreSurvived) {
  const Folder folder;
  Dealt dealt(7);
  const std::string path = dealt.Write(folder, 1).front();
  std::ifstream in(path, std::ios::binary);
  const std::string good((std::istreambuf_iterator<char>(in)), {});
  size_t refused = 0, tried = 0;
  for (size_t at = 8; at < good.size(); at += 1 + at % 3) {
    std::string bad = good;
    // A bit, or the largest number there is: no index, no time and no length is that.
    if (at % 2 == 0) {
      bad[at] = static_cast<char>(bad[at] ^ (1 << at % 8));
    } else {
      bad.replace(at, 10, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    }
    // {tag, size, sum}: of each section as it now is.
    for (size_t section = 8; section + 13 <= bad.size();) {
      uint32_t size = 0;
      std::memcpy(&size, bad.data() + section + 1, sizeof(size));
      if (size > bad.size() - section - 13) break;
      const uint64_t sum = event::Fnv1a64(std::string_view(bad).substr(section + 13, size));
      std::memcpy(bad.data() + section + 5, &sum, sizeof(sum));
      section += 13 + size;
    }
    const std::string changed = folder / "changed";
    std::ofstream(changed, std::ios::binary) << bad;
    ++tried;
    Result<Parts> parts = Parts::Open({changed});
    Collect merged;
    const bool ok = parts && parts->Replay(*dealt.engine, merged, [](uint64_t, uint64_t) {});
    refused += ok ? 0 : 1;
  }
  EXPECT_GT(tried, 500u);
  EXPECT_GT(refused, tried / 4);
}

}  // namespace
}  // namespace ks::replay

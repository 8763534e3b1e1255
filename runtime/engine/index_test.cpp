// The engine's index decides as the reference does, match for match: random programs, random records, hostile texts and
// every status among them.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "compiler/ir/random_ir.h"
#include "compiler/ir/text.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/engine_testing.h"

namespace {
thread_local size_t allocations = 0;
}

// Counts, so that a test can say that nothing was allocated.
[[gnu::noinline]] void* operator new(size_t size) {
  ++allocations;
  void* memory = std::malloc(size);
  if (memory == nullptr) std::abort();
  return memory;
}
// What std::stable_sort asks for. All that delete below frees must come from malloc.
[[gnu::noinline]] void* operator new(size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size ? size : 1);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace ks::engine {
namespace {

using event::Event;
using event::Match;

// KS_TEST_PAIRS: predicate × record, for longer runs.
size_t PairsWanted() {
  const char* given = std::getenv("KS_TEST_PAIRS");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 200'000;
}

ir::Program RandomProgram(ir::RandomIr* random, schema::EventKind kind, size_t rules) {
  ir::Program program;
  for (size_t i = 0; i < rules; ++i) {
    program.rules.push_back(
        Make("r" + std::to_string(i), {kind}, random->RandomPred(kind, static_cast<int>(random->Below(4))), {}));
  }
  return program;
}

ir::Pred Ask(schema::FieldId field, ir::Test test, const std::string& literal) {
  ir::Atom atom;
  atom.operand.field = field;
  atom.test = test;
  atom.literals = {literal};
  return ir::MakeAtom(std::move(atom));
}

bool Same(const std::vector<Match>& a, const std::vector<Match>& b) {
  return std::ranges::equal(a, b, [](const Match& x, const Match& y) {
    return x.rule == y.rule && x.probe == y.probe && x.message == y.message && x.matched == y.matched &&
           x.uncertain == y.uncertain && std::ranges::equal(x.shown, y.shown) && x.time_ns == y.time_ns;
  });
}

TEST(EngineIndex, DecidesAsTheReference) {
  ir::RandomIr random(ir::TestSeed());
  size_t pairs = 0, matches = 0, silent = 0, asked = 0;
  for (const size_t wanted = PairsWanted(); pairs < wanted;) {
    const schema::EventKind kind = random.RandomKind();
    const size_t rules = 1 + random.Below(60);
    const Engine engine(RandomProgram(&random, kind, rules));
    for (int i = 0; i < 20; ++i) {
      Event event;
      event.kind = kind;
      event.record = random.RandomRecord(kind, engine.program().rules[random.Below(rules)].rule.when);
      const std::vector<Match> fast = engine.DecideAll(event), reference = engine.DecideAllByReference(event);
      ASSERT_TRUE(Same(fast, reference)) << fast.size() << " and " << reference.size() << " of\n"
                                         << ir::Print(engine.program());
      pairs += rules;
      matches += reference.size();
      silent += reference.empty() ? 1 : 0;
      ++asked;
    }
  }
  std::printf("%zu pairs, %zu match; %zu of %zu events match nothing\n", pairs, matches, silent, asked);
  EXPECT_GT(matches, pairs / 10);
  EXPECT_GT(silent, 0u);
}

// Where a clause's bit is lost, the comparison above sees it: a rule that is left out of the index.
TEST(EngineIndex, ASeededBreakIsCaught) {
  ir::RandomIr random(ir::TestSeed() + 1);
  size_t caught = 0;
  constexpr size_t kPrograms = 20;
  for (size_t i = 0; i < kPrograms; ++i) {
    const schema::EventKind kind = random.RandomKind();
    const ir::Program program = RandomProgram(&random, kind, 10);
    ir::Program broken = program;
    const size_t lost = random.Below(10);
    broken.rules[lost].rule.when = ir::False();
    const Engine whole(program), less(broken);
    bool differs = false;
    for (int n = 0; n < 50 && !differs; ++n) {
      Event event;
      event.kind = kind;
      event.record = random.RandomRecord(kind, program.rules[lost].rule.when);
      differs = less.DecideAll(event).size() != whole.DecideAllByReference(event).size();
    }
    caught += differs ? 1 : 0;
  }
  EXPECT_GT(caught, kPrograms * 3 / 4);
}

TEST(EngineIndex, TakesNoMemoryWhereNothingMatches) {
  std::vector<ir::SplitRule> rules;
  for (int i = 0; i < 500; ++i) {
    rules.push_back(
        Make("r" + std::to_string(i), {schema::EventKind::open_},
             ir::MakeAnd({Ask(schema::FieldId::process_name, ir::Test::In, "tool" + std::to_string(i)),
                          Ask(schema::FieldId::process_args, ir::Test::Contains, "--secret" + std::to_string(i)),
                          Ask(schema::FieldId::file_path, ir::Test::Under, "/srv/" + std::to_string(i))}),
             {}));
  }
  ir::Program program;
  program.rules = std::move(rules);
  const Engine engine(std::move(program));
  Event event;
  event.kind = schema::EventKind::open_;
  event.record.Set(schema::FieldId::process_name, std::string("tool77"));
  event.record.Set(schema::FieldId::process_args, std::string("tool\0--secret77\0--secret78\0", 26));
  event.record.Set(schema::FieldId::file_path, std::string("/srv/78/some/path/that/is/long/enough/for/the/heap"));
  EXPECT_TRUE(engine.DecideAll(event).empty());  // makes the index
  const size_t before = allocations;
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(engine.DecideAll(event).empty());
  EXPECT_EQ(allocations, before);
  event.record.Set(schema::FieldId::file_path, std::string("/srv/77/x"));
  EXPECT_EQ(engine.DecideAll(event).size(), 1u);
  EXPECT_GT(allocations, before);
}

}  // namespace
}  // namespace ks::engine

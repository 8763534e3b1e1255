// The index against the reference meaning: random rules together, random records.
#include "compiler/ir/index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "compiler/ir/eval.h"
#include "compiler/ir/index_match.h"
#include "compiler/ir/random_ir.h"
#include "compiler/ir/text.h"

namespace ks::ir {
namespace {

using schema::Status;

struct Tally {
  size_t pairs = 0, matches = 0, refused = 0, widened_rules = 0, rules = 0, loose = 0, which = 0;
};

void AtomsOf(const Pred& pred, std::vector<const Atom*>* atoms) {
  if (pred.atom) atoms->push_back(&*pred.atom);
  for (const Pred& operand : pred.operands) AtomsOf(operand, atoms);
}

bool HasCutText(const schema::Record& record) {
  return std::any_of(schema::Fields().begin(), schema::Fields().end(),
                     [&](const schema::FieldRow& row) { return record[row.id].status == Status::Truncated; });
}

// Every dimension's outcomes name the literals that EvalAtom names.
void ExpectSameLiterals(const IndexMatcher& matcher, const std::vector<Pred>& preds, const schema::Record& record,
                        IndexMatcher::Scratch* scratch, Tally* tally) {
  std::vector<const Atom*> atoms;
  for (const Pred& pred : preds) AtomsOf(pred, &atoms);
  const Index& index = matcher.index();
  matcher.Begin(scratch);
  for (size_t d = 0; d < index.dimensions.size(); ++d) {
    const Dimension& dimension = index.dimensions[d];
    if (dimension.what == Dimension::Class::NoneFound) continue;
    IndexMatcher::Outcomes outcomes;
    matcher.LookUp(d, record, scratch, &outcomes);
    if (!outcomes.decided) continue;
    for (const Atom* atom : atoms) {
      const auto which = WhichLiteral(index, dimension, {outcomes.numbers.data(), outcomes.count}, *atom);
      if (!which) continue;
      const AtomResult result = EvalAtom(*atom, record);
      ASSERT_EQ(result.truth, Truth::True) << dimension.note;
      ASSERT_EQ(result.index, *which) << dimension.note << Print(MakeAtom(*atom));
      ++tally->which;
    }
  }
}

void Compare(uint64_t seed, const IndexOptions& options, size_t programs, size_t records, size_t most, Tally* tally) {
  RandomIr random(seed);
  IndexMatcher::Scratch scratch;
  for (size_t program = 0; program < programs; ++program) {
    const EventKind kind = random.RandomKind();
    std::vector<Pred> preds;
    for (size_t i = 0, n = 1 + random.Below(most); i < n; ++i) {
      preds.push_back(random.RandomPred(kind, static_cast<int>(random.Below(4))));
    }
    std::vector<IndexRule> rules;
    for (uint32_t i = 0; i < preds.size(); ++i) rules.push_back({i, &preds[i]});
    const IndexMatcher matcher(BuildIndex(rules, options));
    tally->rules += preds.size();
    tally->widened_rules += matcher.index().widened.size();
    for (size_t i = 0; i < records; ++i) {
      const schema::Record record = random.RandomRecord(kind, preds[random.Below(preds.size())]);
      const auto found = matcher.Match(record, &scratch);
      for (uint32_t rule = 0; rule < preds.size(); ++rule) {
        const bool passes = std::binary_search(found.begin(), found.end(), rule);
        const bool matches = Eval(preds[rule], record) != Truth::False;
        ASSERT_TRUE(passes || !matches) << "rule " << rule << " is missed: " << Print(preds[rule]);
        const bool exact = matcher.index().FindWidened(rule) == nullptr && !HasCutText(record);
        ASSERT_TRUE(!passes || matches || !exact) << "rule " << rule << " is exact: " << Print(preds[rule]);
        ++tally->pairs;
        tally->matches += matches ? 1 : 0;
        tally->refused += passes ? 0 : 1;
        tally->loose += passes && !matches ? 1 : 0;
      }
      ExpectSameLiterals(matcher, preds, record, &scratch, tally);
      if (testing::Test::HasFailure()) return;
    }
  }
}

void ExpectUseful(const Tally& tally) {
  std::printf("%zu pairs, %zu match, %zu refused, %zu pass loosely; %zu of %zu rules widened, %zu literals named\n",
              tally.pairs, tally.matches, tally.refused, tally.loose, tally.widened_rules, tally.rules, tally.which);
  EXPECT_GT(tally.matches, tally.pairs / 50);
  EXPECT_GT(tally.refused, tally.pairs / 5);
  EXPECT_GT(tally.which, 100u);
}

TEST(Index, FindsWhatTheReferenceFinds) {
  Tally tally;
  Compare(TestSeed(), {}, 150, 20, 60, &tally);
  ExpectUseful(tally);
  EXPECT_LT(tally.widened_rules * 2, tally.rules);
}

TEST(Index, StillPassesAllWhereNothingFits) {
  Tally tally;
  IndexOptions tight;
  tight.clauses_of_rule = 2;
  tight.clauses = 40;
  tight.tests = 2;
  tight.states = 24;
  tight.cells = 400;
  tight.automata = 2;
  Compare(TestSeed() + 1, tight, 100, 20, 40, &tally);
  ExpectUseful(tally);
  EXPECT_GT(tally.loose, 100u);
}

TEST(Index, LooksForPatternsByTheirTexts) {
  Tally tally;
  IndexOptions options;
  options.test_patterns = false;
  Compare(TestSeed() + 2, options, 100, 20, 300, &tally);
  ExpectUseful(tally);
}

Atom Asks(FieldId field, ir::Test test, std::vector<Value> literals) {
  Atom atom;
  atom.operand.field = field;
  atom.test = test;
  atom.literals = std::move(literals);
  return atom;
}

// Ten thousand rules that differ in a literal share all but that: no row is written out.
TEST(Index, TenThousandLiteralsTakeFewBytesEach) {
  std::vector<Pred> preds;
  for (int i = 0; i < 10'000; ++i) {
    preds.push_back(
        MakeAnd({MakeAtom(Asks(FieldId::process_name, ir::Test::In, {std::string("sh"), std::string("bash")})),
                 MakeAtom(Asks(FieldId::file_path, ir::Test::Under, {"/srv/" + std::to_string(i)})),
                 MakeNot(MakeAtom(Asks(FieldId::process_gid, ir::Test::In, {int64_t{i}})))}));
  }
  std::vector<IndexRule> rules;
  for (uint32_t i = 0; i < preds.size(); ++i) rules.push_back({i, &preds[i]});
  const IndexMatcher matcher(BuildIndex(rules));
  const Index& index = matcher.index();
  EXPECT_EQ(index.clauses.size(), 10'000u);
  EXPECT_EQ(index.dimensions.size(), 3u);
  EXPECT_TRUE(index.widened.empty());
  EXPECT_LT(index.Bytes(), 10'000u * 600);
  schema::Record record;
  record.Set(FieldId::process_name, std::string("bash"));
  record.Set(FieldId::file_path, std::string("/srv/77/x"));
  record.Set(FieldId::process_gid, int64_t{76});
  IndexMatcher::Scratch scratch;
  ASSERT_EQ(matcher.Match(record, &scratch).size(), 1u);
  EXPECT_EQ(scratch.rules[0], 77u);
  record.Set(FieldId::process_gid, int64_t{77});
  EXPECT_TRUE(matcher.Match(record, &scratch).empty());
  record.SetStatus(FieldId::process_gid, Status::Unknown);
  EXPECT_EQ(matcher.Match(record, &scratch).size(), 1u);
  record.SetStatus(FieldId::file_path, Status::Truncated);
  EXPECT_EQ(matcher.Match(record, &scratch).size(), 10'000u);
}

// `by_name` rules that a process's name tells from others, and as many as `by_path` that a path does.
Index TwoSorts(int by_name, int by_path) {
  std::vector<Pred> preds;
  for (int i = 0; i < by_name + by_path; ++i) {
    preds.push_back(i < by_name ? MakeAtom(Asks(FieldId::process_name, ir::Test::In, {"app" + std::to_string(i)}))
                                : MakeAtom(Asks(FieldId::file_path, ir::Test::Under, {"/srv/" + std::to_string(i)})));
  }
  std::vector<IndexRule> rules;
  for (uint32_t i = 0; i < preds.size(); ++i) rules.push_back({i, &preds[i]});
  return BuildIndex(rules);
}

// Else a few rules of each sort share all words, and none goes out before the last sort has been looked up.
TEST(Index, WhatTellsClausesApartEndsTheirWords) {
  const Index index = TwoSorts(40, 70);
  ASSERT_EQ(index.words, 3u);
  const auto gaps = [](const Index& of) { return std::ranges::count(of.clauses, Clause::kGap, &Clause::rule); };
  EXPECT_EQ(gaps(index), 24);
  ASSERT_EQ(index.dimensions.size(), 2u);
  for (const Dimension& dimension : index.dimensions) {
    const bool is_name = dimension.what == Dimension::Class::Text;
    EXPECT_EQ(dimension.mentions[0], is_name ? 0b001u : 0b110u);
    EXPECT_EQ(index.summaries[dimension.none], is_name ? 0b110u : 0b001u);
  }
  for (size_t bit = 0; bit < index.clauses.size(); ++bit) {
    if (index.clauses[bit].rule != Clause::kGap) continue;
    for (uint32_t row = 0; row < index.rows(); ++row) ASSERT_EQ(index.Word(row, bit / 64) >> bit % 64 & 1, 0u);
  }
  const Index full = TwoSorts(kMaxIndexClauses - 100, 70);
  EXPECT_EQ(full.clauses.size(), kMaxIndexClauses - 30);
  EXPECT_EQ(gaps(full), 0);
}

// Patterns that begin with a folder are looked up among folders; what an automaton has to look for is the little rest.
TEST(Index, LooksForAPatternBelowItsFolder) {
  std::vector<Pred> preds;
  for (int i = 0; i < 1'000; ++i) {
    const std::string folder = "/var/lib/app" + std::to_string(i);
    preds.push_back(
        MakeAtom(Asks(FieldId::file_path, ir::Test::Like, {folder + "/*.key", folder + "/etc/[ab]*.pem"})));
  }
  std::vector<IndexRule> rules;
  for (uint32_t i = 0; i < preds.size(); ++i) rules.push_back({i, &preds[i]});
  IndexOptions options;
  options.test_patterns = false;
  const IndexMatcher matcher(BuildIndex(rules, options));
  ASSERT_EQ(matcher.index().dimensions.size(), 2u);
  EXPECT_EQ(matcher.index().dimensions[0].what, Dimension::Class::Under);
  EXPECT_LT(matcher.index().scanners.at(0).hit_of.size(), 20u);
  EXPECT_EQ(matcher.index().widened.size(), rules.size());
  schema::Record record;
  IndexMatcher::Scratch scratch;
  for (const char* path : {"/var/lib/app77/x.key", "/var/lib/app77/etc/a.pem"}) {
    record.Set(FieldId::file_path, std::string(path));
    ASSERT_EQ(matcher.Match(record, &scratch).size(), 1u) << path;
    EXPECT_EQ(scratch.rules[0], 77u);
  }
  for (const char* path : {"/var/lib/app77/x", "/var/lib/app/x.key", "/srv/app77/x.key", "/var/lib/app77"}) {
    record.Set(FieldId::file_path, std::string(path));
    EXPECT_TRUE(matcher.Match(record, &scratch).empty()) << path;
  }
}

// What does not fit is named, with its field for whoever decides it.
TEST(Index, SaysWhatItLeavesOut) {
  std::vector<Value> many;
  for (int i = 0; i < 100; ++i) many.emplace_back("needle" + std::to_string(i * 7919));
  const Pred contains = MakeAtom(Asks(FieldId::process_args, ir::Test::Contains, many));
  const IndexRule rule{7, &contains};
  IndexOptions options;
  options.states = 100;
  const Index index = BuildIndex({&rule, 1}, options);
  ASSERT_EQ(index.spilled.size(), 1u);
  EXPECT_NE(index.spilled[0].find("process.args: \"needle0\" and 99 more"), std::string::npos) << index.spilled[0];
  ASSERT_NE(index.FindWidened(7), nullptr);
  EXPECT_EQ(index.FindWidened(7)->fields, std::vector<FieldId>{FieldId::process_args});
  EXPECT_EQ(index.FindWidened(6), nullptr);
  EXPECT_TRUE(BuildIndex({&rule, 1}).widened.empty());
}

// A row that is wrong in one bit does not go unnoticed by the comparison above.
TEST(Index, ASeededBreakIsCaught) {
  RandomIr random(TestSeed() + 3);
  IndexMatcher::Scratch scratch;
  size_t caught = 0, tried = 0;
  for (; tried < 40; ++tried) {
    const EventKind kind = random.RandomKind();
    const Pred pred = random.RandomPred(kind, 2);
    const IndexRule rule{0, &pred};
    Index index = BuildIndex({&rule, 1});
    if (index.dimensions.empty()) continue;
    Dimension& dimension = index.dimensions[random.Below(index.dimensions.size())];
    for (uint32_t& row : dimension.row_of) std::swap(row, dimension.none);  // one off
    const IndexMatcher broken(std::move(index));
    bool differs = false;
    for (int i = 0; i < 200 && !differs; ++i) {
      const schema::Record record = random.RandomRecord(kind, pred);
      differs = broken.Match(record, &scratch).empty() && Eval(pred, record) != Truth::False;
    }
    caught += differs ? 1 : 0;
  }
  std::printf("%zu of %zu breaks miss a match\n", caught, tried);
  EXPECT_GT(caught, tried / 4);
}

}  // namespace
}  // namespace ks::ir

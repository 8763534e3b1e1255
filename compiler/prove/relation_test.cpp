#include "compiler/prove/relation.h"

#include <gtest/gtest.h>

#include "compiler/ir/eval.h"
#include "compiler/ir/random_ir.h"
#include "compiler/ir/text.h"

namespace ks::prove {
namespace {

using ir::Atom;
using ir::Pred;
using ir::Truth;
using schema::FieldId;
using schema::Value;
using Ask = ir::Test;  // GoogleTest has a Test of its own
using Is = Beyond::Is;

constexpr std::chrono::seconds kTime(10);
#ifdef KS_SANITIZED
constexpr int kRounds = 15;
#else
constexpr int kRounds = 80;
#endif

ir::Rule RuleOf(ir::EventKind kind, Pred when) {
  ir::Rule rule;
  rule.kinds = {kind};
  rule.when = std::move(when);
  return rule;
}

int Rank(Truth truth) { return truth == Truth::False ? 0 : truth == Truth::Unknown ? 1 : 2; }

class Relations : public testing::Test {
 protected:
  void SetUp() override {
    if (!Available()) GTEST_SKIP() << "this build has no Z3";
  }
};

// Random rules, the second often made of the first: no random record, of whatever status, says otherwise than the
// proof.
TEST_F(Relations, NoRecordContradicts) {
  ir::RandomIr random(ir::TestSeed());
  size_t excluded = 0, proposed = 0, undecided = 0, untestable = 0;
  for (int round = 0; round < kRounds; ++round) {
    const ir::EventKind kind = random.RandomKind();
    const Pred a = random.RandomPred(kind, 2);
    Pred b = random.RandomPred(kind, 1);
    const Pred part = a.operands.empty() ? a : a.operands[random.Below(a.operands.size())];
    if (random.Chance(40)) {
      b = random.Chance(50) ? ir::MakeOr({a, b}) : ir::MakeAnd({a, b});
    } else if (random.Chance(40)) {
      b = ir::MakeNot(ir::MakeNot(part));
    } else if (random.Chance(50)) {
      std::vector<Pred> turned(a.operands.rbegin(), a.operands.rend());
      b = a.op == Pred::Op::And ? ir::MakeAnd(turned) : a.op == Pred::Op::Or ? ir::MakeOr(turned) : a;
    }
    const Relation relation = Relate(RuleOf(kind, a), RuleOf(kind, b), kTime);
    for (const Beyond* beyond : {&relation.lost, &relation.gained}) {
      const Pred &more = beyond == &relation.lost ? a : b, &less = beyond == &relation.lost ? b : a;
      excluded += beyond->is == Is::Excluded ? 1 : 0;
      proposed += beyond->is == Is::Proposed ? 1 : 0;
      untestable += beyond->is == Is::Untestable ? 1 : 0;
      undecided += beyond->is == Is::Undecided ? 1 : 0;
      if (beyond->is == Is::Proposed) {
        ASSERT_EQ(ir::Eval(more, beyond->events.front().record), Truth::True) << ir::Print(more);
        ASSERT_EQ(ir::Eval(less, beyond->events.front().record), Truth::False) << ir::Print(less);
      } else if (beyond->is == Is::Untestable) {
        const schema::Record& record = beyond->events.front().record;
        ASSERT_GT(Rank(ir::Eval(more, record)), Rank(ir::Eval(less, record)));
      } else if (beyond->is == Is::Excluded) {
        for (int i = 0; i < 200; ++i) {
          const schema::Record record = random.RandomRecord(kind, i % 2 == 0 ? a : b);
          ASSERT_LE(Rank(ir::Eval(more, record)), Rank(ir::Eval(less, record)))
              << ir::Print(more) << "\nis never more than\n"
              << ir::Print(less);
        }
      }
    }
  }
  std::printf("excluded %zu, proposed %zu, untestable %zu, undecided %zu\n", excluded, proposed, untestable, undecided);
  EXPECT_GT(excluded, kRounds / 4u);
  EXPECT_GT(proposed, kRounds / 5u);
}

Pred A(FieldId field, Ask test, std::vector<Value> literals) {
  Atom atom;
  atom.operand = {field};
  atom.test = test;
  atom.literals = std::move(literals);
  return ir::MakeAtom(std::move(atom));
}
Value S(const char* text) { return std::string(text); }

struct Case {
  Pred before, after;
  Is lost, gained;
};

TEST_F(Relations, PlantedOnesAreFound) {
  const FieldId path = FieldId::file_path, name = FieldId::process_name, uid = FieldId::process_uid,
                args = FieldId::process_args;
  const Pred shadow = A(path, Ask::In, {S("/etc/shadow")});
  const Case cases[] = {
      {A(path, Ask::Under, {S("/etc")}), A(path, Ask::Like, {S("/etc"), S("/etc/*")}), Is::Excluded, Is::Excluded},
      {A(path, Ask::Under, {S("/etc")}), A(path, Ask::Like, {S("/etc/*")}), Is::Proposed, Is::Excluded},
      {A(path, Ask::Contains, {S("ab")}), A(path, Ask::Like, {S("*ab*")}), Is::Untestable,
       Is::Excluded},  // what was cut may hold it
      {A(name, Ask::Like, {S("*sh")}), A(name, Ask::In, {S("sh"), S("bash")}), Is::Proposed, Is::Excluded},
      {A(uid, Ask::Range, {int64_t{1000}, INT64_MAX}), ir::MakeNot(A(uid, Ask::Range, {INT64_MIN, int64_t{999}})),
       Is::Excluded, Is::Untestable},
      {A(args, Ask::HasElement, {S("-c")}), A(args, Ask::Contains, {S("-c")}), Is::Excluded, Is::Proposed},
      {shadow, ir::MakeAnd({shadow, A(uid, Ask::In, {int64_t{0}})}), Is::Proposed, Is::Excluded},
      {shadow, A(path, Ask::In, {S("/etc/gshadow")}), Is::Proposed, Is::Proposed},
  };
  for (const Case& one : cases) {
    const Relation relation =
        Relate(RuleOf(ir::EventKind::open_, one.before), RuleOf(ir::EventKind::open_, one.after), kTime);
    EXPECT_EQ(relation.lost.is, one.lost) << ir::Print(one.before) << "\n" << ir::Print(one.after) << relation.lost.why;
    EXPECT_EQ(relation.gained.is, one.gained) << ir::Print(one.before) << "\n"
                                              << ir::Print(one.after) << relation.gained.why;
  }
}

// Out of time is no verdict.
TEST_F(Relations, WithoutTimeNothingIsClaimed) {
  const Pred pred = A(FieldId::file_path, Ask::Under, {S("/etc")});
  const Relation relation = Relate(RuleOf(ir::EventKind::open_, pred), RuleOf(ir::EventKind::open_, ir::MakeNot(pred)),
                                   std::chrono::milliseconds(0));
  EXPECT_EQ(relation.lost.is, Is::Undecided);
  EXPECT_FALSE(relation.lost.why.empty());
}

}  // namespace
}  // namespace ks::prove

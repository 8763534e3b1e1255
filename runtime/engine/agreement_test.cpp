// The same matches live as in a replay: random rules and events, and the kernel as ir.h describes it.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>

#include "compiler/ir/eval.h"
#include "compiler/ir/text.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/engine_testing.h"
#include "runtime/event/event_testing.h"

namespace ks::engine {
namespace {

using event::Event;
using event::Match;
using schema::EventKind;
using schema::FieldId;
using schema::FieldRow;
using schema::Slot;
using FieldStatus = schema::Status;

// What the kernel sends of an event, as ir.h describes it, by the reference meaning of each atom. `original` may hold
// Raw and Foreign fields; what comes back has been through Decode.
std::optional<Event> ThroughKernel(const ir::Program& program, const ir::Plan& plan, const Event& original) {
  const auto kind = std::ranges::find(plan.kinds, original.kind, &ir::KindPlan::kind);
  if (kind == plan.kinds.end()) return std::nullopt;
  Event sent = original;
  sent.record = {};
  sent.passed.assign((kind->rules.size() + 63) / 64, 0);
  std::vector<bool> reported(kind->atoms.size());
  const auto copy = [&](FieldId field) {
    const schema::FieldValue& value = original.record[field];
    sent.record.Set(field, value.value, value.status);
  };
  bool any = false;
  for (size_t bit = 0; bit < kind->rules.size(); ++bit) {
    const ir::RulePlan& rule = kind->rules[bit];
    const ir::Pred& kernel = program.rules[rule.rule].kernel;
    if (ir::Eval(kernel, original.record) == ir::Truth::False) continue;
    any = true;
    sent.passed[bit / 64] |= uint64_t{1} << (bit % 64);
    for (FieldId field : rule.copies) copy(field);
    for (FieldId field : rule.tested) {
      const FieldStatus status = original.record[field].status;
      if (sent.record[field].status != FieldStatus::Unread) continue;
      if (status == FieldStatus::Raw || status == FieldStatus::Foreign) copy(field);
      if (status == FieldStatus::Truncated || status == FieldStatus::Unknown) sent.record.SetStatus(field, status);
    }
    ir::ForEachTrueAtom(kernel, original.record, [&](const ir::Atom& atom, uint32_t index) {
      for (size_t i = 0; i < kind->atoms.size(); ++i) {
        if (!kind->reported[i] || reported[i] || !kind->atoms[i].SameAs(atom)) continue;
        reported[i] = true;
        sent.atoms.push_back({static_cast<uint16_t>(i), static_cast<uint16_t>(index)});
      }
    });
  }
  if (!any) return std::nullopt;
  // As bytes: every Raw or Foreign field comes back normalised, and values that only a state was sent of are gone.
  std::string bytes = event::Encode(sent);
  auto decoded = event::Decode(bytes, 0);
  EXPECT_TRUE(decoded) << decoded.error().ToString();
  // Userspace's own fields, as enrich derives them from what was copied.
  for (const FieldRow& row : schema::Fields()) {
    const auto from = schema::DerivedFrom(row.id);
    const bool told =
        std::ranges::all_of(from, [&](FieldId field) { return decoded->record[field].status != FieldStatus::Unread; });
    if (!from.empty() && told)
      decoded->record.Set(row.id, original.record[row.id].value, original.record[row.id].status);
  }
  return *decoded;
}

void ExpectSame(const std::vector<Match>& a, const std::vector<Match>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].rule, b[i].rule);
    EXPECT_EQ(a[i].message, b[i].message);
    EXPECT_EQ(a[i].matched, b[i].matched);
    EXPECT_EQ(a[i].uncertain, b[i].uncertain);
    EXPECT_TRUE(std::ranges::equal(a[i].shown, b[i].shown));
  }
}

class Random : public event::RandomEvents {
 public:
  using event::RandomEvents::RandomEvents;

  ir::Atom Atom(EventKind kind) {
    std::vector<const FieldRow*> rows;
    for (const FieldRow& row : schema::Fields()) {
      if (schema::Has(kind, row.id)) rows.push_back(&row);
    }
    for (;;) {
      const FieldRow& row = *rows[Below(rows.size())];
      ir::Atom atom;
      atom.operand.field = row.id;
      if (schema::Row(row.type).slot == Slot::Endpoint) atom.operand.part = static_cast<ir::Part>(Below(3));
      atom.test = static_cast<ir::Test>(Below(static_cast<size_t>(ir::Test::LessField) + 1));
      if (atom.test == ir::Test::EqualField || atom.test == ir::Test::LessField) {
        atom.other = atom.operand;
        atom.other->field = rows[Below(rows.size())]->id;
      } else if (atom.test != ir::Test::Present) {
        for (size_t n = atom.test == ir::Test::Range ? 2 : 1 + Below(3); n > 0; --n)
          atom.literals.push_back(Literal(atom.operand));
      }
      std::ranges::sort(atom.literals);
      atom.literals.erase(std::ranges::unique(atom.literals).begin(), atom.literals.end());
      if (OneIn(3)) atom.label = "set" + std::to_string(Below(3));
      if (ir::WhyIllFormed(atom).empty()) return atom;
    }
  }

  schema::Value Literal(const ir::Operand& operand) {
    const FieldRow& row = schema::Row(operand.field);
    switch (ir::TypeOf(operand)) {
      case schema::TypeId::Ip: {
        if (OneIn(2)) return Ip();
        schema::Cidr cidr;
        bool host_bits = false;
        schema::ParseCidr(OneIn(2) ? "10.0.0.0/8" : "fd00::/8", &cidr, &host_bits);
        return cidr;
      }
      case schema::TypeId::Port:
        return static_cast<int64_t>(Below(65536));
      case schema::TypeId::StringList: {
        return Text(40);
      }
      default:
        return ValueOf(row);
    }
  }

  ir::Pred Pred(EventKind kind, int depth) {
    const size_t choice = depth == 0 ? 0 : Below(4);
    if (choice == 0) return ir::MakeAtom(Atom(kind));
    if (choice == 1) return ir::MakeNot(Pred(kind, depth - 1));
    std::vector<ir::Pred> operands;
    for (size_t n = 2 + Below(2); n > 0; --n) operands.push_back(Pred(kind, depth - 1));
    return choice == 2 ? ir::MakeAnd(std::move(operands)) : ir::MakeOr(std::move(operands));
  }

  ir::SplitRule Rule(EventKind kind, size_t number) {
    std::vector<ir::TemplatePart> alert = {{"it was ", {}}};
    std::vector<ir::Disclosure> disclosures;
    for (const FieldRow& row : schema::Fields()) {
      if (!schema::Has(kind, row.id) || !OneIn(10)) continue;
      if (row.data_class == schema::DataClass::MatchOnly) disclosures.push_back({row.id, "why not"});
      alert.push_back(Hole(row.id));
    }
    ir::SplitRule split = Make("r" + std::to_string(number), {kind}, Pred(kind, 3), std::move(alert));
    split.rule.disclosures = std::move(disclosures);
    return split;
  }

  // Paths and system call numbers as the kernel reads them from callers, now and then.
  void MakeRaw(Event* event) {
    for (const FieldRow& row : schema::Fields()) {
      const schema::FieldValue& field = event->record[row.id];
      if (field.status != FieldStatus::Ok || !OneIn(4)) continue;
      if (row.type == schema::TypeId::Path) {
        const std::string text = "/tmp/../" + std::get<std::string>(field.value);
        if (text.size() <= row.capture) event->record.Set(row.id, text, FieldStatus::Raw);
      } else if (row.id == FieldId::event_syscall) {
        event->record.Set(row.id, static_cast<int64_t>(Below(400)), FieldStatus::Foreign);
      }
    }
  }
};

TEST(Engine, DecidesTheSameLiveAsInAReplay) {
  Random random(42);
  size_t compared = 0, words = 0, uncertain = 0, refused_here = 0, overreported = 0;
  for (int program_number = 0; program_number < 100; ++program_number) {
    const auto kind = static_cast<EventKind>(random.Below(schema::kKindCount));
    ir::Program program;
    for (size_t i = 0, n = 1 + random.Below(6); i < n; ++i) program.rules.push_back(random.Rule(kind, i));
    const Engine engine(program);
    ASSERT_TRUE(engine.plan_status());
    for (int i = 0; i < 20; ++i) {
      Event original = random.Next(kind, /*derived=*/true);
      if (i % 2 == 0) random.MakeRaw(&original);
      for (const FieldRow& row : schema::Fields()) {  // what the kernel is asked for it has tried to read
        const bool unread = original.record[row.id].status == FieldStatus::Unread;
        if (unread && schema::Has(kind, row.id)) original.record.SetStatus(row.id, FieldStatus::Unknown);
      }
      const auto live = ThroughKernel(program, engine.plan(), original);
      // The whole event as a recording has it: everything copied, and normalised by Decode.
      Event recorded = *event::Decode(event::Encode(original), 0);
      for (const FieldRow& row : schema::Fields()) {
        if (row.decided == schema::Decided::User) {
          recorded.record.Set(row.id, original.record[row.id].value, original.record[row.id].status);
        }
      }
      const auto all = engine.DecideAll(recorded);
      auto passed = live ? engine.DecidePassed(*live) : std::vector<Match>();
      // Where the kernel could not read, it may pass a rule that userspace, which lacks other parts, cannot quite
      // refuse.
      if (i % 2 == 0) {
        overreported += passed.size() - std::min(passed.size(), all.size());
        std::erase_if(passed, [&](const Match& match) { return !std::ranges::count(all, match.rule, &Match::rule); });
      }
      ExpectSame(passed, all);
      if (testing::Test::HasFailure()) {
        FAIL() << ir::Print(program);
      }
      compared += all.size();
      for (const Match& match : all) words += match.matched.size(), uncertain += match.uncertain.size();
      if (live) {
        for (uint64_t word : live->passed) refused_here += static_cast<size_t>(std::popcount(word));
        refused_here -= passed.size();
      }
    }
  }
  // The property was put to work: matches, with words and doubts, and verdicts that userspace overruled.
  EXPECT_GT(compared, 1000u);
  EXPECT_GT(words, 100u);
  EXPECT_GT(uncertain, 500u);
  EXPECT_GT(refused_here, 20u);
  EXPECT_LT(overreported * 100, compared);
}

}  // namespace
}  // namespace ks::engine

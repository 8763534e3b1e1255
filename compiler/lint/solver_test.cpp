#include "compiler/lint/solver.h"

#include <gtest/gtest.h>

#include "compiler/ir/eval.h"
#include "compiler/ir/random_ir.h"
#include "compiler/ir/text.h"
#include "compiler/lint/domains.h"

namespace ks::lint {
namespace {

using ir::Atom;
using ir::Pred;
using Ask = ir::Test;  // GoogleTest has a Test of its own
using ir::Truth;
using schema::FieldId;
using schema::Status;
using schema::Value;

// Random records hold what no event does, a uid of -1 or a path without a slash; the solver may use that none does.
void Conform(schema::Record* record) {
  for (const schema::FieldRow& row : schema::Fields()) {
    const schema::FieldValue& field = (*record)[row.id];
    bool there = field.status == Status::Ok || field.status == Status::Truncated || field.status == Status::Raw ||
                 field.status == Status::Foreign;
    if (field.status == Status::Absent && !MayBeAbsent(row.id)) record->SetStatus(row.id, Status::Unknown);
    if (!there) continue;
    Value value = field.value;
    Status status = field.status;
    if (auto* number = std::get_if<int64_t>(&value); number != nullptr && !IsInDomain(row.id, value)) {
      Intervals domain = DomainOf(row.id);
      auto part = domain.parts()[static_cast<uint64_t>(*number) % domain.parts().size()];
      *number = Unbiased(static_cast<uint64_t>(*number) % 2 == 0 ? part.first : part.second);
    }
    if (auto* text = std::get_if<std::string>(&value); text != nullptr && !IsInDomain(row.id, value)) {
      // Of a path that was cut its end is there, which starts with anything.
      if (status != Status::Truncated) *text = "/" + text->substr(0, row.capture > 0 ? row.capture - 1 : 0);
    }
    record->Set(row.id, std::move(value), status);
  }
}

class SolverLaws : public testing::Test {
 protected:
  schema::Record RecordNear(ir::EventKind kind, const Pred& pred) {
    schema::Record record = random_.RandomRecord(kind, pred);
    Conform(&record);
    return record;
  }
  ir::RandomIr random_{ir::TestSeed()};
  Solver solver_;
};

TEST_F(SolverLaws, WhatIsNeverTrueNeverIs) {
  size_t claims = 0;
  for (int round = 0; round < 20'000; ++round) {
    ir::EventKind kind = random_.RandomKind();
    Pred pred = random_.RandomPred(kind, static_cast<int>(1 + random_.Below(3)));
    bool never = solver_.NeverTrue(pred), always = solver_.AlwaysTrue(pred);
    if (!never && !always) continue;
    ++claims;
    for (int i = 0; i < 60; ++i) {
      schema::Record record = RecordNear(kind, pred);
      Truth truth = ir::Eval(pred, record);
      ASSERT_FALSE(never && truth == Truth::True) << ir::Print(pred);
      ASSERT_FALSE(always && truth == Truth::False) << ir::Print(pred);
    }
  }
  EXPECT_GT(claims, 1000u);
}

TEST_F(SolverLaws, WhatIsImpliedHolds) {
  size_t claims = 0;
  for (int round = 0; round < 20'000; ++round) {
    ir::EventKind kind = random_.RandomKind();
    Pred a = random_.RandomPred(kind, 2);
    // Independent predicates hardly ever imply each other: `b` shares a part with `a`.
    Pred b = random_.RandomPred(kind, 1);
    Pred part = a.operands.empty() ? a : a.operands[random_.Below(a.operands.size())];
    if (random_.Chance(70)) b = random_.Chance(50) ? ir::MakeOr({part, b}) : ir::MakeAnd({part, b});
    if (random_.Chance(50)) std::swap(a, b);
    if (!solver_.Implies(a, b)) continue;
    ++claims;
    for (int i = 0; i < 60; ++i) {
      schema::Record record = RecordNear(kind, i % 2 == 0 ? a : b);
      ASSERT_FALSE(ir::Eval(a, record) == Truth::True && ir::Eval(b, record) == Truth::False)
          << ir::Print(a) << "\n implies\n"
          << ir::Print(b);
    }
  }
  EXPECT_GT(claims, 1000u);
}

// ---- Planted: what it is to find

Atom Make(FieldId field, Ask test, std::vector<Value> literals, ir::Part part = ir::Part::Whole) {
  Atom atom;
  atom.operand = {field, part};
  atom.test = test;
  atom.literals = std::move(literals);
  return atom;
}
Pred A(FieldId field, Ask test, std::vector<Value> literals, ir::Part part = ir::Part::Whole) {
  return ir::MakeAtom(Make(field, test, std::move(literals), part));
}
Value S(const char* text) { return std::string(text); }
Value I(int64_t number) { return number; }
Value C(const char* text) {
  schema::Cidr cidr;
  bool host_bits = false;
  EXPECT_TRUE(schema::ParseCidr(text, &cidr, &host_bits));
  return cidr;
}
Value Address(const char* text) {
  schema::IpAddress ip;
  EXPECT_TRUE(schema::ParseIp(text, &ip));
  return ip;
}
Pred Fields(FieldId x, Ask test, FieldId y) {
  Atom atom = Make(x, test, {});
  atom.other = ir::Operand{y};
  return ir::MakeAtom(atom);
}

TEST(SolverFinds, Contradictions) {
  Solver solver;
  const FieldId name = FieldId::process_name, path = FieldId::file_path, uid = FieldId::process_uid;
  const FieldId dst = FieldId::event_dst, args = FieldId::process_args, mode = FieldId::event_mode;
  std::vector<std::vector<Pred>> never = {
      {A(name, Ask::In, {S("bash")}), A(name, Ask::In, {S("sh"), S("zsh")})},
      {A(name, Ask::In, {S("bash")}), A(name, Ask::Contains, {S("sx")})},
      {A(name, Ask::In, {S("sh"), S("zsh")}), ir::MakeNot(A(name, Ask::Like, {S("*sh")}))},
      {A(uid, Ask::In, {I(-1)})},
      {A(uid, Ask::Range, {I(INT64_MIN), I(-1)})},
      {A(uid, Ask::Range, {I(1000), I(INT64_MAX)}), A(uid, Ask::Range, {I(INT64_MIN), I(999)})},
      {A(uid, Ask::Range, {I(0), I(1)}), ir::MakeNot(A(uid, Ask::In, {I(0), I(1)}))},
      {A(path, Ask::Like, {S("etc/*")})},
      {A(path, Ask::Under, {S("/etc")}), A(path, Ask::Under, {S("/tmp"), S("/var")})},
      {A(path, Ask::Under, {S("/etc/ssh")}), ir::MakeNot(A(path, Ask::Under, {S("/etc")}))},
      {A(path, Ask::Like, {S("*.pub")}), ir::MakeNot(A(path, Ask::Contains, {S(".pub")}))},
      {A(path, Ask::Like, {S("/etc/*.conf")}), ir::MakeNot(A(path, Ask::Like, {S("/etc/*")}))},
      {A(path, Ask::Contains, {S("/bash")}), ir::MakeNot(A(path, Ask::Contains, {S("sh")}))},
      {A(dst, Ask::In, {C("10.1.0.0/16")}, ir::Part::Ip),
       ir::MakeNot(A(dst, Ask::In, {C("10.0.0.0/8")}, ir::Part::Ip))},
      {A(dst, Ask::In, {C("10.0.0.0/8")}, ir::Part::Ip),
       ir::MakeNot(A(dst, Ask::In, {C("10.0.0.0/9"), C("10.128.0.0/9")}, ir::Part::Ip))},
      {A(dst, Ask::In, {Address("10.0.0.1")}, ir::Part::Ip), A(dst, Ask::In, {C("192.168.0.0/16")}, ir::Part::Ip)},
      {A(dst, Ask::Range, {I(70000), I(80000)}, ir::Part::Port)},
      {A(mode, Ask::HasBits, {I(04000)}), ir::MakeNot(A(mode, Ask::HasBits, {I(04000), I(02000)}))},
      {A(mode, Ask::HasBits, {I(06000)}), ir::MakeNot(A(mode, Ask::HasBits, {I(02000)}))},
      {A(args, Ask::HasElement, {S("-c")}), ir::MakeNot(A(args, Ask::Contains, {S("c")}))},
      {A(args, Ask::HasElement, {S("-c"), S("-i")}),
       ir::MakeNot(A(args, Ask::HasElement, {S("-c"), S("-i"), S("-x")}))},
      {A(args, Ask::HasElement, {S("x")}), ir::MakeNot(A(args, Ask::Present, {}))},
      {A(path, Ask::In, {S("/a")}), Fields(path, Ask::EqualField, FieldId::file_old_path),
       A(FieldId::file_old_path, Ask::In, {S("/b")})},
      {Fields(FieldId::process_uid, Ask::LessField, FieldId::process_euid),
       Fields(FieldId::process_uid, Ask::EqualField, FieldId::process_euid)},
      {ir::MakeOr({A(name, Ask::In, {S("a")}), A(name, Ask::In, {S("b")})}),
       ir::MakeOr({A(uid, Ask::In, {I(1)}), A(name, Ask::In, {S("c")})}),
       ir::MakeNot(A(uid, Ask::Range, {I(0), I(10)}))},
  };
  for (const auto& parts : never) {
    Pred pred;
    pred.op = parts.size() == 1 ? parts[0].op : Pred::Op::And;
    if (parts.size() == 1) {
      pred = parts[0];
    } else {
      pred.operands = parts;
    }
    EXPECT_TRUE(solver.NeverTrue(pred)) << ir::Print(pred);
    // Without its last part it can be true: the proof is of the whole.
    if (parts.size() > 1) {
      EXPECT_FALSE(solver.NeverTrue(parts[0])) << ir::Print(parts[0]);
    }
  }
}

TEST(SolverFinds, WhatIsAlwaysTrue) {
  Solver solver;
  const FieldId uid = FieldId::process_uid, result = FieldId::event_result;
  EXPECT_TRUE(solver.AlwaysTrue(A(uid, Ask::Range, {I(0), I(INT64_MAX)})));
  EXPECT_TRUE(
      solver.AlwaysTrue(ir::MakeOr({A(uid, Ask::Range, {I(0), I(9)}), A(uid, Ask::Range, {I(5), I(INT64_MAX)})})));
  EXPECT_TRUE(solver.AlwaysTrue(ir::MakeOr({A(result, Ask::In, {I(0)}), A(result, Ask::In, {I(1)})})));
  // A path of an event may be absent, and is then none of these.
  EXPECT_FALSE(solver.AlwaysTrue(A(FieldId::file_path, Ask::Like, {S("/*")})));
  EXPECT_FALSE(solver.AlwaysTrue(A(uid, Ask::Range, {I(1), I(INT64_MAX)})));
}

// Random conjunctions that hold no event because one part is a weaker form of another, denied: how many are found.
TEST_F(SolverLaws, MostPlantedContradictionsAreFound) {
  size_t planted = 0, found = 0;
  while (planted < 2000) {
    ir::EventKind kind = random_.RandomKind();
    Atom atom = random_.RandomAtom(kind);
    if (atom.literals.empty() || atom.test == Ask::Range) continue;
    Atom wider = atom;
    wider.literals.push_back(atom.literals.front());
    Atom narrower = atom;
    narrower.literals = {atom.literals[random_.Below(atom.literals.size())]};
    Pred noise = random_.RandomPred(kind, 2);
    Pred pred;
    pred.op = Pred::Op::And;
    Pred denied;
    denied.op = Pred::Op::Not;
    denied.operands = {ir::MakeAtom(atom)};
    pred.operands = {noise, ir::MakeAtom(narrower), denied};
    ++planted;
    found += solver_.NeverTrue(pred) ? 1 : 0;
  }
  std::printf("found %zu of %zu planted contradictions\n", found, planted);
  EXPECT_GE(found * 100, planted * 99);
}

}  // namespace
}  // namespace ks::lint

#include "compiler/ir/eval.h"

#include <gtest/gtest.h>

#include "compiler/ir/random_ir.h"

namespace ks::ir {
namespace {

using namespace std::string_literals;
using schema::Status;

constexpr FieldId kPath = FieldId::file_path;
constexpr FieldId kArgs = FieldId::process_args;
constexpr FieldId kPid = FieldId::process_pid;

Atom Make(FieldId field, Test test, std::vector<Value> literals = {}, Part part = Part::Whole) {
  Atom atom;
  atom.operand = {field, part};
  atom.test = test;
  atom.literals = std::move(literals);
  return atom;
}

Atom Element(int16_t element, Test test, std::vector<Value> literals = {}) {
  Atom atom = Make(kArgs, test, std::move(literals));
  atom.operand.element = element;
  return atom;
}
Atom Lower(Atom atom) {
  atom.operand.lower = true;
  return atom;
}

// "T2": true by literal 2; "F", "U".
std::string Ask(const Atom& atom, Value value, Status status = Status::Ok) {
  schema::Record record;
  record.Set(atom.operand.field, std::move(value), status);
  AtomResult result = EvalAtom(atom, record);
  if (result.truth == Truth::True) return "T" + std::to_string(result.index);
  EXPECT_EQ(result.index, 0u);
  return result.truth == Truth::False ? "F" : "U";
}

schema::IpAddress Ip(std::string_view text) {
  schema::IpAddress ip;
  EXPECT_TRUE(schema::ParseIp(text, &ip));
  return ip;
}
schema::Cidr Block(std::string_view text) {
  schema::Cidr cidr;
  bool host_bits = false;
  EXPECT_TRUE(schema::ParseCidr(text, &cidr, &host_bits));
  return cidr;
}

// One line per test: its answers for a value that fits, by status in the order of enum ks_status.
TEST(EvalAtom, TableOfStatuses) {
  struct Line {
    Atom atom;
    Value value;
    const char* answers[7];  // Unread Ok Absent Truncated Unknown Raw Foreign
  };
  const Line lines[] = {
      {Make(kPath, ir::Test::Present), "/a"s, {"U", "T0", "F", "T0", "U", "T0", "T0"}},
      {Make(kPath, ir::Test::In, {"/a"s}), "/a"s, {"U", "T0", "F", "F", "U", "U", "U"}},
      {Make(kPath, ir::Test::Under, {"/a"s}), "/a"s, {"U", "T0", "F", "U", "U", "U", "U"}},
      {Make(kPath, ir::Test::Like, {"*"s}), "/a"s, {"U", "T0", "F", "U", "U", "U", "U"}},
      {Make(kPath, ir::Test::Contains, {"a"s}), "/a"s, {"U", "T0", "F", "T0", "U", "U", "U"}},
      {Make(kPath, ir::Test::Contains, {"b"s}), "/a"s, {"U", "F", "F", "U", "U", "U", "U"}},
      {Make(kArgs, ir::Test::Contains, {"a"s}), "a\0"s, {"U", "T0", "F", "T0", "U", "U", "U"}},
      {Make(kArgs, ir::Test::HasElement, {"a"s}), "a\0"s, {"U", "T0", "F", "T0", "U", "U", "U"}},
      {Make(kArgs, ir::Test::HasElement, {"b"s}), "a\0b"s, {"U", "F", "F", "U", "U", "U", "U"}},
      {Make(kPath, ir::Test::Matches, {"^/a$"s}), "/a"s, {"U", "T0", "F", "U", "U", "U", "U"}},
      {Make(kArgs, ir::Test::Matches, {"^a$"s}), "a\0"s, {"U", "T0", "F", "T0", "U", "U", "U"}},
      {Make(kArgs, ir::Test::Matches, {"b$"s}), "a\0b"s, {"U", "F", "F", "U", "U", "U", "U"}},
      {Element(0, ir::Test::Present), "a\0"s, {"U", "T0", "F", "T0", "U", "U", "U"}},
      {Element(1, ir::Test::Present), "a\0"s, {"U", "F", "F", "U", "U", "U", "U"}},
      {Element(1, ir::Test::Present), "a\0b"s, {"U", "T0", "F", "T0", "U", "U", "U"}},
      {Element(0, ir::Test::In, {"a"s}), "a\0"s, {"U", "T0", "F", "T0", "U", "U", "U"}},
      {Element(1, ir::Test::In, {"b"s}), "a\0b\0"s, {"U", "T0", "F", "T0", "U", "U", "U"}},
      {Element(1, ir::Test::In, {"b"s}), "a\0b"s, {"U", "U", "F", "U", "U", "U", "U"}},
      {Element(2, ir::Test::In, {"b"s}), "a\0b\0"s, {"U", "F", "F", "U", "U", "U", "U"}},
      {Lower(Make(kPath, ir::Test::In, {"/a"s})), "/A"s, {"U", "T0", "F", "F", "U", "U", "U"}},
      {Lower(Make(kPath, ir::Test::Under, {"/a"s})), "/A/B"s, {"U", "T0", "F", "U", "U", "U", "U"}},
      {Lower(Element(0, ir::Test::Contains, {"b"s})), "aBc\0"s, {"U", "T0", "F", "T0", "U", "U", "U"}},
      {Make(kPid, ir::Test::In, {int64_t{1}}), int64_t{1}, {"U", "T0", "F", "U", "U", "U", "U"}},
      {Make(kPid, ir::Test::Range, {int64_t{1}, int64_t{3}}), int64_t{3}, {"U", "T0", "F", "U", "U", "U", "U"}},
      {Make(FieldId::event_access, ir::Test::HasBits, {int64_t{2}}), int64_t{3}, {"U", "T0", "F", "U", "U", "U", "U"}},
  };
  for (const Line& line : lines) {
    for (int status = 0; status < 7; ++status) {
      EXPECT_EQ(Ask(line.atom, line.value, static_cast<Status>(status)), line.answers[status])
          << "line " << &line - lines << ", status " << status;
    }
  }
}

TEST(EvalAtom, WithoutLiteralsIsFalse) {
  for (int status = 0; status < 7; ++status) {
    EXPECT_EQ(Ask(Make(kPath, ir::Test::In), "/a"s, static_cast<Status>(status)), "F");
    EXPECT_EQ(Ask(Make(kPath, ir::Test::Contains), "/a"s, static_cast<Status>(status)), "F");
    EXPECT_EQ(Ask(Make(FieldId::event_access, ir::Test::HasBits), int64_t{1}, static_cast<Status>(status)), "F");
  }
}

TEST(EvalAtom, LowerIsOfBytesAToZOnly) {
  EXPECT_EQ(Ask(Lower(Make(kPath, ir::Test::In, {"/[az]\xc3\x84"s})), "/[AZ]\xc3\x84"s), "T0");
  EXPECT_EQ(Ask(Lower(Make(kPath, ir::Test::In, {"/A"s})), "/A"s), "F") << "the literal is as it is written";
  EXPECT_EQ(Ask(Lower(Make(kArgs, ir::Test::HasElement, {"-x"s})), "a\0-X\0"s), "T0");
}

TEST(EvalAtom, MatchesIsOfBytesAndFindsTheFirstPattern) {
  EXPECT_EQ(Ask(Make(kPath, ir::Test::Matches, {"^c"s, "b.d"s, "b"s}), "abcd"s), "T1");
  EXPECT_EQ(Ask(Make(kPath, ir::Test::Matches, {"a.b"s}), "a\nb"s), "T0") << "a dot is a newline, too";
  EXPECT_EQ(Ask(Make(kPath, ir::Test::Matches, {"^a.b$"s}),
                "a\xff"
                "b"s),
            "T0")
      << "bytes that are no UTF-8";
  EXPECT_EQ(Ask(Make(kPath, ir::Test::Matches, {"\\xff"s}), "a\xff"s), "T0");
  EXPECT_EQ(Ask(Make(kArgs, ir::Test::Matches, {"^x$"s, "^b$"s}), "a\0b\0x\0"s), "T1") << "the earliest element";
  EXPECT_EQ(Ask(Make(kArgs, ir::Test::Matches, {"a.b"s}), "a\0b\0"s), "F") << "not across elements";
  EXPECT_EQ(Ask(Make(kPath, ir::Test::Matches, {"(a+)+$"s}), std::string(500, 'a') + "!"), "F") << "in linear time";
}

// Which record an operand is read from.
TEST(EvalAtom, StepsAreOtherEvents) {
  schema::Record here, first;
  here.Set(kPath, "/a"s);
  first.Set(kPath, "/A"s);
  first.Set(kArgs, "x\0/a\0"s);
  const schema::Record* steps[] = {&first, nullptr};
  Atom same = Make(kPath, ir::Test::EqualField);
  same.other = Operand{kPath};
  same.other->step = 1;
  Frame frame(&here, steps);
  EXPECT_EQ(EvalAtom(same, frame).truth, Truth::False);
  same.other->lower = true;
  EXPECT_EQ(EvalAtom(same, frame).truth, Truth::True);
  same.other->step = 2;
  EXPECT_EQ(EvalAtom(same, frame).truth, Truth::Unknown) << "a step that is not known";
  same.other->step = 3;
  EXPECT_EQ(EvalAtom(same, frame).truth, Truth::Unknown) << "a step that is not there";
  Atom has = Make(kArgs, ir::Test::HasOther);
  has.operand.step = 1;
  has.other = Operand{kPath};
  EXPECT_EQ(EvalAtom(has, frame).truth, Truth::True);
  EXPECT_EQ(FieldsOf(MakeAtom(has)), std::vector<FieldId>{kPath});
  has.other->step = 1;
  EXPECT_EQ(EvalAtom(has, frame).truth, Truth::False);
}

TEST(EvalAtom, HasOtherByStatusOfBoth) {
  Atom has = Make(kArgs, ir::Test::HasOther);
  has.other = Operand{kPath};
  auto ask = [&](Status list, std::string elements, Status text) {
    schema::Record record;
    record.Set(kArgs, std::move(elements), list);
    record.Set(kPath, "/a"s, text);
    return EvalAtom(has, record).truth;
  };
  EXPECT_EQ(ask(Status::Ok, "x\0/a\0"s, Status::Ok), Truth::True);
  EXPECT_EQ(ask(Status::Ok, "x\0/ab\0"s, Status::Ok), Truth::False);
  EXPECT_EQ(ask(Status::Truncated, "/a\0x"s, Status::Ok), Truth::True);
  EXPECT_EQ(ask(Status::Truncated, "x\0/a"s, Status::Ok), Truth::Unknown);
  EXPECT_EQ(ask(Status::Ok, "/a\0"s, Status::Truncated), Truth::Unknown);
  EXPECT_EQ(ask(Status::Ok, "/a\0"s, Status::Absent), Truth::False);
  EXPECT_EQ(ask(Status::Absent, "", Status::Unknown), Truth::False);
  EXPECT_EQ(ask(Status::Unknown, "", Status::Ok), Truth::Unknown);
}

TEST(EvalAtom, InOfAddressesTakesTheMostSpecific) {
  std::vector<Value> literals = {Block("10.0.0.0/8"), Block("10.1.0.0/16"), Block("10.1.2.3/32"),
                                 Ip("10.1.2.3"),      Block("10.1.0.0/16"), Ip("fd00::1")};
  Atom atom = Make(FieldId::event_dst, ir::Test::In, literals, Part::Ip);
  auto ask = [&](std::string_view ip) { return Ask(atom, schema::Endpoint{Ip(ip), 80}); };
  EXPECT_EQ(ask("10.9.0.1"), "T0");
  EXPECT_EQ(ask("10.1.9.9"), "T1") << "of equals the first";
  EXPECT_EQ(ask("10.1.2.3"), "T2") << "an address is a block of 128 bits";
  EXPECT_EQ(ask("fd00::1"), "T5");
  EXPECT_EQ(ask("11.0.0.1"), "F");
  EXPECT_EQ(ask("::10.0.0.1"), "F") << "compatible is not mapped";
  EXPECT_EQ(Ask(Make(FieldId::event_dst, ir::Test::In, {int64_t{80}}, Part::Port), schema::Endpoint{Ip("::1"), 80}),
            "T0");
  EXPECT_EQ(
      Ask(Make(FieldId::event_dst, ir::Test::In, {schema::Endpoint{Ip("::1"), 81}, schema::Endpoint{Ip("::1"), 80}}),
          schema::Endpoint{Ip("::1"), 80}),
      "T1");
}

TEST(EvalAtom, UnderStopsAtComponents) {
  Atom atom = Make(kPath, ir::Test::Under, {"/etc/ssh"s, "/etc"s, "/var/"s, "/etc/"s});
  EXPECT_EQ(Ask(atom, "/etc/ssh/x"s), "T1") << "the shortest";
  EXPECT_EQ(Ask(atom, "/etc"s), "T1");
  EXPECT_EQ(Ask(atom, "/etcx"s), "F");
  EXPECT_EQ(Ask(atom, "/var"s), "T2");
  EXPECT_EQ(Ask(atom, "/var/log"s), "T2");
  EXPECT_EQ(Ask(atom, "/varlog"s), "F");
  Atom root = Make(kPath, ir::Test::Under, {"/"s});
  EXPECT_EQ(Ask(root, "/anything"s), "T0");
  EXPECT_EQ(Ask(root, "/"s), "T0");
  EXPECT_EQ(Ask(root, "pipe:[1]"s), "F");
}

TEST(EvalAtom, TextsAndLists) {
  EXPECT_EQ(Ask(Make(kPath, ir::Test::Contains, {"bcd"s, "cd"s, "ab"s}), "xabcd"s), "T2");
  EXPECT_EQ(Ask(Make(kPath, ir::Test::Contains, {"abc"s, "bc"s}), "abc"s), "T0");
  EXPECT_EQ(Ask(Make(kArgs, ir::Test::Contains, {"b"s, "a"s}), "xa\0b\0"s), "T1");
  EXPECT_EQ(Ask(Make(kArgs, ir::Test::Contains, {""s}), ""s), "F") << "no element, nothing in it";
  EXPECT_EQ(Ask(Make(kArgs, ir::Test::HasElement, {"b"s, "a"s}), "a\0b\0"s), "T1") << "the earliest element";
  EXPECT_EQ(Ask(Make(kArgs, ir::Test::HasElement, {"a"s}), "x\0a"s), "F") << "cut";
  EXPECT_EQ(Ask(Make(kPath, ir::Test::Like, {"b*"s, "*a"s}), "ba"s), "T0");
  EXPECT_EQ(Ask(Make(kPath, ir::Test::In, {"/A"s}), "/a"s), "F");
}

TEST(EvalAtom, Numbers) {
  Atom range = Make(kPid, ir::Test::Range, {int64_t{-1}, int64_t{INT64_MAX}});
  EXPECT_EQ(Ask(range, int64_t{INT64_MIN}), "F");
  EXPECT_EQ(Ask(range, int64_t{INT64_MAX}), "T0");
  EXPECT_EQ(Ask(Make(kPid, ir::Test::Range, {int64_t{3}, int64_t{1}}), int64_t{2}), "F");
  EXPECT_EQ(Ask(Make(FieldId::event_mode, ir::Test::HasBits, {int64_t{06}, int64_t{02}}), int64_t{02}), "T1");
  EXPECT_EQ(Ask(Make(FieldId::event_mode, ir::Test::HasBits, {int64_t{0}}), int64_t{0}), "T0");
}

TEST(EvalAtom, TwoFields) {
  Atom less = Make(FieldId::process_uid, ir::Test::LessField);
  less.other = Operand{FieldId::process_euid};
  Atom equal = less;
  equal.test = ir::Test::EqualField;
  auto ask = [](const Atom& atom, Status left, Status right) {
    schema::Record record;
    record.Set(FieldId::process_uid, int64_t{-1}, left);
    record.Set(FieldId::process_euid, int64_t{0}, right);
    return EvalAtom(atom, record).truth;
  };
  EXPECT_EQ(ask(less, Status::Ok, Status::Ok), Truth::True);
  EXPECT_EQ(ask(equal, Status::Ok, Status::Ok), Truth::False);
  EXPECT_EQ(ask(less, Status::Absent, Status::Unknown), Truth::False);
  EXPECT_EQ(ask(less, Status::Unknown, Status::Absent), Truth::False);
  EXPECT_EQ(ask(less, Status::Ok, Status::Unknown), Truth::Unknown);
  EXPECT_EQ(ask(equal, Status::Unread, Status::Ok), Truth::Unknown);
}

TEST(EvalAtom, AValueOfAnotherTypeIsUnknown) {
  EXPECT_EQ(Ask(Make(kPid, ir::Test::In, {int64_t{1}}), "1"s), "U");
  EXPECT_EQ(Ask(Make(kPath, ir::Test::Under, {"/"s}), int64_t{1}), "U");
  EXPECT_EQ(Ask(Make(FieldId::event_dst, ir::Test::In, {int64_t{1}}, Part::Port), int64_t{1}), "U");
}

TEST(Eval, Kleene) {
  schema::Record record;
  record.Set(kPid, int64_t{1});
  Pred yes = MakeAtom(Make(kPid, ir::Test::In, {int64_t{1}}));
  Pred no = MakeAtom(Make(kPid, ir::Test::In, {int64_t{2}}));
  Pred maybe = MakeAtom(Make(kPath, ir::Test::In, {"/a"s}));
  EXPECT_EQ(Eval(MakeAnd({maybe, yes}), record), Truth::Unknown);
  EXPECT_EQ(Eval(MakeAnd({maybe, no}), record), Truth::False);
  EXPECT_EQ(Eval(MakeOr({maybe, no}), record), Truth::Unknown);
  EXPECT_EQ(Eval(MakeOr({maybe, yes}), record), Truth::True);
  EXPECT_EQ(Eval(MakeNot(maybe), record), Truth::Unknown);
  EXPECT_EQ(Eval(MakeNot(no), record), Truth::True);
  EXPECT_EQ(Eval(True(), record), Truth::True);
  EXPECT_EQ(Eval(False(), record), Truth::False);
}

TEST(Eval, NamesTheTrueAtomsOfPositivePolarity) {
  schema::Record record;
  record.Set(kPid, int64_t{1});
  record.Set(kPath, "/etc/shadow"s);
  Pred pid = MakeAtom(Make(kPid, ir::Test::In, {int64_t{7}, int64_t{1}}));
  Pred path = MakeAtom(Make(kPath, ir::Test::Under, {"/etc"s}));
  Pred other = MakeAtom(Make(kPath, ir::Test::In, {"/x"s}));
  Pred pred;
  pred.op = Pred::Op::Not;
  pred.operands = {MakeOr({MakeNot(MakeAnd({pid, MakeNot(path)})), other})};
  std::vector<std::pair<FieldId, uint32_t>> seen;
  ForEachTrueAtom(pred, record, [&](const Atom& atom, uint32_t index) { seen.push_back({atom.operand.field, index}); });
  EXPECT_EQ(seen, (std::vector<std::pair<FieldId, uint32_t>>{{kPid, 1}})) << "path stands below three Nots";
  EXPECT_EQ(FieldsOf(pred), (std::vector<FieldId>{kPid, kPath}));
}

// What Unknown means: a field that becomes known can only turn Unknown into an answer, never an answer into another.
TEST(Eval, KnowingMoreChangesNoAnswer) {
  RandomIr random(TestSeed());
  size_t unknown = 0;
  for (int round = 0; round < 2'000; ++round) {
    EventKind kind = random.RandomKind();
    Pred pred = random.RandomPred(kind, 3);
    schema::Record known = random.RandomRecord(kind, pred), less = known;
    for (const schema::FieldRow& row : schema::Fields()) {
      if (known[row.id].status == Status::Ok && random.Chance(30)) {
        less.SetStatus(row.id, random.Chance(50) ? Status::Unread : Status::Unknown);
      }
    }
    Truth before = Eval(pred, less), after = Eval(pred, known);
    unknown += before == Truth::Unknown ? 1 : 0;
    ASSERT_TRUE(before == Truth::Unknown || before == after) << round;
  }
  EXPECT_GT(unknown, 100u);
}

// A text that is cut gives no answer that the whole text would not give.
TEST(Eval, CuttingChangesNoAnswer) {
  RandomIr random(TestSeed() + 1);
  size_t compared = 0;
  for (int round = 0; round < 40'000 && compared < 4'000; ++round) {
    EventKind kind = random.RandomKind();
    Atom atom = random.RandomAtom(kind);
    const schema::FieldRow& row = schema::Row(atom.operand.field);
    if (row.capture == 0) continue;
    schema::Record whole = random.RandomRecord(kind, MakeAtom(atom));
    if (whole[row.id].status != Status::Ok) continue;
    // Longer than the capture: elements behind a list, components before a path, more of a string at either end.
    std::string text = std::get<std::string>(whole[row.id].value), more;
    bool list = row.type == schema::TypeId::StringList;
    while (text.size() + more.size() <= row.capture) more += list ? "more\0"s : "/more";
    text = list ? text + more : more + text;
    whole.Set(row.id, text);
    schema::Record cut = whole;
    cut.Set(row.id, list ? text.substr(0, row.capture) : text.substr(text.size() - row.capture), Status::Truncated);
    Truth before = EvalAtom(atom, cut).truth, after = EvalAtom(atom, whole).truth;
    ASSERT_TRUE(before == Truth::Unknown || before == after) << round;
    ++compared;
  }
  EXPECT_GT(compared, 2'000u);
}

}  // namespace
}  // namespace ks::ir

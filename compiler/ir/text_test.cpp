#include "compiler/ir/text.h"

#include <gtest/gtest.h>

#include <ctime>

#include "compiler/ir/passes.h"
#include "compiler/ir/random_ir.h"

namespace ks::ir {
namespace {

// A program of one rule with these predicates.
std::string Wrap(std::string_view when, std::string_view kernel = "true", std::string_view kinds = "connect") {
  return "(program 2 (rule \"a.b\" (package \"a\") (name \"b\") (severity low) (on " + std::string(kinds) + ") (when " +
         std::string(when) + ") (kernel " + std::string(kernel) + ") (residual true)))";
}

std::string ErrorOf(const std::string& text) {
  Result<Program> program = ParseProgram(text);
  if (program) return "";
  EXPECT_EQ(program.error().code, "program-text");
  return program.error().on + ": " + program.error().cause;
}

// The predicate in its canonical spelling.
std::string Again(std::string_view when) {
  Result<Program> program = ParseProgram(Wrap(when));
  return program ? Print(program->rules.at(0).rule.when) : program.error().on + ": " + program.error().cause;
}

TEST(Text, PrintsAsDocumented) {
  for (std::string_view text : {
           "true",
           "false",
           "(present container.id)",
           "(not (in process.pid 1 -2))",
           "(and (in process.name \"sh\" \"ba\\\"sh\") (or (range process.uid 0 999) (less process.uid process.euid)))",
           "(in (label \"shells\") process.name \"sh\")",
           "(in dst.ip 10.0.0.1 10.0.0.0/8 fd00::/8)",
           "(in dst.port 443)",
           "(in dst 10.0.0.1:443 [fd00::1]:443)",
           "(in result failed)",
           "(in syscall openat 100000)",
           "(under process.exe \"/tmp\" \"/\")",
           "(like process.exe \"*[!a]\\\\*\")",
           "(contains process.args \"\\x00\\x1b\\xff\\n\")",
           "(has-element process.args \"-i\")",
           "(equal process.exe process.parent.exe)",
           "(in process.name \"\xc3\xa9\")",
       }) {
    EXPECT_EQ(Again(text), text);
  }
  EXPECT_EQ(Again("( and  (in process.pid 1)\n(in process.name\n\"\xc3\")\n)"),
            "(and (in process.pid 1) (in process.name \"\\xc3\"))");
  EXPECT_EQ(Again("(in process.name \"\xe2\x80\xae\")"), "(in process.name \"\\xe2\\x80\\xae\")")
      << "what turns the direction of writing is shown";
}

TEST(Text, AddressesThatHaveNoSpellingOfTheirOwn) {
  Atom atom;
  atom.operand = {FieldId::event_dst, Part::Ip};
  atom.test = ir::Test::In;
  schema::IpAddress mapped;
  ASSERT_TRUE(schema::ParseIp("10.1.2.3", &mapped));
  atom.literals = {schema::Cidr{mapped, 8}, schema::Cidr{mapped, 96}, schema::Cidr{mapped, 100}, mapped};
  Result<Program> program = ParseProgram(Wrap(Print(MakeAtom(atom))));
  ASSERT_TRUE(program) << program.error().ToString();
  EXPECT_EQ(program->rules[0].rule.when.atom->literals, atom.literals);
}

TEST(Text, ErrorsNameTheirPlace) {
  EXPECT_EQ(ErrorOf(""), "line 1, column 1: `(` is expected here");
  EXPECT_EQ(ErrorOf("(program 1)"), "line 1, column 10: `2` is expected here");
  EXPECT_EQ(ErrorOf("(program 2)\n x"), "line 2, column 2: nothing may follow the program");
  EXPECT_EQ(ErrorOf("(program 2"), "line 1, column 11: `)` is expected here");
  EXPECT_EQ(ErrorOf("(program 2\n  (rule \"a)"), "line 2, column 9: this text has no end");
  EXPECT_EQ(ErrorOf("(program 2 (rule \"\\q\"))"), "line 1, column 19: bad escape in a text");
  EXPECT_EQ(ErrorOf("(program 2 (rule \"\\x4\"))"), "line 1, column 19: bad escape in a text");
  EXPECT_EQ(ErrorOf("(program 2 (rule \"a\" (package \"a\") (title \"a\")))"),
            "line 1, column 37: clause `name` is expected here");
  EXPECT_EQ(ErrorOf("(program 2 (rule \"a\" ()))"), "line 1, column 23: a clause is expected here");
  EXPECT_EQ(ErrorOf("(program 2\t)"), "line 1, column 11: unexpected character");
}

TEST(Text, RefusesWhatNoPolicyMeans) {
  auto refused = [](std::string_view when) {
    std::string error = ErrorOf(Wrap(when));
    return error.substr(error.find(": ") + 2);
  };
  EXPECT_EQ(refused("(and (in process.pid 1))"), "wrong number of operands");
  EXPECT_EQ(refused("(not)"), "wrong number of operands");
  EXPECT_EQ(refused("(xor true true)"), "there is no such test");
  EXPECT_EQ(refused("(in process.nose 1)"), "there is no such field");
  EXPECT_EQ(refused("(in process.pid.ip 1)"), "there is no such field");
  EXPECT_EQ(refused("(in file.path \"/a\")"), "events of kind connect have no such field");
  EXPECT_EQ(refused("(in process.pid \"1\")"), "this is no literal of the field's type");
  EXPECT_EQ(refused("(in process.pid 99999999999999999999)"), "this is no literal of the field's type");
  EXPECT_EQ(refused("(in process.pid 1 1)"), "this literal is there twice");
  EXPECT_EQ(refused("(in process.name \"12345678901234567\")"),
            "a literal is longer than the 15 bytes of process.name that are captured");
  EXPECT_EQ(refused("(in dst.ip cidr:00/1)"), "this is no literal of the field's type");
  EXPECT_EQ(refused("(in dst.ip cidr:00000000000000000000000000000000/129)"), "this is no literal of the field's type");
  EXPECT_EQ(refused("(range process.pid 1)"), "a range has two bounds");
  EXPECT_EQ(refused("(like process.pid 1)"), "this cannot be asked of process.pid, which is of type int");
  EXPECT_EQ(refused("(less process.pid process.name)"), "the two fields are not of one type");
  EXPECT_EQ(refused("(present process.pid 1)"), "literals do not belong here");
}

TEST(Text, KernelHalvesAreNormalAndOfTheKernel) {
  EXPECT_EQ(ErrorOf(Wrap("true", "(not (in process.pid 1))")), "");
  EXPECT_NE(ErrorOf(Wrap("true", "(not (and (in process.pid 1) (in process.uid 1)))")), "");
  EXPECT_NE(ErrorOf(Wrap("true", "(and (in process.pid 1) true)")), "");
  EXPECT_NE(ErrorOf(Wrap("true", "(present container.id)")), "");
}

TEST(Text, RulesAreDistinctAndAskForSomething) {
  std::string rule = Wrap("true").substr(11);
  EXPECT_NE(ErrorOf("(program 2 " + rule.substr(0, rule.size() - 1) + rule), "");
  EXPECT_NE(ErrorOf(Wrap("true", "true", "")), "");
  EXPECT_NE(ErrorOf(Wrap("true", "true", "exec exec")), "");
  EXPECT_NE(ErrorOf(Wrap("true", "true", "exce")), "");
}

TEST(Text, HostileTextIsBounded) {
  const std::clock_t begin = std::clock();  // of this process: other load does not count
  EXPECT_NE(ErrorOf(std::string(1'000'000, '(')), "");
  std::string deep;
  for (int i = 0; i < 1'000'000; ++i) deep += "(not ";
  EXPECT_NE(ErrorOf(Wrap(deep)).find("nest deeper"), std::string::npos);
  EXPECT_NE(ErrorOf(std::string(kMaxProgramBytes + 1, ' ')), "");
  std::string wide = "(and";
  for (size_t i = 0; i <= kMaxProgramNodes; ++i) wide += " true";
  EXPECT_NE(ErrorOf(Wrap(wide + ")")).find("too many predicates"), std::string::npos);
  EXPECT_NE(ErrorOf(std::string("(program 2 \0)", 13)), "");
  EXPECT_LT(std::clock() - begin, 10 * CLOCKS_PER_SEC);
}

TEST(Text, NestsAsDeepAsDocumented) {
  std::string when;
  for (int i = 0; i < 250; ++i) when += "(not ";
  when += "true" + std::string(250, ')');
  EXPECT_EQ(ErrorOf(Wrap(when)), "");
}

void ExpectSame(const Pred& a, const Pred& b) {
  ASSERT_EQ(a.op, b.op);
  ASSERT_EQ(a.operands.size(), b.operands.size());
  ASSERT_EQ(a.atom.has_value(), b.atom.has_value());
  if (a.atom) {
    ASSERT_TRUE(a.atom->SameAs(*b.atom)) << Print(a);
    ASSERT_EQ(a.atom->label, b.atom->label);
  }
  for (size_t i = 0; i < a.operands.size(); ++i) ExpectSame(a.operands[i], b.operands[i]);
}

TEST(Text, GivesBackWhatWasPrinted) {
  RandomIr random(TestSeed());
  for (int round = 0; round < 150; ++round) {
    Program program;
    for (size_t rules = random.Below(4); rules > 0; --rules) {
      program.rules.push_back(Split(random.RandomRule(random.RandomKind())));
      if (random.Chance(20)) program.rules.back().rule.kinds = {EventKind::exec_, EventKind::fork_};
      if (random.Chance(20)) program.rules.back().reasons.push_back(random.HostileText());
    }
    for (SplitRule& split : program.rules) {
      if (split.rule.kinds.size() == 1) continue;
      // Both kinds must have every field.
      split = Split(random.RandomRule(EventKind::userfaultfd_));
      split.rule.kinds = {EventKind::userfaultfd_, EventKind::setuid_};
    }
    std::string text = Print(program);
    Result<Program> back = ParseProgram(text);
    ASSERT_TRUE(back) << back.error().ToString() << "\n" << text;
    ASSERT_EQ(Print(*back), text);
    ASSERT_EQ(back->rules.size(), program.rules.size());
    for (size_t i = 0; i < program.rules.size(); ++i) {
      const SplitRule &a = program.rules[i], &b = back->rules[i];
      ASSERT_EQ(a.rule.id, b.rule.id);
      ASSERT_EQ(a.rule.package, b.rule.package);
      ASSERT_EQ(a.rule.name, b.rule.name);
      ASSERT_EQ(a.rule.title, b.rule.title);
      ASSERT_EQ(a.rule.severity, b.rule.severity);
      ASSERT_EQ(a.rule.attack, b.rule.attack);
      ASSERT_EQ(a.rule.kinds, b.rule.kinds);
      ASSERT_EQ(a.rule.source, b.rule.source);
      ASSERT_EQ(a.reasons, b.reasons);
      ASSERT_EQ(a.rule.exceptions.size(), b.rule.exceptions.size());
      for (size_t n = 0; n < a.rule.exceptions.size(); ++n) {
        const ExceptionInfo &x = a.rule.exceptions[n], &y = b.rule.exceptions[n];
        ASSERT_EQ(std::tie(x.why, x.owner, x.expires, x.ticket), std::tie(y.why, y.owner, y.expires, y.ticket));
      }
      ASSERT_EQ(a.rule.alert.size(), b.rule.alert.size());
      for (size_t n = 0; n < a.rule.alert.size(); ++n) {
        ASSERT_EQ(a.rule.alert[n].text, b.rule.alert[n].text);
        ASSERT_EQ(a.rule.alert[n].operand, b.rule.alert[n].operand);
      }
      ASSERT_EQ(a.rule.disclosures.size(), b.rule.disclosures.size());
      for (size_t n = 0; n < a.rule.disclosures.size(); ++n) {
        ASSERT_EQ(a.rule.disclosures[n].field, b.rule.disclosures[n].field);
        ASSERT_EQ(a.rule.disclosures[n].reason, b.rule.disclosures[n].reason);
      }
      ExpectSame(a.rule.when, b.rule.when);
      ExpectSame(a.kernel, b.kernel);
      ExpectSame(a.residual, b.residual);
    }
  }
}

// Rules with state: the text says all of them, and what follows from the rule (kinds, conditions, needs of its probes)
// is the same again.
TEST(Text, RoundTripOfMachines) {
  RandomIr random(TestSeed() + 5);
  size_t sequences = 0, aggregates = 0;
  for (int round = 0; round < 150; ++round) {
    std::vector<Rule> rules;
    for (size_t i = 1 + random.Below(3); i > 0; --i) {
      EventKind kind = random.RandomKind();
      rules.push_back(random.Chance(70) ? random.RandomStatefulRule(kind) : random.RandomRule(kind));
    }
    Program program = MakeProgram(std::move(rules));
    std::string text = Print(program);
    Result<Program> back = ParseProgram(text);
    ASSERT_TRUE(back) << back.error().ToString() << "\n" << text;
    ASSERT_EQ(Print(*back), text);
    ASSERT_EQ(back->rules.size(), program.rules.size());
    ASSERT_EQ(back->machines.size(), program.machines.size());
    for (size_t i = 0; i < program.rules.size(); ++i) {
      const SplitRule &a = program.rules[i], &b = back->rules[i];
      ASSERT_EQ(Print(a), Print(b));
      ASSERT_EQ(std::tie(a.machine, a.step, a.needs), std::tie(b.machine, b.step, b.needs));
    }
    for (size_t i = 0; i < program.machines.size(); ++i) {
      const Machine &a = program.machines[i], &b = back->machines[i];
      ASSERT_EQ(a.probes, b.probes);
      ASSERT_EQ(Print(a.rule), Print(b.rule));
      sequences += b.rule.sequence ? 1 : 0;
      aggregates += b.rule.aggregate ? 1 : 0;
      ASSERT_GT(SizeOfState(b.rule).bytes_most, 0u);
    }
  }
  EXPECT_GT(sequences, 30u);
  EXPECT_GT(aggregates, 30u);
}

std::string WrapState(std::string_view state, std::string_view probes = "(kernel true) (residual true)") {
  bool sequence = state.starts_with("(sequence");
  return "(program 2 (rule \"a.b\" (package \"a\") (name \"b\") (severity low) " +
         (sequence ? std::string(state) + " (when true) " : "(on exec) (when true) " + std::string(state) + " ") +
         std::string(probes) + "))";
}

// What a bundle says is hostile.
TEST(Text, RefusesMachinesThatCannotBe) {
  auto why = [](const std::string& text) { return ErrorOf(text); };
  auto has = [](const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; };
  const std::string keys = " (max-keys 5)";
  EXPECT_EQ(why(WrapState("(limit 1 (per 5) (by process.pid))" + keys)), "");
  EXPECT_EQ(why(WrapState("(aggregate sum (of process.pid) (at-least 5) (by) (within 9))" + keys)), "");
  EXPECT_TRUE(has(why(WrapState("(limit 0 (per 5) (by))" + keys)), "a number from 1"));
  EXPECT_TRUE(has(why(WrapState("(limit 1 (per 0) (by))" + keys)), "a number from 1"));
  EXPECT_TRUE(has(why(WrapState("(limit 1 (per -5) (by))" + keys)), "a number from 1"));
  EXPECT_TRUE(has(why(WrapState("(limit 1 (per 5) (by))")), "`max-keys` is expected"));
  EXPECT_TRUE(has(why(WrapState("(limit 1 (per 5) (by)) (max-keys 99999999999)")), "a number from 1"));
  EXPECT_TRUE(has(why(WrapState("(limit 1 (per 5) (by file.path))" + keys)), "no such field"));
  EXPECT_TRUE(has(why(WrapState("(limit 1 (per 5) (by step:1:process.pid))" + keys)), "no such step"));
  EXPECT_TRUE(has(why(WrapState("(aggregate sum (of process.name) (at-least 5) (by) (within 9))" + keys)), "summed"));
  EXPECT_TRUE(has(why(WrapState("(aggregate count (of process.pid) (at-least 5) (by) (within 9))" + keys)), "0 to 0"));
  EXPECT_TRUE(has(why(WrapState("(aggregate mean (of) (at-least 5) (by) (within 9))" + keys)), "one of `count`"));

  const std::string probe = "(probe (kernel true) (residual true))";
  auto sequence = [&](std::string_view steps, int probes) {
    std::string all;
    for (int i = 0; i < probes; ++i) all += probe;
    return why(WrapState("(sequence ordered (by process.pid) (within 5) " + std::string(steps) + ")" + keys, all));
  };
  const std::string first = "(step match \"a\" (on exec) (when true))";
  EXPECT_EQ(sequence(first, 1), "");
  EXPECT_EQ(sequence(first + "(step match \"\" (on exec) (when true) (join process.pid step:1:process.pid))", 2), "");
  EXPECT_TRUE(has(sequence(first, 0), "`probe` is expected"));
  EXPECT_TRUE(has(sequence(first, 2), "not expected here"));
  EXPECT_TRUE(has(sequence("(step until \"\" (on exec) (when true))", 1), "the first step matches"));
  EXPECT_TRUE(has(sequence("(step match \"\" (on exec) (when (present step:1:process.pid)))", 1), "no such step"));
  EXPECT_TRUE(
      has(sequence(first + "(step match \"\" (on exec) (when true) (cross (less process.pid step:2:process.pid)))", 2),
          "no such step"));
  EXPECT_TRUE(
      has(sequence(first + "(step match \"\" (on exec) (when true) (join process.pid process.pid))", 2), "a join is"));
  EXPECT_TRUE(has(sequence(first + "(step match \"\" (on exec) (when true) (join process.pid step:1:process.name))", 2),
                  "a join is"));
  EXPECT_TRUE(has(sequence("(step match \"a\" (on exec) (when true) (repeat 0))", 1), "a number from 2"));
  EXPECT_TRUE(has(sequence(first + "(step without \"\" (on exec) (when true) (repeat 3))", 2), "is repeated"));
  EXPECT_TRUE(has(why(Wrap("(matches process.name \"(\")")), "is refused"));
  EXPECT_TRUE(has(why(Wrap("true", "(matches process.name \"a\")")), "in userspace only"));
  EXPECT_TRUE(has(why(Wrap("true", "(in lower:process.name \"a\")")), "in userspace only"));
  EXPECT_TRUE(has(why(Wrap("(in process.name[0] \"a\")")), "is no list"));
}

// Whatever a flipped, lost or doubled byte makes of a program: an error, or a program that prints and plans.
TEST(Text, SurvivesMutation) {
  RandomIr random(TestSeed() + 4);
  size_t accepted = 0, refused = 0;
  for (int round = 0; round < 200; ++round) {
    Program program;
    EventKind kind = random.RandomKind();
    program = MakeProgram({random.Chance(50) ? random.RandomStatefulRule(kind) : random.RandomRule(kind)});
    std::string text = Print(program);
    for (int i = 0; i < 10; ++i) {
      std::string mutant = text;
      size_t at = random.Below(mutant.size());
      switch (random.Below(3)) {
        case 0:
          mutant[at] = static_cast<char>(random.Below(256));
          break;
        case 1:
          mutant.erase(at, 1 + random.Below(20));
          break;
        default:
          mutant.insert(at, mutant.substr(random.Below(mutant.size()), random.Below(40)));
          break;
      }
      Result<Program> parsed = ParseProgram(mutant);
      if (!parsed) {
        ++refused;
        continue;
      }
      ++accepted;
      Result<Program> again = ParseProgram(Print(*parsed));
      ASSERT_TRUE(again) << again.error().ToString() << "\n" << mutant;
      ASSERT_TRUE(MakePlan(*parsed));
    }
  }
  EXPECT_GT(accepted, 25u);
  EXPECT_GT(refused, 200u);
}

}  // namespace
}  // namespace ks::ir

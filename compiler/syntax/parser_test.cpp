#include "compiler/syntax/parser.h"

#include <gtest/gtest.h>

#include <ctime>
#include <random>
#include <variant>

#include "compiler/syntax/tokens.h"

namespace ks::syntax {
namespace {

// A file with its mistakes; keeps the text that the spans point to.
struct Parsed {
  explicit Parsed(std::string text) : file("test.ksp", std::move(text)), module(Parse(file, diagnostics)) {
    diagnostics.Sort();
  }
  std::vector<std::string_view> Codes() const {
    std::vector<std::string_view> codes;
    for (const Diagnostic& d : diagnostics.all()) codes.push_back(kDiagRows[static_cast<size_t>(d.id)].code);
    return codes;
  }
  SourceFile file;
  Diagnostics diagnostics;
  Module module;
};

using Codes = std::vector<std::string_view>;

const Expr& BodyOf(const Parsed& parsed) { return *parsed.module.defs.at(0).body; }

const Literal& LiteralOf(const Parsed& parsed) {
  const auto& list = std::get<List>(parsed.module.lets.at(0).value->node);
  return std::get<Literal>(list.items.at(0)->node);
}

TEST(Parser, KeepsOrderAndSpans) {
  Parsed p("ksp 1\npackage a.b\ndef f(p: process) = p.name not in shells\n");
  ASSERT_EQ(p.diagnostics.errors(), 0u);
  EXPECT_EQ(p.module.version_span.text(), "ksp 1");
  EXPECT_EQ(p.module.package->Dotted(), "a.b");
  const auto& compare = std::get<Compare>(BodyOf(p).node);
  EXPECT_EQ(BodyOf(p).span.text(), "p.name not in shells");
  EXPECT_EQ(compare.op, "in");
  EXPECT_TRUE(compare.negated);
  EXPECT_EQ(compare.op_span.text(), "not in");
  EXPECT_EQ(compare.left->span.text(), "p.name");
}

TEST(Parser, OperatorsHaveOneSpelling) {
  struct Row {
    const char* text;
    const char* op;
    bool negated;
  };
  for (const Row& row : std::vector<Row>{{"a == b", "==", false},
                                         {"a has  any [b]", "has any", false},
                                         {"a contains\n all [b]", "contains all", false},
                                         {"a not   under b", "under", true},
                                         {"a is not b", "is", true},
                                         {"a exists", "exists", false}}) {
    Parsed p(std::string("ksp 1\ndef d = ") + row.text);
    ASSERT_EQ(p.diagnostics.errors(), 0u) << row.text;
    const auto& compare = std::get<Compare>(BodyOf(p).node);
    EXPECT_EQ(compare.op, row.op);
    EXPECT_EQ(compare.negated, row.negated) << row.text;
    EXPECT_EQ(compare.right == nullptr, compare.op == "exists");
  }
}

TEST(Parser, LiteralsByKind) {
  struct Row {
    const char* text;
    LiteralKind kind;
  };
  for (const Row& row : std::vector<Row>{{"12", LiteralKind::Int},
                                         {"-12", LiteralKind::Int},
                                         {"0x1F", LiteralKind::Hex},
                                         {"0o4755", LiteralKind::Octal},
                                         {"150ms", LiteralKind::Duration},
                                         {"4MiB", LiteralKind::Size},
                                         {"10.0.0.1", LiteralKind::Ip},
                                         {"::", LiteralKind::Ip},
                                         {"fd00::12", LiteralKind::Ip},
                                         {"1:2:3:4:5:6:7:8", LiteralKind::Ip},
                                         {"::ffff:10.0.0.1", LiteralKind::Ip},
                                         {"10.0.0.0/8", LiteralKind::Cidr},
                                         {"fd00::/8", LiteralKind::Cidr},
                                         {"203.0.113.9:4444", LiteralKind::Endpoint},
                                         {"[fd00::1]:443", LiteralKind::Endpoint},
                                         {"2027-01-31", LiteralKind::Date},
                                         {"true", LiteralKind::Bool}}) {
    Parsed p(std::string("ksp 1\nlet l = [") + row.text + "]");
    ASSERT_EQ(p.diagnostics.errors(), 0u) << row.text;
    EXPECT_EQ(LiteralOf(p).kind, row.kind) << row.text;
    EXPECT_EQ(LiteralOf(p).value, row.text);
  }
}

TEST(Parser, StringsWithAndWithoutEscapes) {
  struct Row {
    const char* text;
    std::string value;
  };
  for (const Row& row : std::vector<Row>{{R"("a\n\t\\\"b")", "a\n\t\\\"b"},
                                         {R"("\x1b\xff")", "\x1b\xff"},
                                         {R"("\u{e9}\u{1F600}")", "\xc3\xa9\xf0\x9f\x98\x80"},
                                         {"\"\xc3\xa9\"", "\xc3\xa9"},
                                         {R"(r"a\n")", "a\\n"},
                                         {R"(r"")", ""},
                                         {R"(r#"a"b""#)", "a\"b\""},
                                         {"r#\"a\nb\"#", "a\nb"}}) {
    Parsed p(std::string("ksp 1\nlet l = [") + row.text + "]");
    ASSERT_EQ(p.diagnostics.errors(), 0u) << row.text;
    EXPECT_EQ(LiteralOf(p).value, row.value);
    EXPECT_EQ(LiteralOf(p).text, row.text);
  }
}

TEST(Parser, BadEscapesPointIntoTheString) {
  Parsed p("ksp 1\nlet l = \"ab\\qc\\u{110000}\\u{d800}\\x0\\u{zz}\\x00\\\xc3\xa9\"");
  EXPECT_EQ(p.Codes(), Codes(7, "K0109"));
  EXPECT_EQ(p.diagnostics.all()[0].span.text(), "\\q");
  EXPECT_EQ(p.diagnostics.all()[1].span.text(), "\\u{110000}");
  EXPECT_EQ(p.diagnostics.all()[6].span.text(), "\\\xc3\xa9");
}

TEST(Parser, WordsAreSoftAfterADotAndAsKeys) {
  Parsed p(
      "ksp 1\ndef d = a.set.on.rule.in == a.not\ntest t { case \"c\" { exec { on: 1, rule: { and: 2 } } expect quiet } "
      "}");
  EXPECT_EQ(p.diagnostics.errors(), 0u);
  const auto& feed = std::get<Feed>(p.module.tests.at(0).cases.at(0).steps.at(0).node);
  EXPECT_EQ(feed.record.fields.at(0).name.text, "on");
}

TEST(Parser, MixedLogicIsReadAsMostLanguagesDo) {
  Parsed p("ksp 1\ndef d = a or b and c");
  EXPECT_EQ(p.Codes(), Codes{"K0107"});
  const auto& logic = std::get<Logic>(BodyOf(p).node);
  EXPECT_EQ(logic.op, LogicOp::Or);
  EXPECT_EQ(std::get<Logic>(logic.operands.at(1)->node).op, LogicOp::And);
  EXPECT_EQ(logic.operands.at(1)->span.text(), "b and c");
  Parsed fine("ksp 1\ndef d = a or (b and c)");
  EXPECT_EQ(fine.diagnostics.errors(), 0u);
  EXPECT_TRUE(std::get<Logic>(BodyOf(fine).node).operands.at(1)->parenthesized);
}

TEST(Parser, FixesOfMistakesMendThem) {
  for (const char* text :
       {"ksp 1\ndef d = a and b or c and d", "ksp 1\ndef d = 1 < a <= 5", "def d = a", "ksp 1\ndef d = a = 1",
        "ksp 1\ndef d = a && b", "ksp 1\ndef d = not a || !b", "ksp 1\nlet l = 4MB", "ksp 1\nlet m = 0755",
        "ksp 1\nlet l = 'a'", "ksp 1\nrule r { severty high }", "ksp 1\ndef d = a contain \"x\"",
        "ksp 1\n// note\nlet l = 1", "ksp 1\nrle r { }"}) {
    std::string mended = text;
    for (int round = 0; round < 3; ++round) {  // each fix may uncover another
      Parsed p(mended);
      if (p.diagnostics.errors() == 0) break;
      std::vector<FixIt> fixes = p.diagnostics.all()[0].fixes;
      ASSERT_FALSE(fixes.empty()) << mended;
      for (auto fix = fixes.rbegin(); fix != fixes.rend(); ++fix) {
        mended.replace(fix->span.begin, fix->span.end - fix->span.begin, fix->text);
      }
    }
    EXPECT_EQ(Parsed(mended).diagnostics.errors(), 0u) << text << " became " << mended;
  }
}

TEST(Parser, GoesOnAfterMistakesAtEachLevel) {
  Parsed p(R"(ksp 1
rule a {
  severty high
  on exec where x ==
  attack T1059
}
def broken =
rule b { on open alert "b" }
junk
test a {
  case "one" { exec { x 1 } open {} expect 1 }
  case "two" { expect quiet }
}
)");
  EXPECT_EQ(p.Codes(), Codes(6, "K0101"));
  ASSERT_EQ(p.module.rules.size(), 2u);
  EXPECT_EQ(p.module.rules[0].attack.at(0).text, "T1059");
  EXPECT_TRUE(p.module.rules[0].ons.empty());
  EXPECT_EQ(p.module.rules[1].alerts.size(), 1u);
  ASSERT_EQ(p.module.tests.at(0).cases.size(), 2u);
  EXPECT_EQ(p.module.tests[0].cases[0].steps.size(), 1u);
}

TEST(Parser, UnclosedPointsAtTheOpening) {
  Parsed p("ksp 1\nrule a {\n  on exec where (x in [1\n  severity low\nrule b { }\n");
  EXPECT_EQ(p.Codes(), Codes(3, "K0105"));
  EXPECT_EQ(p.diagnostics.all()[0].span.begin, 13u);  // the brace
  EXPECT_EQ(p.diagnostics.all()[1].span.text(), "(");
  EXPECT_EQ(p.diagnostics.all()[2].span.text(), "[");
  EXPECT_EQ(p.module.rules.size(), 2u);
  EXPECT_EQ(p.module.rules.at(0).severities.size(), 1u);
  EXPECT_EQ(Parsed("ksp 1\nlet a = \"x\nlet b = 1").Codes(), Codes{"K0105"});
  EXPECT_EQ(Parsed("ksp 1\nlet a = r#\"x\nlet b = 1").Codes(), Codes{"K0105"});
}

TEST(Parser, LetOfATestIsNoSignOfAnOpenBrace) {
  Parsed p("ksp 1\ntest t {\nlet c: container = { id: \"x\" }\ncase \"a\" { expect quiet }\n}\n");
  EXPECT_EQ(p.diagnostics.errors(), 0u);
  EXPECT_EQ(p.module.tests.at(0).lets.at(0).object.text, "container");
  EXPECT_EQ(Parsed("ksp 1\ntest a.tune {\nlet c: container = { }\n}\n").Codes(), Codes{});
}

TEST(Parser, DocsStandDirectlyAbove) {
  Parsed p("ksp 1\n## far\n\n## one\r\n##two\nlet a = 1 ## beside\nlet b = 2\n  ## in\n  def c = d\n");
  EXPECT_EQ(p.module.lets.at(0).doc, "one\ntwo");
  EXPECT_EQ(p.module.lets.at(1).doc, "");
  EXPECT_EQ(p.module.defs.at(0).doc, "in");
}

TEST(Parser, HeaderAndMark) {
  EXPECT_EQ(Parsed("").Codes(), Codes{"K0102"});
  EXPECT_EQ(Parsed("let a = 1").Codes(), Codes{"K0102"});
  EXPECT_EQ(Parsed("ksp\nlet a = 1").Codes(), Codes{"K0102"});
  EXPECT_EQ(Parsed("ksp 2\nlet a = 1").Codes(), Codes{"K0103"});
  EXPECT_EQ(Parsed("\xef\xbb\xbfksp 1\nlet a = 1").Codes(), Codes{});
  EXPECT_EQ(Parsed("ksp 1\n\xef\xbb\xbflet a = 1").Codes(), Codes{"K0112"});
  EXPECT_EQ(Parsed("ksp 1\r\nlet a = 1\r\n").Codes(), Codes{});
}

TEST(Parser, BytesThatAreNoText) {
  EXPECT_EQ(Parsed(std::string("ksp 1\n\0", 7)).Codes(), Codes{"K0003"});
  for (const char* bad :
       {"\x80", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8", "\xc3", "\xe2\x82"}) {
    EXPECT_EQ(Parsed(std::string("ksp 1\n# ") + bad).Codes(), Codes{"K0002"});
  }
  EXPECT_EQ(Parsed("ksp 1\n# \xe2\x80\xae").Codes(), Codes{"K0004"});
  EXPECT_EQ(Parsed("ksp 1\n# \xf0\x9f\x98\x80 \xc3\xa9").Codes(), Codes{});
}

std::string Repeat(std::string_view text, size_t bytes) {
  std::string out;
  out.reserve(bytes + text.size());
  while (out.size() < bytes) out += text;
  return out.substr(0, bytes);
}

TEST(Parser, LimitsHaveDiagnostics) {
  std::string nested = std::string(kMaxNesting, '(') + "a" + std::string(kMaxNesting, ')');
  EXPECT_EQ(Parsed("ksp 1\ndef d = " + nested).Codes(), Codes{});
  EXPECT_EQ(Parsed("ksp 1\ndef d = (" + nested + ")").Codes(), Codes{"K0006"});
  EXPECT_EQ(Parsed("ksp 1\ndef d = " + Repeat("not ", 4 * kMaxNesting) + "a").Codes(), Codes{});
  EXPECT_EQ(Parsed("ksp 1\ndef d = not " + Repeat("not ", 4 * kMaxNesting) + "a").Codes(), Codes{"K0006"});
  EXPECT_EQ(Parsed("ksp 1\ndef d = " + Repeat("not (", 1000)).Codes(), Codes{"K0006"});
  EXPECT_EQ(Parsed("ksp 1\nlet l = \"" + std::string(kMaxLiteralBytes - 2, 'x') + "\"").Codes(), Codes{});
  EXPECT_EQ(Parsed("ksp 1\nlet l = \"" + std::string(kMaxLiteralBytes - 1, 'x') + "\"").Codes(), Codes{"K0007"});
  EXPECT_EQ(Parsed("ksp 1\nlet l = " + std::string(5000, '9')).Codes(), Codes{"K0007"});
  EXPECT_EQ(
      Parsed("ksp 1\nlet l = [9223372036854775807, 9223372036854775808, 0xffffffffffffffff, 106752d, 9999999999GiB]")
          .Codes(),
      Codes(4, "K0111"));
  EXPECT_EQ(Parsed(std::string(kMaxSourceBytes + 1, ' ')).Codes(), Codes{"K0001"});
  EXPECT_EQ(Parsed("ksp 1\nlet l = [" + Repeat("1,", 2 * kMaxTokens) + "]").Codes(), Codes{"K0005"});
  EXPECT_EQ(Parsed("ksp 1\n" + Repeat("rule a { x }\n", 13 * 1000)).Codes().back(), "K0113");
}

// Whatever fills a file: a few diagnostics, soon. Anything worse than linear would take minutes.
TEST(Parser, HostileTextEndsSoon) {
  const std::vector<std::string> heads = {"", "ksp 1\ndef d = ", "ksp 1\nrule r { on e where ",
                                          "ksp 1\ntest t { case \"c\" { "};
  size_t turn = 0;
  for (const char* fill : {"a ", "(",   "not ",  "+=<>|&^*", "== ",         "@",   "\"",    "\"\n",    "r#\"\n",   "a:",
                           "a<", "[a,", "{a:",   "1 and ",   "a and b or ", ")}]", "rule ", "on ",     "\xc3\xa9", ".",
                           "9",  "'",   "x y\n", "## d\n",   "#",           "-",   "0x",    "a.b(c) ", "\\"}) {
    const std::string& head = heads[turn++ % heads.size()];
    const std::clock_t start = std::clock();  // of this process: other load does not count
    Parsed p(head + Repeat(fill, kMaxSourceBytes / 16));
    EXPECT_LE(p.diagnostics.all().size(), kMaxDiagnostics + 1) << head << fill;
    EXPECT_LT(std::clock() - start, 10 * CLOCKS_PER_SEC)
        << head << fill;  // sanitizers and a busy machine included
  }
}

TEST(Parser, PiecesOfPoliciesInAnyOrder) {
  const std::vector<std::string> pieces = {
      "ksp 1\n",  "rule r ",   "{",    "}",      "(",         ")",      "[",           "]",        ",",       "\n",
      "on exec ", "where ",    "a.b ", "== ",    "\"s\" ",    "and ",   "or ",         "not ",     "in ",     "except ",
      "owner ",   "let x ",    "= ",   "def f ", "test t ",   "case ",  "1 ",          "+2s ",     "expect ", "quiet ",
      "alert ",   ": ",        "| ",   ". ",     "severity ", "high ",  "from ",       "import a", "exists ", "is ",
      "T1059 ",   "disclose ", "&& ",  "\"",     "r#\"",      "## d\n", "2027-01-31 ", "< "};
  std::mt19937 random(7);  // NOLINT(bugprone-random-generator-seed): the same texts each run
  std::uniform_int_distribution<size_t> pick(0, pieces.size() - 1);
  for (int round = 0; round < 1000; ++round) {
    std::string text = "ksp 1\n";
    for (size_t i = pick(random) * 2; i > 0; --i) text += pieces[pick(random)];
    Parsed p(text);
    for (const Diagnostic& d : p.diagnostics.all()) {
      ASSERT_LE(d.span.begin, d.span.end) << text;
      ASSERT_LE(d.span.end, text.size()) << text;
    }
    (void)Dump(p.module);
  }
}

}  // namespace
}  // namespace ks::syntax

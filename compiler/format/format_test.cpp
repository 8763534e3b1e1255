#include "compiler/format/format.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "compiler/format/diff.h"
#include "compiler/format/random_policy_testing.h"
#include "compiler/format/words.h"
#include "compiler/syntax/parser.h"

namespace ks::format {
namespace {

struct Parsed {
  explicit Parsed(std::string text) : file("test.ksp", std::move(text)), module(syntax::Parse(file, diagnostics)) {}
  std::string Mistakes() const {
    std::string out;
    for (const Diagnostic& d : diagnostics.all()) out += RenderHuman(d, false);
    return out;
  }
  SourceFile file;
  Diagnostics diagnostics;
  syntax::Module module;
};

std::string WithoutBlankLines(const std::string& text) {
  std::istringstream in(text);
  std::string out;
  for (std::string line; std::getline(in, line);) out += line.empty() ? "" : line + "\n";
  return out;
}

// All words, one blank between.
std::string Squeezed(const syntax::Module& module) {
  std::string out;
  for (const Word& word : WordsOf(module)) out += std::string(word.text) + " ";
  return out;
}

// What holds of every policy: formatting keeps its meaning and its comments, and is done after one time.
void Check(const RandomPolicy& policy) {
  Parsed before(policy.text);
  ASSERT_EQ(before.diagnostics.errors(), 0u) << policy.text << before.Mistakes();
  std::string text = Format(before.module);
  Parsed after(text);
  ASSERT_EQ(after.diagnostics.errors(), 0u) << policy.text << "\n--- became\n" << text << after.Mistakes();
  ASSERT_EQ(syntax::Dump(before.module), syntax::Dump(after.module)) << policy.text << "\n--- became\n" << text;
  std::string again = Format(after.module);
  ASSERT_EQ(Diff("", text, again), "") << policy.text;
  std::vector<std::string> comments;
  for (const syntax::Comment& comment : after.module.comments) comments.emplace_back(comment.span.text());
  ASSERT_EQ(comments, policy.comments) << policy.text << "\n--- became\n" << text;
  ASSERT_TRUE(text.ends_with('\n') && !text.ends_with("\n\n")) << text;
  ASSERT_EQ(text.find(" \n"), std::string::npos) << text;
  ASSERT_EQ(text.find("\n\n\n"), std::string::npos) << text;
  if (!policy.comments.empty()) return;
  Parsed squeezed(Squeezed(before.module));
  ASSERT_EQ(squeezed.diagnostics.errors(), 0u) << squeezed.file.text() << squeezed.Mistakes();
  ASSERT_EQ(WithoutBlankLines(Format(squeezed.module)), WithoutBlankLines(text)) << policy.text;
}

TEST(Format, RandomPolicies) {
#ifdef KS_SANITIZED
  constexpr unsigned kPolicies = 300;
#else
  constexpr unsigned kPolicies = 10'000;
#endif
  for (unsigned seed = 0; seed < kPolicies && !HasFatalFailure(); ++seed) {
    SCOPED_TRACE(seed);
    PolicyGenerator generator(seed);
    Check(generator.Make(seed % 3 == 0 ? 0 : seed % 3 == 1 ? 20 : 4));
  }
}

// The generator leaves nothing of the grammar out: each of its words comes up.
TEST(Format, RandomPoliciesHaveEveryWord) {
  std::string all;
  for (unsigned seed = 0; seed < 300; ++seed) all += PolicyGenerator(seed).Make(0).text + " ";
  for (const char* word :
       {"package", "import", "let",      "from",      "def",     "rule",     "severity", "attack",  "on",
        "where",   "except", "owner",    "expires",   "ticket",  "disclose", "ref",      "status",  "allow",
        "alert",   "when",   "sequence", "unordered", "without", "until",    "repeat",   "by",      "within",
        "limit",   "per",    "max",      "keys",      "tune",    "disable",  "and",      "or",      "not",
        "in",      "like",   "under",    "contains",  "has",     "any",      "all",      "matches", "descends",
        "is",      "exists", "test",     "case",      "with",    "expect",   "quiet",    "every",   "replay"}) {
    EXPECT_NE(all.find(word), std::string::npos) << word;
  }
}

TEST(Format, CommentsStayWhereTheyBelong) {
  struct Row {
    const char* before;
    const char* after;
  };
  for (const Row& row : std::vector<Row>{
           {"ksp 1 # a\n", "ksp 1  # a\n"},
           {"# a\nksp 1\n\n\n# b", "# a\nksp 1\n\n# b\n"},
           {"ksp 1\nlet a = [1 # x\n, # y\n 2]", "ksp 1\n\nlet a = [\n  1,  # x\n  # y\n  2,\n]\n"},
           {"ksp 1\nlet a = [ # x\n]", "ksp 1\n\nlet a = [  # x\n]\n"},
           {"ksp 1\nlet a = # x\n  1", "ksp 1\n\nlet a =  # x\n  1\n"},
           {"ksp 1\nrule r # x\n{ # y\n}", "ksp 1\n\nrule r {  # x\n  # y\n}\n"},
           {"ksp 1\nrule r {\n\n# x\n\n\n# y\n\n}", "ksp 1\n\nrule r {\n  # x\n\n  # y\n}\n"},
           // `## a` is a doc before as after, `## b` is none.
           {"ksp 1\n## a\nlet a = 1 ## b\nlet b = 2", "ksp 1\n\n## a\nlet a = 1  ## b\nlet b = 2\n"},
           {"ksp 1\n## a\n\nlet a = 1", "ksp 1\n## a\n\nlet a = 1\n"},
       }) {
    EXPECT_EQ(Format(Parsed(row.before).module), row.after) << row.before;
  }
}

TEST(Format, LinesAreAsWideAsTheyMayBe) {
  std::string name(kColumns - std::string_view("let a = [\"\"]").size(), 'x');
  std::string fits = "ksp 1\n\nlet a = [\"" + name + "\"]\n";
  EXPECT_EQ(Format(Parsed(fits).module), fits);
  std::string wide = "ksp 1\n\nlet a = [\n  \"" + name + "x\",\n]\n";
  EXPECT_EQ(Format(Parsed("ksp 1 let a = [\"" + name + "x\"]").module), wide);
  // Characters count, not bytes.
  std::string accents;
  while (accents.size() < 2 * name.size()) accents += "é";
  fits = "ksp 1\n\nlet a = [\"" + accents + "\"]\n";
  EXPECT_EQ(Format(Parsed(fits).module), fits);
}

TEST(Format, LongFilesTakeTimeInProportion) {
  std::string text = "ksp 1\nlet a = [1";
  for (int i = 0; i < 100'000; ++i) text += ",1";
  text += "]\n";
  for (int i = 0; i < 10'000; ++i) text += "def d" + std::to_string(i) + " = a\n";
  std::string formatted = Format(Parsed(text).module);
  EXPECT_EQ(std::count(formatted.begin(), formatted.end(), ','), 100'001);
}

TEST(Diff, ShowsWhatChanged) {
  EXPECT_EQ(Diff("a", "1\n2\n", "1\n2\n"), "");
  EXPECT_EQ(Diff("a", "1\n2\n3\n", "1\nx\n3\n"), "--- a\n+++ a (formatted)\n@@ -1,3 +1,3 @@\n 1\n-2\n+x\n 3\n");
  EXPECT_EQ(Diff("a", "", "1\n"), "--- a\n+++ a (formatted)\n@@ -0,0 +1,1 @@\n+1\n");
  std::string many = "0\n", other = "x\n";
  for (int i = 1; i < 20; ++i) many += std::to_string(i) + "\n", other += std::to_string(i) + "\n";
  std::string diff = Diff("a", many + "end", other + "end\n");
  EXPECT_NE(diff.find("@@ -1,4 +1,4 @@\n-0\n+x\n 1\n 2\n 3\n@@ -18,4 +18,4 @@\n 17\n 18\n 19\n-end\n\\ No newline"),
            std::string::npos)
      << diff;
}

}  // namespace
}  // namespace ks::format

#include "compiler/ir/glob.h"

#include <gtest/gtest.h>

#include <ctime>
#include <string>

namespace ks::ir {
namespace {

bool Matches(std::string_view pattern, std::string_view text) { return GlobMatches(ParseGlob(pattern), text); }

TEST(Glob, StarsAndQuestionMarks) {
  EXPECT_TRUE(Matches("", ""));
  EXPECT_FALSE(Matches("", "a"));
  EXPECT_TRUE(Matches("*", ""));
  EXPECT_TRUE(Matches("*", "/a/b"));
  EXPECT_TRUE(Matches("/*/secrets/*/token", "/var/run/secrets/a/b/token"));
  EXPECT_FALSE(Matches("/*/secrets/*/token", "/var/run/secrets/token"));
  EXPECT_TRUE(Matches("a**b", "ab"));
  EXPECT_TRUE(Matches("?", "/"));
  EXPECT_FALSE(Matches("?", ""));
  EXPECT_TRUE(Matches("??", "\xc3\xa9")) << "a byte, not a character";
  EXPECT_TRUE(Matches("*.sh", "a.sh.sh"));
  EXPECT_FALSE(Matches("*.sh", "a.sh/x"));
  EXPECT_FALSE(Matches("abc", "abcd"));
  EXPECT_FALSE(Matches("abcd", "abc"));
}

TEST(Glob, Classes) {
  EXPECT_TRUE(Matches("[a-c]x", "bx"));
  EXPECT_FALSE(Matches("[a-c]x", "dx"));
  EXPECT_TRUE(Matches("[!a-c]", "/"));
  EXPECT_FALSE(Matches("[!a-c]", "c"));
  EXPECT_TRUE(Matches("[]a]", "]")) << "first: itself";
  EXPECT_TRUE(Matches("[!]a]", "b"));
  EXPECT_FALSE(Matches("[!]a]", "]"));
  EXPECT_TRUE(Matches("[a-]", "-")) << "last: itself";
  EXPECT_TRUE(Matches("[-a]", "-"));
  EXPECT_TRUE(Matches("[\\]]", "]"));
  EXPECT_TRUE(Matches("[a\\-c]", "-"));
  EXPECT_FALSE(Matches("[a\\-c]", "b"));
  EXPECT_FALSE(Matches("[b-a]", "a")) << "an empty range";
  EXPECT_TRUE(Matches("[\x80-\xff]", "\xc3")) << "bytes above ASCII are not negative";
}

TEST(Glob, EscapesAndWhatIsNotClosed) {
  EXPECT_TRUE(Matches("\\*", "*"));
  EXPECT_FALSE(Matches("\\*", "a"));
  EXPECT_TRUE(Matches("\\\\", "\\"));
  EXPECT_TRUE(Matches("\\a", "a"));
  EXPECT_TRUE(Matches("a\\", "a\\"));
  EXPECT_TRUE(Matches("[ab", "[ab"));
  EXPECT_TRUE(Matches("[", "["));
  EXPECT_TRUE(Matches("[!", "[!"));
  EXPECT_TRUE(Matches("[a-", "[a-"));
  EXPECT_TRUE(Matches("[]", "[]"));
  EXPECT_TRUE(Matches("[a\\]", "[a]"));
}

TEST(Glob, PrefixIsWhatEveryMatchBeginsWith) {
  const auto prefix = [](std::string_view pattern) { return GlobPrefix(ParseGlob(pattern)); };
  EXPECT_EQ(prefix("/etc/*.key"), "/etc/");
  EXPECT_EQ(prefix("/etc/shadow"), "/etc/shadow");
  EXPECT_EQ(prefix("/etc/[s]had?w"), "/etc/shad");
  EXPECT_EQ(prefix("/\\*/[ab]"), "/*/");
  EXPECT_EQ(prefix("\xff*"), "\xff");
  EXPECT_EQ(prefix("*.key"), "");
  EXPECT_EQ(prefix("[b-a]x"), "");
  EXPECT_EQ(prefix(""), "");
}

TEST(Glob, NoPatternIsSlow) {
  const std::clock_t begin = std::clock();  // of this process: other load does not count
  std::string stars, unclosed;
  for (int i = 0; i < 200; ++i) stars += "*a";
  EXPECT_FALSE(Matches(stars + "b", std::string(4096, 'a')));
  for (int i = 0; i < 20000; ++i) unclosed += '[';
  EXPECT_EQ(ParseGlob(unclosed).size(), 20000u);
  EXPECT_LT(std::clock() - begin, 2 * CLOCKS_PER_SEC);
}

}  // namespace
}  // namespace ks::ir

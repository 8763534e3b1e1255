#include "tools/cli/args.h"

#include <gtest/gtest.h>

namespace ks::cli {
namespace {

const Command kCommand = {"ksc compile",
                          "FILES",
                          1,
                          2,
                          "Compiles.",
                          "  ksc compile a.ksp -o b",
                          {{"-o", "OUT", "where to", true, {}},
                           {"--format", "FORMAT", "how", false, {"human", "json"}},
                           {"--strict", "", "no warnings", false, {}},
                           {"--kind", "KIND", "of these", false, {}, true}}};

TEST(Arguments, Parse) {
  int code = -1;
  auto arguments = Parse(kCommand, {"a.ksp", "-o", "x", "--format=json", "--strict"}, &code);
  ASSERT_TRUE(arguments);
  EXPECT_EQ(arguments->positionals(), std::vector<std::string>{"a.ksp"});
  EXPECT_EQ(arguments->Get("-o"), "x");
  EXPECT_EQ(arguments->Get("--format", "human"), "json");
  EXPECT_TRUE(arguments->Has("--strict"));
  EXPECT_EQ(Parse(kCommand, {"a", "-o", "x", "--kind", "open", "--kind=exec"}, &code)->All("--kind").size(), 2u);
  EXPECT_EQ(Parse(kCommand, {"-o", "x", "--", "--strict"}, &code)->positionals()[0], "--strict");
}

TEST(Arguments, Mistakes) {
  using Words = std::vector<std::string>;
  for (const Words& words : {Words{"a"}, Words{"-o", "x"}, Words{"a", "-o"}, Words{"a", "-o", "x", "--strickt"},
                             Words{"a", "-o", "x", "--format", "yaml"}, Words{"a", "b", "c", "-o", "x"},
                             Words{"a", "-o", "x", "--strict=1"}, Words{"a", "-o", "x", "-o", "y"},
                             Words{"a", "-o", "x", "--format", "json", "--format=human"}}) {
    int code = -1;
    EXPECT_FALSE(Parse(kCommand, words, &code));
    EXPECT_EQ(code, kUsage);
  }
  int code = -1;
  EXPECT_FALSE(Parse(kCommand, {"--help"}, &code));
  EXPECT_EQ(code, kFine);
}

}  // namespace
}  // namespace ks::cli

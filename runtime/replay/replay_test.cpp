#include "runtime/replay/replay.h"

#include <gtest/gtest.h>

namespace ks::replay {
namespace {

TEST(Compare, IgnoresOrderAndWhatIsVolatile) {
  auto comparison = Compare("{\"rule\":\"a\",\"seq\":1}\n\n{\"rule\":\"b\",\"time\":\"x\"}\n",
                            {R"({"rule":"b","time":"y"})", R"({"seq":9,"rule":"a"})"}, "f");
  ASSERT_TRUE(comparison);
  EXPECT_TRUE(comparison->same());
}

TEST(Compare, FindsWhatIsMissingOrDoubled) {
  auto comparison = Compare("{\"rule\":\"a\"}\n{\"rule\":\"b\"}\n", {R"({"rule":"a"})", R"({"rule":"a"})"}, "f");
  ASSERT_TRUE(comparison);
  EXPECT_EQ(comparison->missing, std::vector<std::string>{"{\"rule\":\"b\"}"});
  EXPECT_EQ(comparison->unexpected, std::vector<std::string>{"{\"rule\":\"a\"}"});
}

TEST(Compare, RefusesWhatIsNoAlert) {
  EXPECT_EQ(Compare("{\"rule\":1}\nnonsense\n", {}, "f").error().on, "f:2");
  EXPECT_FALSE(Compare(std::string(100000, '['), {}, "f"));
}

TEST(MissingColumns, AreNamedPerRule) {
  ir::Program program;
  program.rules.emplace_back();
  program.rules[0].rule.id = "p.r";
  ir::Atom atom;
  atom.operand.field = schema::FieldId::file_path;
  atom.test = ir::Test::Under;
  atom.literals = {std::string("/etc")};
  program.rules[0].rule.when = ir::MakeAtom(atom);
  trace::Info info;
  info.columns = {"process.name"};
  auto missing = FindMissingColumns(program, info);
  ASSERT_EQ(missing.size(), 1u);
  EXPECT_EQ(missing[0].field, "file.path");
  info.columns.push_back("file.path");
  EXPECT_TRUE(FindMissingColumns(program, info).empty());
}

}  // namespace
}  // namespace ks::replay

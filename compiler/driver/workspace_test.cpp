#include "compiler/driver/workspace.h"

#include <gtest/gtest.h>

#include <random>

#include "compiler/support/json.h"

namespace ks::driver {
namespace {

std::string Told(const Workspace& workspace) {
  std::string out;
  for (const Document* document : workspace.Documents()) {
    for (const Diagnostic& diagnostic : document->Everything()) out += RenderJson(diagnostic) + "\n";
  }
  return out;
}

std::vector<std::string> Codes(const Workspace& workspace, const std::string& name) {
  std::vector<std::string> out;
  for (const Diagnostic& d : workspace.Find(name)->Everything()) {
    out.emplace_back(kDiagRows[static_cast<size_t>(d.id)].code);
  }
  return out;
}

const std::string kLists = "ksp 1\npackage a\nlet names: set<string> = [\"x\"]\ndef root(p: process) = p.uid == 0\n";
const std::string kRules =
    "ksp 1\npackage b\nimport a.{names}\nrule r {\n  severity low\n  on exec where process.name in names\n"
    "  alert \"a\"\n}\ntest r {\n  case \"x\" { exec { process: { name: \"x\" } } expect 1 alert }\n"
    "  case \"y\" { exec { process: { name: \"y\" } } expect quiet }\n}\n";

TEST(Workspace, OnlyWhatDependsIsCheckedAgain) {
  Workspace workspace({});
  workspace.Set("lists.ksp", kLists);
  workspace.Set("rules.ksp", kRules);
  workspace.Set("other.ksp",
                "ksp 1\npackage c\nrule q {\n  severity low\n  on exec where process.uid == 0\n  alert \"q\"\n}\n");
  EXPECT_EQ(workspace.Update().size(), 3u);
  EXPECT_EQ(Codes(workspace, "rules.ksp"), std::vector<std::string>{});

  // A comment in front of a list: nobody else is concerned.
  workspace.Set("lists.ksp", "# of names\n" + kLists);
  EXPECT_EQ(workspace.Update(), std::vector<std::string>{"lists.ksp"});
  // Another name: who imports it is.
  std::string renamed = kLists;
  renamed.replace(renamed.find("names"), 5, "words");
  workspace.Set("lists.ksp", renamed);
  EXPECT_EQ(workspace.Update(), (std::vector<std::string>{"lists.ksp", "rules.ksp"}));
  EXPECT_FALSE(Codes(workspace, "rules.ksp").empty());
  // And back.
  workspace.Set("lists.ksp", kLists);
  workspace.Update();
  EXPECT_TRUE(Codes(workspace, "rules.ksp").empty());
}

TEST(Workspace, OthersSeeTheLastWholeText) {
  Workspace workspace({});
  workspace.Set("lists.ksp", kLists);
  workspace.Set("rules.ksp", kRules);
  workspace.Update();
  workspace.Set("lists.ksp", "ksp 1\npackage a\nlet names: set<string> = [\"x\"\ndef");
  workspace.Update();
  EXPECT_FALSE(Codes(workspace, "lists.ksp").empty());
  EXPECT_TRUE(Codes(workspace, "rules.ksp").empty());
  workspace.Remove("lists.ksp");
  EXPECT_EQ(workspace.Update(), (std::vector<std::string>{"lists.ksp", "rules.ksp"}));
  EXPECT_FALSE(Codes(workspace, "rules.ksp").empty());
}

TEST(Workspace, AFileThatNeverWasWholeBlamesNobody) {
  Workspace workspace({});
  workspace.Set("lists.ksp", "ksp 1\npackage a\nlet names: set<string> = [\"x\"\n");
  workspace.Set("rules.ksp", kRules);
  workspace.Update();
  EXPECT_TRUE(Codes(workspace, "rules.ksp").empty());
  workspace.Set("lists.ksp", kLists);
  workspace.Update();
  EXPECT_TRUE(Codes(workspace, "lists.ksp").empty());
}

// Whatever is edited in whatever order: what is told is what a fresh start tells.
TEST(Workspace, EditsAndAFreshStartTellTheSame) {
  const std::vector<std::string> pieces = {
      "let one: set<string> = [\"a\"]\n",
      "let two = [\"/a\", \"/b\"]\n",
      "let one = [1, 2]\n",
      "def d(p: process) = p.uid == 0\n",
      "def d(p: process) = p.name in one\n",
      "import p0.{one}\n",
      "import p1.{one, d}\n",
      "import p2\n",
      "rule r {\n  severity low\n  on exec where process.name in one\n  alert \"a\"\n}\n",
      "rule r {\n  severity low\n  on exec where d(process)\n  alert \"a\"\n}\n",
      "rule s {\n  severity low\n  on open where file.path in p2.two\n  alert \"a\"\n}\n",
      "test r { case \"c\" { exec { process: { name: \"a\" } } expect 1 alert } }\n",
      "test r { case \"d\" { exec { process: { name: \"b\" } } expect quiet } }\n",
      "test p0.r { case \"e\" { exec { process: { uid: 0 } } expect quiet } }\n",
      "test p1.s { case \"f\" { open { file: { path: \"/a\" } } expect alert \"a\" } }\n",
      "rule broken {\n"};
  std::mt19937 random(7);
  auto pick = [&](size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random); };
  Workspace workspace({});
  std::map<std::string, std::string> texts;
  for (int round = 0; round < 400; ++round) {
    std::string name = fmt::format("f{}.ksp", pick(5));
    std::string text = fmt::format("ksp 1\npackage p{}\n", pick(3));
    for (size_t n = pick(6); n > 0; --n) text += pieces[pick(pieces.size() - (round % 5 == 0 ? 0 : 1))];
    if (pick(8) == 0) {
      workspace.Remove(name);
      texts.erase(name);
    } else {
      workspace.Set(name, text);
      texts[name] = text;
    }
    workspace.Update();
    bool whole = true;
    for (const Document* document : workspace.Documents()) whole = whole && document->now->ok();
    if (!whole) continue;  // what was seen before a mistake is history, which a fresh start lacks
    Workspace fresh({});
    for (const auto& [file, content] : texts) fresh.Set(file, content);
    fresh.Update();
    ASSERT_EQ(Told(workspace), Told(fresh)) << "round " << round;
  }
}

}  // namespace
}  // namespace ks::driver

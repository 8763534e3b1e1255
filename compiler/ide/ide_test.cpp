#include "compiler/ide/ide.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "compiler/driver/stdlib.h"

namespace ks::ide {
namespace {

struct Marked {
  std::string text;
  uint32_t offset;
};
// `^` is the cursor.
Marked Cursor(std::string text) {
  size_t at = text.find('^');
  text.erase(at, 1);
  return {text, static_cast<uint32_t>(at)};
}

std::vector<std::string> Offered(const std::string& marked) {
  Marked made = Cursor(marked);
  Workspace workspace({});
  workspace.Set("a.ksp", made.text);
  workspace.Update();
  std::vector<std::string> labels;
  for (const Completion& item : Complete(workspace, *workspace.Find("a.ksp"), made.offset).items) {
    labels.push_back(item.label);
  }
  return labels;
}

bool Has(const std::vector<std::string>& labels, const std::string& label) {
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

constexpr const char* kHead =
    "ksp 1\npackage a\nimport std.linux.{scratch_dirs, shell, shells}\nlet ports: set<port> = [22]\n";

struct Case {
  const char* text;
  const char* yes;  // must be offered
  const char* no;   // must not be
};
class Completes : public testing::TestWithParam<Case> {};

TEST_P(Completes, WhatFits) {
  std::vector<std::string> labels = Offered(std::string(kHead) + GetParam().text);
  EXPECT_TRUE(*GetParam().yes == 0 || Has(labels, GetParam().yes)) << GetParam().text << testing::PrintToString(labels);
  EXPECT_FALSE(Has(labels, GetParam().no)) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    Places, Completes,
    testing::Values(
        Case{"^", "rule", "severity"}, Case{"ru^", "rule", "severity"}, Case{"rule r {\n  ^\n}", "severity", "case"},
        Case{"rule r {\n  severity ^\n}", "critical", "on"}, Case{"rule r {\n  severity hi^", "high", "on"},
        Case{"rule r {\n  attack ^", "T1059", "exec"}, Case{"rule r {\n  attack T1059, T10^", "T1046", "exec"},
        Case{"rule r {\n  status ^\n}", "stable", "on"}, Case{"rule r { allow ^", "K0312", "exec"},
        Case{"rule r {\n  on ^\n}", "exec", "where"}, Case{"rule r {\n  on exec | ^\n}", "open", "where"},
        Case{"rule r {\n  on exec ^\n}", "where", "exec"}, Case{"rule r {\n  on exec ^\n}", "alert", "on"},
        Case{"rule r {\n  on exec where ^\n}", "process", "dst"},
        Case{"rule r {\n  on exec where ^\n}", "shell", "open"}, Case{"rule r {\n  on open where ^\n}", "file", "dst"},
        Case{"rule r {\n  on open | exec where ^\n}", "process", "dst"},
        Case{"rule r {\n  on open where file.^\n}", "path", "result"},
        Case{"rule r {\n  on open where file.pa^ under scratch_dirs\n}", "path", "under"},
        Case{"rule r {\n  on connect where dst.^\n}", "ip", "path"},
        Case{"rule r {\n  on connect where dst.port in ^\n}", "ports", "shells"},
        Case{"rule r {\n  on open where file.path under ^\n}", "scratch_dirs", "ports"},
        Case{"rule r {\n  on open where access has ^\n}", "WRITE", "process"},
        Case{"rule r {\n  on open where access has any [^\n}", "WRITE", "process"},
        Case{"rule r {\n  on open where access has any [READ, ^\n}", "WRITE", "process"},
        Case{"rule r {\n  on open where result == ^\n}", "failed", "shells"},
        Case{"rule r {\n  on open where not ^\n}", "process", "alert"},
        Case{"rule r {\n  on open where shell(^\n}", "process", "alert"},
        Case{"rule r {\n  on open where file.path ^\n}", "under", "<"},
        Case{"rule r {\n  on open where container ^\n}", "exists", "under"},
        Case{"rule r {\n  on open where syscall == open ^\n}", "and", "process"},
        Case{"rule r {\n  on exec\n  except \"x\" where process.^\n}", "uid", "severity"},
        Case{"rule r {\n  on exec\n  disclose ^\n}", "process", "not"},
        Case{"rule r {\n  on exec\n  limit 1 per 5m by container.^\n}", "id", "and"},
        Case{"rule r {\n  on exec\n  when ^\n}", "distinct", "exec"},
        Case{"rule r {\n  on connect\n  when distinct(^\n}", "dst", "file"},
        Case{"rule r {\n  on connect\n  when count >= 3 by container.id ^\n}", "within", "by"},
        Case{"rule r {\n  on exec\n  alert \"{process.^\n}", "name", "alert"},
        Case{"rule r {\n  on exec\n  alert \"process.^\n}", "", "name"}, Case{"rule r {\n  # on ^\n}", "", "exec"},
        Case{"rule r {\n  sequence ^\n}", "by", "exec"},
        Case{"rule r {\n  sequence by container.id ^\n}", "within", "by"},
        Case{"rule r {\n  sequence within 5s {\n    ^\n  }\n}", "exec", "severity"},
        Case{"rule r {\n  sequence within 5s {\n    a: ^\n  }\n}", "exec", "where"},
        Case{"rule r {\n  sequence within 5s {\n    a: open where ^\n  }\n}", "file", "a"},
        Case{"rule r {\n  sequence within 5s {\n    a: open\n    b: exec where ^\n  }\n}", "a", "dst"},
        Case{"rule r {\n  sequence within 5s {\n    a: open\n    b: exec where process.exe == a.^\n  }\n}", "file",
             "dst"},
        Case{"rule r {\n  sequence within 5s {\n    a: open\n    b: exec where process.exe == a.file.^\n  }\n}", "path",
             "dst"},
        Case{"rule r {\n  sequence within 5s {\n    a: open\n    without ^\n  }\n}", "unlink", "where"},
        Case{"rule r {\n  sequence within 5s {\n    a: open\n    b: exec\n  }\n  alert \"{a.^", "file", "dst"},
        Case{"rule r {\n  sequence within 5s {\n    a: open\n    b: exec\n  }\n  ^", "alert", "sequence"},
        Case{"rule q { on exec alert \"x\" }\ntest ^", "q", "exec"}, Case{"test q {\n  ^\n}", "case", "exec"},
        Case{"test q {\n  case \"x\" {\n    ^\n  }\n}", "exec", "case"},
        Case{"test q {\n  case \"x\" {\n    exec { ^ }\n  }\n}", "process", "dst"},
        Case{"test q {\n  case \"x\" {\n    exec { process: { ^ } }\n  }\n}", "name", "process"},
        Case{"test q {\n  case \"x\" {\n    open { access: ^ }\n  }\n}", "WRITE", "process"},
        Case{"test q {\n  case \"x\" {\n    exec { } expect ^\n  }\n}", "quiet", "exec"},
        Case{"test q {\n  let c: container = { ^ }\n}", "id", "exe"},
        Case{"test q {\n  let c: container = { id: \"x\" }\n  case \"x\" { exec { container: ^ } }\n}", "c", "exec"},
        Case{"rule q { on exec alert \"x\" }\ntune q in \"prod\" {\n  ^\n}", "disable", "on"},
        Case{"import ^", "std", "rule"}, Case{"import std.^", "linux", "std"},
        Case{"import std.linux.{shells, ^}", "web_servers", "rule"}, Case{"let x: ^", "set", "rule"},
        Case{"let x: set<^", "cidr", "process"}, Case{"def d(p: ^", "process", "rule"},
        Case{"def d(p: process) = p.^", "uid", "rule"}, Case{"def d(p: process) = ^", "p", "severity"}));

TEST(Complete, BehindTheTextAndInTheMiddleOfIt) {
  for (const auto& file : driver::EmbeddedFiles()) {
    Workspace workspace({});
    workspace.Set("x.ksp", std::string(file.text));
    workspace.Update();
    for (uint32_t at = 0; at <= file.text.size(); at += 7) Complete(workspace, *workspace.Find("x.ksp"), at);
  }
}

// Whatever is cut off or left out: an answer, and the word that is replaced ends at the cursor.
TEST(Complete, TextsThatAreNotWhole) {
  const std::string whole =
      std::string(kHead) +
      "rule r \"t\" {\n  severity low\n  sequence by process within 5s {\n    a: open where file.path == \"/x\"\n"
      "    without exec\n    b: exec where process.exe == a.file.path\n  }\n  alert \"{b.process.name}\"\n}\n"
      "test r {\n  let c: container = { id: \"x\" }\n  case \"c\" { +5s exec { container: c with { id: \"y\" } } "
      "expect 1 alert }\n}\n";
  for (size_t cut = 0; cut <= whole.size(); ++cut) {
    for (const std::string& text : {whole.substr(0, cut), whole.substr(cut)}) {
      Workspace workspace({});
      workspace.Set("x.ksp", text);
      workspace.Update();
      const Document& document = *workspace.Find("x.ksp");
      auto end = static_cast<uint32_t>(text.size());
      for (uint32_t at : {0u, end / 2, end}) {
        EXPECT_EQ(Complete(workspace, document, at).replace.end, at);
        Hover(workspace, document, at);
        Definition(workspace, document, at);
      }
      Symbols(document);
      Lenses(document);
    }
  }
}

// ---- Rename

const std::string kSteps =
    "ksp 1\npackage a\nrule r {\n  severity low\n  sequence by process within 5s {\n    drop: open\n"
    "    run: exec where process.exe == drop.file.path\n  }\n  disclose file.path \"x\"\n  alert \"{run.process.name} "
    "{drop.file.path}\"\n}\n";

TEST(Rename, AStepInConditionsAndTemplates) {
  Workspace workspace({});
  workspace.Set("a.ksp", kSteps);
  workspace.Update();
  const Document& document = *workspace.Find("a.ksp");
  Renaming renaming = Rename(workspace, document, static_cast<uint32_t>(kSteps.find("drop")), "fall");
  EXPECT_EQ(renaming.refusal, "");
  EXPECT_EQ(renaming.edits.size(), 3u);
  for (const FixIt& edit : renaming.edits) EXPECT_EQ(edit.span.text(), "drop");
  EXPECT_NE(Rename(workspace, document, static_cast<uint32_t>(kSteps.find("drop")), "run").refusal, "");
  EXPECT_NE(Rename(workspace, document, static_cast<uint32_t>(kSteps.find("drop")), "process").refusal, "");
}

TEST(Rename, ARuleWithItsTestsAndNotTheOneOfAnotherPackage) {
  Workspace workspace({});
  workspace.Set("a.ksp", "ksp 1\npackage a\nrule r { on exec alert \"x\" }\ntest r { case \"c\" { expect quiet } }\n");
  workspace.Set("b.ksp",
                "ksp 1\npackage b\nrule r { on exec alert \"x\" }\ntest r { case \"c\" { expect quiet } }\ntest a.r { "
                "case \"d\" { expect quiet } }\n");
  workspace.Update();
  const Document& document = *workspace.Find("a.ksp");
  Renaming renaming =
      Rename(workspace, document, static_cast<uint32_t>(document.file().text().find("rule r") + 5), "s");
  EXPECT_EQ(renaming.refusal, "");
  ASSERT_EQ(renaming.edits.size(), 3u);
  EXPECT_EQ(renaming.edits[2].span.file->name(), "b.ksp");
  EXPECT_EQ(renaming.edits[2].span.file->At(renaming.edits[2].span.begin).line, 5u);
}

TEST(Rename, NotWhileAFileDoesNotParse) {
  Workspace workspace({});
  workspace.Set("a.ksp", "ksp 1\npackage a\nlet x = [1]\n");
  workspace.Set("b.ksp", "ksp 1\npackage b\nrule {\n");
  workspace.Update();
  EXPECT_NE(Rename(workspace, *workspace.Find("a.ksp"), 20, "y").refusal.find("b.ksp"), std::string::npos);
}

}  // namespace
}  // namespace ks::ide

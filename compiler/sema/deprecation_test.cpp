#include <gtest/gtest.h>

#include <cstdio>

#include "compiler/sema/sema.h"
#include "compiler/support/diagnostics.h"
#include "compiler/syntax/parser.h"

namespace ks::sema {
namespace {

// No field of the table need be deprecated: here the parent's name is, and process.uid.
std::optional<schema::Deprecation> Deprecated(FieldId field) {
  if (field == FieldId::process_parent_name) return schema::Deprecation{2, FieldId::process_name};
  if (field == FieldId::process_uid) return schema::Deprecation{2, FieldId::process_euid};
  return std::nullopt;
}

std::vector<Diagnostic> Found(const std::string& text, Options options) {
  static std::vector<std::unique_ptr<SourceFile>> files;  // spans point into them
  files.push_back(std::make_unique<SourceFile>("test.ksp", "ksp 1\npackage p\n" + text));
  Diagnostics diagnostics;
  syntax::Module module = syntax::Parse(*files.back(), diagnostics);
  Library library;
  library.AddUser(module);
  Check(module, library, options, diagnostics);
  std::vector<Diagnostic> found;
  for (const Diagnostic& d : diagnostics.all()) {
    EXPECT_NE(d.severity, Severity::Error) << RenderHuman(d, false);
    if (d.id == Diag::FieldDeprecated) found.push_back(d);
  }
  return found;
}

constexpr const char* kPolicy =
    "def mine(p: process) = p.uid == 1\n"
    "rule r \"r\" { severity low\n"
    "  sequence by process.pid within 1s {\n"
    "    a: exec where process.parent.name == \"x\" and process.uid == 0 and mine(process)\n"
    "    b: exec where process.name == a.process.parent.name\n"
    "  }\n"
    "  alert \"{b.process.name}\" }\n";

TEST(Deprecation, IsToldOnceAtEachPlaceWithItsSuccessor) {
  Options options;
  options.deprecation = &Deprecated;
  std::vector<Diagnostic> found = Found(kPolicy, options);
  std::vector<std::string> fixes;
  for (const Diagnostic& d : found) {
    std::fputs(RenderHuman(d, false).c_str(), stdout);  // tests/lit/lint/deprecated.test reads it
    if (d.fixes.empty()) continue;
    EXPECT_TRUE(d.machine_applicable);
    fixes.push_back(std::string(d.fixes[0].span.text()) + " -> " + d.fixes[0].text);
  }
  ASSERT_EQ(found.size(), 4u);
  EXPECT_EQ(fixes, (std::vector<std::string>{"process.parent.name -> process.name", "process.uid -> process.euid",
                                             "process.parent.name -> process.name"}))
      << "what a parameter stands for is told, without an edit";
}

TEST(Deprecation, TheTableSaysWhich) {
  EXPECT_EQ(Options{}.deprecation, &schema::DeprecationOf);
  size_t deprecated = 0;
  for (const schema::FieldRow& row : schema::Fields()) {
    auto one = schema::DeprecationOf(row.id);
    deprecated += one ? 1 : 0;
    if (one) {
      EXPECT_EQ(schema::Row(one->successor).type, row.type) << row.dotted;
    }
  }
  if (deprecated == 0) {
    EXPECT_TRUE(Found(kPolicy, {}).empty());
  }
}

}  // namespace
}  // namespace ks::sema

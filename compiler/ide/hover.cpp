#include <fmt/format.h>

#include <algorithm>

#include "compiler/ide/describe.h"
#include "compiler/ide/find.h"
#include "compiler/ide/ide.h"
#include "compiler/ir/passes.h"
#include "compiler/ir/text.h"
#include "compiler/lower/lower.h"

namespace ks::ide {
namespace {

using What = Symbol::What;
constexpr size_t kShownBytes = 1'000;

std::string Code(std::string_view text) {
  bool cut = text.size() > kShownBytes;
  if (cut) {
    text = text.substr(0, kShownBytes);
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xc0) == 0x80) text.remove_suffix(1);
    if (!text.empty()) text.remove_suffix(1);
  }
  return fmt::format("```ksp\n{}{}\n```\n", text, cut ? " …" : "");
}

std::string Doc(const std::string& doc) { return doc.empty() ? "" : doc + "\n\n"; }

// What the kernel decides of a rule, and what is left: only if nothing in its file is wrong.
std::string Halves(const Document& document, const syntax::Rule& rule) {
  if (!document.now->ok() || document.meaning.errors() > 0) return "";
  sema::CheckedModule one;
  one.module = document.checked.module;
  one.package = document.checked.package;
  for (const sema::Rule& checked : document.checked.rules) {
    if (checked.syntax == &rule) one.rules.push_back(checked);
  }
  if (one.rules.empty()) return "";
  std::string out;
  for (const ir::SplitRule& split : ir::MakeProgram(lower::Lower({&one, 1}).rules).rules) {
    std::string step = rule.sequences.empty() ? "" : fmt::format(", step {}", split.step + 1);
    out += fmt::format("- **kernel{}** `{}`\n- **userspace{}** `{}`\n", step, ir::Print(split.kernel), step,
                       ir::Print(split.residual));
    for (const std::string& reason : split.reasons) out += fmt::format("  - {}\n", reason);
  }
  return out;
}

std::string Kinds(const std::vector<syntax::Name>& kinds) {
  std::string out;
  for (const syntax::Name& kind : kinds) out += (out.empty() ? "" : " | ") + kind.text;
  return out;
}

std::string AboutRule(const Occurrence& at) {
  const syntax::Rule& rule = *at.rule;
  std::string out = fmt::format("```ksp\nrule {}{}\n```\n", at.symbol.id,
                                rule.title ? fmt::format(" \"{}\"", rule.title->value) : "");
  out += Doc(rule.doc);
  if (!rule.severities.empty()) out += fmt::format("- **severity** {}\n", rule.severities[0].text);
  if (!rule.attack.empty()) {
    std::string ids;
    for (const syntax::Name& id : rule.attack) ids += (ids.empty() ? "" : ", ") + id.text;
    out += fmt::format("- **attack** {}\n", ids);
  }
  if (!rule.ons.empty()) out += fmt::format("- **on** {}\n", Kinds(rule.ons[0].kinds));
  for (const syntax::Sequence& sequence : rule.sequences) {
    for (const syntax::Step& step : sequence.steps) {
      const char* role = step.role == syntax::Step::Role::Without ? "without "
                         : step.role == syntax::Step::Role::Until ? "until "
                                                                  : "";
      out += fmt::format("- **step** {}{}{}\n", role, step.name ? step.name->text + ": " : "", Kinds(step.kinds));
    }
  }
  if (at.home) out += Halves(*at.home, rule);
  return out;
}

std::string About(const Occurrence& at) {
  std::string name = at.symbol.id.substr(at.symbol.id.find_last_of("./") + 1);
  switch (at.symbol.what) {
    case What::Let: {
      std::string values = at.home && at.let ? ValuesOf(*at.home, *at.let) : "";
      return fmt::format("```ksp\nlet {}{}\n```\n", at.symbol.id, values.empty() ? "" : ": " + values) +
             (at.let ? Doc(at.let->doc) : "");
    }
    case What::Def:
      return at.def ? Code(at.def->span.text()) + Doc(at.def->doc) + fmt::format("in `{}`\n", at.symbol.id) : "";
    case What::Rule:
      return at.rule ? AboutRule(at) : "";
    case What::Step:
      return at.step ? Code(at.step->span.text()) + "a step of the sequence: its event's fields are behind the dot\n"
                     : "";
    case What::TestLet:
      return fmt::format("```ksp\nlet {}\n```\na record of this test\n", name);
    case What::Parameter:
      return fmt::format("```ksp\n{}\n```\na parameter of the def\n", name);
    case What::Package:
      return fmt::format("```ksp\npackage {}\n```\n", at.symbol.id);
    case What::Field:
      if (auto found = FindInTable(at.symbol.id); found && found->field) return DescribeField(*found);
      return "";
    case What::Record:
      if (auto object = schema::FindObject(at.symbol.id)) return DescribeRecord(*object);
      return "";
    case What::Kind:
      if (auto kind = schema::FindEvent(at.symbol.id)) return DescribeKind(*kind);
      return "";
    case What::Operator:
      return DescribeOperator(at.symbol.id);
  }
  return "";
}

}  // namespace

std::optional<Hovered> Hover(const Workspace& workspace, const Document& document, uint32_t offset) {
  auto at = OccurrenceAt(workspace, document, offset);
  if (!at) return std::nullopt;
  std::string text = About(*at);
  if (text.empty()) return std::nullopt;
  return Hovered{at->span, std::move(text)};
}

}  // namespace ks::ide

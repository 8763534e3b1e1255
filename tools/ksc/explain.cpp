// ksc explain: what a rule does in the kernel and above, what leaves the kernel; or what a diagnostic's code means.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/ir/text.h"
#include "errors_md.h"
#include "tools/ksc/commands.h"

namespace ks::ksc {
namespace {

bool IsCode(std::string_view word) {
  return word.size() == 5 && word[0] == 'K' &&
         std::all_of(word.begin() + 1, word.end(), [](char c) { return c >= '0' && c <= '9'; });
}

int ExplainCode(const cli::Command& command, std::string_view code) {
  std::string_view page = embedded::errors_md();
  size_t begin = page.find(fmt::format("\n## {} ", code));
  if (begin == std::string_view::npos) return cli::Usage(command, fmt::format("there is no diagnostic {}", code));
  ++begin;
  size_t end = page.find("\n## ", begin);
  fmt::print("{}\n", page.substr(begin, std::min(end, page.size()) - begin));
  return cli::kFine;
}

std::vector<std::string_view> CopiedFields(const ir::Plan& plan, uint32_t rule) {
  std::vector<std::string_view> names;
  for (const ir::KindPlan& kind : plan.kinds) {
    for (const ir::RulePlan& rule_plan : kind.rules) {
      if (rule_plan.rule != rule) continue;
      for (schema::FieldId field : rule_plan.copies) {
        std::string_view name = schema::Row(field).dotted;
        if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
      }
    }
  }
  return names;
}

std::string Indent(const std::string& text) {
  std::string out = "    ";
  for (char c : text) {
    out += c;
    if (c == '\n') out += "    ";
  }
  return out;
}

void ExplainRule(const driver::Analysis& analysis, uint32_t index) {
  const ir::SplitRule& split = analysis.program.rules[index];
  const ir::Rule& rule = split.rule;
  fmt::print("{}  {}\n  {} · {}\n", rule.id, rule.title.empty() ? "" : "\"" + rule.title + "\"",
             ir::Name(rule.severity), rule.source);
  for (ir::EventKind kind : rule.kinds) {
    const schema::EventRow& row = schema::Row(kind);
    fmt::print("  on {}, seen at {}\n", row.name, row.hook);
  }
  fmt::print("  decided in the kernel\n{}\n", Indent(ir::Print(split.kernel)));
  fmt::print("  left for userspace\n{}\n", Indent(ir::Print(split.residual)));
  for (const std::string& reason : split.reasons) fmt::print("    because {}\n", reason);
  for (const ir::ExceptionInfo& exception : rule.exceptions) {
    fmt::print("  except \"{}\"{}{}{}\n", exception.why, exception.owner.empty() ? "" : ", owner " + exception.owner,
               exception.expires.empty() ? "" : ", until " + exception.expires,
               exception.ticket.empty() ? "" : ", " + exception.ticket);
  }
  fmt::print("  leaves the kernel when it passes:");
  for (std::string_view name : CopiedFields(analysis.plan, index)) fmt::print(" {}", name);
  fmt::print("\n");
  for (const ir::Disclosure& disclosure : rule.disclosures) {
    fmt::print("  says {} in alerts: {}\n", schema::Row(disclosure.field).dotted, disclosure.reason);
  }
  fmt::print("\n");
}

void ExplainJson(const driver::Analysis& analysis, uint32_t index) {
  const ir::SplitRule& split = analysis.program.rules[index];
  std::string reasons, copies;
  for (const std::string& reason : split.reasons) reasons += (reasons.empty() ? "" : ",") + JsonString(reason);
  for (std::string_view name : CopiedFields(analysis.plan, index)) {
    copies += (copies.empty() ? "" : ",") + JsonString(name);
  }
  fmt::print(R"({{"rule":{},"severity":"{}","source":{},"kernel":{},"residual":{},"reasons":[{}],"copies":[{}]}})"
             "\n",
             JsonString(split.rule.id), ir::Name(split.rule.severity),
             JsonString(split.rule.source), JsonString(ir::Print(split.kernel)), JsonString(ir::Print(split.residual)),
             reasons, copies);
}

}  // namespace

int Explain(const Words& words) {
  const cli::Command command = {
      "ksc explain",
      "FILES-OR-FOLDERS | CODE",
      1,
      10'000,
      "Says of each rule what the kernel decides, what userspace decides and why, and what is copied; or "
      "what a diagnostic's code means.",
      "  ksc explain rules/ --rule reverse_shell\n  ksc explain K0214",
      {{"--rule", "NAME", "only this rule", false, {}}, FormatOption()}};
  int code = cli::kFine;
  auto arguments = cli::Parse(command, words, &code);
  if (!arguments) return code;
  if (arguments->positionals().size() == 1 && IsCode(arguments->positionals()[0])) {
    return ExplainCode(command, arguments->positionals()[0]);
  }
  bool json = WantsJson(*arguments);
  auto analysis = AnalyzePaths(arguments->positionals(), json, &code);
  if (!analysis) return code;
  if (code = Report(*analysis, {json, false, false}); !analysis->ok()) return code;
  std::string only = arguments->Get("--rule");
  bool some = false;
  std::vector<std::string_view> names;
  for (uint32_t i = 0; i < analysis->program.rules.size(); ++i) {
    const ir::Rule& rule = analysis->program.rules[i].rule;
    names.push_back(rule.name);
    if (!only.empty() && rule.name != only && rule.id != only) continue;
    some = true;
    json ? ExplainJson(*analysis, i) : ExplainRule(*analysis, i);
  }
  if (some || only.empty()) return code;
  std::string_view near = DidYouMean(only, names);
  fmt::print(stderr, "error: there is no rule `{}` in these files{}\n", only,
             near.empty() ? "" : fmt::format("; did you mean `{}`?", near));
  return cli::kFindings;
}

}  // namespace ks::ksc

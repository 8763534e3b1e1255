// ksc doc: reference pages of rules, from what stands in their files.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>

#include "compiler/ir/passes.h"
#include "tools/ksc/commands.h"
#include "tools/ksc/power_assert.h"

namespace ks::ksc {
namespace {

struct Page {
  const ir::Rule* rule = nullptr;
  const sema::Rule* source = nullptr;
};

// In the order of the files.
std::vector<Page> PagesOf(const driver::Analysis& analysis) {
  std::map<std::string, const ir::Rule*> lowered;
  for (const ir::Rule& rule : analysis.lowered.rules) lowered[rule.id] = &rule;
  std::vector<Page> pages;
  for (const sema::CheckedModule& module : analysis.checked) {
    for (const sema::Rule& rule : module.rules) {
      auto found = lowered.find(rule.id);
      if (found != lowered.end()) pages.push_back({found->second, &rule});
    }
  }
  return pages;
}

std::string KindsOf(const ir::Rule& rule) {
  std::vector<std::string_view> names;
  auto add = [&](const std::vector<ir::EventKind>& kinds) {
    for (ir::EventKind kind : kinds) {
      std::string_view name = schema::Row(kind).name;
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  };
  add(rule.kinds);
  if (rule.sequence) {
    for (const ir::Step& step : rule.sequence->steps) add(step.kinds);
  }
  std::string out;
  for (std::string_view name : names) out += fmt::format("{}`{}`", out.empty() ? "" : ", ", name);
  return out;
}

std::string StateOf(const ir::Rule& rule) {
  std::string out;
  auto by = [](const ir::Key& key) { return key.empty() ? std::string() : " by `" + Spelled(key) + "`"; };
  if (rule.sequence) {
    out = fmt::format("a sequence of {}{} within {}", Count(rule.sequence->steps.size(), "step"), by(rule.sequence->by),
                      SpelledTime(rule.sequence->within_ns));
  } else if (rule.aggregate) {
    constexpr std::string_view kWords[] = {"count", "distinct", "sum", "first"};
    out = fmt::format("`{}`{} within {}", kWords[static_cast<size_t>(rule.aggregate->function)], by(rule.aggregate->by),
                      SpelledTime(rule.aggregate->within_ns));
  }
  if (rule.limit) {
    out += fmt::format("{}at most {} per {}", out.empty() ? "" : "; ", Count(rule.limit->count, "alert"),
                       SpelledTime(rule.limit->per_ns));
  }
  return fmt::format("{}; at most {} bytes", out, ir::SizeOfState(rule).bytes_most);
}

// Text of a policy is text in a page, never markup of it.
std::string Plain(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '\n' || c == '\r') {
      out += ' ';
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '&') {
      out += "&amp;";
    } else {
      if (std::string_view("\\`*_[]|#~!>").find(c) != std::string_view::npos) out += '\\';
      out += c;
    }
  }
  return out;
}

// Comments and links keep their Markdown, but bring no HTML along, and in a table no column.
std::string WithoutHtml(std::string_view text, bool in_table) {
  std::string out;
  for (char c : text) {
    if (c == '<') {
      out += "&lt;";
    } else if (in_table && c == '|') {
      out += "\\|";
    } else {
      out += in_table && (c == '\n' || c == '\r') ? ' ' : c;
    }
  }
  return out;
}

// The text of a case as it stands in its file.
std::vector<const sema::TestCase*> CasesOf(const driver::Analysis& analysis, const ir::Rule& rule) {
  std::vector<const sema::TestCase*> cases;
  for (const sema::CheckedModule& module : analysis.checked) {
    for (const sema::TestCase& test : module.tests) {
      if (test.rule == rule.id) cases.push_back(&test);
    }
  }
  return cases;
}

std::string SourceOf(const syntax::Rule& rule) {
  return rule.span.file == nullptr ? "" : std::string(rule.span.text());
}

std::string Markdown(const driver::Analysis& analysis, const Page& page, std::string_view heading) {
  const ir::Rule& rule = *page.rule;
  const syntax::Rule& syntax = *page.source->syntax;
  std::string out = fmt::format("{} {}\n\n**{}**\n\n", heading, rule.name, Plain(rule.title));
  if (!syntax.doc.empty()) out += fmt::format("{}\n\n", WithoutHtml(syntax.doc, false));
  out += "| | |\n|---|---|\n";
  auto row = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) out += fmt::format("| {} | {} |\n", name, value);
  };
  std::string attack;
  for (const std::string& id : rule.attack) {
    std::string path = id;
    std::replace(path.begin(), path.end(), '.', '/');
    attack += fmt::format("{}[{}](https://attack.mitre.org/techniques/{}/)", attack.empty() ? "" : ", ", id, path);
  }
  row("id", "`" + rule.id + "`");
  row("severity", std::string(ir::Name(rule.severity)));
  row("ATT&CK", attack);
  row("events", KindsOf(rule));
  if (!syntax.statuses.empty()) row("status", syntax.statuses[0].text);
  if (!syntax.owners.empty()) row("owner", Plain(syntax.owners[0].value));
  for (const syntax::Text& ref : syntax.refs) row("see", WithoutHtml(ref.value, true));
  if (rule.IsStateful()) row("state", StateOf(rule));
  row("source", "`" + rule.source + "`");
  for (const ir::Disclosure& disclosure : rule.disclosures) {
    row("discloses", fmt::format("`{}`: {}", schema::Row(disclosure.field).dotted, Plain(disclosure.reason)));
  }
  if (!rule.exceptions.empty()) {
    out += "\nExceptions:\n\n| why | owner | expires | ticket |\n|---|---|---|---|\n";
    for (const ir::ExceptionInfo& exception : rule.exceptions) {
      out += fmt::format("| {} | {} | {} | {} |\n", Plain(exception.why), Plain(exception.owner), exception.expires,
                         Plain(exception.ticket));
    }
  }
  if (std::string source = SourceOf(syntax); !source.empty()) {
    std::string fence = "```";
    while (source.find(fence) != std::string::npos) fence += '`';
    out += fmt::format("\n{}ksp\n{}\n{}\n", fence, source, fence);
  }
  auto cases = CasesOf(analysis, rule);
  if (!cases.empty()) out += "\nTested with:\n\n";
  for (const sema::TestCase* test : cases) out += fmt::format("- {}\n", Plain(test->syntax->name.value));
  return out + "\n";
}

std::string Json(const driver::Analysis& analysis, const Page& page) {
  const ir::Rule& rule = *page.rule;
  auto list = [](const auto& items, const auto& text) {
    std::string out;
    for (const auto& item : items) out += (out.empty() ? "" : ",") + text(item);
    return "[" + out + "]";
  };
  auto exception = [](const ir::ExceptionInfo& one) {
    return fmt::format(R"({{"why":{},"owner":{},"expires":{},"ticket":{}}})", JsonString(one.why),
                       JsonString(one.owner), JsonString(one.expires), JsonString(one.ticket));
  };
  return fmt::format(
      R"({{"rule":{},"title":{},"doc":{},"severity":"{}","attack":{},"source":{},"exceptions":{},"tests":{},"bytes_most":{}}})"
      "\n",
      JsonString(rule.id), JsonString(rule.title), JsonString(page.source->syntax->doc), ir::Name(rule.severity),
      list(rule.attack, [](const std::string& id) { return JsonString(id); }), JsonString(rule.source),
      list(rule.exceptions, exception),
      list(CasesOf(analysis, rule), [](const sema::TestCase* test) { return JsonString(test->syntax->name.value); }),
      rule.IsStateful() ? ir::SizeOfState(rule).bytes_most : 0);
}

}  // namespace

int Doc(const Words& words) {
  const cli::Command command = {
      "ksc doc",
      "FILES-OR-FOLDERS",
      1,
      10'000,
      "Reference pages of rules: comments, severity, ATT&CK, events, exceptions, state, tests. The same files give the "
      "same pages.",
      "  ksc doc rules/ > rules.md\n  ksc doc rules/ -o docs/rules",
      {EnvironmentOption(),
       {"-o", "DIR", "a page per rule in this folder, and index.md", false, {}},
       {"--format", "markdown|json", "json: one object per line on stdout", false, {"markdown", "json"}}}};
  int code = cli::kFine;
  auto arguments = cli::Parse(command, words, &code);
  if (!arguments) return code;
  bool json = arguments->Get("--format", "markdown") == "json";
  std::string folder = arguments->Get("-o");
  if (json && !folder.empty()) return cli::Usage(command, "-o takes Markdown; --format json goes to stdout");
  auto analysis = AnalyzePaths(arguments->positionals(), json, &code, OptionsOf(*arguments));
  if (!analysis) return code;
  if (!analysis->ok()) return Report(*analysis, {json, false, false});
  std::vector<Page> pages = PagesOf(*analysis);
  if (folder.empty()) {
    if (!json) fmt::print("# Rules\n\n");
    for (const Page& page : pages) fmt::print("{}", json ? Json(*analysis, page) : Markdown(*analysis, page, "##"));
    return cli::kFine;
  }
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    return cli::Fail({"write the pages", folder, error.message(), "name a folder that can be made", "doc-write"});
  std::string index = "# Rules\n\n| rule | severity | about |\n|---|---|---|\n";
  for (const Page& page : pages) {
    index += fmt::format("| [{}]({}.md) | {} | {} |\n", page.rule->name, page.rule->id, ir::Name(page.rule->severity),
                         Plain(page.rule->title));
    Status written = WriteFile(fmt::format("{}/{}.md", folder, page.rule->id), Markdown(*analysis, page, "#"));
    if (!written) return cli::Fail(written.error());
  }
  if (Status written = WriteFile(folder + "/index.md", index); !written) return cli::Fail(written.error());
  fmt::print("{}: {}\n", folder, Count(pages.size(), "rule"));
  return cli::kFine;
}

}  // namespace ks::ksc

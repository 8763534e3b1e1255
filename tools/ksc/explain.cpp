// ksc explain: what a rule does in the kernel and above, what leaves the kernel; or what a diagnostic's code means.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/ir/passes.h"
#include "compiler/ir/text.h"
#include "errors_md.h"
#include "tools/ksc/commands.h"
#include "tools/ksc/power_assert.h"

namespace ks::ksc {
namespace {

bool IsCode(std::string_view word) {
  return word.size() == 5 && (word[0] == 'K' || word[0] == 'k') &&
         std::all_of(word.begin() + 1, word.end(), [](char c) { return c >= '0' && c <= '9'; });
}

int ExplainCode(const cli::Command& command, std::string code) {
  code[0] = 'K';
  std::string_view page = embedded::errors_md();
  size_t begin = page.find(fmt::format("\n## {} ", code));
  if (begin == std::string_view::npos) {
    return cli::Usage(command, fmt::format("there is no diagnostic {}; docs/language/errors.md lists them all", code));
  }
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

// A rule as it is written: its probes, and its machine if it has state.
struct Explained {
  const ir::Rule* rule = nullptr;
  const ir::Machine* machine = nullptr;
  uint32_t probe = 0;  // the first
};

void PrintHalves(const ir::SplitRule& split, const std::vector<std::string>& steps, std::string_view indent) {
  for (ir::EventKind kind : split.rule.kinds) {
    const schema::EventRow& row = schema::Row(kind);
    fmt::print("{}on {}, seen at {}\n", indent, row.name, row.hook);
  }
  fmt::print("{}decided in the kernel: {}\n", indent, Spelled(split.kernel, steps));
  fmt::print("{}left for userspace:    {}\n", indent, Spelled(split.residual, steps));
  for (const std::string& reason : split.reasons) fmt::print("{}  because {}\n", indent, reason);
}

void PrintCopies(const driver::Analysis& analysis, uint32_t probe, std::string_view indent) {
  fmt::print("{}leaves the kernel when it passes:", indent);
  for (std::string_view name : CopiedFields(analysis.plan, probe)) fmt::print(" {}", name);
  fmt::print("\n");
}

std::string By(const ir::Key& key, const std::vector<std::string>& steps = {}) {
  return key.empty() ? std::string("all events together") : "by " + Spelled(key, steps);
}

std::string Measure(const ir::Aggregate& aggregate) {
  constexpr std::string_view kWords[] = {"count", "distinct", "sum", "first"};
  std::string of = aggregate.of.empty() ? "" : fmt::format("({})", Spelled(aggregate.of));
  std::string_view word = kWords[static_cast<size_t>(aggregate.function)];
  if (aggregate.function == ir::Aggregate::Function::First) return fmt::format("{}{}", word, of);
  return fmt::format("{}{} >= {}", word, of, aggregate.at_least);
}

void PrintSequence(const driver::Analysis& analysis, const ir::Machine& machine) {
  const ir::Sequence& sequence = *machine.rule.sequence;
  constexpr std::string_view kRoles[] = {"", "without ", "until "};
  std::vector<std::string> names = StepNames(machine.rule);
  fmt::print("  sequence{}, {}, within {}\n", sequence.unordered ? " in any order" : "", By(sequence.by),
             SpelledTime(sequence.within_ns));
  size_t matching = 0;
  for (size_t i = 0; i < sequence.steps.size(); ++i) {
    const ir::Step& step = sequence.steps[i];
    bool matches = step.role == ir::Step::Role::Match;
    fmt::print("  step {}{}{}\n", kRoles[static_cast<size_t>(step.role)],
               matches ? names[matching] : std::string("(ends what waits)"),
               step.repeat > 1 ? fmt::format(", {} times", step.repeat) : "");
    if (matches) ++matching;
    PrintHalves(analysis.program.rules[machine.probes[i]], names, "    ");
    for (const ir::Join& join : step.joins) {
      fmt::print("    joined by hash: {} == {}\n", Spelled(join.own, names), Spelled(join.other, names));
    }
    if (step.cross.op != ir::Pred::Op::True) {
      fmt::print("    compared with each partial match: {}\n", Spelled(step.cross, names));
    }
    PrintCopies(analysis, machine.probes[i], "    ");
  }
  if (machine.rule.when.op != ir::Pred::Op::True) {
    fmt::print("  and when it completes: {}\n", Spelled(machine.rule.when, names));
  }
}

void PrintState(const ir::Rule& rule) {
  if (rule.aggregate) {
    fmt::print("  when {}, {}, within {}\n", Measure(*rule.aggregate), By(rule.aggregate->by),
               SpelledTime(rule.aggregate->within_ns));
  }
  if (rule.limit) {
    fmt::print("  limit {} per {}, {}\n", rule.limit->count, SpelledTime(rule.limit->per_ns),
               By(rule.limit->by, StepNames(rule)));
  }
  ir::StateSize size = ir::SizeOfState(rule);
  fmt::print("  state: at most {} bytes a {}, {} of them: {} bytes; beyond, the least recently used one goes\n",
             size.bytes_each, rule.sequence ? "partial match" : "key", rule.max_keys, size.bytes_most);
}

// What a tune of the environment changed of the rule as it is written.
void PrintTune(const driver::Analysis& analysis, const std::string& id) {
  for (const sema::CheckedModule& module : analysis.checked) {
    for (const sema::Rule& rule : module.rules) {
      if (rule.id != id || rule.tune == nullptr) continue;
      const syntax::Tune& tune = *rule.tune;
      fmt::print("  tuned in \"{}\" by {}:{}:", tune.environment.value, tune.span.file->logical(),
                 tune.span.file->At(tune.span.begin).line);
      std::string what;
      auto add = [&](std::string one) { what += (what.empty() ? " " : ", ") + std::move(one); };
      if (!tune.severities.empty()) add("severity " + tune.severities[0].text);
      if (rule.disabled) add("disabled");
      if (!tune.exceptions.empty()) add(Count(tune.exceptions.size(), "exception"));
      if (!tune.limits.empty()) add("limit");
      if (!tune.max_keys.empty()) add("max keys");
      fmt::print("{}\n", what);
    }
  }
}

void ExplainRule(const driver::Analysis& analysis, const Explained& explained) {
  const ir::Rule& rule = *explained.rule;
  fmt::print("{}  {}\n  {} · {}\n", rule.id, rule.title.empty() ? "" : "\"" + rule.title + "\"",
             ir::Name(rule.severity), rule.source);
  PrintTune(analysis, rule.id);
  if (rule.sequence) {
    PrintSequence(analysis, *explained.machine);
  } else {
    PrintHalves(analysis.program.rules[explained.probe], {}, "  ");
    PrintCopies(analysis, explained.probe, "  ");
  }
  if (rule.IsStateful()) PrintState(rule);
  for (const ir::ExceptionInfo& exception : rule.exceptions) {
    fmt::print("  except \"{}\"{}{}{}\n", exception.why, exception.owner.empty() ? "" : ", owner " + exception.owner,
               exception.expires.empty() ? "" : ", until " + exception.expires,
               exception.ticket.empty() ? "" : ", " + exception.ticket);
  }
  for (const ir::Disclosure& disclosure : rule.disclosures) {
    fmt::print("  says {} in alerts: {}\n", schema::Row(disclosure.field).dotted, disclosure.reason);
  }
  fmt::print("\n");
}

std::string HalvesJson(const driver::Analysis& analysis, uint32_t index) {
  const ir::SplitRule& split = analysis.program.rules[index];
  std::string reasons, copies;
  for (const std::string& reason : split.reasons) reasons += (reasons.empty() ? "" : ",") + JsonString(reason);
  for (std::string_view name : CopiedFields(analysis.plan, index)) {
    copies += (copies.empty() ? "" : ",") + JsonString(name);
  }
  return fmt::format(R"("kernel":{},"residual":{},"reasons":[{}],"copies":[{}])", JsonString(ir::Print(split.kernel)),
                     JsonString(ir::Print(split.residual)), reasons, copies);
}

void ExplainJson(const driver::Analysis& analysis, const Explained& explained) {
  const ir::Rule& rule = *explained.rule;
  std::string out = fmt::format(R"({{"rule":{},"severity":"{}","source":{})", JsonString(rule.id),
                                ir::Name(rule.severity), JsonString(rule.source));
  if (rule.sequence) {
    std::string steps;
    for (size_t i = 0; i < rule.sequence->steps.size(); ++i) {
      steps += fmt::format(R"({}{{"name":{},{}}})", i > 0 ? "," : "", JsonString(rule.sequence->steps[i].name),
                           HalvesJson(analysis, explained.machine->probes[i]));
    }
    out += fmt::format(R"(,"within_ns":{},"by":{},"steps":[{}])", rule.sequence->within_ns,
                       JsonString(Spelled(rule.sequence->by)), steps);
  } else {
    out += "," + HalvesJson(analysis, explained.probe);
  }
  if (rule.IsStateful()) {
    ir::StateSize size = ir::SizeOfState(rule);
    out += fmt::format(R"(,"max_keys":{},"bytes_each":{},"bytes_most":{})", rule.max_keys, size.bytes_each,
                       size.bytes_most);
  }
  fmt::print("{}}}\n", out);
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
      {{"--rule", "NAME", "only this rule", false, {}}, EnvironmentOption(), FormatOption()}};
  int code = cli::kFine;
  auto arguments = cli::Parse(command, words, &code);
  if (!arguments) return code;
  if (arguments->positionals().size() == 1 && IsCode(arguments->positionals()[0])) {
    return ExplainCode(command, arguments->positionals()[0]);
  }
  bool json = WantsJson(*arguments);
  auto analysis = AnalyzePaths(arguments->positionals(), json, &code, OptionsOf(*arguments));
  if (!analysis) return code;
  if (code = Report(*analysis, {json, false, false}); !analysis->ok()) return code;
  std::string only = arguments->Get("--rule");
  bool some = false;
  std::vector<std::string_view> names;
  for (uint32_t i = 0; i < analysis->program.rules.size(); ++i) {
    const ir::SplitRule& split = analysis->program.rules[i];
    if (split.step > 0) continue;
    Explained explained{&split.rule, nullptr, i};
    if (split.machine) {
      explained.machine = &analysis->program.machines[*split.machine];
      explained.rule = &explained.machine->rule;
    }
    const ir::Rule& rule = *explained.rule;
    names.push_back(rule.name);
    if (!only.empty() && rule.name != only && rule.id != only) continue;
    some = true;
    json ? ExplainJson(*analysis, explained) : ExplainRule(*analysis, explained);
  }
  if (only.empty()) {
    for (const std::string& id : analysis->lowered.disabled) {
      std::string disabled = DisabledBy(*analysis, id);
      if (json) {
        fmt::print("{{\"rule\":{},\"disabled\":{}}}\n", JsonString(id), JsonString(disabled));
      } else {
        fmt::print("{}  (does nothing here)\n  {}\n\n", id, disabled);
      }
    }
  }
  if (some || only.empty()) return code;
  if (std::string disabled = DisabledBy(*analysis, only); !disabled.empty()) {
    fmt::print(stderr, "error: {}: there is nothing to explain\n  help: leave --env out to see the rule as it is\n",
               disabled);
    return cli::kFindings;
  }
  std::string_view near = DidYouMean(only, names);
  fmt::print(stderr, "error: there is no rule `{}` in these files{}\n", only,
             near.empty() ? "" : fmt::format("; did you mean `{}`?", near));
  return cli::kFindings;
}

}  // namespace ks::ksc

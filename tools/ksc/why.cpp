// ksc why: a match explained, and a non-match.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <tuple>

#include "runtime/replay/source.h"
#include "tools/ksc/commands.h"
#include "tools/ksc/progress_line.h"
#include "tools/ksc/why.h"
#include "tools/ksc/why_state.h"

namespace ks::ksc {
namespace {

std::string Title(const event::Event& event) {
  const schema::FieldValue& name = event.record[schema::FieldId::process_name];
  const auto* text = std::get_if<std::string>(&name.value);
  return fmt::format("{} {}", schema::Row(event.kind).name,
                     name.status == schema::Status::Ok && text != nullptr ? event::Printable(*text) : "?");
}

bool Same(const event::Event& a, const event::Event& b, std::initializer_list<schema::FieldId> fields) {
  return std::all_of(fields.begin(), fields.end(), [&](schema::FieldId field) {
    return a.record[field].status == schema::Status::Ok && a.record[field] == b.record[field];
  });
}

std::string_view SameWhat(const event::Event& a, const event::Event& b) {
  using schema::FieldId;
  if (Same(a, b, {FieldId::process_pid, FieldId::process_start_time})) return "same process";
  if (Same(a, b, {FieldId::pod_uid})) return "same pod";
  if (Same(a, b, {FieldId::container_id})) return "same container";
  return "";
}

// How an event fares with the probe that it fits best.
struct Fit {
  const ir::SplitRule* probe = nullptr;
  std::vector<Verdict> verdicts;
  size_t failed = 0;
};

std::vector<Fit> FitsOf(const Asked& asked, const event::Event& event) {
  std::vector<Fit> fits;
  for (const ir::SplitRule* probe : asked.probes) {
    if (!Looks(*probe, event.kind)) continue;
    Fit fit{probe, Judge(probe->rule.when, event.record), 0};
    fit.failed = Failed(fit.verdicts);
    fits.push_back(std::move(fit));
  }
  return fits;
}

struct Nearest {
  uint64_t number = 0;
  size_t failed = 0;
  std::string title, same;
};

void PrintHuman(const Asked& asked, const std::string& where, const event::Event& event, const std::vector<Fit>& fits,
                bool matches, const std::vector<std::string>& state, const std::optional<Nearest>& nearest) {
  fmt::print("{}  vs  {} {}            {}\n", asked.rule->name, where, Title(event),
             fits.empty()               ? "the rule does not look at such events"
             : !matches                 ? "no match"
             : asked.rule->sequence     ? "a step matches"
             : asked.rule->IsStateful() ? "its condition matches"
                                        : "match");
  for (const Fit& fit : fits) {
    if (std::string step = StepOf(asked, *fit.probe); !step.empty()) fmt::print("  {}\n", step);
    fmt::print("{}", Table(fit.verdicts, "  "));
  }
  for (const std::string& line : state) fmt::print("  {}\n", line);
  if (nearest) {
    fmt::print("  nearest: #{} {}{}{}, {}\n", nearest->number, nearest->title, nearest->same.empty() ? "" : ", ",
               nearest->same,
               nearest->failed == 0 ? (asked.rule->sequence ? std::string("fits a step") : std::string("matches"))
                                    : "failed " + Count(nearest->failed, "condition"));
  }
}

void PrintJson(const Asked& asked, uint64_t number, const event::Event& event, const std::vector<Fit>& fits,
               bool matches, const std::vector<std::string>& state, const std::optional<Nearest>& nearest) {
  std::string all, lines;
  for (const Fit& fit : fits) {
    std::string parts;
    for (const Verdict& one : fit.verdicts) {
      parts += fmt::format(R"({}{{"is":"{}","part":{},"values":{}}})", parts.empty() ? "" : ",", Word(one.is),
                           JsonString(one.part), JsonString(one.values));
    }
    all +=
        fmt::format(R"({}{{"step":{},"parts":[{}]}})", all.empty() ? "" : ",", JsonString(StepOf(asked, *fit.probe)), parts);
  }
  for (const std::string& line : state) lines += (lines.empty() ? "" : ",") + JsonString(line);
  std::string near = "null";
  if (nearest) {
    near = fmt::format(R"({{"event":{},"title":{},"same":{},"failed":{}}})", nearest->number,
                       JsonString(nearest->title), JsonString(nearest->same), nearest->failed);
  }
  fmt::print(R"({{"rule":{},"event":{},"title":{},"matches":{},"conditions":[{}],"state":[{}],"nearest":{}}})"
             "\n",
             JsonString(asked.rule->id), number, JsonString(Title(event)), matches, all, lines, near);
}

std::optional<Asked> FindRule(const driver::Analysis& analysis, const std::string& name) {
  const ir::Program& program = analysis.program;
  Asked asked;
  std::vector<std::string_view> names;
  for (const ir::SplitRule& split : program.rules) {
    names.push_back(split.rule.name);
    if (split.rule.name != name && split.rule.id != name) continue;
    if (asked.rule != nullptr && asked.rule->id != split.rule.id) continue;
    asked.machine = split.machine ? &program.machines[*split.machine] : nullptr;
    asked.rule = asked.machine ? &asked.machine->rule : &split.rule;
    asked.probes.push_back(&split);
  }
  if (asked.rule != nullptr) return asked;
  if (std::string disabled = DisabledBy(analysis, name); !disabled.empty()) {
    fmt::print(stderr, "error: {}: it decides no event there\n  help: leave --env out to ask about the rule as it is\n",
               disabled);
    return std::nullopt;
  }
  std::string_view near = DidYouMean(name, names);
  fmt::print(stderr, "error: there is no rule `{}` in these files{}\n", name,
             near.empty() ? "" : fmt::format("; did you mean `{}`?", near));
  return std::nullopt;
}

}  // namespace

std::string StepOf(const Asked& asked, const ir::SplitRule& probe) {
  if (!asked.machine || !asked.rule->sequence) return "";
  const ir::Step& step = asked.rule->sequence->steps[probe.step];
  if (step.role == ir::Step::Role::Without) return "without";
  if (step.role == ir::Step::Role::Until) return "until";
  return step.name.empty() ? fmt::format("step {}", probe.step + 1) : "step " + step.name;
}

int Why(const Words& words) {
  const cli::Command command = {
      "ksc why",
      "RULE TRACE[#EVENT] FILES-OR-FOLDERS",
      3,
      10'000,
      "Says why a recorded event does or does not match a rule: each part of its condition with the values it saw, how far a rule "
      "with state had come, and the event that came nearest. Events are counted from 1. Without #EVENT the question is about the whole "
      "trace: how many events each part of the condition let through, and why the event that came nearest did not make it. Recordings "
      "of other tools are traces too.",
      "  ksc why reverse_shell t7.kst rules/\n  ksc why reverse_shell t7.kst#1842 rules/",
      {EnvironmentOption(), FormatOption()}};
  int code = cli::kFine;
  auto arguments = cli::Parse(command, words, &code);
  if (!arguments) return code;
  bool json = WantsJson(*arguments);
  const std::vector<std::string>& given = arguments->positionals();
  const size_t hash = given[1].rfind('#');
  const std::string trace = given[1].substr(0, hash);
  uint64_t wanted = 0;
  if (hash != std::string::npos) {
    const std::string digits = given[1].substr(hash + 1);
    if (hash == 0 || digits.empty() || digits.size() > 18 || digits.find_first_not_of("0123456789") != std::string::npos) {
      return cli::Usage(command, fmt::format("`{}` names no event: write TRACE#EVENT, as in t7.kst#1842", given[1]));
    }
    wanted = std::stoull(digits);
    if (wanted == 0) return cli::Usage(command, "the events of a trace are numbered from #1");
  }
  auto analysis = AnalyzePaths({given.begin() + 2, given.end()}, json, &code, OptionsOf(*arguments));
  if (!analysis) return code;
  if (!analysis->ok()) return Report(*analysis, {json, false, false});
  std::optional<Asked> asked = FindRule(*analysis, given[0]);
  if (!asked) return cli::kFindings;

  bool told = false;
  const EachEvent each = [&](const std::function<void(uint64_t, const event::Event&)>& visit) -> Status {
    Result<replay::Source> source = replay::Source::Open(trace);
    if (!source) return source.error();
    uint64_t number = 0;
    ProgressLine progress;
    Status read = source->ForEach(
        [&](const event::Event& event) {
          visit(++number, event);
          progress.Tick([&](double) { return fmt::format("{} read: {} events", trace, number); });
        },
        [](const trace::Lost&) {});
    if (read) read = source->WhyNotWhole();
    if (read || number == 0) return read;
    // What there is, is what was asked about.
    if (!told) fmt::print(stderr, "warning: {}: {}; what comes before was read\n", trace, read.error().cause);
    told = true;
    return Ok();
  };
  const std::string base = trace.substr(trace.rfind('/') + 1);
  if (wanted == 0) {
    Result<uint64_t> nearest = WhyOfTrace(*analysis, *asked, base, each, json);
    if (!nearest) return cli::Fail(nearest.error(), json);
    if (*nearest == 0) return cli::kFine;
    wanted = *nearest;
  }
  std::optional<event::Event> event;
  uint64_t events = 0;
  Status read = each([&](uint64_t number, const event::Event& one) {
    events = number;
    if (number == wanted) event = one;
  });
  if (!read) return cli::Fail(read.error(), json);
  if (!event) {
    fmt::print(stderr, "error: {} has {}; there is no #{}\n", trace, Count(events, "event"), wanted);
    return cli::kFindings;
  }

  std::vector<Fit> fits = FitsOf(*asked, *event);
  bool matches = std::any_of(fits.begin(), fits.end(), [](const Fit& fit) { return fit.failed == 0; });
  const ir::Key* key = asked->rule->sequence    ? &asked->rule->sequence->by
                       : asked->rule->aggregate ? &asked->rule->aggregate->by
                                                : nullptr;
  std::optional<KeyState> state;
  std::string key_text;
  if (key != nullptr && !fits.empty()) {
    state.emplace(analysis->program, *asked->machine);
    key_text = KeyText(*key, event->record);
  }
  std::optional<Nearest> nearest;
  std::tuple<size_t, int, uint64_t> best;
  read = each([&](uint64_t number, const event::Event& one) {
    if (state && number <= wanted && KeyText(*key, one.record) == key_text) state->Take(number, one);
    if (number == wanted || matches) return;
    for (const Fit& fit : FitsOf(*asked, one)) {
      std::string_view same = SameWhat(*event, one);
      int rank = same == "same process" ? 0 : same.empty() ? 2 : 1;
      auto rated = std::make_tuple(fit.failed, rank, number > wanted ? number - wanted : wanted - number);
      if (nearest && rated >= best) continue;
      best = rated;
      nearest = Nearest{number, fit.failed, Title(one), std::string(same)};
    }
  });
  if (!read) return cli::Fail(read.error(), json);
  std::vector<std::string> lines;
  if (state) {
    lines = state->Describe(event->time_ns);
    if (!key_text.empty()) lines.insert(lines.begin(), "of the key " + key_text + ":");
  }
  const std::string where = fmt::format("{}#{}", base, wanted);
  if (json) {
    PrintJson(*asked, wanted, *event, fits, matches, lines, nearest);
  } else {
    PrintHuman(*asked, where, *event, fits, matches, lines, nearest);
  }
  return cli::kFine;
}

}  // namespace ks::ksc

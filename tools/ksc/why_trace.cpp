// ksc why over a whole trace: where its events fall out of a rule.
#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "compiler/ir/eval.h"
#include "runtime/state/tracker.h"
#include "tools/ksc/commands.h"
#include "tools/ksc/why.h"

namespace ks::ksc {
namespace {

struct Funnel {
  // One part of a condition. Parts are asked in their order, as long as none was false.
  struct Part {
    std::string text;
    uint64_t asked = 0, held = 0, unknown = 0;  // events; unknown ones pass
    uint64_t alone = 0, alone_last = 0;         // events at which it was the only part to fail, and the last one's number
  };
  struct Step {
    std::string name;                // as StepOf
    std::string kinds;               // "exec", "open or create"
    uint64_t events = 0, fit = 0;    // of its kinds; all parts held, or were unknown
    std::vector<Part> parts;
    std::vector<std::string> joins;  // what it asks of the steps before it
  };
  uint64_t events = 0;
  std::vector<Step> steps;
  uint64_t nearest = 0;
};

// What the step asks of those before it, in the words of the policy.
std::vector<std::string> JoinsOf(const Asked& asked, const ir::SplitRule& probe) {
  std::vector<std::string> joins;
  if (asked.machine == nullptr || !asked.rule->sequence) return joins;
  const std::vector<std::string> names = StepNames(*asked.rule);
  const ir::Pred ties = TiesOf(asked.rule->sequence->steps[probe.step]);
  for (const ir::Pred* part : PartsOf(ties)) joins.push_back(Spelled(*part, names));
  return joins;
}

Result<Funnel> FunnelOf(const Asked& asked, const EachEvent& each) {
  Funnel funnel;
  std::vector<std::vector<const ir::Pred*>> parts;
  for (const ir::SplitRule* probe : asked.probes) {
    Funnel::Step step;
    step.name = StepOf(asked, *probe);
    for (schema::EventKind kind : probe->rule.kinds) step.kinds += fmt::format("{}{}", step.kinds.empty() ? "" : " or ", schema::Row(kind).name);
    parts.push_back(PartsOf(probe->rule.when));
    for (const ir::Pred* part : parts.back()) step.parts.push_back({.text = Spelled(*part)});
    step.joins = JoinsOf(asked, *probe);
    funnel.steps.push_back(std::move(step));
  }
  // Fewer failed parts, then a later step, then a later event.
  std::tuple<size_t, size_t, uint64_t> best;
  Status read = each([&](uint64_t number, const event::Event& event) {
    funnel.events = number;
    for (size_t i = 0; i < asked.probes.size(); ++i) {
      if (!Looks(*asked.probes[i], event.kind)) continue;
      Funnel::Step& step = funnel.steps[i];
      ++step.events;
      size_t failed = 0;
      Funnel::Part* which = nullptr;
      for (size_t n = 0; n < parts[i].size(); ++n) {
        Funnel::Part& part = step.parts[n];
        const ir::Truth truth = ir::Eval(*parts[i][n], event.record);
        if (failed == 0) {
          ++part.asked;
          part.held += truth == ir::Truth::True ? 1 : 0;
          part.unknown += truth == ir::Truth::Unknown ? 1 : 0;
        }
        if (truth == ir::Truth::False) {
          ++failed;
          which = &part;
        }
      }
      step.fit += failed == 0 ? 1 : 0;
      if (failed == 1) {
        ++which->alone;
        which->alone_last = number;
      }
      // What ends a sequence is not what it waits for.
      const bool ends = step.name == "without" || step.name == "until";
      const auto rated = std::make_tuple(SIZE_MAX - failed, i, number);
      if (ends || (funnel.nearest != 0 && rated < best)) continue;
      best = rated;
      funnel.nearest = number;
    }
  });
  if (!read) return read.error();
  return funnel;
}

// The rule's alerts in the trace, and those that its limit held back.
struct Said {
  uint64_t alerts = 0, suppressed = 0;
};
Result<Said> AlertsOf(const driver::Analysis& analysis, const Asked& asked, const EachEvent& each) {
  const engine::Engine engine(analysis.program);
  state::Options options;
  options.late_bound_ns = state::kDefaultLateBoundNs;
  state::Tracker tracker(engine, options);
  Said said;
  const state::OnAlert count = [&](const event::Match& match) { said.alerts += match.rule->id == asked.rule->id ? 1 : 0; };
  Status read = each([&](uint64_t, const event::Event& event) { tracker.Take(event, engine.DecideAll(event), count); });
  if (!read) return read.error();
  tracker.Flush(count);
  for (const state::RuleCounts& rule : tracker.counts().rules) {
    if (rule.rule == asked.rule->id) said.suppressed = rule.suppressed;
  }
  return said;
}

void PrintFunnel(const Asked& asked, const std::string& trace, const Funnel& funnel, const Said& said) {
  fmt::print("{}  over  {}: {}, {}{}\n", asked.rule->name, trace, Count(funnel.events, "event"),
             said.alerts == 0 ? "no alert" : Count(said.alerts, "alert"),
             said.suppressed == 0 ? "" : fmt::format("; its limit held back {}", said.suppressed));
  for (const Funnel::Step& step : funnel.steps) {
    fmt::print("  {}{}{}: {}{}\n", step.name, step.name.empty() ? "" : ", ", step.kinds, Count(step.events, "event"),
               step.events == 0 ? "" : fmt::format(", {} fit", step.fit));
    for (const Funnel::Part& part : step.parts) {
      if (part.asked == 0) {
        fmt::print("    {:>8}           {}\n", "", part.text);
        continue;
      }
      fmt::print("    {:>8} of {:<8}{}{}{}\n", part.held + part.unknown, part.asked, part.text,
                 part.unknown == 0 ? "" : fmt::format("  ({} unknown: the trace does not say)", part.unknown),
                 part.alone == 0 ? "" : fmt::format("  ({} failed this alone, last #{})", part.alone, part.alone_last));
    }
    for (const std::string& join : step.joins) fmt::print("    and with the steps before it: {}\n", join);
  }
  if (funnel.nearest == 0) {
    fmt::print("  the trace has no event that this rule looks at\n");
  } else {
    fmt::print("\n");
  }
}

void PrintFunnelJson(const Asked& asked, const std::string& trace, const Funnel& funnel, const Said& said) {
  std::string steps;
  for (const Funnel::Step& step : funnel.steps) {
    std::string parts, joins;
    for (const Funnel::Part& part : step.parts) {
      parts += fmt::format(R"({}{{"part":{},"asked":{},"held":{},"unknown":{},"failed_alone":{},"failed_alone_last":{}}})",
                           parts.empty() ? "" : ",", JsonString(part.text), part.asked, part.held, part.unknown, part.alone, part.alone_last);
    }
    for (const std::string& join : step.joins) joins += (joins.empty() ? "" : ",") + JsonString(join);
    steps += fmt::format(R"({}{{"step":{},"kinds":{},"events":{},"fit":{},"parts":[{}],"joins":[{}]}})", steps.empty() ? "" : ",",
                         JsonString(step.name), JsonString(step.kinds), step.events, step.fit, parts, joins);
  }
  fmt::print(R"({{"rule":{},"trace":{},"events":{},"alerts":{},"suppressed":{},"steps":[{}],"nearest":{}}})"
             "\n",
             JsonString(asked.rule->id), JsonString(trace), funnel.events, said.alerts, said.suppressed, steps, funnel.nearest);
}

}  // namespace

Result<uint64_t> WhyOfTrace(const driver::Analysis& analysis, const Asked& asked, const std::string& trace, const EachEvent& each, bool json) {
  Result<Funnel> funnel = FunnelOf(asked, each);
  if (!funnel) return funnel.error();
  Result<Said> said = AlertsOf(analysis, asked, each);
  if (!said) return said.error();
  if (json) {
    PrintFunnelJson(asked, trace, *funnel, *said);
  } else {
    PrintFunnel(asked, trace, *funnel, *said);
  }
  return funnel->nearest;
}

}  // namespace ks::ksc

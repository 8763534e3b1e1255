#include "tools/ksc/html_report.h"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <filesystem>
#include <map>

#include "compiler/ir/eval.h"
#include "compiler/support/json.h"
#include "runtime/replay/replay.h"
#include "tools/ksc/commands.h"
#include "tools/ksc/html_events.h"
#include "tools/ksc/power_assert.h"

namespace ks::ksc {
namespace {

using schema::FieldId;
using schema::Status;

constexpr size_t kMaxAlerts = 100'000;
constexpr size_t kMaxLosses = 10'000;
constexpr size_t kMaxPassed = 200'000;

template <typename List, typename ToText>
std::string JsonList(const List& list, const ToText& to_text) {
  std::string out = "[";
  for (const auto& one : list) {
    if (out.size() > 1) out += ',';
    out += to_text(one);
  }
  return out + "]";
}
std::string Json(std::string_view text) { return JsonString(event::Printable(text)); }
std::string_view NameOf(schema::EventKind kind) { return schema::Row(kind).name; }

// A rule, with the probes that it has: one, or one for each step of its sequence.
struct RuleOf {
  const event::RuleInfo* info = nullptr;
  const ir::Rule* rule = nullptr;  // whole
  std::vector<uint32_t> probes;
  uint64_t alerts = 0, evicted = 0, suppressed = 0;
  bool may_have_missed = false;
};

struct FieldCount {
  uint64_t events = 0, unknown = 0, cut = 0;
};

struct KindCount {
  uint64_t events = 0;
  std::vector<FieldId> asked;          // by any rule
  std::map<FieldId, FieldCount> seen;  // of those
};

struct TraceOf {
  std::string path, node, kernel, damage;
  bool cut = false;
  uint64_t events = 0, lost = 0, alerts = 0;
  uint64_t first_ns = UINT64_MAX, last_ns = 0;
  std::vector<replay::MissingColumn> missing;
  std::map<std::string, uint64_t> unmapped;
};

struct AlertOf {
  HtmlEvents::Place place = 0;
  uint32_t rule = 0, trace = 0;
  uint64_t time_ns = 0;
  // Finished JSON, but for the rows of its events, which are known at the end.
  std::string members;
  struct Step {
    uint32_t name = 0;
    HtmlEvents::Place place = 0;
    uint64_t events = 1;
  };
  std::vector<Step> steps;
};

struct LostOf {
  uint32_t trace = 0;
  trace::Lost lost;
};

std::string StepName(const ir::Rule& rule, uint32_t step) {
  if (!rule.sequence || step >= rule.sequence->steps.size()) return "";
  const ir::Step& of = rule.sequence->steps[step];
  const std::string_view role = of.role == ir::Step::Role::Without ? "without" : of.role == ir::Step::Role::Until ? "until" : "";
  if (!role.empty()) return std::string(role);
  return of.name.empty() ? std::to_string(step + 1) : of.name;
}

}  // namespace

struct HtmlReport::State {
  State(const engine::Engine& made, uint64_t max_events) : engine(made), events(max_events) {}

  const engine::Engine& engine;
  HtmlEvents events;
  std::vector<RuleOf> rules;
  std::vector<uint32_t> rule_of_probe;
  std::array<KindCount, schema::kKindCount> kinds;
  std::vector<TraceOf> traces;
  std::vector<AlertOf> alerts;
  std::vector<LostOf> losses;
  uint64_t alerts_total = 0, losses_total = 0;
  // Why an event passed a probe of a rule over several events, finished, by both: what such a rule keeps of an event is not all
  // that its condition asked. The oldest go first.
  std::map<std::pair<uint64_t, uint32_t>, std::string> passed;
  std::deque<std::pair<uint64_t, uint32_t>> passed_order;

  uint32_t Trace() const { return static_cast<uint32_t>(traces.size() - 1); }
  uint32_t Text(std::string_view text) { return events.texts().Of(text); }
  // The parts of the probe's condition, and what they were for the event: a whole one, or a copy that a rule has kept.
  std::string Why(uint32_t probe, const event::Event& event);
  std::string WhyKept(uint32_t probe, const event::Event& copy);
  void KeepWhy(const event::Event& event);
  std::string WhyAll(const event::Match& match);
  std::string Rules() const;
  std::string Traces(uint64_t first_ns) const;
  std::string Alerts(const HtmlEvents::Added& added) const;
};

ks::Status HtmlReport::CanWrite(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (::access(folder.empty() ? "." : folder.c_str(), W_OK | X_OK) == 0) return Ok();
  return Error{"write the report", path, std::strerror(errno), "name a file in a folder that exists and is yours", "file-write"};
}

HtmlReport::HtmlReport(const engine::Engine& engine, uint64_t max_events)
    : state_(std::make_unique<State>(engine, std::clamp<uint64_t>(max_events, 1, kMaxMaxEvents))) {
  const ir::Program& program = engine.program();
  std::map<std::string, uint32_t> numbers;
  for (uint32_t probe = 0; probe < program.rules.size(); ++probe) {
    const ir::SplitRule& split = program.rules[probe];
    auto [found, is_new] = numbers.try_emplace(split.rule.id, static_cast<uint32_t>(state_->rules.size()));
    if (is_new) {
      const ir::Rule& whole = split.machine ? program.machines[*split.machine].rule : split.rule;
      state_->rules.push_back({&engine.info(probe), &whole, {}});
    }
    state_->rules[found->second].probes.push_back(probe);
    state_->rule_of_probe.push_back(found->second);
    for (schema::EventKind kind : split.rule.kinds) {
      std::vector<FieldId>& asked = state_->kinds[static_cast<size_t>(kind)].asked;
      for (FieldId field : ir::FieldsOf(split.rule.when)) {
        if (schema::Has(kind, field) && std::ranges::find(asked, field) == asked.end()) asked.push_back(field);
      }
    }
  }
}

HtmlReport::~HtmlReport() = default;

void HtmlReport::OnTrace(const std::string& path, const trace::Info& info) {
  TraceOf trace;
  trace.path = path;
  trace.node = info.host.node;
  trace.kernel = info.host.kernel;
  trace.cut = info.index_rebuilt;
  trace.missing = replay::FindMissingColumns(state_->engine.program(), info);
  state_->traces.push_back(std::move(trace));
  state_->passed.clear();
  state_->passed_order.clear();
  state_->events.Begin(state_->Trace());
}

void HtmlReport::OnEvent(const event::Event& event) {
  TraceOf& of = state_->traces.back();
  ++of.events;
  of.first_ns = std::min(of.first_ns, event.time_ns);
  of.last_ns = std::max(of.last_ns, event.time_ns);
  KindCount& kind = state_->kinds[static_cast<size_t>(event.kind)];
  ++kind.events;
  for (FieldId field : kind.asked) {
    FieldCount& count = kind.seen[field];
    ++count.events;
    const Status status = event.record[field].status;
    count.cut += status == Status::Truncated ? 1 : 0;
    count.unknown += status != Status::Ok && status != Status::Absent && status != Status::Truncated ? 1 : 0;
  }
  state_->events.Take(event);
  state_->KeepWhy(event);
}

std::string HtmlReport::State::Why(uint32_t probe, const event::Event& event) {
  return JsonList(Judge(engine.program().rules[probe].rule.when, event.record), [&](const Verdict& one) {
    return fmt::format("[{},{},{}]", static_cast<int>(one.is), Text(event::Printable(one.part)), Text(one.values));
  });
}

std::string HtmlReport::State::WhyKept(uint32_t probe, const event::Event& copy) {
  const ir::SplitRule& split = engine.program().rules[probe];
  if (!split.machine) return Why(probe, copy);
  const auto found = passed.find({HtmlEvents::IdentityOf(Trace(), copy), probe});
  if (found != passed.end()) return found->second;
  return fmt::format("[[{},{},{}]]", static_cast<int>(Verdict::Is::NotEvaluated), Text(event::Printable(Spelled(split.rule.when))),
                     Text("it was met; which values it saw is not kept for so long"));
}

void HtmlReport::State::KeepWhy(const event::Event& event) {
  if (engine.program().machines.empty()) return;
  for (const event::Match& match : engine.DecideAll(event)) {
    if (!engine.program().rules[match.probe].machine) continue;
    const std::pair key(HtmlEvents::IdentityOf(Trace(), event), match.probe);
    if (!passed.try_emplace(key, Why(match.probe, event)).second) continue;
    passed_order.push_back(key);
    if (passed_order.size() <= kMaxPassed) continue;
    passed.erase(passed_order.front());
    passed_order.pop_front();
  }
}

// For each event of the match: the step's name, and the condition that it met.
std::string HtmlReport::State::WhyAll(const event::Match& match) {
  const RuleOf& rule = rules[rule_of_probe[match.probe]];
  if (match.steps.empty()) return fmt::format("[[0,{}]]", match.event != nullptr ? WhyKept(match.probe, *match.event) : "[]");
  return JsonList(match.steps, [&](const event::StepMatch& step) {
    for (uint32_t probe : rule.probes) {
      const ir::SplitRule& split = engine.program().rules[probe];
      if (StepName(*rule.rule, split.step) != step.step || step.event == nullptr) continue;
      return fmt::format("[{},{}]", Text(step.step), WhyKept(probe, *step.event));
    }
    return fmt::format("[{},[]]", Text(step.step));
  });
}

void HtmlReport::OnAlert(const event::Match& match) {
  State& state = *state_;
  ++state.alerts_total;
  ++state.traces.back().alerts;
  const uint32_t rule = state.rule_of_probe[match.probe];
  ++state.rules[rule].alerts;
  if (state.alerts.size() >= kMaxAlerts || match.event == nullptr) return;
  AlertOf alert;
  alert.place = state.events.Pin(*match.event);
  alert.rule = rule;
  alert.trace = state.Trace();
  alert.time_ns = match.time_ns;
  for (const event::StepMatch& step : match.steps) {
    if (step.event == nullptr) continue;
    alert.steps.push_back({state.Text(event::Printable(step.step)), state.events.Pin(*step.event), step.events});
  }
  alert.members = fmt::format(
      R"("message":{},"matched":{},"uncertain":{},"key":{},"measure":{},"suppressed":{},"why":{})",
      state.Text(match.message),
      JsonList(match.matched, [&](std::string_view word) { return std::to_string(state.Text(event::Printable(word))); }),
      JsonList(match.uncertain, [](FieldId field) { return std::to_string(static_cast<int>(field)); }),
      state.Text(event::Printable(match.key)), match.measure ? std::to_string(*match.measure) : "null", match.suppressed,
      state.WhyAll(match));
  state.alerts.push_back(std::move(alert));
}

void HtmlReport::OnLost(const trace::Lost& lost) {
  ++state_->losses_total;
  state_->traces.back().lost += lost.records;
  if (state_->losses.size() < kMaxLosses) state_->losses.push_back({state_->Trace(), lost});
}

void HtmlReport::OnEnd(const std::string&, const replay::TraceEnd& end) {
  if (end.ends_replay) return;
  TraceOf& of = state_->traces.back();
  if (!end.status) of.damage = end.status.error().ToString();
  of.unmapped = end.unmapped;
  for (RuleOf& rule : state_->rules) {
    rule.may_have_missed |= end.totals.may_have_missed.contains(rule.info->id);
    const auto counts = end.totals.state.find(rule.info->id);
    if (counts == end.totals.state.end()) continue;
    rule.evicted += counts->second.evicted;
    rule.suppressed += counts->second.suppressed;
  }
}

std::string HtmlReport::State::Rules() const {
  return JsonList(rules, [&](const RuleOf& of) {
    std::map<FieldId, FieldCount> fields;
    std::vector<schema::EventKind> looked;
    for (uint32_t probe : of.probes) {
      const ir::Rule& rule = engine.program().rules[probe].rule;
      for (schema::EventKind kind : rule.kinds) {
        if (std::ranges::find(looked, kind) == looked.end()) looked.push_back(kind);
        for (FieldId field : ir::FieldsOf(rule.when)) {
          const auto seen = kinds[static_cast<size_t>(kind)].seen.find(field);
          if (seen == kinds[static_cast<size_t>(kind)].seen.end()) continue;
          FieldCount& count = fields[field];
          count.events += seen->second.events;
          count.unknown += seen->second.unknown;
          count.cut += seen->second.cut;
        }
      }
    }
    uint64_t events_seen = 0;
    for (schema::EventKind kind : looked) events_seen += kinds[static_cast<size_t>(kind)].events;
    return fmt::format(
        R"({{"id":{},"title":{},"severity":{},"attack":{},"source":{},"alerts":{},"suppressed":{},"evicted":{},"missed":{},"events":{},"kinds":{},"steps":{},"fields":{}}})",
        Json(of.info->id), Json(of.info->title), Json(of.info->severity), JsonList(of.info->attack, Json), Json(of.rule->source),
        of.alerts, of.suppressed, of.evicted, of.may_have_missed, events_seen, JsonList(looked, [](schema::EventKind kind) { return Json(NameOf(kind)); }),
        JsonList(of.probes,
                 [&](uint32_t probe) {
                   const ir::SplitRule& split = engine.program().rules[probe];
                   return fmt::format("[{},{}]", Json(StepName(*of.rule, split.step)), Json(Spelled(split.rule.when)));
                 }),
        JsonList(fields, [](const auto& one) {
          return fmt::format("[{},{},{},{}]", static_cast<int>(one.first), one.second.events, one.second.unknown, one.second.cut);
        }));
  });
}

std::string HtmlReport::State::Traces(uint64_t first_ns) const {
  return JsonList(traces, [&](const TraceOf& of) {
    const bool empty = of.events == 0;
    return fmt::format(
        R"({{"path":{},"node":{},"kernel":{},"events":{},"alerts":{},"lost":{},"cut":{},"damage":{},"first":{},"last":{},"missing":{},"unmapped":{}}})",
        Json(of.path), Json(of.node), Json(of.kernel), of.events, of.alerts, of.lost, of.cut, Json(of.damage),
        empty ? 0 : static_cast<int64_t>(of.first_ns - first_ns), empty ? 0 : static_cast<int64_t>(of.last_ns - first_ns),
        JsonList(of.missing, [](const replay::MissingColumn& one) { return fmt::format("[{},{}]", Json(one.rule), Json(one.field)); }),
        JsonList(of.unmapped, [](const auto& one) { return fmt::format("[{},{}]", Json(one.first), one.second); }));
  });
}

std::string HtmlReport::State::Alerts(const HtmlEvents::Added& added) const {
  std::vector<const AlertOf*> order;
  for (const AlertOf& one : alerts) order.push_back(&one);
  std::ranges::stable_sort(order, {}, [](const AlertOf* one) { return std::pair(one->time_ns, one->trace); });
  return JsonList(order, [&](const AlertOf* one) {
    return fmt::format(R"({{"rule":{},"trace":{},"time":{},"row":{},"steps":{},{}}})", one->rule, one->trace,
                       static_cast<int64_t>(one->time_ns - added.first_ns), added.rows.at(one->place),
                       JsonList(one->steps,
                                [&](const AlertOf::Step& step) {
                                  return fmt::format("[{},{},{}]", step.name, added.rows.at(step.place), step.events);
                                }),
                       one->members);
  });
}

Result<std::string> HtmlReport::Write(const std::string& path) const {
  const State& state = *state_;
  PageData data;
  const HtmlEvents::Added added = state.events.AddTo(&data);
  const uint64_t left_out = state_->events.texts().left_out();
  data.SetMembers(fmt::format(
      R"("version":{},"made":{},"first_ns":"{}","total":{},"stride":{},"alerts_total":{},"losses_total":{},"texts_left_out":{},)"
      R"("kinds":{},"fields":{},"traces":{},"rules":{},"losses":{},"alerts":{})",
      Json(KS_VERSION), Now(), added.first_ns, state.events.total(), state.events.stride(), state.alerts_total, state.losses_total,
      left_out,
      JsonList(schema::Events(),
               [&](const schema::EventRow& row) {
                 return fmt::format("[{},{}]", Json(row.name), state.kinds[static_cast<size_t>(row.kind)].events);
               }),
      JsonList(schema::Fields(),
               [](const schema::FieldRow& row) {
                 return fmt::format("[{},{}]", Json(row.dotted), row.data_class == schema::DataClass::MatchOnly ? 1 : 0);
               }),
      state.Traces(added.first_ns), state.Rules(),
      JsonList(state.losses,
               [&](const LostOf& one) {
                 return fmt::format("[{},{},{},{},{}]", one.trace, static_cast<int64_t>(one.lost.time_ns - added.first_ns),
                                    one.lost.records, one.lost.cpu,
                                    JsonList(one.lost.kinds, [](schema::EventKind kind) { return Json(NameOf(kind)); }));
               }),
      state.Alerts(added)));
  Result<std::string> page = HtmlPage(data.ToBytes());
  if (!page) return page.error();
  if (ks::Status written = WriteFile(path, *page, 0600); !written) return written.error();
  std::string said = fmt::format("report: {}, {:.1f} MB", path, static_cast<double>(page->size()) / 1e6);
  if (state.events.kept() < state.events.total()) {
    said += fmt::format(
        "\nreport: holds {} of {} (--report-events); those of alerts, some around them, and of the others one in {}",
        state.events.kept(), Count(state.events.total(), "event"), state.events.stride());
  }
  if (state.alerts_total > state.alerts.size()) {
    said += fmt::format("\nreport: lists the first {} of {}; the others are counted", state.alerts.size(), Count(state.alerts_total, "alert"));
  }
  if (state.losses_total > state.losses.size()) {
    said += fmt::format("\nreport: lists the first {} of {} losses; the others are counted", state.losses.size(), state.losses_total);
  }
  if (left_out > 0) said += fmt::format("\nreport: {} left out: too many different ones", Count(left_out, "text"));
  return said;
}

}  // namespace ks::ksc

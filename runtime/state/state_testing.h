// Machines and events for tests, both engines.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "compiler/ir/passes.h"
#include "runtime/state/tracker.h"

namespace ks::state {

using schema::EventKind;
using schema::FieldId;

inline constexpr uint64_t kSecond = 1'000'000'000;
inline constexpr uint64_t kStart = 1'795'000'000 * kSecond;

inline ir::Operand Of(FieldId field, uint8_t step = ir::kThisEvent) {
  ir::Operand operand;
  operand.field = field;
  operand.step = step;
  return operand;
}
inline ir::Pred Equal(ir::Operand a, ir::Operand b) {
  ir::Atom atom;
  atom.operand = a;
  atom.test = ir::Test::EqualField;
  atom.other = b;
  return ir::MakeAtom(atom);
}
inline ir::Pred Is(ir::Operand operand, schema::Value literal) {
  ir::Atom atom;
  atom.operand = operand;
  atom.test = ir::Test::In;
  atom.literals = {std::move(literal)};
  return ir::MakeAtom(atom);
}

inline ir::Step Match(const std::string& name, EventKind kind) {
  ir::Step step;
  step.name = name;
  step.kinds = {kind};
  return step;
}
inline ir::Step Without(EventKind kind) {
  ir::Step step = Match("", kind);
  step.role = ir::Step::Role::Without;
  return step;
}
inline ir::Step Until(EventKind kind) {
  ir::Step step = Match("", kind);
  step.role = ir::Step::Role::Until;
  return step;
}
inline ir::Step Joined(ir::Step step, FieldId field, uint8_t other) {
  step.joins.push_back({Of(field), Of(field, other)});
  return step;
}
inline ir::Step Repeated(ir::Step step, uint32_t repeat) {
  step.repeat = repeat;
  return step;
}

inline ir::Rule MakeRule(const std::string& name) {
  ir::Rule rule;
  rule.id = "t." + name;
  rule.package = "t";
  rule.name = name;
  rule.title = name;
  return rule;
}
inline ir::Rule SequenceRule(std::vector<ir::Step> steps, uint64_t seconds, ir::Key by = {Of(FieldId::process_pid)}) {
  ir::Rule rule = MakeRule("chain");
  rule.sequence.emplace();
  rule.sequence->steps = std::move(steps);
  rule.sequence->within_ns = static_cast<int64_t>(seconds * kSecond);
  rule.sequence->by = std::move(by);
  return rule;
}
inline ir::Rule AggregateRule(ir::Aggregate::Function function, uint64_t at_least, uint64_t seconds,
                              std::vector<ir::Operand> of = {}) {
  ir::Rule rule = MakeRule("many");
  rule.kinds = {EventKind::connect_};
  rule.aggregate.emplace();
  rule.aggregate->function = function;
  rule.aggregate->at_least = at_least;
  rule.aggregate->within_ns = static_cast<int64_t>(seconds * kSecond);
  rule.aggregate->of = std::move(of);
  rule.aggregate->by = {Of(FieldId::process_pid)};
  return rule;
}
inline ir::Limit LimitOf(uint64_t count, uint64_t seconds) {
  return {count, static_cast<int64_t>(seconds * kSecond), {Of(FieldId::process_pid)}};
}

// A tracker that is fed by hand. An alert is a line: "12s: 1 5 9" (the second of its time, then those of its events),
// with what else there is to say of it.
class Bench {
 public:
  using SharedEngine = std::shared_ptr<const engine::Engine>;  // making one costs more than what most tests do with it
  static SharedEngine EngineOf(std::vector<ir::Rule> rules) {
    return std::make_shared<const engine::Engine>(ir::MakeProgram(std::move(rules)));
  }
  Bench(Options::Engine which, SharedEngine of, int64_t late_bound_ns = 0)
      : engine(std::move(of)), tracker(*engine, {which, late_bound_ns}) {}
  Bench(Options::Engine which, std::vector<ir::Rule> rules, int64_t late_bound_ns = 0)
      : Bench(which, EngineOf(std::move(rules)), late_bound_ns) {}

  static event::Event Make(double second, EventKind kind, int64_t pid = 1, const std::string& path = "/a") {
    event::Event event;
    event.kind = kind;
    for (const schema::FieldRow& row : schema::Fields()) {
      if (schema::Has(kind, row.id)) event.record.Set(row.id, {}, schema::Status::Absent);
    }
    event::SetTime(event, kStart + static_cast<uint64_t>(second * 1000) * (kSecond / 1000));
    event.record.Set(FieldId::process_pid, pid);
    if (schema::Has(kind, FieldId::file_path)) event.record.Set(FieldId::file_path, path);
    return event;
  }
  Bench& At(double second, EventKind kind, int64_t pid = 1, const std::string& path = "/a") {
    return Feed(Make(second, kind, pid, path));
  }
  Bench& Feed(event::Event event) {
    event.sequence = ++sequence;
    tracker.Take(event, engine->DecideAll(event), Listener());
    return *this;
  }
  Bench& Clock(double second) {
    tracker.Advance(kStart + static_cast<uint64_t>(second * 1000) * (kSecond / 1000), Listener());
    return *this;
  }
  OnAlert Listener() {
    return [this](const event::Match& match) { alerts.push_back(Say(match)); };
  }
  static std::string Second(uint64_t time_ns) {
    const uint64_t ms = (time_ns - kStart) / (kSecond / 1000);
    std::string text = std::to_string(ms / 1000);
    if (ms % 1000 != 0) text += "." + std::to_string(ms % 1000);
    return text;
  }
  static std::string Say(const event::Match& match) {
    std::string line = Second(match.time_ns) + "s:";
    for (const event::StepMatch& step : match.steps) {
      line += " " + Second(step.event->time_ns) + (step.events > 1 ? "x" + std::to_string(step.events) : "");
    }
    if (match.measure) line += " =" + std::to_string(*match.measure);
    if (match.suppressed > 0) line += " +" + std::to_string(match.suppressed);
    for (FieldId field : match.uncertain) line += " ?" + std::string(schema::Row(field).dotted);
    if (match.message != match.rule->title) line += " " + match.message;
    return line;
  }
  RuleCounts Count() { return tracker.counts().rules.front(); }

  SharedEngine engine;
  Tracker tracker;
  uint64_t sequence = 0;
  std::vector<std::string> alerts;
};

class BothEngines : public testing::TestWithParam<Options::Engine> {
 protected:
  Bench Run(ir::Rule rule, int64_t late_bound_ns = 0) { return Bench(GetParam(), {std::move(rule)}, late_bound_ns); }
};

using Lines = std::vector<std::string>;

}  // namespace ks::state

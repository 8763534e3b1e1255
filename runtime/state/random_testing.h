// Random machines, and events that they are about.
#pragma once

#include <random>

#include "runtime/state/state_testing.h"

namespace ks::state {

class Random {
 public:
  explicit Random(uint32_t seed) : random_(seed) {}
  size_t Below(size_t bound) { return random_() % bound; }
  bool OneIn(size_t n) { return Below(n) == 0; }

  // File events, so that any of them can be joined.
  EventKind Kind() { return std::array{EventKind::open_, EventKind::chmod_, EventKind::unlink_, EventKind::rename_}[Below(4)]; }
  FieldId Field() { return std::array{FieldId::file_path, FieldId::process_uid, FieldId::process_name}[Below(3)]; }
  schema::Value ValueOf(FieldId field) {
    if (field == FieldId::process_uid) return static_cast<int64_t>(Below(3));
    return std::string(std::array{"/a", "/b", "/c"}[Below(3)]);
  }
  ir::Key KeyOf() {
    switch (Below(4)) {
      case 0:
        return {};
      case 1:
        return {Of(FieldId::container_id)};
      case 2:
        return {Of(FieldId::process_pid), Of(FieldId::container_id)};
      default:
        return {Of(FieldId::process_pid)};
    }
  }
  int64_t Within() { return static_cast<int64_t>((1 + Below(8)) * kSecond); }

  ir::Step Step(ir::Step::Role role, uint8_t before) {
    ir::Step step = Match("", Kind());
    step.role = role;
    if (OneIn(3)) step.kinds.push_back(Kind());
    if (OneIn(3)) {
      const FieldId field = Field();
      step.when = Is(Of(field), ValueOf(field));
    }
    for (size_t i = 0, n = before == 0 ? 0 : Below(3); i < n; ++i) {
      const FieldId field = Field();
      step.joins.push_back({Of(field), Of(field, static_cast<uint8_t>(1 + Below(before)))});
    }
    if (before > 0 && OneIn(3)) {
      const FieldId field = Field();
      step.cross = Equal(Of(field), Of(field, static_cast<uint8_t>(1 + Below(before))));
      if (OneIn(2)) step.cross = ir::MakeNot(step.cross);
    }
    if (role == ir::Step::Role::Match && OneIn(4)) step.repeat = static_cast<uint32_t>(2 + Below(2));
    return step;
  }

  ir::Rule Rule(int number) {
    ir::Rule rule = MakeRule("r" + std::to_string(number));
    if (OneIn(3)) rule.max_keys = 1 + Below(4);
    if (OneIn(4)) rule.limit = ir::Limit{1 + Below(3), Within(), {Of(FieldId::process_pid)}};
    if (OneIn(3)) {
      rule.kinds = {Kind(), Kind()};
      ir::Aggregate& aggregate = rule.aggregate.emplace();
      aggregate.function = static_cast<ir::Aggregate::Function>(Below(4));
      aggregate.at_least = 1 + Below(4);
      aggregate.of = {Of(aggregate.function == ir::Aggregate::Function::Sum ? FieldId::process_uid : Field())};
      aggregate.by = KeyOf();
      aggregate.within_ns = Within();
      return rule;
    }
    ir::Sequence& sequence = rule.sequence.emplace();
    sequence.unordered = OneIn(5);
    sequence.by = KeyOf();
    sequence.within_ns = Within();
    uint8_t positives = 0;
    for (size_t i = 0, n = 1 + Below(3); i < n; ++i) {
      if (positives > 0 && !sequence.unordered && OneIn(4)) {
        sequence.steps.push_back(Step(ir::Step::Role::Without, positives));
      }
      sequence.steps.push_back(Step(ir::Step::Role::Match, positives++));
    }
    if (!sequence.unordered && OneIn(3)) sequence.steps.push_back(Step(ir::Step::Role::Without, positives));
    if (OneIn(4)) sequence.steps.push_back(Step(ir::Step::Role::Until, positives));
    const FieldId field = Field();
    if (OneIn(4)) rule.when = ir::MakeNot(Is(Of(field, static_cast<uint8_t>(1 + Below(positives))), ValueOf(field)));
    rule.alert = {{"uid ", Of(FieldId::process_uid, static_cast<uint8_t>(1 + Below(positives)))}};
    return rule;
  }

  event::Event Event(double* second) {
    *second += static_cast<double>(Below(1500)) / 1000;
    const double late = OneIn(4) ? static_cast<double>(Below(3000)) / 1000 : 0;
    event::Event event = Bench::Make(std::max(*second - late, 0.0), Kind(), static_cast<int64_t>(Below(2)));
    for (FieldId field : {FieldId::file_path, FieldId::process_uid, FieldId::process_name}) {
      event.record.Set(field, ValueOf(field));
      if (OneIn(12)) event.record.Set(field, {}, OneIn(2) ? schema::Status::Absent : schema::Status::Unknown);
      if (OneIn(12) && field == FieldId::file_path) event.record.Set(field, ValueOf(field), schema::Status::Truncated);
    }
    if (OneIn(2)) event.record.Set(FieldId::container_id, std::string("c"));
    event.cpu = static_cast<uint16_t>(Below(2));
    return event;
  }

 private:
  std::mt19937 random_;
};

}  // namespace ks::state

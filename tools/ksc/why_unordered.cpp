// Unordered sequences: M25 to M28 of docs/language/meaning.md.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/ir/eval.h"
#include "tools/ksc/power_assert.h"
#include "tools/ksc/why_state.h"

namespace ks::ksc {

std::vector<const ir::Step*> KeyState::MatchingSteps(const ir::Sequence& sequence) {
  std::vector<const ir::Step*> steps;
  for (const ir::Step& step : sequence.steps) {
    if (step.role == ir::Step::Role::Match) steps.push_back(&step);
  }
  return steps;
}

KeyState::Records KeyState::RecordsOfPlaces() const {
  Records records;
  for (const Place& place : places_) records.push_back(place.last ? &place.last->record : nullptr);
  return records;
}

void KeyState::TakeUnordered(uint64_t number, const event::Event& event) {
  const ir::Sequence& sequence = *machine_.rule.sequence;
  const std::vector<const ir::Step*> steps = MatchingSteps(sequence);
  const auto within = static_cast<uint64_t>(sequence.within_ns);
  places_.resize(steps.size());
  for (Place& place : places_) {
    std::erase_if(place.seen, [&](const auto& seen) { return seen.first + within < event.time_ns; });
    if (place.seen.empty()) place.last = nullptr;
  }
  for (const ir::Step& step : sequence.steps) {
    if (step.role != ir::Step::Role::Until || !Passes(step, event)) continue;
    if (Holds(step, event.record, RecordsOfPlaces())) places_.assign(steps.size(), {});
  }
  // The first step that it matches and that is not filled yet; else the first that it matches.
  size_t chosen = steps.size();
  for (size_t i = steps.size(); i-- > 0;) {
    if (Passes(*steps[i], event)) chosen = i;
  }
  if (chosen == steps.size()) return;
  for (size_t i = steps.size(); i-- > 0;) {
    if (Passes(*steps[i], event) && places_[i].seen.size() < steps[i]->repeat) chosen = i;
  }
  Place& place = places_[chosen];
  place.seen.emplace_back(event.time_ns, number);
  if (place.seen.size() > steps[chosen]->repeat) place.seen.erase(place.seen.begin());
  place.last = std::make_shared<const event::Event>(event);
  for (size_t i = 0; i < steps.size(); ++i) {
    if (places_[i].seen.size() < steps[i]->repeat) return;
  }
  const Records records = RecordsOfPlaces();
  for (size_t i = 0; i < steps.size(); ++i) {
    if (!Holds(*steps[i], *records[i], records)) return;
  }
  if (ir::Eval(machine_.rule.when, ir::Frame(&event.record, records)) == ir::Truth::False) return;
  const std::vector<std::string> names = StepNames(machine_.rule);
  fired_ = {number, 0, ""};
  for (size_t i = 0; i < steps.size(); ++i) fired_.of += fmt::format(" {} (#{})", names[i], places_[i].seen.back().second);
  places_.assign(steps.size(), {});
}

std::vector<std::string> KeyState::DescribeUnordered(uint64_t now_ns) const {
  if (fired_.number != 0 && fired_.number == newest_) {
    return {fmt::format("complete at this event:{}: an alert, which consumes them", fired_.of)};
  }
  const ir::Sequence& sequence = *machine_.rule.sequence;
  const std::vector<const ir::Step*> steps = MatchingSteps(sequence);
  const std::vector<std::string> names = StepNames(machine_.rule);
  const auto within = static_cast<uint64_t>(sequence.within_ns);
  std::string have, wait;
  uint64_t oldest = UINT64_MAX;
  for (size_t i = 0; i < places_.size(); ++i) {
    std::vector<std::pair<uint64_t, uint64_t>> seen = places_[i].seen;
    std::erase_if(seen, [&](const auto& one) { return one.first + within < now_ns; });
    if (!seen.empty()) {
      oldest = std::min(oldest, seen.front().first);
      std::string times = steps[i]->repeat > 1 ? fmt::format(", {} of {}", seen.size(), steps[i]->repeat) : "";
      have += fmt::format(" {} (#{}{})", names[i], seen.back().second, times);
    }
    if (seen.size() < steps[i]->repeat) wait += (wait.empty() ? "" : ", ") + names[i];
  }
  std::string before =
      fired_.number == 0 ? std::string() : fmt::format(", after the alert at #{} consumed its events", fired_.number);
  if (have.empty()) return {"no partial match is live for this key" + before};
  std::string line = "partial match, in any order:" + have + before;
  if (!wait.empty()) {
    line += fmt::format(", waits for {}; what came first counts for another {:.3f} s", wait,
                        static_cast<double>(oldest + within - now_ns) / 1e9);
    return {line};
  }
  std::vector<std::string> lines = {line + "; every step has an event, yet no alert came of it:"};
  const Records records = RecordsOfPlaces();
  for (size_t i = 0; i < steps.size(); ++i) {
    if (Holds(*steps[i], *records[i], records)) continue;
    lines.push_back(fmt::format("  what {} asks of the other steps does not hold:", names[i]));
    for (std::string& row : Lines(Judge(TiesOf(*steps[i]), ir::Frame(records[i], records), names), "    ")) lines.push_back(std::move(row));
  }
  if (lines.size() == 1) lines.push_back("  an exception holds");
  return lines;
}

}  // namespace ks::ksc

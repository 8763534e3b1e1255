// Findings become matches.
#include <algorithm>

#include "runtime/engine/message.h"
#include "runtime/state/machinery.h"
#include "runtime/state/value.h"

namespace ks::state {
namespace {

// The records that a rule's predicates and templates read.
struct Records {
  std::vector<const schema::Record*> steps;
  ir::Frame frame;
  explicit Records(const Finding& finding) : steps(Of(finding)), frame(&finding.last->event.record, steps) {}
  static std::vector<const schema::Record*> Of(const Finding& finding) {
    std::vector<const schema::Record*> records;
    for (const Piece& piece : finding.steps) records.push_back(piece.kept ? &piece.kept->event.record : nullptr);
    return records;
  }
};

// Of values that may be shown: a hash of others would tell whoever can guess them.
std::string KeyToTell(const ir::Rule& rule, const Kept& kept) {
  const ir::Key& by = rule.sequence ? rule.sequence->by : rule.aggregate ? rule.aggregate->by : rule.limit->by;
  ir::Key shown;
  for (const ir::Operand& operand : by) {
    if (operand.step == ir::kThisEvent && std::ranges::count(kept.said->shown, operand.field)) shown.push_back(operand);
  }
  return EncodeKey(shown, kept.event.record);
}

}  // namespace

std::shared_ptr<const Said> MakeSaid(const event::Match& match) {
  return std::make_shared<const Said>(Said{{match.matched.begin(), match.matched.end()},
                                           match.uncertain,
                                           {match.shown.begin(), match.shown.end()}});
}

bool IsExcepted(const ir::Rule& rule, const Finding& finding) {
  if (!rule.sequence) return false;  // its probe has decided
  const Records records(finding);
  return ir::Eval(rule.when, records.frame) == ir::Truth::False;
}

std::string LimitKey(const ir::Rule& rule, const Finding& finding) {
  std::string key;
  for (const ir::Operand& operand : rule.limit->by) {
    const Kept* kept = finding.last;
    if (operand.step != ir::kThisEvent && operand.step <= finding.steps.size()) {
      kept = finding.steps[operand.step - 1].kept;
    }
    key += Encode(ir::ReadOperand(operand, kept->event.record));
  }
  return key;
}

void Report(const engine::Engine& engine, const ir::Machine& machine, const Finding& finding, uint64_t suppressed,
            const OnAlert& on_alert) {
  const Records records(finding);
  const ir::Rule& rule = machine.rule;
  event::Match match;
  match.event = &finding.last->event;
  match.rule = &engine.info(machine.probes.front());
  match.probe = machine.probes.front();
  match.time_ns = finding.time_ns;
  match.measure = finding.measure;
  match.suppressed = suppressed;
  match.shown = finding.last->said->shown;
  match.key = KeyToTell(rule, *finding.last);
  match.message = engine::FillTemplate(rule.alert, records.frame, match.rule->disclosed, finding.measure);
  if (match.message.empty()) match.message = engine::PlainMessage(*match.rule);
  match.uncertain = finding.doubts;
  const auto add = [&](const Kept& kept) {
    AddFields(kept.said->uncertain, &match.uncertain);
    for (const std::string& word : kept.said->matched) {
      if (!std::ranges::count(match.matched, word)) match.matched.emplace_back(word);
    }
  };
  if (finding.steps.empty()) add(*finding.last);
  if (rule.sequence) AddFields(DoubtsOf(rule.when, records.frame), &match.uncertain);
  size_t number = 0;
  for (const ir::Step& step : rule.sequence ? rule.sequence->steps : std::vector<ir::Step>{}) {
    if (step.role != ir::Step::Role::Match) continue;
    const Piece& piece = finding.steps[number++];
    add(*piece.kept);
    match.steps.push_back({step.name.empty() ? std::to_string(number) : step.name, &piece.kept->event, piece.events,
                           piece.kept->said->shown});
  }
  on_alert(match);
}

}  // namespace ks::state

// Which rule of the new policy is which of the old one.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/ir/limits.h"
#include "tools/ksc/diff.h"

namespace ks::ksc {
namespace {

// What the rule asks of events, whatever its name.
std::string Detection(const ir::Rule& rule) {
  ir::Machine machine;
  machine.rule = rule;
  machine.rule.id.clear();
  return ir::Fingerprint(machine);
}

std::string Text(const std::vector<ir::TemplatePart>& alert) {
  std::string text;
  for (const ir::TemplatePart& part : alert) {
    text += part.text;
    if (part.operand) text += fmt::format("{{{}:{}}}", part.operand->step, schema::Row(part.operand->field).dotted);
    if (part.fallback) text += *part.fallback;
  }
  return text;
}

}  // namespace

bool AsksTheSame(const ir::Rule& before, const ir::Rule& after) { return Detection(before) == Detection(after); }

std::vector<RulePair> PairRules(const ir::Program& before, const ir::Program& after) {
  std::vector<RulePair> pairs;
  std::map<std::string, const ir::Rule*> fresh;  // by id
  for (const ir::Rule* rule : RulesOf(after)) fresh.emplace(rule->id, rule);
  for (const ir::Rule* rule : RulesOf(before)) {
    auto found = fresh.find(rule->id);
    pairs.push_back({rule, found == fresh.end() ? nullptr : found->second});
    if (found != fresh.end()) fresh.erase(found);
  }
  // Two that ask the same and are both gone, or both new: nobody knows which became which.
  std::multimap<std::string, RulePair*> gone;
  for (RulePair& pair : pairs) {
    if (pair.after == nullptr) gone.emplace(Detection(*pair.before), &pair);
  }
  std::multimap<std::string, const ir::Rule*> unnamed;
  if (!gone.empty()) {
    for (const auto& [id, rule] : fresh) unnamed.emplace(Detection(*rule), rule);
  }
  for (const auto& [detection, rule] : unnamed) {
    if (gone.count(detection) != 1 || unnamed.count(detection) != 1) continue;
    gone.find(detection)->second->after = rule;
    fresh.erase(rule->id);
  }
  for (const ir::Rule* rule : RulesOf(after)) {
    if (fresh.contains(rule->id)) pairs.push_back({nullptr, rule});
  }
  return pairs;
}

std::vector<std::string> Retold(const RulePair& pair) {
  std::vector<std::string> said;
  if (pair.before == nullptr || pair.after == nullptr) return said;
  const ir::Rule &before = *pair.before, &after = *pair.after;
  if (before.severity != after.severity) {
    said.push_back(fmt::format("severity {}, was {}", Name(after.severity), Name(before.severity)));
  }
  if (before.title != after.title) said.push_back("another title");
  if (Text(before.alert) != Text(after.alert)) said.push_back("another text");
  if (before.attack != after.attack) said.push_back("other techniques");
  const auto limit = [](const ir::Rule& rule) {
    return rule.limit ? std::pair(rule.limit->count, rule.limit->per_ns) : std::pair<uint64_t, int64_t>();
  };
  if (limit(before) != limit(after) || (before.limit && before.limit->by != after.limit->by))
    said.push_back("another limit");
  return said;
}

}  // namespace ks::ksc

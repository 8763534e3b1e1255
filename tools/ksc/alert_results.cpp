#include "tools/ksc/alert_results.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace ks::ksc {
namespace {

struct Alert {
  std::string rule, title, severity, message, time;
};

// The lines are ours, or have been read by replay::Compare: JSON objects of bounded depth, but their members may be anything.
Alert AlertOf(const std::string& line) {
  const nlohmann::json json = nlohmann::json::parse(line, nullptr, false);
  const auto text = [&](const char* key) {
    const auto found = json.is_object() ? json.find(key) : json.end();
    return json.is_object() && found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  const std::string package = text("package"), rule = text("rule");
  return {package.empty() ? rule : package + "." + rule, text("title"), text("severity"), text("message"), text("time")};
}

Level LevelOf(const std::string& severity) {
  if (severity == "critical" || severity == "high") return Level::Error;
  return severity == "medium" ? Level::Warning : Level::Note;
}

Finding FindingOf(const std::string& line, const RulePlaces& places) {
  const Alert alert = AlertOf(line);
  Finding finding;
  finding.suite = alert.rule;
  finding.name = fmt::format("{} {}", alert.time, alert.message);
  if (const auto place = places.find(alert.rule); place != places.end()) finding.place = place->second;
  return finding;
}

}  // namespace

RulePlaces RulePlacesOf(const ir::Program& program, const std::vector<std::unique_ptr<SourceFile>>& files) {
  RulePlaces places;
  const auto add = [&](const ir::Rule& rule) {
    if (rule.source.empty()) return;
    Place place = PlaceOf(rule.source);
    const auto file = std::ranges::find(files, place.file, [](const auto& one) { return one->logical(); });
    if (file != files.end()) place.file = (*file)->name();
    places[rule.id] = std::move(place);
  };
  for (const ir::SplitRule& split : program.rules) add(split.rule);
  for (const ir::Machine& machine : program.machines) add(machine.rule);
  return places;
}

std::vector<Finding> FindingsOfAlerts(std::string_view format, const std::vector<std::string>& raised,
                                      const RulePlaces& places) {
  std::vector<Finding> findings;
  for (const std::string& line : raised) {
    const Alert alert = AlertOf(line);
    Finding finding = FindingOf(line, places);
    finding.name = alert.title;
    finding.code = alert.rule;
    finding.level = format == "github" ? Level::Note : LevelOf(alert.severity);
    finding.message = alert.message;
    finding.details = fmt::format("{}, severity {}", alert.time, alert.severity);
    findings.push_back(std::move(finding));
  }
  return findings;
}

std::vector<Finding> FindingsOfComparison(const replay::Comparison& comparison, const std::vector<std::string>& raised,
                                          std::string_view expected, const std::string& where,
                                          const RulePlaces& places) {
  std::vector<Finding> findings;
  std::map<std::string_view, size_t> unexpected, missing;
  for (const std::string& line : comparison.unexpected) ++unexpected[line];
  for (const std::string& line : comparison.missing) ++missing[line];
  const auto takes = [](std::map<std::string_view, size_t>& counts, std::string_view line) {
    const auto found = counts.find(line);
    return found != counts.end() && found->second > 0 && found->second-- > 0;
  };
  for (const std::string& line : raised) {
    Finding finding = FindingOf(line, places);
    if (takes(unexpected, line)) {
      finding.code = "alert-unexpected";
      finding.level = Level::Error;
      finding.message = fmt::format("{} raised an alert that is not expected", finding.suite);
      finding.details = line;
    }
    findings.push_back(std::move(finding));
  }
  uint32_t number = 0;
  while (!expected.empty()) {
    const size_t end = std::min(expected.find('\n'), expected.size());
    const std::string_view line = expected.substr(0, end);
    expected.remove_prefix(std::min(end + 1, expected.size()));
    ++number;
    if (!takes(missing, line)) continue;
    Finding finding = FindingOf(std::string(line), places);
    finding.code = "alert-missing";
    finding.level = Level::Error;
    finding.place = {where, number};
    finding.message = fmt::format("{} did not raise an alert that is expected", finding.suite);
    finding.details = line;
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace ks::ksc

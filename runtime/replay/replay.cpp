#include "runtime/replay/replay.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "compiler/ir/eval.h"

namespace ks::replay {
namespace {

// What differs between a live run and a replay, or from one node to another, although the alert is the same.
constexpr auto kVolatile = std::to_array<const char*>(
    {"id", "dedup", "time", "node", "boot", "seq", "bundle", "version", "egress", "lost_before"});

constexpr size_t kMaxAlertDepth = 16;

// One alert without what is volatile, in a canonical form. Nothing if the line is no JSON object.
std::optional<std::string> Canonical(std::string_view line) {
  // Depth is bounded before the parser recurses.
  size_t depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    if (quoted) {
      if (line[i] == '\\') ++i;
      if (i < line.size() && line[i] == '"') quoted = false;
    } else if (line[i] == '"') {
      quoted = true;
    } else if (line[i] == '{' || line[i] == '[') {
      if (++depth > kMaxAlertDepth) return std::nullopt;
    } else if (line[i] == '}' || line[i] == ']') {
      if (depth > 0) --depth;
    }
  }
  nlohmann::json alert = nlohmann::json::parse(line, nullptr, false);
  if (!alert.is_object()) return std::nullopt;
  for (const char* key : kVolatile) alert.erase(key);
  return alert.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::vector<MissingColumn> FindMissingColumns(const ir::Program& program, const trace::Info& info) {
  std::set<std::string_view> columns(info.columns.begin(), info.columns.end());
  std::vector<MissingColumn> missing;
  for (const ir::SplitRule& split : program.rules) {
    for (schema::FieldId field : ir::FieldsOf(split.rule.when)) {
      const schema::FieldRow& row = schema::Row(field);
      if (field != schema::FieldId::event_time && !columns.contains(row.dotted)) {
        missing.push_back({split.rule.id, std::string(row.dotted)});
      }
    }
  }
  return missing;
}

void Totals::CountEvent(uint64_t time_ns) {
  const auto time = static_cast<int64_t>(time_ns);
  first_ns = events == 0 ? time : std::min(first_ns, time);
  last_ns = events == 0 ? time : std::max(last_ns, time);
  ++events;
}

void Totals::CountLost(const trace::Lost& lost_here, const ir::Program& program) {
  lost += lost_here.records;
  for (const ir::SplitRule& split : program.rules) {
    const bool asks = lost_here.kinds.empty() || std::ranges::any_of(split.rule.kinds, [&](schema::EventKind kind) {
                        return std::ranges::count(lost_here.kinds, kind) != 0;
                      });
    if (asks) may_have_missed.insert(split.rule.id);
  }
}

void Totals::Add(const Totals& other) {
  if (other.events > 0) {
    first_ns = events == 0 ? other.first_ns : std::min(first_ns, other.first_ns);
    last_ns = events == 0 ? other.last_ns : std::max(last_ns, other.last_ns);
  }
  events += other.events;
  lost += other.lost;
  may_have_missed.insert(other.may_have_missed.begin(), other.may_have_missed.end());
  alerts += other.alerts;
  for (const auto& [rule, number] : other.alerts_by_rule) alerts_by_rule[rule] += number;
  late += other.late;
  damaged += other.damaged;
  for (const auto& [id, counted] : other.state) {
    state::RuleCounts& all = state[id];
    all.rule = id;
    all.live += counted.live;
    all.bytes += counted.bytes;
    all.evicted += counted.evicted;
    all.suppressed += counted.suppressed;
    all.waiting += counted.waiting;
  }
}

void TraceEnd::SettleDamage(const ir::Program& program, const trace::Info& info) {
  if (status && !info.index_rebuilt) return;
  totals.damaged = 1;
  for (const ir::SplitRule& split : program.rules) totals.may_have_missed.insert(split.rule.id);
}

Result<Comparison> Compare(std::string_view expected_lines, const std::vector<std::string>& raised,
                           const std::string& where) {
  std::multimap<std::string, std::string> expected;
  size_t number = 0;
  while (!expected_lines.empty()) {
    size_t end = std::min(expected_lines.find('\n'), expected_lines.size());
    std::string_view line = expected_lines.substr(0, end);
    expected_lines.remove_prefix(std::min(end + 1, expected_lines.size()));
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    std::optional<std::string> canonical = Canonical(line);
    if (!canonical) {
      return Error{"read the expected alerts", where + ":" + std::to_string(number), "this line is no JSON object",
                   "write expectations with `ksc replay … --format json`", "expect-format"};
    }
    expected.emplace(std::move(*canonical), std::string(line));
  }
  Comparison comparison;
  for (const std::string& line : raised) {
    std::optional<std::string> canonical = Canonical(line);
    KS_CHECK(canonical.has_value(), "an alert is a JSON object");
    auto found = expected.find(*canonical);
    if (found == expected.end()) {
      comparison.unexpected.push_back(line);
    } else {
      expected.erase(found);
    }
  }
  for (auto& [canonical, line] : expected) comparison.missing.push_back(std::move(line));
  return comparison;
}

}  // namespace ks::replay

#include "runtime/alert/alert.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/alert/json.h"
#include "runtime/event/hash.h"

namespace ks::alert {
namespace {

using event::Fnv1a64;
using schema::FieldId;
using schema::FieldRow;
using schema::TypeId;
using FieldStatus = schema::Status;

bool IsThere(const schema::FieldValue& field) {
  return field.status == FieldStatus::Ok || field.status == FieldStatus::Truncated;
}

std::string JsonFlags(int64_t value, std::string_view enumeration) {
  std::vector<std::string> names;
  for (const schema::Enumerator& flag : schema::Enumerators(enumeration)) {
    if (flag.value == 0 || (value & flag.value) != flag.value) continue;
    names.emplace_back(flag.name);
    value &= ~flag.value;
  }
  if (value != 0) names.push_back(fmt::format("{:#x}", static_cast<uint64_t>(value)));
  return JsonStrings(names);
}

std::string JsonInt(int64_t value, const FieldRow& row) {
  switch (row.type) {
    case TypeId::Bool:
      return value != 0 ? "true" : "false";
    case TypeId::Time:
    case TypeId::Mode:
      return JsonString(ToString(value, row.type, ""));
    case TypeId::Flags:
      return JsonFlags(value, row.enumeration);
    case TypeId::Enum:
      if (const auto name = schema::EnumeratorName(row.enumeration, value)) return JsonString(*name);
      return fmt::format("{}", value);
    default:
      return fmt::format("{}", value);
  }
}

std::string JsonList(std::string_view list) {
  std::vector<std::string> elements;
  while (!list.empty()) {
    const size_t end = std::min(list.find('\0'), list.size());
    elements.emplace_back(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return JsonStrings(elements);
}

std::string JsonValue(const schema::Value& value, const FieldRow& row) {
  if (const auto* number = std::get_if<int64_t>(&value)) return JsonInt(*number, row);
  if (const auto* text = std::get_if<std::string>(&value)) {
    return row.type == TypeId::StringList ? JsonList(*text) : JsonString(*text);
  }
  if (const auto* endpoint = std::get_if<schema::Endpoint>(&value)) {
    return fmt::format("{{\"ip\":{},\"port\":{}}}", JsonString(ToString(endpoint->ip)), endpoint->port);
  }
  return JsonString(ToString(value, row.type, row.enumeration));
}

// Endpoints of the event stand at the top, as the user types them; what else belongs to the event itself, in "event".
bool IsEventsOwn(const FieldRow& row) { return schema::Row(row.object).dotted.empty(); }
bool IsAtTop(const FieldRow& row) { return IsEventsOwn(row) && row.type == TypeId::Endpoint; }

void SetField(JsonObject& alert, const FieldRow& row, const schema::Value& value) {
  std::string_view name = row.dotted;
  JsonObject* object = IsEventsOwn(row) && !IsAtTop(row) ? &alert.Object("event") : &alert;
  for (size_t dot = name.find('.'); dot != std::string_view::npos; dot = name.find('.')) {
    object = &object->Object(name.substr(0, dot));
    name.remove_prefix(dot + 1);
  }
  if (schema::FindObject(row.dotted)) {
    object->Object(name).Set("is", JsonValue(value, row));
  } else {
    object->Set(name, JsonValue(value, row));
  }
}

std::vector<std::string> Names(const std::vector<FieldId>& fields) {
  std::vector<std::string> names;
  names.reserve(fields.size());
  for (FieldId field : fields) names.emplace_back(schema::Row(field).dotted);
  return names;
}

// The second lock: the engine lists what may be shown, and this holds it against the rule.
bool MayLeave(FieldId field, const event::RuleInfo& rule) {
  return schema::Row(field).data_class == schema::DataClass::Metadata || std::ranges::count(rule.disclosed, field) != 0;
}

void SetFields(JsonObject& alert, const schema::Record& record, std::span<const FieldId> shown,
               const event::RuleInfo& rule) {
  for (const bool top : {false, true}) {
    for (FieldId field : shown) {
      const FieldRow& row = schema::Row(field);
      if (field == FieldId::event_time || IsAtTop(row) != top || !IsThere(record[field])) continue;
      if (MayLeave(field, rule)) SetField(alert, row, record[field].value);
    }
  }
}

std::vector<FieldId> CutFields(const event::Match& match) {
  std::vector<FieldId> cut;
  const auto add = [&](const schema::Record& record, std::span<const FieldId> shown) {
    for (FieldId field : shown) {
      if (record[field].status == FieldStatus::Truncated && !std::ranges::count(cut, field)) cut.push_back(field);
    }
  };
  add(match.event->record, match.shown);
  for (const event::StepMatch& step : match.steps) add(step.event->record, step.shown);
  std::ranges::sort(cut);
  return cut;
}

std::string TimeText(uint64_t time_ns) { return schema::ToString(static_cast<int64_t>(time_ns), TypeId::Time, ""); }
uint64_t TimeOf(const event::Match& match) { return match.time_ns != 0 ? match.time_ns : match.event->time_ns; }

std::string Steps(const event::Match& match) {
  std::string out;
  for (const event::StepMatch& step : match.steps) {
    JsonObject object;
    object.Set("step", JsonString(step.step));
    object.Set("kind", JsonString(schema::Row(step.event->kind).name));
    object.Set("time", JsonString(TimeText(step.event->time_ns)));
    if (step.events > 1) object.Set("events", fmt::format("{}", step.events));
    SetFields(object, step.event->record, step.shown, *match.rule);
    out += (out.empty() ? "[" : ",") + object.ToString();
  }
  return out + "]";
}

// Hashes parts so that no two lists of parts run together.
class Hasher {
 public:
  Hasher& Add(std::string_view part) {
    Add(part.size());
    hash_ = Fnv1a64(part, hash_);
    return *this;
  }
  Hasher& Add(uint64_t number) {
    hash_ = Fnv1a64({reinterpret_cast<const char*>(&number), sizeof(number)}, hash_);
    return *this;
  }
  uint64_t hash() const { return hash_; }

 private:
  uint64_t hash_ = event::kFnvStart;
};

std::string MakeId(const event::Match& match, const Origin& origin) {
  const event::Event& event = *match.event;
  Hasher hasher;
  hasher.Add(origin.node).Add(origin.boot).Add(event.cpu).Add(event.sequence).Add(schema::Row(event.kind).name);
  // One event can end several chains.
  for (const event::StepMatch& step : match.steps) hasher.Add(step.event->cpu).Add(step.event->sequence);
  const uint64_t hash = hasher.Add(match.rule->id).hash() >> 4;
  constexpr uint64_t kNsPerMs = 1'000'000;
  const uint64_t ms = TimeOf(match) / kNsPerMs, ns = TimeOf(match) % kNsPerMs;
  // 130 bits in 26 digits of 5, of which the first two bits are 0: 48 of ms, 20 of ns, 60 of the hash.
  const auto digit = [](uint64_t bits) { return "0123456789ABCDEFGHJKMNPQRSTVWXYZ"[bits & 31]; };
  std::string id;
  for (int shift = 45; shift >= 0; shift -= 5) id += digit(ms >> shift);
  for (int shift = 15; shift >= 0; shift -= 5) id += digit(ns >> shift);
  for (int shift = 55; shift >= 0; shift -= 5) id += digit(hash >> shift);
  return id;
}

std::string MakeDedup(const event::Match& match, const Origin& origin) {
  Hasher hasher;
  hasher.Add(match.rule->id).Add(origin.node).Add(origin.boot);
  if (!match.key.empty()) hasher.Add(match.key);
  for (FieldId field : {FieldId::container_id, FieldId::process_pid, FieldId::process_start_time}) {
    if (!match.key.empty()) break;
    const schema::FieldValue& value = match.event->record[field];
    const bool known = value.status == FieldStatus::Ok && std::ranges::count(match.shown, field) != 0;
    hasher.Add(known ? JsonValue(value.value, schema::Row(field)) : std::string());
  }
  return fmt::format("fnv1a64:{:016x}", hasher.hash());
}

std::string_view Color(std::string_view severity) {
  if (severity == "critical") return "\x1b[1;31m";
  if (severity == "high") return "\x1b[31m";
  if (severity == "medium") return "\x1b[33m";
  if (severity == "low") return "\x1b[36m";
  return "\x1b[2m";
}

}  // namespace

std::string Format(const event::Match& match, const Origin& origin, uint64_t sequence, uint64_t lost_before) {
  const event::RuleInfo& rule = *match.rule;
  JsonObject alert;
  const auto set_if_known = [&](std::string_view key, const std::string& text) {
    if (!text.empty()) alert.Set(key, JsonString(text));
  };
  alert.Set("v", "1");
  alert.Set("id", JsonString(MakeId(match, origin)));
  alert.Set("dedup", JsonString(MakeDedup(match, origin)));
  alert.Set("time", JsonString(TimeText(TimeOf(match))));
  set_if_known("node", origin.node);
  set_if_known("boot", origin.boot);
  alert.Set("seq", fmt::format("{}", sequence));
  alert.Set("package", JsonString(rule.package));
  alert.Set("rule", JsonString(rule.name));
  alert.Set("title", JsonString(rule.title));
  if (!origin.bundle_digest.empty()) {
    alert.Set("bundle", JsonString(origin.bundle_digest));
    alert.Set("version", fmt::format("{}", origin.bundle_version));
  }
  alert.Set("severity", JsonString(rule.severity));
  alert.Object("event").Set("kind", JsonString(schema::Row(match.event->kind).name));
  SetFields(alert, match.event->record, match.shown, rule);
  if (match.measure) alert.Set(rule.measure, fmt::format("{}", *match.measure));
  if (!match.steps.empty()) alert.Set("steps", Steps(match));
  if (match.suppressed > 0) alert.Set("suppressed", fmt::format("{}", match.suppressed));
  alert.Set("message", JsonString(match.message));
  alert.Set("match", JsonStrings(match.matched));
  alert.Set("uncertain", JsonStrings(Names(match.uncertain)));
  if (const auto cut = CutFields(match); !cut.empty()) alert.Set("cut", JsonStrings(Names(cut)));
  alert.Set("lost_before", fmt::format("{}", lost_before));
  alert.Set("attack", JsonStrings(rule.attack));
  set_if_known("egress", origin.egress_digest);
  return alert.ToString();
}

std::string FormatHuman(const event::Match& match, bool color) {
  // 2026-11-23T17:12:03.123456789Z → 2026-11-23 17:12:03.123
  std::string time = TimeText(TimeOf(match));
  time.resize(std::min<size_t>(time.size(), 23));
  std::ranges::replace(time, 'T', ' ');
  std::string severity = match.rule->severity;
  std::ranges::transform(severity, severity.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  const std::string words = fmt::format("{}", fmt::join(match.matched, ", "));
  std::string doubts;
  for (const std::string& name : Names(match.uncertain)) doubts += (doubts.empty() ? "" : ", ") + name;
  const std::string_view on = color ? Color(match.rule->severity) : "", off = color ? "\x1b[0m" : "";
  std::string line =
      fmt::format("{}  {}{:<8}{}  {}: {}", time, on, severity, off, event::Printable(match.rule->name), match.message);
  if (!words.empty()) line += "  [" + words + "]";
  if (!match.steps.empty()) {
    const uint64_t first = match.steps.front().event->time_ns;
    std::string steps;
    for (const event::StepMatch& step : match.steps) {
      const auto after = static_cast<double>(step.event->time_ns - std::min(first, step.event->time_ns)) / 1e9;
      steps += fmt::format("{}{} +{:.3f}s", steps.empty() ? "" : ", ", event::Printable(step.step), after);
    }
    line += "  {" + steps + "}";
  }
  if (match.suppressed > 0) line += fmt::format("  (and {} held back before)", match.suppressed);
  if (!doubts.empty()) line += "  (uncertain: " + doubts + ")";
  return line;
}

}  // namespace ks::alert

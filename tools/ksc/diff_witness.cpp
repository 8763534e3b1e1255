#include "tools/ksc/diff_witness.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <set>

#include "compiler/ir/passes.h"
#include "runtime/engine/engine.h"
#include "runtime/state/tracker.h"
#include "tools/ksc/commands.h"

namespace ks::ksc {
namespace {

using schema::FieldId;
using schema::Status;

constexpr int64_t kDayNs = 86'400'000'000'000;

// How often the rule fires on the events, as `ksc test` would have it.
uint64_t CountAlerts(const ir::Rule& rule, const std::vector<lower::Feed>& feeds) {
  const engine::Engine engine(ir::MakeProgram({rule}));
  state::Tracker tracker(engine, {});
  uint64_t alerts = 0;
  const state::OnAlert on_alert = [&](const event::Match&) { ++alerts; };
  const int64_t start_ns = Now() * 1'000'000'000 / kDayNs * kDayNs;
  uint64_t number = 0;
  for (const lower::Feed& feed : feeds) {
    event::Event event;
    event.kind = feed.kind;
    event.record = feed.record;
    event.time_ns = static_cast<uint64_t>(start_ns + feed.offset_ns);
    if (event.record[FieldId::event_time].value == schema::Value(feed.offset_ns)) event::SetTime(event, event.time_ns);
    event.sequence = ++number;
    tracker.Take(event, engine.DecideAll(event), on_alert);
  }
  if (!feeds.empty()) tracker.Advance(static_cast<uint64_t>(start_ns + feeds.back().offset_ns), on_alert);
  return alerts;
}

// A record of the language: names in the order of the table, records in records.
struct Tree {
  std::vector<std::pair<std::string, std::unique_ptr<Tree>>> fields;
  std::string value;

  Tree& At(std::string_view dotted) {
    const size_t dot = std::min(dotted.find('.'), dotted.size());
    const std::string_view name = dotted.substr(0, dot);
    auto it = std::ranges::find_if(fields, [&](const auto& field) { return field.first == name; });
    if (it == fields.end()) it = fields.insert(it, {std::string(name), std::make_unique<Tree>()});
    return dot == dotted.size() ? *it->second : it->second->At(dotted.substr(dot + 1));
  }
  std::string Text() const {
    if (fields.empty() && !value.empty()) return value;
    std::string out;
    for (const auto& [name, field] : fields)
      out += fmt::format("{}{}: {}", out.empty() ? "" : ", ", name, field->Text());
    return out.empty() ? "{}" : "{ " + out + " }";
  }
};

std::string FeedText(const prove::Fed& fed, const std::set<FieldId>& left_out) {
  Tree tree;
  for (const schema::FieldRow& row : schema::Fields()) {
    const schema::FieldValue& field = fed.record[row.id];
    if (field.status != Status::Ok || !schema::Has(fed.kind, row.id)) continue;
    const schema::ObjectRow& object = schema::Row(row.object);
    if (object.guard == schema::Guard::Exists) tree.At(schema::Row(schema::GuardObject(object.id)).dotted);
    if (left_out.contains(row.id)) continue;
    tree.At(row.dotted).value = row.type == schema::TypeId::Time
                                    ? schema::ToString(field.value, row.type, "").substr(0, 10)
                                    : schema::ToString(field.value, row.type, row.enumeration);
  }
  return fmt::format("{} {}", schema::Row(fed.kind).name, tree.Text());
}

std::string After(int64_t ns) {
  return ns == 0 ? "" : fmt::format("+{} ", schema::ToString(ns, schema::TypeId::Duration, ""));
}

// The steps of a case; what repeats in even steps is said once.
std::string StepsText(const std::vector<prove::Fed>& events, const std::set<FieldId>& left_out) {
  std::string out;
  int64_t now = 0;
  for (size_t i = 0; i < events.size();) {
    const std::string text = FeedText(events[i], left_out);
    size_t end = i + 1;
    const int64_t every = end < events.size() ? events[end].offset_ns - events[i].offset_ns : 0;
    while (end < events.size() && events[end].offset_ns - events[end - 1].offset_ns == every &&
           FeedText(events[end], left_out) == text)
      ++end;
    const std::string after = After(events[i].offset_ns - now);
    if (end - i > 1) {
      const std::string rate =
          every == 0 ? "" : fmt::format(" every {}", schema::ToString(every, schema::TypeId::Duration, ""));
      out += fmt::format("    {}repeat {}{} {{\n      {}\n    }}\n", after, end - i, rate, text);
    } else {
      out += fmt::format("    {}{}\n", after, text);
    }
    now = events[end - 1].offset_ns;
    i = end;
  }
  return out;
}

std::string TestText(const ir::Rule& rule, const std::string& steps, bool lost, uint64_t before, uint64_t after) {
  const auto said = [](uint64_t alerts) {
    return alerts == 0 ? std::string("quiet") : fmt::format("{} alert", alerts);
  };
  return fmt::format("test {} {{\n  case \"{}\" {{\n{}    expect {}  # before the change: {}\n  }}\n}}\n", rule.name,
                     lost ? "no alert since the change" : "an alert since the change", steps, said(after),
                     said(before));
}

// The events of the test, as the language reads them. The rule that it is a test of stands for any.
std::optional<std::vector<lower::Feed>> Parse(const ir::Rule& rule, schema::EventKind kind, const std::string& test) {
  const std::string text = fmt::format("ksp 1\npackage {}\nrule {} \"stand-in\" {{\n  severity low\n  on {}\n}}\n{}",
                                       rule.package, rule.name, schema::Row(kind).name, test);
  std::vector<driver::Source> sources;
  sources.push_back({"witness.ksp", text, ""});
  driver::Options options;
  options.now_ns = Now() * 1'000'000'000;
  Result<std::unique_ptr<driver::Analysis>> analysis = driver::Analyze(std::move(sources), options);
  if (!analysis || !(*analysis)->ok()) return std::nullopt;
  const std::vector<sema::TestCase>& tests = (*analysis)->checked.front().tests;
  if (tests.size() != 1) return std::nullopt;
  std::vector<lower::Feed> feeds;
  const lower::TestCase lowered = lower::LowerTest(tests.front());
  for (const auto& step : lowered.steps) {
    if (const auto* feed = std::get_if<lower::Feed>(&step)) feeds.push_back(*feed);
  }
  return feeds;
}

}  // namespace

std::optional<Witness> MakeWitness(const ir::Rule& before, const ir::Rule& after, const std::vector<prove::Fed>& events,
                                   bool lost) {
  if (events.empty()) return std::nullopt;
  std::set<FieldId> left_out;
  std::optional<Witness> witness;
  const auto attempt = [&] {
    const std::string steps = StepsText(events, left_out);
    const auto feeds = Parse(after, events.front().kind, TestText(after, steps, lost, 0, 0));
    if (!feeds) return false;
    const uint64_t old_alerts = CountAlerts(before, *feeds), new_alerts = CountAlerts(after, *feeds);
    if ((old_alerts > 0) != lost || (new_alerts > 0) == lost) return false;
    witness = Witness{TestText(after, steps, lost, old_alerts, new_alerts), old_alerts, new_alerts};
    return true;
  };
  if (!attempt()) return std::nullopt;
  for (const schema::FieldRow& row : schema::Fields()) {
    const bool given =
        std::ranges::any_of(events, [&](const prove::Fed& fed) { return fed.record[row.id].status == Status::Ok; });
    if (!given) continue;
    left_out.insert(row.id);
    if (!attempt()) left_out.erase(row.id);
  }
  return witness;
}

std::string Describe(const prove::Fed& event) {
  std::string out;
  for (const schema::FieldRow& row : schema::Fields()) {
    const schema::FieldValue& field = event.record[row.id];
    std::string what;
    switch (field.status) {
      case Status::Unread:
        continue;
      case Status::Ok:
        what = schema::ToString(field.value, row.type, row.enumeration);
        break;
      case Status::Absent:
        what = "absent";
        break;
      case Status::Truncated:
        what = "cut";
        break;
      default:
        what = "unknown";
    }
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", row.dotted, what);
  }
  return fmt::format("{} with {}", schema::Row(event.kind).name, out);
}

}  // namespace ks::ksc

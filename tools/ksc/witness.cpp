#include "tools/ksc/witness.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/lower/state.h"

namespace ks::ksc {
namespace {

using lower::Expect;
using lower::Feed;
using lower::TestCase;

constexpr size_t kMostTries = 1'000;
constexpr size_t kMostShrunk = 120;  // events of a case that is made smaller
constexpr size_t kMostRepeated = 1'500;
constexpr size_t kMostEvents = 40;  // of all cases, to start from

// The events of a case, and one expectation at its end.
TestCase Plain(const TestCase& test) {
  TestCase out;
  out.rule = test.rule;
  out.environment = test.environment;
  Expect end;
  end.rule = test.rule;
  for (const auto& step : test.steps) {
    if (const auto* feed = std::get_if<Feed>(&step)) {
      out.steps.emplace_back(*feed);
      end.offset_ns = std::max(end.offset_ns, feed->offset_ns);
    } else if (const auto* expect = std::get_if<Expect>(&step)) {
      end.offset_ns = std::max(end.offset_ns, expect->offset_ns);
    }
  }
  out.steps.emplace_back(std::move(end));
  return out;
}

size_t Events(const TestCase& test) { return test.steps.size() - 1; }
Feed& At(TestCase& test, size_t i) { return std::get<Feed>(test.steps[i]); }
const Feed& At(const TestCase& test, size_t i) { return std::get<Feed>(test.steps[i]); }

// Puts everything from event i on so much later.
void Delay(TestCase* test, size_t i, int64_t ns) {
  for (size_t k = i; k < test->steps.size(); ++k) {
    std::visit([ns](auto& step) { step.offset_ns += ns; }, test->steps[k]);
  }
}

// As CompleteRecord would: an event's time is that of its place, unless a test says otherwise.
void SetTimes(TestCase* test) {
  for (auto& step : test->steps) {
    if (auto* feed = std::get_if<Feed>(&step)) feed->record.Set(schema::FieldId::event_time, feed->offset_ns);
  }
}

// Whether it is just what the one before was: what is done to that need not be done to it.
bool Repeats(const TestCase& test, size_t i) {
  if (i == 0 || At(test, i).kind != At(test, i - 1).kind) return false;
  schema::Record before = At(test, i - 1).record;
  before.Set(schema::FieldId::event_time, At(test, i).offset_ns);
  return At(test, i).record == before;
}

bool IsOf(const std::vector<schema::EventKind>& kinds, schema::EventKind kind) {
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

std::vector<int64_t> WindowsOf(const sema::Rule& rule) {
  std::vector<int64_t> out;
  if (rule.sequence) out.push_back(rule.sequence->within_ns);
  if (rule.aggregate) out.push_back(rule.aggregate->within_ns);
  if (rule.limit) out.push_back(rule.limit->per_ns);
  return out;
}

// Fields by which events are told apart or counted.
std::vector<schema::FieldId> KeysOf(const sema::Rule& rule) {
  std::vector<schema::FieldId> out;
  auto add = [&](const sema::Key& key) {
    for (const sema::FieldRef& field : key) out.push_back(field.field);
  };
  if (rule.sequence) add(rule.sequence->by);
  if (rule.aggregate) add(rule.aggregate->by);
  if (rule.aggregate) add(rule.aggregate->of);
  if (rule.limit) add(rule.limit->by);
  return out;
}

// Of each step that matches the first event that is one; null where the case has none.
std::vector<const schema::Record*> StepsOf(const sema::Rule& rule, const TestCase& test) {
  std::vector<const schema::Record*> steps;
  if (!rule.sequence) return steps;
  for (const sema::Step& step : rule.sequence->steps) {
    if (step.syntax == nullptr || step.syntax->role != syntax::Step::Role::Match) continue;
    const schema::Record* found = nullptr;
    const ir::Pred where = lower::LowerCondition(step.where);
    for (size_t i = 0; i < Events(test) && found == nullptr; ++i) {
      const Feed& feed = At(test, i);
      if (IsOf(step.kinds, feed.kind) && ir::Eval(where, ir::Frame(&feed.record, steps)) == ir::Truth::True) {
        found = &feed.record;
      }
    }
    steps.push_back(found);
  }
  return steps;
}

}  // namespace

uint64_t Witness::AlertsOf(const engine::Engine& engine, const TestCase& test) const {
  uint64_t count = 0;
  for (const Raised& alert : RunCase(engine, test, false).alerts) count += alert.rule == subject_.rule().id ? 1 : 0;
  return count;
}

// One event alone.
bool Witness::ByEvents(const mutate::Mutant& mutant, const Try& attempt) const {
  if (mutant.ways.empty()) return false;
  std::vector<Feed> from;
  for (const TestCase& test : subject_.cases()) {
    for (const auto& step : test.steps) {
      const auto* feed = std::get_if<Feed>(&step);
      if (feed != nullptr && IsOf(subject_.rule().kinds, feed->kind) && from.size() < kMostEvents) from.push_back(*feed);
    }
  }
  for (schema::EventKind kind : subject_.rule().kinds) {
    if (!from.empty()) break;
    sema::Feed empty;
    empty.kind = kind;
    from.push_back({kind, 0, lower::CompleteRecord(empty), {}});
  }
  std::vector<std::pair<size_t, Feed>> made;  // by how much was changed
  for (const std::vector<ir::Pred>& way : mutant.ways) {
    for (const Feed& feed : from) {
      auto forced = mutate::Force(feed.kind, feed.record, way, subject_.observed());
      if (!forced) continue;
      made.emplace_back(forced->changed.size(), Feed{feed.kind, 0, std::move(forced->record), {}});
      if (made.back().first <= 1) break;
    }
  }
  std::stable_sort(made.begin(), made.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (auto& [changed, feed] : made) {
    TestCase test;
    test.rule = subject_.rule().id;
    test.environment = subject_.analysis().environment;
    test.steps.emplace_back(std::move(feed));
    Expect end;
    end.rule = test.rule;
    test.steps.emplace_back(std::move(end));
    if (attempt(std::move(test))) return true;
  }
  return false;
}

bool Witness::ByFields(const mutate::Mutant& mutant, const TestCase& base, const Try& attempt) const {
  const sema::Rule& rule = subject_.rule();
  const std::vector<const schema::Record*> steps = StepsOf(rule, base);
  for (size_t i = 0; i < Events(base); ++i) {
    if (Repeats(base, i)) continue;
    for (const std::vector<ir::Pred>& way : mutant.ways) {
      auto forced = mutate::Force(At(base, i).kind, At(base, i).record, way, subject_.observed(), steps);
      if (!forced) continue;
      TestCase test = base;
      At(test, i).record = forced->record;
      if (attempt(std::move(test))) return true;
      // Beside the one that it was made of, or all of them that are like it.
      test = base;
      test.steps.insert(test.steps.begin() + static_cast<ptrdiff_t>(i), At(base, i));
      At(test, i).record = forced->record;
      if (attempt(std::move(test))) return true;
      test = base;
      std::vector<size_t> changes;
      for (size_t k = i; k < Events(test) && (k == i || Repeats(test, k)); ++k) changes.push_back(k);
      for (size_t k : changes) At(test, k).record = forced->record;
      if (attempt(std::move(test))) return true;
    }
    for (schema::FieldId field : KeysOf(rule)) {
      if (!schema::Has(At(base, i).kind, field)) continue;
      const schema::FieldValue& now = At(base, i).record[field];
      if (now.status != schema::Status::Ok) continue;
      for (const schema::Value& other : mutate::OthersThan(field, now.value)) {
        TestCase test = base;
        mutate::SetField(At(test, i).kind, field, other, &At(test, i).record);
        if (attempt(test)) return true;
        test.steps.insert(test.steps.begin() + static_cast<ptrdiff_t>(i), At(base, i));
        if (attempt(std::move(test))) return true;
      }
    }
  }
  return false;
}

// The whole case again and again: what a limit holds back. And again with another key.
bool Witness::BySeveral(const TestCase& base, int64_t gap, const Try& attempt) const {
  const sema::Rule& rule = subject_.rule();
  if (!rule.limit || Events(base) * (rule.limit->count + 1) > kMostRepeated) return false;
  const size_t events = Events(base);
  TestCase test = base;
  for (uint64_t copy = 0; copy < rule.limit->count; ++copy) {
    const bool last = copy + 1 == rule.limit->count;
    const int64_t from = At(test, Events(test) - 1).offset_ns - At(base, 0).offset_ns + (last ? gap : 1'000'000'000);
    for (size_t i = 0; i < events; ++i) {
      Feed feed = At(base, i);
      feed.offset_ns += from;
      test.steps.insert(test.steps.end() - 1, feed);
    }
    std::get<Expect>(test.steps.back()).offset_ns = At(test, Events(test) - 1).offset_ns;
  }
  if (attempt(test)) return true;
  for (const sema::FieldRef& key : rule.limit->by) {
    TestCase other = test;
    for (size_t i = Events(test) - events; i < Events(test); ++i) {
      Feed& feed = At(other, i);
      if (!schema::Has(feed.kind, key.field) || feed.record[key.field].status != schema::Status::Ok) continue;
      const std::vector<schema::Value> values = mutate::OthersThan(key.field, feed.record[key.field].value);
      if (!values.empty()) mutate::SetField(feed.kind, key.field, values[0], &feed.record);
    }
    if (attempt(std::move(other))) return true;
  }
  return false;
}

// An event that a step asks for, in between: where the case's own ones have none.
bool Witness::BySteps(const TestCase& base, const Try& attempt) const {
  const sema::Rule& rule = subject_.rule();
  if (!rule.sequence) return false;
  const std::vector<const schema::Record*> before = StepsOf(rule, base);
  for (const sema::Step& step : rule.sequence->steps) {
    if (step.syntax == nullptr) continue;
    const ir::Pred where = lower::LowerCondition(step.where);
    for (size_t i = 0; i <= Events(base); ++i) {
      const Feed& beside = At(base, i < Events(base) ? i : i - 1);
      sema::Feed empty;
      empty.kind = step.kinds[0];
      schema::Record record = lower::CompleteRecord(empty);
      for (const sema::FieldRef& key : rule.sequence->by) {
        const schema::FieldValue& value = beside.record[key.field];
        if (schema::Has(empty.kind, key.field) && value.status == schema::Status::Ok) {
          mutate::SetField(empty.kind, key.field, value.value, &record);
        }
      }
      auto forced = mutate::Force(empty.kind, record, {where}, subject_.observed(), before);
      if (!forced) continue;
      TestCase test = base;
      test.steps.insert(test.steps.begin() + static_cast<ptrdiff_t>(i),
                        Feed{empty.kind, beside.offset_ns, std::move(forced->record), {}});
      if (attempt(std::move(test))) return true;
    }
  }
  return false;
}

bool Witness::ByTimes(const TestCase& base, const Try& attempt) const {
  if (Events(base) == 0) return false;
  const Feed first = At(base, 0), last = At(base, Events(base) - 1);
  const int64_t lasts = last.offset_ns - first.offset_ns;
  for (int64_t window : WindowsOf(subject_.rule())) {
    for (int64_t target : {window / 4 * 3, window / 2 * 3}) {
      if (Events(base) > 1 && target > lasts) {
        TestCase test = base;
        Delay(&test, Events(base) - 1, target - lasts);
        if (attempt(std::move(test))) return true;
      }
      TestCase again = base;
      again.steps.insert(again.steps.end() - 1, last);
      Delay(&again, Events(base), target);
      if (attempt(std::move(again))) return true;
      if (BySeveral(base, target, attempt)) return true;
      // Time goes on after the last event: what waits for the end of the window.
      TestCase later = base;
      Delay(&later, Events(base), target);
      if (attempt(std::move(later))) return true;
    }
  }
  return false;
}

bool Witness::ByCases(const mutate::Mutant& mutant, const Try& attempt) const {
  std::vector<TestCase> bases;
  for (const TestCase& test : subject_.cases()) bases.push_back(Plain(test));
  std::stable_sort(bases.begin(), bases.end(),
                   [](const TestCase& a, const TestCase& b) { return a.steps.size() < b.steps.size(); });
  for (const TestCase& base : bases) {
    if (attempt(base) || ByTimes(base, attempt) || ByFields(mutant, base, attempt) || BySteps(base, attempt)) return true;
    for (size_t i = 0; i < Events(base); ++i) {
      if (Repeats(base, i)) continue;
      TestCase test = base;
      test.steps.erase(test.steps.begin() + static_cast<ptrdiff_t>(i));
      if (Events(test) > 0 && attempt(std::move(test))) return true;
      test = base;
      test.steps.insert(test.steps.begin() + static_cast<ptrdiff_t>(i), At(base, i));
      if (attempt(std::move(test))) return true;
      if (i + 1 == Events(base)) continue;
      test = base;
      std::swap(At(test, i).record, At(test, i + 1).record);
      std::swap(At(test, i).kind, At(test, i + 1).kind);
      if (attempt(std::move(test))) return true;
    }
  }
  // An event of one case within another.
  for (const TestCase& base : bases) {
    for (const TestCase& other : bases) {
      for (size_t k = 0; k < Events(other); ++k) {
        if (Repeats(other, k)) continue;
        for (size_t i = 0; i <= Events(base); ++i) {
          if (i < Events(base) && Repeats(base, i)) continue;
          TestCase test = base;
          Feed feed = At(other, k);
          feed.offset_ns = i < Events(base) ? At(base, i).offset_ns : At(base, i - 1).offset_ns;
          test.steps.insert(test.steps.begin() + static_cast<ptrdiff_t>(i), std::move(feed));
          if (attempt(std::move(test))) return true;
        }
      }
    }
  }
  return false;
}

void Witness::Find(const mutate::Mutant& mutant, Survivor* survivor) const {
  const engine::Engine changed(subject_.ProgramOf(mutant.rule));
  size_t tries = 0;
  bool unspoken = false;
  const Try attempt = [&](TestCase test) {
    if (++tries > kMostTries) return false;
    SetTimes(&test);
    if (AlertsOf(engine_, test) == AlertsOf(changed, test)) return false;
    for (size_t i = Events(test) > kMostShrunk ? 0 : Events(test); i-- > 0;) {  // without what it does not need
      TestCase less = test;
      less.steps.erase(less.steps.begin() + static_cast<ptrdiff_t>(i));
      if (Events(less) > 0 && AlertsOf(engine_, less) != AlertsOf(changed, less)) test = std::move(less);
    }
    std::string text = TestText(subject_.rule(), test.environment, mutant.about, test, AlertsOf(engine_, test));
    // What is shown is what was tried.
    std::optional<TestCase> read = ReadTest(subject_, text);
    if (!read || !RunCase(engine_, *read, false).outcome.passed || RunCase(changed, *read, false).outcome.passed) {
      unspoken = true;
      return false;
    }
    survivor->test = std::move(text);
    return true;
  };
  bool alone = !subject_.rule().sequence && !subject_.rule().aggregate;
  if (alone && ByEvents(mutant, attempt)) return;
  if (ByCases(mutant, attempt)) return;
  survivor->why = unspoken ? "an event that tells them apart was found, but no test block can give it"
                           : fmt::format("{} that were made of the rule's own tell the two not apart",
                                         tries == 0 ? "no cases" : fmt::format("{} cases", std::min(tries, kMostTries)));
}

}  // namespace ks::ksc

#include "runtime/state/holding.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "bpf/schema/limits.h"
#include "compiler/ir/eval.h"

namespace ks::state {
namespace {

struct Words {
  std::vector<uint64_t>* out;
  void Bytes(const void* from, size_t size) const {
    const size_t begin = out->size();
    out->resize(begin + (size + 7) / 8);
    if (size > 0) std::memcpy(out->data() + begin, from, size);
  }
  void operator()(int64_t number) const { out->push_back(static_cast<uint64_t>(number)); }
  void operator()(const std::string& text) const {
    out->push_back(text.size());
    Bytes(text.data(), text.size());
  }
  void operator()(const schema::IpAddress& ip) const { Bytes(ip.bytes.data(), ip.bytes.size()); }
  void operator()(const schema::Endpoint& endpoint) const {
    (*this)(endpoint.ip);
    out->push_back(endpoint.port);
  }
  void operator()(const schema::Cidr&) const { KS_CHECK(false, "no event has a block of addresses"); }
};

}  // namespace

std::optional<std::vector<uint64_t>> KeyWords(const ir::Key& key, const schema::Record& record) {
  std::vector<uint64_t> words;
  for (const ir::Operand& operand : key) {
    const schema::FieldValue value = ir::ReadOperand(operand, record);
    if (value.status != schema::Status::Ok && value.status != schema::Status::Absent) return std::nullopt;
    words.push_back(static_cast<uint64_t>(value.status));
    if (value.status == schema::Status::Ok) std::visit(Words{&words}, value.value);
  }
  return words;
}

void Holding::Retain(std::map<uint64_t, Rule> rules) {
  std::map<uint64_t, Known> known;
  for (auto& [id, rule] : rules) {
    const auto before = rules_.find(id);
    known[id] = before == rules_.end() ? Known{std::move(rule)} : before->second;
  }
  rules_ = std::move(known);
  std::set<uint64_t> ids;
  for (const auto& [id, rule] : rules_) ids.insert(id);
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    if (rules_.contains(entry->first.first)) {
      ++entry;
      continue;
    }
    GiveUp(entry->first.first, entry->second);
    entry = entries_.erase(entry);
  }
  holder_->Keep(ids);
}

Holding::Entry* Holding::Find(uint64_t rule, const schema::Record& record) {
  const auto known = rules_.find(rule);
  if (known == rules_.end()) return nullptr;
  std::optional<std::vector<uint64_t>> words = KeyWords(known->second.rule.limit.by, record);
  if (!words) return nullptr;
  const auto entry = entries_.find({rule, std::move(*words)});
  return entry == entries_.end() ? nullptr : &entry->second;
}

// What is held back does not count as a use of its key above. As long as only half of its keys are used within a span, none of
// them is evicted there before its alerts have ceased to count; beyond, the next span's events all go up.
bool Holding::IsCrowded(uint64_t rule, uint64_t time_ns) {
  Known& known = rules_.at(rule);
  if (known.keys > known.rule.max_keys / 2) {
    known.crowded_ns = time_ns + static_cast<uint64_t>(known.rule.limit.per_ns);
    for (auto entry = entries_.lower_bound({rule, {}}); entry != entries_.end() && entry->first.first == rule; ++entry) {
      Release(entry->second);
      entry->second.counts = false;
    }
    known.keys = 0;
  }
  return time_ns <= known.crowded_ns;
}

void Holding::Came(uint64_t rule, const schema::Record& record, uint64_t time_ns, uint64_t edge_ns,
                   const std::deque<uint64_t>& alerts) {
  const auto known = rules_.find(rule);
  if (known == rules_.end()) return;
  std::optional<std::vector<uint64_t>> words = KeyWords(known->second.rule.limit.by, record);
  if (!words || IsCrowded(rule, time_ns)) return;
  if (entries_.size() >= most_keys_ && !entries_.contains({rule, *words})) return;
  const auto at = entries_.try_emplace({rule, std::move(*words)}).first;
  Entry& entry = at->second;
  known->second.keys += std::exchange(entry.counts, true) ? 0 : 1;
  entry.last_ns = std::max(entry.last_ns, time_ns);
  entry.coming.insert(std::ranges::upper_bound(entry.coming, time_ns), time_ns);
  Extend(at->first, entry, edge_ns, alerts);
}

// N alerts are let through in any span of D. As long as N count, everything is suppressed, until D after the oldest. Where fewer do,
// what comes is let through until they are N, whatever else comes: by the time of the event that makes N of those that came, at
// the latest, and no earlier than the edge. What has come after the oldest has ceased to count moves the edge there, if that time is known.
void Holding::Extend(const Name& name, Entry& entry, uint64_t edge_ns, const std::deque<uint64_t>& alerts) {
  const ir::Limit& limit = rules_.at(name.first).rule.limit;
  const auto per = static_cast<uint64_t>(limit.per_ns);
  const auto counts = [&](uint64_t time) { return time + per >= edge_ns; };
  auto known = std::ranges::find_if(alerts, counts);  // the first of those whose time is known
  std::deque<uint64_t> after;                         // of those that come behind them: when, at the earliest
  auto next = entry.coming.begin();
  uint64_t from = alerts.empty() ? 0 : alerts.back(), until = 0;
  while (true) {
    for (; static_cast<uint64_t>(alerts.end() - known) + after.size() < limit.count; ++next) {
      if (next == entry.coming.end()) return;
      from = std::max(from, *next);
      after.push_back(edge_ns);
    }
    until = (known != alerts.end() ? *known : after.front()) + per;
    next = std::ranges::upper_bound(next, entry.coming.end(), until);
    if (known == alerts.end() || next == entry.coming.end()) break;
    edge_ns = until + 1;
    ++known;
  }
  if (until <= from) return;
  if (!entry.place) {
    entry.place = holder_->Place(name.first, name.second);
    if (!entry.place) return;
    // What an agent before this one held back of this key.
    const uint64_t held = holder_->Held(*entry.place), more = held - holder_->Told(*entry.place);
    holder_->Tell(*entry.place, held);
    entry.left += more;
    taken_[name.first] += more;
  }
  if (!entry.spans.empty() && from <= entry.spans.back().until_ns) {
    if (until <= entry.spans.back().until_ns) return;
    entry.spans.back().until_ns = until;
  } else {
    if (entry.spans.size() >= kMostSpans) return;
    entry.spans.push_back({from, until, holder_->Held(*entry.place)});
  }
  holder_->Hold(*entry.place, entry.spans.back().from_ns, entry.spans.back().until_ns);
}

uint64_t Holding::TakeSpan(uint64_t rule, Entry& entry) {
  const uint64_t begin = entry.spans.front().begin;
  entry.spans.pop_front();
  const uint64_t end = entry.spans.empty() ? holder_->Held(*entry.place) : entry.spans.front().begin;
  holder_->Tell(*entry.place, end);
  taken_[rule] += end - begin;
  return end - begin;
}

uint64_t Holding::Turn(uint64_t rule, const schema::Record& record, uint64_t time_ns) {
  Entry* entry = Find(rule, record);
  if (!entry) return 0;
  if (!entry->coming.empty() && entry->coming.front() <= time_ns) entry->coming.pop_front();
  while (!entry->spans.empty() && entry->spans.front().until_ns < time_ns) entry->left += TakeSpan(rule, *entry);
  return std::exchange(entry->left, 0);
}

void Holding::Alerted(uint64_t rule, const schema::Record& record, uint64_t time_ns, const std::deque<uint64_t>& alerts) {
  Entry* entry = Find(rule, record);
  if (entry) Extend({rule, *KeyWords(rules_.at(rule).rule.limit.by, record)}, *entry, time_ns, alerts);
}

void Holding::ReleaseAll() {
  for (auto& [name, entry] : entries_) Release(entry);
}

void Holding::Release(Entry& entry) {
  if (entry.place) holder_->Release(*entry.place);
  // What comes next begins a span of its own. What was held back is told no earlier: what comes within these is suppressed.
  for (Span& span : entry.spans) span.until_ns = span.from_ns;
}

void Holding::GiveUp(uint64_t rule, Entry& entry) {
  if (!entry.place) return;
  holder_->Release(*entry.place);
  while (!entry.spans.empty()) entry.left += TakeSpan(rule, entry);
  holder_->Free(*std::exchange(entry.place, std::nullopt));
}

void Holding::Collect(uint64_t edge_ns) {
  std::vector<std::pair<uint64_t, std::map<Name, Entry>::iterator>> idle;  // when they came last
  for (auto at = entries_.begin(); at != entries_.end();) {
    Entry& entry = at->second;
    Known& known = rules_.at(at->first.first);
    const bool over = entry.coming.empty() && (entry.spans.empty() || entry.spans.back().until_ns < edge_ns) &&
                      entry.last_ns + static_cast<uint64_t>(known.rule.limit.per_ns) < edge_ns;
    if (over) {
      GiveUp(at->first.first, entry);
      known.keys -= std::exchange(entry.counts, false) ? 1 : 0;
      if (entry.left > 0) idle.emplace_back(entry.last_ns, at);
    }
    at = over && entry.left == 0 ? entries_.erase(at) : std::next(at);
  }
  // A process that has ended never comes again: its number is in the rule's, and no alert will tell it.
  if (idle.size() <= most_keys_ / 2) return;
  const auto kept = idle.end() - static_cast<ptrdiff_t>(most_keys_ / 2);
  std::ranges::nth_element(idle, kept, {}, &decltype(idle)::value_type::first);
  for (auto one = idle.begin(); one != kept; ++one) entries_.erase(one->second);
}

uint64_t Holding::longest_ns() const {
  uint64_t longest = 0;
  for (const auto& [id, known] : rules_) longest = std::max(longest, static_cast<uint64_t>(known.rule.limit.per_ns));
  return longest;
}

uint64_t Holding::Held(uint64_t rule) const {
  const auto taken = taken_.find(rule);
  uint64_t held = taken == taken_.end() ? 0 : taken->second;
  for (auto at = entries_.lower_bound({rule, {}}); at != entries_.end() && at->first.first == rule; ++at) {
    const Entry& entry = at->second;
    if (entry.place && !entry.spans.empty()) held += holder_->Held(*entry.place) - entry.spans.front().begin;
  }
  return held;
}

}  // namespace ks::state

// Aggregates by hash: an event looks at its own key only, and what is oldest goes first.
#include <algorithm>
#include <span>

#include "runtime/state/keyed.h"
#include "runtime/state/limits.h"
#include "runtime/state/reference.h"
#include "runtime/state/value.h"

namespace ks::state::reference {
namespace {

using Function = ir::Aggregate::Function;

struct Sample {  // of Sum: events of one slice
  uint64_t first = 0, newest = 0, sum = 0;
};

struct Entry {
  std::vector<uint64_t> times;  // of Count; those before `begin` are gone
  size_t begin = 0;
  std::vector<Sample> samples;
  std::unordered_map<std::string, uint64_t, SeededHasher> values;  // of Distinct: when last seen
  uint64_t oldest_value = 0;                                       // none was seen before
};

class FastAggregate : public Rule {
 public:
  using Rule::Rule;

  void Handle(uint64_t now, const std::vector<Passed>& passed, std::vector<Fired>* fired) override {
    const Seen& event = passed.front().kept;
    if (!rule_->aggregate) return Find(now, event, std::nullopt, fired);
    const ir::Aggregate& aggregate = *rule_->aggregate;
    const schema::Record& record = event->event.record;
    std::string key = EncodeKey(aggregate.by, record);
    std::string value;
    std::optional<uint64_t> number = 0;
    if (aggregate.function == Function::Distinct) value = EncodeKey(aggregate.of, record);
    if (aggregate.function == Function::First) key += EncodeKey(aggregate.of, record);
    if (aggregate.function == Function::Sum) {
      number = Summand(aggregate.of.front(), record);
      if (!number) return;
    }
    bool is_new = false;
    auto* node = entries_.Use(key, now, &is_new);
    uint64_t measure = 0;
    switch (aggregate.function) {
      case Function::First:
        break;
      case Function::Count:
        measure = Count(now, &node->entry);
        break;
      case Function::Distinct:
        measure = Distinct(now, std::move(value), &node->entry);
        break;
      case Function::Sum:
        measure = Sum(now, *number, &node->entry);
        break;
    }
    if (aggregate.function == Function::First) {
      if (is_new) Find(now, event, std::nullopt, fired);
    } else if (measure >= aggregate.at_least) {
      Find(now, event, measure, fired);
      entries_.Erase(node);
      return;
    }
    if (entries_.size() <= rule_->max_keys) return;
    entries_.Erase(entries_.oldest());
    ++evicted_;
  }

  void Close(uint64_t now, std::vector<Fired>*) override {
    if (!rule_->aggregate) return;
    for (auto* node = entries_.oldest(); node && node->used_ns + within() < now; node = entries_.oldest()) {
      entries_.Erase(node);
    }
  }

  RuleCounts counts() const override {
    RuleCounts counts;
    counts.live = entries_.size();
    counts.evicted = evicted_;
    for (const auto* node : entries_.order()) {
      const Entry& entry = node->entry;
      counts.bytes += sizeof(*node) + node->key->capacity() + entry.times.capacity() * sizeof(uint64_t) +
                      entry.samples.capacity() * sizeof(Sample);
      for (const auto& [value, time] : entry.values) counts.bytes += sizeof(value) + sizeof(time) + value.capacity();
    }
    return counts;
  }
  uint64_t next_end() const override { return UINT64_MAX; }

  void Save(SavedWriter* out) const override {
    out->Number(evicted_);
    out->Number(entries_.size());
    for (const auto* node : entries_.order()) {
      const Entry& entry = node->entry;
      out->Text(*node->key);
      out->Number(node->used_ns);
      out->TimeList(std::span(entry.times).subspan(entry.begin));
      out->Number(entry.samples.size());
      for (const Sample& sample : entry.samples) {
        out->Number(sample.first);
        out->Number(sample.newest);
        out->Number(sample.sum);
      }
      out->Number(entry.oldest_value);
      out->Number(entry.values.size());
      for (const auto& [value, time] : entry.values) {
        out->Text(value);
        out->Number(time);
      }
    }
  }

  void Load(SavedReader* in) override {
    evicted_ = in->Number();
    const size_t count = in->Count(rule_->aggregate ? rule_->max_keys : 0);
    for (size_t i = 0; i < count && in->ok(); ++i) {
      const std::string key(in->Text());
      bool is_new = false;
      Entry& entry = entries_.Use(key, in->Time(), &is_new)->entry;
      in->Require(is_new);
      in->TimeList(rule_->aggregate->at_least, &entry.times);
      for (size_t j = 0, n = in->Count(kSlices + 2); j < n && in->ok(); ++j) {
        Sample& sample = entry.samples.emplace_back();
        sample.first = in->Time();
        sample.newest = in->Time();
        sample.sum = in->Number();
        in->Require(sample.first <= sample.newest);
      }
      entry.oldest_value = in->Time();
      for (size_t j = 0, n = in->Count(); j < n && in->ok(); ++j) {
        std::string value(in->Text());
        entry.values[std::move(value)] = in->Time();
      }
    }
  }

 private:
  uint64_t within() const { return static_cast<uint64_t>(rule_->aggregate->within_ns); }

  uint64_t Count(uint64_t now, Entry* entry) const {
    while (entry->begin < entry->times.size() && entry->times[entry->begin] + within() < now) ++entry->begin;
    if (entry->begin * 2 > entry->times.size()) {
      entry->times.erase(entry->times.begin(), entry->times.begin() + static_cast<ptrdiff_t>(entry->begin));
      entry->begin = 0;
    }
    entry->times.push_back(now);
    return entry->times.size() - entry->begin;
  }

  uint64_t Distinct(uint64_t now, std::string value, Entry* entry) const {
    if (entry->oldest_value + within() < now) {  // else nothing is old enough to go
      entry->oldest_value = now;
      std::erase_if(entry->values, [&](const auto& seen) {
        if (seen.second + within() < now) return true;
        entry->oldest_value = std::min(entry->oldest_value, seen.second);
        return false;
      });
    }
    entry->values[std::move(value)] = now;
    return entry->values.size();
  }

  uint64_t Sum(uint64_t now, uint64_t number, Entry* entry) const {
    std::vector<Sample>& samples = entry->samples;
    std::erase_if(samples, [&](const Sample& sample) { return sample.newest + within() < now; });
    if (samples.empty() || now - samples.back().first > within() / kSlices) samples.push_back({now, now, 0});
    samples.back().newest = now;
    samples.back().sum = AddCapped(samples.back().sum, number);
    uint64_t sum = 0;
    for (const Sample& sample : samples) sum = AddCapped(sum, sample.sum);
    return sum;
  }

  static void Find(uint64_t now, const Seen& event, std::optional<uint64_t> measure, std::vector<Fired>* fired) {
    Fired found;
    found.finding.time_ns = now;
    found.finding.last = event.get();
    found.finding.measure = measure;
    found.keep_alive = {event};
    fired->push_back(std::move(found));
  }

  Keyed<Entry> entries_;
};

}  // namespace

std::unique_ptr<Rule> MakeFastAggregate(const ir::Machine& machine) { return std::make_unique<FastAggregate>(machine); }

}  // namespace ks::state::reference

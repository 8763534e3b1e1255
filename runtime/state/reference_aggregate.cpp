// Aggregates: M24 to M31. A rule with a limit and nothing else finds every event.
#include <algorithm>

#include "runtime/state/limits.h"
#include "runtime/state/reference.h"
#include "runtime/state/value.h"

namespace ks::state::reference {
namespace {

using Function = ir::Aggregate::Function;

struct Sample {  // of Sum: events of one slice · else one event
  std::string value;
  uint64_t first = 0, newest = 0, sum = 0;
};

struct Entry {
  std::string key;
  std::vector<Sample> samples;
  uint64_t newest = 0, used = 0;
};

class Aggregate : public Rule {
 public:
  using Rule::Rule;

  void Handle(uint64_t now, const std::vector<Passed>& passed, std::vector<Fired>* fired) override {
    const Seen& event = passed.front().kept;
    if (!rule_->aggregate) return Find(now, event, std::nullopt, fired);
    const ir::Aggregate& aggregate = *rule_->aggregate;
    const schema::Record& record = event->event.record;
    std::string key = EncodeKey(aggregate.by, record);
    const std::string value = EncodeKey(aggregate.of, record);
    if (aggregate.function == Function::First) key += value;
    std::optional<uint64_t> number = 0;
    if (aggregate.function == Function::Sum) {
      number = Summand(aggregate.of.front(), record);
      if (!number) return;
    }
    auto entry = std::ranges::find(entries_, key, &Entry::key);
    const bool is_new = entry == entries_.end();
    if (is_new) {
      entries_.push_back({key, {}, 0, 0});
      entry = entries_.end() - 1;
    }
    entry->newest = now;
    entry->used = ++ticks_;
    std::erase_if(entry->samples, [&](const Sample& sample) { return sample.newest + within() < now; });
    uint64_t measure = 0;
    switch (aggregate.function) {
      case Function::First:
        break;
      case Function::Count:
        entry->samples.push_back({"", now, now, 0});
        measure = entry->samples.size();
        break;
      case Function::Distinct:
        std::erase_if(entry->samples, [&](const Sample& sample) { return sample.value == value; });
        entry->samples.push_back({value, now, now, 0});
        measure = entry->samples.size();
        break;
      case Function::Sum:
        if (entry->samples.empty() || now - entry->samples.back().first > within() / kSlices) {
          entry->samples.push_back({"", now, now, 0});
        }
        entry->samples.back().newest = now;
        entry->samples.back().sum = AddCapped(entry->samples.back().sum, *number);
        for (const Sample& sample : entry->samples) measure = AddCapped(measure, sample.sum);
        break;
    }
    if (aggregate.function == Function::First) {
      if (is_new) Find(now, event, std::nullopt, fired);
    } else if (measure >= aggregate.at_least) {
      Find(now, event, measure, fired);
      entries_.erase(entry);
      return;
    }
    if (entries_.size() <= rule_->max_keys) return;
    entries_.erase(std::ranges::min_element(entries_, {}, &Entry::used));
    ++evicted_;
  }

  void Close(uint64_t now, std::vector<Fired>*) override {
    std::erase_if(entries_, [&](const Entry& entry) { return entry.newest + within() < now; });
  }

  RuleCounts counts() const override {
    RuleCounts counts;
    counts.live = entries_.size();
    counts.evicted = evicted_;
    for (const Entry& entry : entries_) {
      counts.bytes += sizeof(entry) + entry.key.size() + entry.samples.size() * sizeof(Sample);
    }
    return counts;
  }

 private:
  uint64_t within() const { return static_cast<uint64_t>(rule_->aggregate->within_ns); }

  static void Find(uint64_t now, const Seen& event, std::optional<uint64_t> measure, std::vector<Fired>* fired) {
    Fired found;
    found.finding.time_ns = now;
    found.finding.last = event.get();
    found.finding.measure = measure;
    found.keep_alive = {event};
    fired->push_back(std::move(found));
  }

  std::vector<Entry> entries_;
};

}  // namespace

std::unique_ptr<Rule> MakeAggregate(const ir::Machine& machine) { return std::make_unique<Aggregate>(machine); }

}  // namespace ks::state::reference

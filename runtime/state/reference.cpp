#include "runtime/state/reference.h"

#include <algorithm>

#include "runtime/state/keyed.h"
#include "runtime/state/limits.h"

namespace ks::state::reference {
namespace {

using schema::FieldId;

struct Waiting : Taken {
  std::map<uint32_t, std::vector<Passed>> passed;  // by machine
};

// Of one key: when its alerts were, and how many were held back since the last one.
struct LimitEntry {
  std::string key;
  std::deque<uint64_t> times;
  uint64_t suppressed = 0, used = 0;
};

struct Limited {
  std::vector<LimitEntry> entries;
  Keyed<LimitEntry> by_key;  // in place of them, of the fast engine
  uint64_t suppressed = 0, evicted = 0, ticks = 0;
};

class Reference : public Machinery {
 public:
  Reference(const engine::Engine& engine, bool fast)
      : engine_(engine), fast_(fast), limited_(engine.program().machines.size()) {
    for (const ir::Machine& machine : engine.program().machines) {
      if (!machine.rule.sequence) {
        rules_.push_back(fast ? MakeFastAggregate(machine) : MakeAggregate(machine));
      } else if (machine.rule.sequence->unordered) {
        rules_.push_back(MakeUnordered(machine));
      } else {
        rules_.push_back(fast ? MakeFastOrdered(machine) : MakeOrdered(machine));
      }
    }
  }

  std::unique_ptr<Taken> Keep(const event::Event& event, std::span<const event::Match> matches) override {
    auto waiting = std::make_unique<Waiting>();
    for (const event::Match& match : matches) {
      const ir::SplitRule& probe = engine_.program().rules[match.probe];
      const ir::Rule& rule = engine_.program().machines[*probe.machine].rule;
      const ir::Step* step = rule.sequence ? &rule.sequence->steps[probe.step] : nullptr;
      auto kept = std::make_shared<Kept>(Kept{fast_ ? Needed(event, match, probe) : event, match.matched, match.uncertain, match.shown});
      waiting->passed[*probe.machine].push_back({step, probe.step, std::move(kept)});
    }
    return waiting;
  }

  void Handle(uint64_t time_ns, Taken& taken, const OnAlert& on_alert) override {
    for (auto& [machine, passed] : static_cast<Waiting&>(taken).passed) {
      std::vector<Fired> fired;
      if (fast_) rules_[machine]->Close(time_ns, &fired);  // what ends before it without an alert
      rules_[machine]->Handle(time_ns, passed, &fired);
      for (const Fired& found : fired) Raise(machine, found, on_alert);
    }
  }

  void Close(uint64_t time_ns, const OnAlert& on_alert) override {
    closed_ns_ = std::max(closed_ns_, time_ns);
    std::vector<std::pair<uint32_t, Fired>> closed;
    for (uint32_t i = 0; i < rules_.size(); ++i) {
      if (fast_ && rules_[i]->next_end() >= time_ns) continue;
      std::vector<Fired> fired;
      rules_[i]->Close(time_ns, &fired);
      for (Fired& found : fired) closed.emplace_back(i, std::move(found));
    }
    std::ranges::stable_sort(closed, {}, [](const auto& entry) { return entry.second.finding.time_ns; });
    for (const auto& [machine, found] : closed) Raise(machine, found, on_alert);
  }

  size_t Adopt(Machinery& old_machinery) override {
    auto* old = dynamic_cast<Reference*>(&old_machinery);
    size_t adopted = 0;
    for (uint32_t i = 0; old != nullptr && i < rules_.size(); ++i) {
      for (uint32_t j = 0; j < old->rules_.size(); ++j) {
        if (!old->rules_[j]) continue;
        if (Fingerprint(engine_.program().machines[i]) != Fingerprint(old->engine_.program().machines[j])) continue;
        std::swap(rules_[i], old->rules_[j]);
        std::swap(limited_[i], old->limited_[j]);
        rules_[i]->Rebind(engine_.program().machines[i]);
        old->rules_[j]->Rebind(old->engine_.program().machines[j]);
        ++adopted;
        break;
      }
    }
    return adopted;
  }

  std::string Save() const override { return ""; }
  Result<size_t> Load(std::string_view) override {
    return Error{"load saved state", "the reference engine", "it keeps none", "use the fast engine", "state-engine"};
  }

  std::vector<RuleCounts> counts() const override {
    std::vector<RuleCounts> all;
    for (uint32_t i = 0; i < rules_.size(); ++i) {
      std::vector<Fired> none;
      rules_[i]->Close(closed_ns_, &none);
      RuleCounts counts = rules_[i]->counts();
      const ir::Rule& rule = engine_.program().machines[i].rule;
      counts.rule = rule.id;
      counts.suppressed = limited_[i].suppressed;
      counts.evicted += limited_[i].evicted;
      if (!rule.sequence && !rule.aggregate) counts.live = limited_[i].entries.size() + limited_[i].by_key.size();
      for (const auto* node : limited_[i].by_key.order()) counts.bytes += sizeof(*node) + node->key->capacity();
      all.push_back(std::move(counts));
    }
    return all;
  }

 private:
  void Raise(uint32_t machine, const Fired& found, const OnAlert& on_alert) {
    const ir::Machine& of = engine_.program().machines[machine];
    uint64_t suppressed = 0;
    if (of.rule.limit && !Admit(of.rule, found.finding, &limited_[machine], &suppressed)) return;
    Report(engine_, of, found.finding, suppressed, on_alert);
  }

  // What this probe's rule reads of an event, and what its alert may show.
  static event::Event Needed(const event::Event& event, const event::Match& match, const ir::SplitRule& probe) {
    event::Event needed;
    needed.kind = event.kind;
    needed.time_ns = event.time_ns;
    needed.sequence = event.sequence;
    needed.generation = event.generation;
    needed.cpu = event.cpu;
    const auto copy = [&](FieldId field) {
      needed.record.Set(field, event.record[field].value, event.record[field].status);
    };
    for (FieldId field : match.shown) copy(field);
    for (const ir::Operand& operand : probe.needs) copy(operand.field);
    for (const ir::TemplatePart& part : probe.rule.alert) {
      if (part.operand) copy(part.operand->field);
    }
    return needed;
  }

  bool Admit(const ir::Rule& rule, const Finding& finding, Limited* limited, uint64_t* suppressed) const {
    const ir::Limit& limit = *rule.limit;
    const uint64_t now = finding.time_ns;
    const std::string key = LimitKey(rule, finding);
    LimitEntry* entry = fast_ ? &limited->by_key.Use(key, now)->entry : UseSlowly(key, limited);
    std::erase_if(entry->times, [&](uint64_t time) { return time + static_cast<uint64_t>(limit.per_ns) < now; });
    const bool admitted = entry->times.size() < limit.count;
    if (admitted) {
      entry->times.push_back(now);
      *suppressed = std::exchange(entry->suppressed, 0);
    } else {
      ++entry->suppressed;
      ++limited->suppressed;
    }
    // One that holds nothing back, and has to tell of nothing, is no loss.
    const auto is_loss = [&](const LimitEntry& oldest) {
      return oldest.suppressed > 0 || oldest.times.back() + static_cast<uint64_t>(limit.per_ns) >= now;
    };
    if (limited->entries.size() > rule.max_keys) {
      const auto oldest = std::ranges::min_element(limited->entries, {}, &LimitEntry::used);
      limited->evicted += is_loss(*oldest) ? 1 : 0;
      limited->entries.erase(oldest);
    }
    if (limited->by_key.size() > rule.max_keys) {
      auto* oldest = limited->by_key.oldest();
      limited->evicted += is_loss(oldest->entry) ? 1 : 0;
      limited->by_key.Erase(oldest);
    }
    return admitted;
  }

  static LimitEntry* UseSlowly(const std::string& key, Limited* limited) {
    auto entry = std::ranges::find(limited->entries, key, &LimitEntry::key);
    if (entry == limited->entries.end()) {
      limited->entries.push_back({key, {}, 0, 0});
      entry = limited->entries.end() - 1;
    }
    entry->used = ++limited->ticks;
    return &*entry;
  }

  const engine::Engine& engine_;
  const bool fast_;
  uint64_t closed_ns_ = 0;
  std::vector<std::unique_ptr<Rule>> rules_;
  std::vector<Limited> limited_;
};

}  // namespace
}  // namespace ks::state::reference

namespace ks::state {

std::unique_ptr<Machinery> MakeReference(const engine::Engine& engine) {
  return std::make_unique<reference::Reference>(engine, false);
}
std::unique_ptr<Machinery> MakeFast(const engine::Engine& engine) {
  return std::make_unique<reference::Reference>(engine, true);
}

}  // namespace ks::state

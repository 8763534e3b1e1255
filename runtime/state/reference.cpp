#include "runtime/state/reference.h"

#include <algorithm>

#include "runtime/event/hash.h"
#include "runtime/state/holding.h"
#include "runtime/state/keyed.h"
#include "runtime/state/limits.h"
#include "runtime/state/packed.h"
#include "runtime/state/value.h"

namespace ks::state::reference {
namespace {

using schema::FieldId;

struct Waiting : Taken {
  std::map<uint32_t, std::vector<Passed>> passed;  // by machine
};

// Of the fast engine: a flood makes a hundred thousand wait at once.
struct PackedWaiting : Taken {
  struct One {
    uint32_t machine, step;
    Blob kept;
  };
  std::vector<One> passed;  // ascending
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
  Reference(const engine::Engine& engine, bool fast, Holding* holding)
      : engine_(engine), fast_(fast), holding_(holding), limited_(engine.program().machines.size()) {
    for (const ir::Machine& machine : engine.program().machines) {
      if (!fast_ || machine.rule.sequence) closing_.push_back(static_cast<uint32_t>(rules_.size()));
      rules_.push_back(Make(machine));
      const bool held = holding != nullptr && machine.rule.limit && !machine.rule.sequence && !machine.rule.aggregate;
      ids_.push_back(held ? std::optional(ir::LimitId(machine)) : std::nullopt);
    }
  }

  std::unique_ptr<Taken> Keep(const event::Event& event, std::span<const event::Match> matches) override {
    if (fast_) return KeepPacked(event, matches);
    auto waiting = std::make_unique<Waiting>();
    for (const event::Match& match : matches) {
      const ir::SplitRule& probe = engine_.program().rules[match.probe];
      if (!probe.machine) continue;
      auto kept = std::make_shared<Kept>(Kept{event, MakeSaid(match)});
      waiting->passed[*probe.machine].push_back(PassedOf(*probe.machine, probe.step, std::move(kept)));
    }
    return waiting;
  }

  void Expect(const event::Event& event, std::span<const event::Match> matches, uint64_t edge_ns) override {
    static const std::deque<uint64_t> kNone;
    for (const event::Match& match : matches) {
      const std::optional<uint32_t> machine = engine_.program().rules[match.probe].machine;
      if (!machine || !ids_[*machine]) continue;
      const std::string key = EncodeKey(engine_.program().machines[*machine].rule.limit->by, event.record);
      const LimitEntry* known = FindLimit(key, limited_[*machine]);
      holding_->Came(*ids_[*machine], event.record, std::max(event.time_ns, edge_ns), closed_ns_,
                     known ? known->times : kNone);
    }
  }

  void Handle(uint64_t time_ns, Taken& taken, const OnAlert& on_alert) override {
    if (fast_) return HandlePacked(time_ns, static_cast<PackedWaiting&>(taken), on_alert);
    for (auto& [machine, passed] : static_cast<Waiting&>(taken).passed) Give(machine, time_ns, passed, on_alert);
  }

  void Close(uint64_t time_ns, const OnAlert& on_alert) override {
    closed_ns_ = std::max(closed_ns_, time_ns);
    if (next_end_ >= time_ns) return;
    next_end_ = UINT64_MAX;
    std::vector<std::pair<uint32_t, Fired>> closed;
    for (const uint32_t i : closing_) {
      if (rules_[i]->next_end() < time_ns) {
        std::vector<Fired> fired;
        rules_[i]->Close(time_ns, &fired);
        for (Fired& found : fired) closed.emplace_back(i, std::move(found));
      }
      next_end_ = std::min(next_end_, rules_[i]->next_end());
    }
    std::ranges::stable_sort(closed, {}, [](const auto& entry) { return entry.second.finding.time_ns; });
    for (const auto& [machine, found] : closed) Raise(machine, found, on_alert);
  }

  size_t Adopt(Machinery& old_machinery) override {
    auto* old = dynamic_cast<Reference*>(&old_machinery);
    if (old == nullptr) return 0;
    next_end_ = old->next_end_ = 0;
    std::multimap<std::string, uint32_t> theirs;
    for (uint32_t j = 0; j < old->rules_.size(); ++j) {
      theirs.emplace(ir::Fingerprint(old->engine_.program().machines[j]), j);
    }
    size_t adopted = 0;
    for (uint32_t i = 0; i < rules_.size(); ++i) {
      const std::string fingerprint = ir::Fingerprint(engine_.program().machines[i]);
      const auto same = theirs.lower_bound(fingerprint);
      if (same == theirs.end() || same->first != fingerprint) continue;
      const uint32_t j = same->second;
      theirs.erase(same);
      std::swap(rules_[i], old->rules_[j]);
      std::swap(limited_[i], old->limited_[j]);
      rules_[i]->Rebind(engine_.program().machines[i]);
      old->rules_[j]->Rebind(old->engine_.program().machines[j]);
      ++adopted;
    }
    return adopted;
  }

  std::string Save(uint64_t edge_ns) const override {
    KS_CHECK(fast_, "the fast engine saves its state");
    SavedWriter out;
    out.Text(schema::Hash());
    out.Number(edge_ns);
    out.Number(rules_.size());
    for (uint32_t i = 0; i < rules_.size(); ++i) {
      out.Text(ir::Fingerprint(engine_.program().machines[i]));
      SavedWriter rule;
      rules_[i]->Save(&rule);
      SaveLimited(limited_[i], &rule);
      out.Text(rule.bytes());
    }
    std::string bytes = std::string(kMagic) + out.bytes();
    const uint64_t sum = event::Fnv1a64(bytes);
    for (int shift = 0; shift < 64; shift += 8) bytes += static_cast<char>(sum >> shift);
    return bytes;
  }

  Result<LoadedState> Load(std::string_view saved, uint64_t now_ns) override {
    KS_CHECK(fast_, "the fast engine loads its state");
    const auto refuse = [](std::string cause) {
      return Error{"load saved state", "of rules over several events", std::move(cause),
                   "rules start without it; it is written anew", "state-refused"};
    };
    if (!saved.starts_with(kMagic)) return refuse("it is no saved state, or of another version");
    if (saved.size() < kMagic.size() + kSumBytes) return refuse("it is cut off");
    uint64_t sum = 0;
    for (size_t i = kSumBytes; i-- > 0;) sum = sum << 8 | static_cast<uint8_t>(saved[saved.size() - kSumBytes + i]);
    saved.remove_suffix(kSumBytes);
    if (event::Fnv1a64(saved) != sum) return refuse("it is damaged: its checksum is wrong");
    saved.remove_prefix(kMagic.size());
    SavedReader in(saved, UINT64_MAX);
    if (in.Text() != schema::Hash()) return refuse("it was saved with another event table");
    const uint64_t edge_ns = in.Number();
    if (edge_ns > now_ns + kDefaultLateBoundNs) return refuse("it is from the future: the clock was set back");
    const size_t count = in.Count();
    std::map<std::string_view, std::string_view> by_fingerprint;
    for (size_t i = 0; i < count && in.ok(); ++i) {
      const std::string_view fingerprint = in.Text();
      by_fingerprint[fingerprint] = in.Text();
    }
    if (!in.at_end()) return refuse("it is damaged: its sizes are wrong");
    std::map<uint32_t, std::pair<std::unique_ptr<Rule>, Limited>> loaded;
    for (uint32_t i = 0; i < rules_.size(); ++i) {
      const ir::Machine& machine = engine_.program().machines[i];
      const auto found = by_fingerprint.find(ir::Fingerprint(machine));
      if (found == by_fingerprint.end()) continue;
      auto& [rule, limited] = loaded[i];
      rule = Make(machine);
      SavedReader of_rule(found->second, edge_ns);
      rule->Load(&of_rule);
      LoadLimited(machine.rule, &of_rule, &limited);
      if (!of_rule.at_end()) return refuse("it is damaged: the state of " + machine.rule.id + " cannot be");
    }
    for (auto& [i, state] : loaded) {
      rules_[i] = std::move(state.first);
      limited_[i] = std::move(state.second);
    }
    closed_ns_ = std::max(closed_ns_, edge_ns);
    next_end_ = 0;
    return LoadedState{loaded.size(), edge_ns};
  }

  std::vector<RuleCounts> counts() const override {
    std::vector<RuleCounts> all;
    for (uint32_t i = 0; i < rules_.size(); ++i) {
      std::vector<Fired> none;
      rules_[i]->Close(closed_ns_, &none);
      RuleCounts counts = rules_[i]->counts();
      const ir::Rule& rule = engine_.program().machines[i].rule;
      counts.rule = rule.id;
      counts.suppressed = limited_[i].suppressed + (ids_[i] ? holding_->Held(*ids_[i]) : 0);
      counts.evicted += limited_[i].evicted;
      if (!rule.sequence && !rule.aggregate) counts.live = limited_[i].entries.size() + limited_[i].by_key.size();
      for (const auto* node : limited_[i].by_key.order()) counts.bytes += sizeof(*node) + node->key->capacity();
      all.push_back(std::move(counts));
    }
    return all;
  }

 private:
  static constexpr std::string_view kMagic = "KSSTATE1";  // the last one counts layouts
  static constexpr size_t kSumBytes = 8;

  std::unique_ptr<Rule> Make(const ir::Machine& machine) const {
    if (!machine.rule.sequence) return fast_ ? MakeFastAggregate(machine) : MakeAggregate(machine);
    if (machine.rule.sequence->unordered) return MakeUnordered(machine);
    return fast_ ? MakeFastOrdered(machine) : MakeOrdered(machine);
  }

  static void SaveLimited(const Limited& limited, SavedWriter* out) {
    out->Number(limited.suppressed);
    out->Number(limited.evicted);
    out->Number(limited.by_key.size());
    for (const auto* node : limited.by_key.order()) {
      out->Text(*node->key);
      out->Number(node->used_ns);
      out->TimeList(node->entry.times);
      out->Number(node->entry.suppressed);
    }
  }
  static void LoadLimited(const ir::Rule& rule, SavedReader* in, Limited* limited) {
    limited->suppressed = in->Number();
    limited->evicted = in->Number();
    const size_t count = in->Count(rule.limit ? rule.max_keys : 0);
    for (size_t i = 0; i < count && in->ok(); ++i) {
      const std::string key(in->Text());
      bool is_new = false;
      LimitEntry& entry = limited->by_key.Use(key, in->Time(), &is_new)->entry;
      in->TimeList(rule.limit->count, &entry.times);
      entry.suppressed = in->Number();
      in->Require(is_new && !entry.times.empty());
    }
  }

  Passed PassedOf(uint32_t machine, uint32_t step, Seen kept) const {
    const std::optional<ir::Sequence>& sequence = engine_.program().machines[machine].rule.sequence;
    return {sequence ? &sequence->steps[step] : nullptr, step, std::move(kept)};
  }

  std::unique_ptr<Taken> KeepPacked(const event::Event& event, std::span<const event::Match> matches) {
    auto waiting = std::make_unique<PackedWaiting>();
    waiting->passed.reserve(matches.size());
    for (const event::Match& match : matches) {
      const ir::SplitRule& probe = engine_.program().rules[match.probe];
      if (!probe.machine) continue;
      waiting->passed.push_back({*probe.machine, probe.step, packer_.Pack(event, NeededFields(match, probe), match)});
    }
    if (!std::ranges::is_sorted(waiting->passed, {}, &PackedWaiting::One::machine)) {
      std::ranges::stable_sort(waiting->passed, {}, &PackedWaiting::One::machine);
    }
    return waiting;
  }

  void HandlePacked(uint64_t time_ns, const PackedWaiting& waiting, const OnAlert& on_alert) {
    for (auto one = waiting.passed.begin(); one != waiting.passed.end();) {
      const uint32_t machine = one->machine;
      std::vector<Passed> passed;
      for (; one != waiting.passed.end() && one->machine == machine; ++one) {
        passed.push_back(PassedOf(machine, one->step, packer_.Unpack(one->kept)));
      }
      Give(machine, time_ns, passed, on_alert);
    }
  }

  void Give(uint32_t machine, uint64_t time_ns, const std::vector<Passed>& passed, const OnAlert& on_alert) {
    std::vector<Fired> fired;
    if (fast_) rules_[machine]->Close(time_ns, &fired);  // what ends before it without an alert
    rules_[machine]->Handle(time_ns, passed, &fired);
    next_end_ = std::min(next_end_, rules_[machine]->next_end());
    for (const Fired& found : fired) Raise(machine, found, on_alert);
  }

  void Raise(uint32_t machine, const Fired& found, const OnAlert& on_alert) {
    const ir::Machine& of = engine_.program().machines[machine];
    uint64_t suppressed = 0;
    if (of.rule.limit && !Admit(machine, found.finding, &suppressed)) return;
    Report(engine_, of, found.finding, suppressed, on_alert);
  }

  const LimitEntry* FindLimit(const std::string& key, Limited& limited) const {
    if (fast_) {
      const auto* node = limited.by_key.Find(key);
      return node ? &node->entry : nullptr;
    }
    const auto entry = std::ranges::find(limited.entries, key, &LimitEntry::key);
    return entry == limited.entries.end() ? nullptr : &*entry;
  }

  bool Admit(uint32_t machine, const Finding& finding, uint64_t* suppressed) {
    const ir::Rule& rule = engine_.program().machines[machine].rule;
    Limited* limited = &limited_[machine];
    const ir::Limit& limit = *rule.limit;
    const uint64_t now = finding.time_ns;
    const std::string key = LimitKey(rule, finding);
    LimitEntry* entry = fast_ ? &limited->by_key.Use(key, now)->entry : UseSlowly(key, limited);
    std::erase_if(entry->times, [&](uint64_t time) { return time + static_cast<uint64_t>(limit.per_ns) < now; });
    const bool admitted = entry->times.size() < limit.count;
    const schema::Record& record = finding.last->event.record;
    if (ids_[machine]) entry->suppressed += holding_->Turn(*ids_[machine], record, now);
    if (admitted) {
      entry->times.push_back(now);
      if (ids_[machine]) holding_->Alerted(*ids_[machine], record, now, entry->times);
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
  Packer packer_;  // of what waits
  Holding* const holding_;
  std::vector<std::optional<uint64_t>> ids_;  // by machine: of those that holding_ is asked about
  uint64_t closed_ns_ = 0;
  // Nothing waits for its window to close before `next_end_`; whose windows do anything when they close.
  uint64_t next_end_ = 0;
  std::vector<uint32_t> closing_;
  std::vector<std::unique_ptr<Rule>> rules_;
  std::vector<Limited> limited_;
};

}  // namespace
}  // namespace ks::state::reference

namespace ks::state {

std::unique_ptr<Machinery> MakeReference(const engine::Engine& engine, Holding* holding) {
  return std::make_unique<reference::Reference>(engine, false, holding);
}
std::unique_ptr<Machinery> MakeFast(const engine::Engine& engine, Holding* holding) {
  return std::make_unique<reference::Reference>(engine, true, holding);
}

}  // namespace ks::state

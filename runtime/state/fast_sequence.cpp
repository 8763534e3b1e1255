// Ordered sequences by hash: what an event can advance is looked up by key, step and joined values. Same answers as
// reference_sequence.cpp, in the same order.
#include <algorithm>
#include <cstring>
#include <deque>
#include <unordered_map>

#include "runtime/state/fast_plan.h"
#include "runtime/state/hash.h"
#include "runtime/state/packed.h"
#include "runtime/state/reference.h"

namespace ks::state::reference {
namespace {

using Role = ir::Step::Role;
using ir::Truth;
using Index = uint32_t;
constexpr Index kNone = 0;

// The events of a partial, newest first; shared with what has grown from it.
struct Link {
  Blob event;
  std::shared_ptr<const Link> before;
};
using Chain = std::shared_ptr<const Link>;

struct Group {  // of one key
  Index first = kNone;
};
using Groups = std::unordered_map<std::string, Group, SeededHasher>;

struct Rare {
  std::vector<uint64_t> times;  // of a first step that repeats
  std::vector<schema::FieldId> doubts;
};

struct Partial {
  Groups::value_type* group = nullptr;
  Chain chain;
  Blob joined;
  std::unique_ptr<Rare> rare;
  uint64_t start = 0;
  uint64_t born = 0;  // 0: a free slot
  Index group_next = kNone, group_last = kNone;
  Index hash_next = kNone, hash_last = kNone;
  Index older = kNone, newer = kNone;
  uint32_t hash = 0, counted = 0;
  uint8_t reached = 0;
  bool waits = false, has_unknown = false;
};

void AppendJoined(std::string_view value, std::string* out) {
  const auto size = static_cast<uint32_t>(value.size());
  out->append(reinterpret_cast<const char*>(&size), sizeof(size));
  *out += value;
}
std::string_view JoinedAt(std::string_view joined, size_t place) {
  for (;; --place) {
    uint32_t size = 0;
    std::memcpy(&size, joined.data(), sizeof(size));
    if (place == 0) return joined.substr(sizeof(size), size);
    joined.remove_prefix(sizeof(size) + size);
  }
}
schema::Status StatusOf(std::string_view encoded) { return static_cast<schema::Status>(encoded[0]); }

class FastOrdered : public Rule {
 public:
  explicit FastOrdered(const ir::Machine& machine) : Rule(machine), plan_(*machine.rule.sequence), heads_(16, kNone) {
    slots_.emplace_back();  // index 0 is none
    unknown_.resize(plan_.levels.size());
  }
  void Rebind(const ir::Machine& machine) override {
    Rule::Rebind(machine);
    plan_ = SequencePlan(*rule_->sequence);
  }

  void Handle(uint64_t now, const std::vector<Passed>& passed, std::vector<Fired>* fired) override {
    now_ = now;
    std::string key = EncodeKey(rule_->sequence->by, passed.front().kept->event.record);
    for (const Passed& p : passed) {
      if (p.step->role != Role::Match) EndPartials(key, p);
    }
    for (size_t reached = plan_.positives.size(); reached-- > 1;) {
      for (const Passed& p : passed) {
        if (p.step == plan_.positives[reached]) AdvanceAll(key, p, fired);
      }
    }
    for (const Passed& p : passed) {
      if (p.step == plan_.positives[0]) Start(key, p, fired);
    }
  }

  void Close(uint64_t now, std::vector<Fired>* fired) override {
    std::vector<std::tuple<uint64_t, uint64_t, Index>> over;  // by end, then by age
    while (!ends_.empty() && ends_.front().end < now) {
      std::ranges::pop_heap(ends_, std::greater<>());
      const Timer timer = ends_.back();
      ends_.pop_back();
      if (IsDue(timer)) over.emplace_back(timer.end, slots_[timer.slot].born, timer.slot);
    }
    std::ranges::sort(over);
    for (const auto& [end, born, slot] : over) {
      if (slots_[slot].born != born) continue;  // two timers of one slot
      if (slots_[slot].waits) fired->push_back(MakeFired(slots_[slot], end));
      Remove(slot);
    }
  }
  uint64_t next_end() const override { return ends_.empty() ? UINT64_MAX : ends_.front().end; }

  RuleCounts counts() const override {
    RuleCounts counts;
    counts.live = live_;
    counts.evicted = evicted_;
    counts.bytes = slots_.size() * sizeof(Partial) + heads_.capacity() * sizeof(Index) + ends_.capacity() * sizeof(Timer) +
                   free_.capacity() * sizeof(Index);
    for (const auto& [key, group] : groups_) counts.bytes += sizeof(Groups::value_type) + 2 * sizeof(void*) + key.capacity();
    for (const Partial& partial : slots_) {
      counts.waiting += partial.waits ? 1 : 0;
      counts.bytes += partial.joined.bytes();
      if (partial.rare) counts.bytes += sizeof(Rare) + partial.rare->times.capacity() * sizeof(uint64_t);
      // Each link is counted with the partial that ends in it; those that a longer one shares stand there too.
      if (partial.chain) counts.bytes += sizeof(Link) + 2 * sizeof(void*) + partial.chain->event.bytes();
    }
    return counts;
  }

  // Events first, each after the one before it; then the partials, from the least recently used. Identities and timers are
  // made anew of them.
  void Save(SavedWriter* out) const override {
    out->Number(evicted_);
    packer_.Save(out);
    std::unordered_map<const Link*, uint64_t> numbers = {{nullptr, 0}};
    std::vector<const Link*> links;
    std::vector<uint64_t> births;
    for (Index i = oldest_; i != kNone; i = slots_[i].newer) {
      births.push_back(slots_[i].born);
      const size_t known = links.size();
      for (const Link* link = slots_[i].chain.get(); link != nullptr && !numbers.contains(link); link = link->before.get()) {
        links.push_back(link);
        numbers[link] = 0;
      }
      std::reverse(links.begin() + static_cast<ptrdiff_t>(known), links.end());
      for (size_t j = known; j < links.size(); ++j) numbers[links[j]] = j + 1;
    }
    out->Number(links.size());
    for (const Link* link : links) {
      out->Number(numbers[link->before.get()]);
      out->Text(link->event.view());
    }
    std::ranges::sort(births);
    out->Number(live_);
    for (Index i = oldest_; i != kNone; i = slots_[i].newer) {
      const Partial& partial = slots_[i];
      out->Text(partial.group->first);
      out->Number(numbers[partial.chain.get()]);
      out->Number(partial.start);
      out->Number(static_cast<uint64_t>(std::ranges::lower_bound(births, partial.born) - births.begin()));
      out->Number(partial.counted);
      out->Number(partial.waits ? 1 : 0);
      const Rare none;
      const Rare& rare = partial.rare ? *partial.rare : none;
      out->TimeList(rare.times);
      out->Fields(rare.doubts);
    }
  }

  void Load(SavedReader* in) override {
    evicted_ = in->Number();
    packer_.Load(in);
    std::vector<std::pair<Chain, uint8_t>> chains = {{nullptr, 0}};  // with their lengths
    const size_t steps = plan_.positives.size();
    for (size_t i = 0, n = in->Count(); i < n && in->ok(); ++i) {
      const auto [before, length] = chains[in->Number(i)];
      const std::string_view packed = in->Text();
      SavedReader event(packed, UINT64_MAX);
      packer_.LoadEvent(&event);
      in->Require(event.at_end() && length < steps);
      if (!in->ok()) return;
      chains.emplace_back(std::make_shared<const Link>(Link{Blob(packed), before}), static_cast<uint8_t>(length + 1));
    }
    const size_t count = in->Count(rule_->max_keys);
    std::vector<bool> born(count, false);
    for (size_t i = 0; i < count && in->ok(); ++i) {
      const std::string key(in->Text());
      Grown grown;
      std::tie(grown.chain, grown.reached) = chains[in->Number(chains.size() - 1)];
      grown.start = in->Time();
      const size_t age = in->Number(count - 1);
      const auto counted = static_cast<uint32_t>(in->Number(UINT32_MAX));
      grown.waits = in->Number(1) == 1;
      const bool first = grown.reached == 1;
      in->TimeList(first && plan_.positives[0]->repeat > 1 ? plan_.positives[0]->repeat : 0, &grown.rare.times);
      grown.rare.doubts = in->Fields();
      // What reaches the last step is over, unless it waits for its window or for more of a first step that repeats.
      const bool last = grown.reached == steps;
      in->Require(grown.chain != nullptr && grown.waits == (last && grown.rare.times.empty()));
      in->Require(!grown.waits || plan_.trailing);
      if (!in->ok() || born[age]) return in->Require(false);
      born[age] = true;
      const std::string joined = JoinedOf(grown.reached, grown.chain.get());
      if (!joined.empty()) grown.joined = Blob(joined);
      Place(key, std::move(grown), age + 1).counted = counted;
    }
    ticks_ = count;
  }

 private:
  struct Timer {  // of a slot, which may have another partial by now
    uint64_t end;
    Index slot;
    bool operator>(const Timer& other) const { return end > other.end; }
  };
  bool IsDue(const Timer& timer) const {
    const Partial& partial = slots_[timer.slot];
    return partial.born != 0 && (IsRing(partial) ? partial.rare->times.back() : partial.start) + within() == timer.end;
  }
  struct Grown {  // a partial that is not live yet
    Chain chain;
    Blob joined;
    Rare rare;
    uint64_t start = 0;
    uint8_t reached = 0;
    bool waits = false;
  };

  uint64_t within() const { return static_cast<uint64_t>(rule_->sequence->within_ns); }
  static bool IsRing(const Partial& partial) { return partial.rare && !partial.rare->times.empty(); }
  bool IsReady(const Partial& partial) const {
    if (!IsRing(partial)) return true;
    const std::vector<uint64_t>& times = partial.rare->times;
    return times.size() == plan_.positives[0]->repeat && times.front() + within() >= now_;
  }

  static std::vector<Seen> Events(const Packer& packer, const Link* link) {
    std::vector<Seen> events;
    for (; link != nullptr; link = link->before.get()) events.push_back(packer.Unpack(link->event));
    std::ranges::reverse(events);
    return events;
  }
  static const Link* Ancestor(const Link* link, size_t up) {
    for (; up > 0; --up) link = link->before.get();
    return link;
  }

  // `exact`: found by all values of its joins, each known whole.
  Truth Fits(const Partial& partial, const Passed& passed, bool exact, std::vector<schema::FieldId>* doubts) const {
    if ((exact || passed.step->joins.empty()) && passed.step->cross.op == ir::Pred::Op::True) return Truth::True;
    const std::vector<Seen> events = Events(packer_, partial.chain.get());
    std::vector<const schema::Record*> records;
    for (const Seen& seen : events) records.push_back(&seen->event.record);
    return FitsPartial(*passed.step, passed.kept->event.record, records, plan_.positives.size(), doubts);
  }

  // Partials of the key that the step may concern, oldest first: by joined values where they can be looked up.
  std::vector<Index> Candidates(Groups::value_type* group, const StepPlan& step, const schema::Record& own, bool* exact) {
    std::vector<Index> found;
    *exact = false;
    const bool any_level = step.step->role == Role::Until;
    if (step.covers && unknown_[step.before] == 0) {
      const std::vector<JoinedValue>& values = plan_.levels[step.before].joined;
      std::string joined;
      bool known = true;
      *exact = true;
      for (size_t i = 0; i < values.size(); ++i) {
        const std::string value = Encode(ir::ReadOperand(step.own[i], own), values[i].cut_is_unknown);
        if (StatusOf(value) == schema::Status::Absent) return found;
        known &= StatusOf(value) != schema::Status::Unknown;
        *exact &= StatusOf(value) == schema::Status::Ok;
        AppendJoined(value, &joined);
      }
      if (known) {
        const uint32_t hash = HashOf(group, step.before, joined);
        for (Index i = heads_[hash & (heads_.size() - 1)]; i != kNone; i = slots_[i].hash_next) {
          if (IsSame(slots_[i], hash, group, step.before, joined)) found.push_back(i);
        }
        std::ranges::sort(found, {}, [&](Index i) { return slots_[i].born; });
        return found;
      }
      *exact = false;
    }
    for (Index i = group->second.first; i != kNone; i = slots_[i].group_next) {
      if (any_level || slots_[i].reached == step.before) found.push_back(i);
    }
    std::ranges::sort(found, {}, [&](Index i) { return slots_[i].born; });
    return found;
  }

  void EndPartials(const std::string& key, const Passed& passed) {
    const auto group = groups_.find(key);
    if (group == groups_.end()) return;
    bool exact = false;
    for (Index i : Candidates(&*group, plan_.steps[passed.index], passed.kept->event.record, &exact)) {
      Partial& partial = slots_[i];
      if (passed.step->role == Role::Without && !IsReady(partial)) continue;
      std::vector<schema::FieldId> doubts;
      Truth truth = Fits(partial, passed, exact, &doubts);
      if (truth == Truth::False) continue;
      if (truth == Truth::True && passed.kept->said->uncertain.empty()) {
        Remove(i);
        continue;
      }
      AddDoubts(passed.kept->said->uncertain, &partial);
      AddDoubts(doubts, &partial);
    }
  }
  static void AddDoubts(const std::vector<schema::FieldId>& more, Partial* partial) {
    if (more.empty()) return;
    if (!partial->rare) partial->rare = std::make_unique<Rare>();
    AddFields(more, &partial->rare->doubts);
  }

  void AdvanceAll(const std::string& key, const Passed& passed, std::vector<Fired>* fired) {
    const auto group = groups_.find(key);
    if (group == groups_.end()) return;
    std::vector<Grown> grown;
    Blob packed;
    bool exact = false;
    for (Index i : Candidates(&*group, plan_.steps[passed.index], passed.kept->event.record, &exact)) {
      Partial& partial = slots_[i];
      if (partial.waits || !IsReady(partial)) continue;
      std::vector<schema::FieldId> doubts;
      if (Fits(partial, passed, exact, &doubts) == Truth::False) continue;
      Touch(i);
      ++partial.counted;
      if (passed.step->repeat > 1) {
        AddDoubts(passed.kept->said->uncertain, &partial);
        AddDoubts(doubts, &partial);
      }
      if (partial.counted < passed.step->repeat) continue;
      if (packed.bytes() == 0) packed = packer_.Pack(*passed.kept);
      Grown longer;
      longer.chain = std::make_shared<const Link>(Link{packed, partial.chain});
      longer.reached = static_cast<uint8_t>(partial.reached + 1);
      longer.start = IsRing(partial) ? partial.rare->times.front() : partial.start;
      if (partial.rare) longer.rare.doubts = partial.rare->doubts;
      AddFields(doubts, &longer.rare.doubts);
      longer.joined = Joined(longer.reached, partial.joined, passed.kept->event.record);
      grown.push_back(std::move(longer));
    }
    for (Grown& longer : grown) Reach(key, std::move(longer), fired);
  }

  // The identity of a chain, from its own events.
  std::string JoinedOf(size_t reached, const Link* link) const {
    const std::vector<Seen> events = Events(packer_, link);
    std::string joined;
    for (const JoinedValue& value : plan_.levels[reached].joined) {
      const schema::Record& record = events[value.of.step - 1]->event.record;
      AppendJoined(Encode(ir::ReadOperand(value.of, record), value.cut_is_unknown), &joined);
    }
    return joined;
  }

  Blob Joined(size_t reached, const Blob& below, const schema::Record& own) const {
    const LevelPlan& level = plan_.levels[reached];
    std::string joined;
    for (size_t i = 0; i < level.joined.size(); ++i) {
      if (level.from[i]) {
        AppendJoined(JoinedAt(below.view(), *level.from[i]), &joined);
      } else {
        AppendJoined(Encode(ir::ReadOperand(level.joined[i].of, own), level.joined[i].cut_is_unknown), &joined);
      }
    }
    if (joined.empty()) return {};
    return joined == below.view() ? below : Blob(joined);
  }

  void Start(const std::string& key, const Passed& passed, std::vector<Fired>* fired) {
    const uint32_t repeat = passed.step->repeat;
    Grown partial;
    partial.chain = std::make_shared<const Link>(Link{packer_.Pack(*passed.kept), nullptr});
    partial.reached = 1;
    partial.start = now_;
    partial.joined = Joined(1, {}, passed.kept->event.record);
    if (repeat == 1) return Reach(key, std::move(partial), fired);
    const Index same = FindSame(key, partial);
    if (same != kNone && slots_[same].rare) partial.rare = *slots_[same].rare;
    std::vector<uint64_t>& times = partial.rare.times;
    times.push_back(now_);
    if (times.size() > repeat) times.erase(times.begin());
    while (times.front() + within() < now_) times.erase(times.begin());
    AddFields(passed.kept->said->uncertain, &partial.rare.doubts);
    if (plan_.positives.size() > 1 || times.size() < repeat) return Insert(key, std::move(partial));
    if (same != kNone) Remove(same);
    partial.start = times.front();
    times.clear();
    Reach(key, std::move(partial), fired);
  }

  void Reach(const std::string& key, Grown partial, std::vector<Fired>* fired) {
    if (partial.reached < plan_.positives.size()) return Insert(key, std::move(partial));
    Fired found = MakeFired(partial.chain, partial.rare.doubts, now_);
    if (IsExcepted(*rule_, found.finding)) return;
    if (plan_.trailing) {
      partial.waits = true;
      return Insert(key, std::move(partial));
    }
    fired->push_back(std::move(found));
    // What it grew from: the partials whose events are the begin of its own.
    const auto group = groups_.find(key);
    if (group == groups_.end()) return;
    for (Index i : Ancestors(&*group, partial)) Remove(i);
  }

  std::vector<Index> Ancestors(Groups::value_type* group, const Grown& partial) {
    std::vector<Index> found;
    for (size_t reached = partial.reached - 1U; reached > 0; --reached) {
      const Link* link = Ancestor(partial.chain.get(), partial.reached - reached);
      const std::string joined = JoinedOf(reached, link);
      const uint32_t hash = HashOf(group, reached, joined);
      for (Index i = heads_[hash & (heads_.size() - 1)]; i != kNone; i = slots_[i].hash_next) {
        if (IsSame(slots_[i], hash, group, reached, joined) && slots_[i].chain.get() == link) found.push_back(i);
      }
    }
    return found;
  }

  // ---- Where partials are
  // ---------------------------------------------------------------------------------------------------

  static uint32_t HashOf(const Groups::value_type* group, size_t reached, std::string_view joined) {
    const uint64_t mixed = SeededHash(joined) ^ (reinterpret_cast<uintptr_t>(group) + reached) * 0x9e3779b97f4a7c15;
    return static_cast<uint32_t>(mixed ^ mixed >> 32);
  }
  static bool IsSame(const Partial& partial, uint32_t hash, const Groups::value_type* group, size_t reached,
                     std::string_view joined) {
    return partial.hash == hash && partial.group == group && partial.reached == reached && partial.joined.view() == joined;
  }

  // The live partial that this one replaces.
  Index FindSame(const std::string& key, const Grown& partial) {
    const auto group = groups_.find(key);
    if (group == groups_.end()) return kNone;
    const uint32_t hash = HashOf(&*group, partial.reached, partial.joined.view());
    for (Index i = heads_[hash & (heads_.size() - 1)]; i != kNone; i = slots_[i].hash_next) {
      const Partial& other = slots_[i];
      if (other.waits != partial.waits || !IsSame(other, hash, &*group, partial.reached, partial.joined.view())) continue;
      if (!partial.waits) return i;
      if (partial.reached > 1 && other.chain->before == partial.chain->before) return i;
    }
    return kNone;
  }

  void Insert(const std::string& key, Grown grown) {
    if (const Index same = FindSame(key, grown); same != kNone) Remove(same);
    Place(key, std::move(grown), ++ticks_);
    if (live_ <= rule_->max_keys) return;
    Remove(oldest_);
    ++evicted_;
  }

  Partial& Place(const std::string& key, Grown grown, uint64_t born) {
    if (free_.empty()) {
      free_.push_back(static_cast<Index>(slots_.size()));
      slots_.emplace_back();
    }
    const Index index = free_.back();
    free_.pop_back();
    Partial& partial = slots_[index];
    partial.group = &*groups_.try_emplace(key).first;
    partial.chain = std::move(grown.chain);
    partial.joined = std::move(grown.joined);
    partial.start = grown.start;
    partial.born = born;
    partial.reached = grown.reached;
    partial.waits = grown.waits;
    partial.hash = HashOf(partial.group, partial.reached, partial.joined.view());
    const uint64_t last = grown.rare.times.empty() ? grown.start : grown.rare.times.back();
    if (!grown.rare.times.empty() || !grown.rare.doubts.empty()) partial.rare = std::make_unique<Rare>(std::move(grown.rare));
    for (size_t i = 0; i < plan_.levels[partial.reached].joined.size(); ++i) {
      partial.has_unknown |= StatusOf(JoinedAt(partial.joined.view(), i)) == schema::Status::Unknown;
    }
    unknown_[partial.reached] += partial.has_unknown ? 1 : 0;
    if (++live_ > heads_.size()) Rehash();
    LinkByHash(index);
    partial.group_next = partial.group->second.first;
    if (partial.group_next != kNone) slots_[partial.group_next].group_last = index;
    partial.group->second.first = index;
    LinkNewest(index);
    AddTimer({last + within(), index});
    return partial;
  }

  // Those of partials that are gone stay until their time, or until they are the more.
  void AddTimer(const Timer& timer) {
    if (ends_.size() > 2 * live_ + 64) {
      std::erase_if(ends_, [&](const Timer& one) { return !IsDue(one); });
      std::ranges::make_heap(ends_, std::greater<>());
    }
    ends_.push_back(timer);
    std::ranges::push_heap(ends_, std::greater<>());
  }

  void LinkByHash(Index index) {
    Partial& partial = slots_[index];
    Index& head = heads_[partial.hash & (heads_.size() - 1)];
    partial.hash_last = kNone;
    partial.hash_next = head;
    if (head != kNone) slots_[head].hash_last = index;
    head = index;
  }
  void Rehash() {
    heads_.assign(heads_.size() * 2, kNone);
    for (Index i = oldest_; i != kNone; i = slots_[i].newer) LinkByHash(i);
  }
  void LinkNewest(Index index) {
    Partial& partial = slots_[index];
    partial.older = newest_;
    partial.newer = kNone;
    (newest_ != kNone ? slots_[newest_].newer : oldest_) = index;
    newest_ = index;
  }
  void UnlinkUse(const Partial& partial) {
    (partial.older != kNone ? slots_[partial.older].newer : oldest_) = partial.newer;
    (partial.newer != kNone ? slots_[partial.newer].older : newest_) = partial.older;
  }
  void Touch(Index index) {
    ++ticks_;
    UnlinkUse(slots_[index]);
    LinkNewest(index);
  }

  void Remove(Index index) {
    Partial& partial = slots_[index];
    UnlinkUse(partial);
    (partial.hash_last != kNone ? slots_[partial.hash_last].hash_next : heads_[partial.hash & (heads_.size() - 1)]) =
        partial.hash_next;
    if (partial.hash_next != kNone) slots_[partial.hash_next].hash_last = partial.hash_last;
    (partial.group_last != kNone ? slots_[partial.group_last].group_next : partial.group->second.first) = partial.group_next;
    if (partial.group_next != kNone) slots_[partial.group_next].group_last = partial.group_last;
    if (partial.group->second.first == kNone) groups_.erase(groups_.find(partial.group->first));
    unknown_[partial.reached] -= partial.has_unknown ? 1 : 0;
    partial = Partial{};
    free_.push_back(index);
    --live_;
  }

  Fired MakeFired(const Partial& partial, uint64_t time) const {
    return MakeFired(partial.chain, partial.rare ? partial.rare->doubts : std::vector<schema::FieldId>{}, time);
  }
  Fired MakeFired(const Chain& chain, const std::vector<schema::FieldId>& doubts, uint64_t time) const {
    Fired fired;
    fired.keep_alive = Events(packer_, chain.get());
    fired.finding.time_ns = time;
    fired.finding.last = fired.keep_alive.back().get();
    fired.finding.doubts = doubts;
    for (size_t i = 0; i < fired.keep_alive.size(); ++i) {
      fired.finding.steps.push_back({fired.keep_alive[i].get(), plan_.positives[i]->repeat});
    }
    return fired;
  }

  SequencePlan plan_;
  Packer packer_;
  Groups groups_;
  std::deque<Partial> slots_;
  std::vector<Index> free_, heads_;
  std::vector<Timer> ends_;        // a heap, the next one first
  std::vector<uint64_t> unknown_;  // by steps reached: partials with a joined value that is not known
  Index oldest_ = kNone, newest_ = kNone;
  uint64_t live_ = 0, now_ = 0;
};

}  // namespace

std::unique_ptr<Rule> MakeFastOrdered(const ir::Machine& machine) { return std::make_unique<FastOrdered>(machine); }

}  // namespace ks::state::reference

// Ordered sequences, as the text says: M1 to M19.
#include <algorithm>
#include <set>

#include "runtime/state/reference.h"
#include "runtime/state/value.h"

namespace ks::state::reference {
namespace {

using Role = ir::Step::Role;
using ir::Truth;

// A step that matches, with what is known of its place.
struct Positive {
  const ir::Step* step = nullptr;
  size_t index = 0;
};

struct Partial {
  size_t reached = 0;               // steps that have matched
  std::string key;
  std::vector<std::string> joined;  // values that later steps join on
  uint64_t start = 0;
  std::deque<uint64_t> times;       // of a first step that repeats: its last events
  uint64_t counted = 0;             // of a later step that repeats: its events so far
  std::vector<Seen> events;         // the last one of each step
  std::vector<schema::FieldId> doubts;
  uint64_t born = 0, used = 0;
  bool waits = false;
};

class Ordered : public Rule {
 public:
  explicit Ordered(const ir::Machine& machine) : Rule(machine) {
    const std::vector<ir::Step>& steps = rule_->sequence->steps;
    for (size_t i = 0; i < steps.size(); ++i) {
      if (steps[i].role == Role::Match) positives_.push_back({&steps[i], i});
    }
    trailing_ = steps.back().role == Role::Without;
    for (size_t i = steps.size(); i-- > 0 && steps[i].role != Role::Match;) trailing_ |= steps[i].role == Role::Without;
  }

  void Handle(uint64_t now, const std::vector<Passed>& passed, std::vector<Fired>* fired) override {
    now_ = now;
    for (const Passed& p : passed) {
      if (p.step->role != Role::Match) End(p);
    }
    // From the last step to the first, so that an event advances no partial twice.
    for (size_t reached = positives_.size(); reached-- > 1;) {
      for (const Passed& p : passed) {
        if (p.index == positives_[reached].index) AdvanceAll(now, reached, p, fired);
      }
    }
    for (const Passed& p : passed) {
      if (p.index == positives_[0].index) Start(now, p, fired);
    }
  }

  void Close(uint64_t now, std::vector<Fired>* fired) override {
    std::vector<Partial> over;
    for (const Partial& partial : partials_) {
      if (End(partial) < now) over.push_back(partial);
    }
    std::erase_if(partials_, [&](const Partial& partial) { return End(partial) < now; });
    std::ranges::sort(over, {}, [&](const Partial& partial) { return std::pair(End(partial), partial.born); });
    for (const Partial& partial : over) {
      if (partial.waits) fired->push_back(MakeFired(partial, End(partial)));
    }
  }

  RuleCounts counts() const override {
    RuleCounts counts;
    counts.live = partials_.size();
    counts.evicted = evicted_;
    for (const Partial& partial : partials_) {
      counts.waiting += partial.waits ? 1 : 0;
      counts.bytes += sizeof(partial) + partial.key.size() + partial.times.size() * 8;
    }
    return counts;
  }

 private:
  uint64_t within() const { return static_cast<uint64_t>(rule_->sequence->within_ns); }
  uint64_t End(const Partial& partial) const {
    return (partial.times.empty() ? partial.start : partial.times.back()) + within();
  }
  bool IsReady(const Partial& partial, uint64_t now) const {  // its step is reached
    if (partial.times.empty()) return true;
    return partial.times.size() == positives_[0].step->repeat && partial.times.front() + within() >= now;
  }
  uint64_t StartOf(const Partial& partial) const { return partial.times.empty() ? partial.start : partial.times.front(); }

  // How many steps that match stand before this one.
  size_t Before(size_t index) const {
    return static_cast<size_t>(
        std::ranges::count_if(positives_, [&](const Positive& positive) { return positive.index < index; }));
  }

  Truth Fits(const Partial& partial, const Passed& passed, std::vector<schema::FieldId>* doubts) const {
    std::vector<const schema::Record*> steps;
    for (const Seen& seen : partial.events) steps.push_back(&seen->event.record);
    return FitsPartial(*passed.step, passed.kept->event.record, steps, positives_.size(), doubts);
  }

  void End(const Passed& passed) {
    const std::string key = EncodeKey(rule_->sequence->by, passed.kept->event.record);
    const size_t before = Before(passed.index);
    std::erase_if(partials_, [&](Partial& partial) {
      if (partial.key != key) return false;
      if (passed.step->role == Role::Without) {
        if (partial.reached != before || !IsReady(partial, now_)) return false;
      }
      std::vector<schema::FieldId> doubts;
      Truth truth = Fits(partial, passed, &doubts);
      if (truth == Truth::False) return false;
      if (!passed.kept->said->uncertain.empty()) truth = Truth::Unknown;
      if (truth == Truth::True) return true;
      AddFields(passed.kept->said->uncertain, &partial.doubts);
      AddFields(doubts, &partial.doubts);
      return false;
    });
  }

  void AdvanceAll(uint64_t now, size_t reached, const Passed& passed, std::vector<Fired>* fired) {
    const std::string key = EncodeKey(rule_->sequence->by, passed.kept->event.record);
    std::vector<Partial> grown;
    for (Partial& partial : partials_) {
      if (partial.key != key || partial.reached != reached || partial.waits || !IsReady(partial, now)) continue;
      std::vector<schema::FieldId> doubts;
      if (Fits(partial, passed, &doubts) == Truth::False) continue;
      partial.used = ++ticks_;
      ++partial.counted;
      if (passed.step->repeat > 1) {
        AddFields(passed.kept->said->uncertain, &partial.doubts);
        AddFields(doubts, &partial.doubts);
      }
      if (partial.counted < passed.step->repeat) continue;
      Partial longer = partial;
      longer.start = StartOf(partial);
      longer.times.clear();
      longer.counted = 0;
      longer.events.push_back(passed.kept);
      AddFields(doubts, &longer.doubts);
      ++longer.reached;
      grown.push_back(std::move(longer));
    }
    for (Partial& longer : grown) Reach(now, std::move(longer), fired);
  }

  void Start(uint64_t now, const Passed& passed, std::vector<Fired>* fired) {
    const uint64_t repeat = passed.step->repeat;
    Partial partial;
    partial.reached = 1;
    partial.key = EncodeKey(rule_->sequence->by, passed.kept->event.record);
    partial.events = {passed.kept};
    partial.start = now;
    if (repeat > 1) {
      partial.joined = Joined(partial);
      for (const Partial& same : partials_) {
        if (!same.waits && IsSame(same, partial)) {
          partial.times = same.times;
          partial.doubts = same.doubts;
        }
      }
      partial.times.push_back(now);
      if (partial.times.size() > repeat) partial.times.pop_front();
      while (partial.times.front() + within() < now) partial.times.pop_front();
      AddFields(passed.kept->said->uncertain, &partial.doubts);
      if (positives_.size() == 1 && IsReady(partial, now)) {
        std::erase_if(partials_, [&](const Partial& same) { return !same.waits && IsSame(same, partial); });
        partial.start = partial.times.front();
        partial.times.clear();
        return Reach(now, std::move(partial), fired);
      }
      return Insert(std::move(partial));
    }
    Reach(now, std::move(partial), fired);
  }

  // The values of the partial's events that later steps join on.
  std::vector<std::string> Joined(const Partial& partial) const {
    std::set<std::tuple<uint8_t, size_t, size_t, int, bool, bool>> once;
    std::vector<std::string> values;
    for (const ir::Step& step : rule_->sequence->steps) {
      const auto index = static_cast<size_t>(&step - rule_->sequence->steps.data());
      if (step.role != Role::Until && Before(index) < partial.reached) continue;
      for (const ir::Join& join : step.joins) {
        const ir::Operand& of = join.other;
        const bool whole = !CutAlike(join);
        if (of.step > partial.reached) continue;
        if (!once.emplace(of.step, static_cast<size_t>(of.field), static_cast<size_t>(of.part), of.element, of.lower, whole)
                 .second) {
          continue;
        }
        values.push_back(Encode(ir::ReadOperand(of, partial.events[of.step - 1]->event.record), whole));
      }
    }
    return values;
  }

  static bool IsSame(const Partial& a, const Partial& b) {
    return a.reached == b.reached && a.key == b.key && a.joined == b.joined;
  }
  // What a partial that waits has grown from.
  static bool HasGrownAlike(const Partial& a, const Partial& b) {
    return a.reached > 1 && std::equal(a.events.begin(), a.events.end() - 1, b.events.begin(), b.events.end() - 1);
  }

  void Reach(uint64_t now, Partial partial, std::vector<Fired>* fired) {
    partial.joined = Joined(partial);
    if (partial.reached < positives_.size()) return Insert(std::move(partial));
    Fired found = MakeFired(partial, now);
    if (IsExcepted(*rule_, found.finding)) return;
    if (trailing_) {
      partial.waits = true;
      return Insert(std::move(partial));
    }
    fired->push_back(std::move(found));
    // What it grew from has done its work. Where something newer has taken its place, the events differ.
    std::erase_if(partials_, [&](const Partial& other) {
      return other.key == partial.key && other.reached < partial.reached &&
             std::equal(other.events.begin(), other.events.end(), partial.events.begin(),
                        partial.events.begin() + static_cast<ptrdiff_t>(other.reached));
    });
  }

  void Insert(Partial partial) {
    partial.born = partial.used = ++ticks_;
    std::erase_if(partials_, [&](const Partial& other) {
      return other.waits == partial.waits && IsSame(other, partial) && (!partial.waits || HasGrownAlike(other, partial));
    });
    partials_.push_back(std::move(partial));
    if (partials_.size() <= rule_->max_keys) return;
    partials_.erase(std::ranges::min_element(partials_, {}, &Partial::used));
    ++evicted_;
  }

  Fired MakeFired(const Partial& partial, uint64_t time) const {
    Fired fired;
    fired.keep_alive = partial.events;
    fired.finding.time_ns = time;
    fired.finding.last = partial.events.back().get();
    fired.finding.doubts = partial.doubts;
    for (size_t i = 0; i < partial.events.size(); ++i) {
      fired.finding.steps.push_back({partial.events[i].get(), positives_[i].step->repeat});
    }
    return fired;
  }

  std::vector<Positive> positives_;
  bool trailing_ = false;
  std::vector<Partial> partials_;  // in the order in which they were made
  uint64_t now_ = 0;
};

std::vector<schema::FieldId> InDoubt(const ir::Operand& operand, const schema::Record& record) {
  const schema::Status status = ir::ReadOperand(operand, record).status;
  if (status == schema::Status::Ok) return {};
  return {operand.field};
}

}  // namespace

Truth FitsPartial(const ir::Step& step, const schema::Record& own, const std::vector<const schema::Record*>& steps,
                  size_t positives, std::vector<schema::FieldId>* doubts) {
  Truth truth = Truth::True;
  for (const ir::Join& join : step.joins) {
    if (join.other.step > steps.size()) return Truth::False;
    const schema::Record& other = *steps[join.other.step - 1];
    const bool whole = !CutAlike(join);
    const Truth holds = JoinHolds(Encode(ir::ReadOperand(join.own, own), whole),
                                  Encode(ir::ReadOperand(join.other, other), whole));
    if (holds == Truth::False) return holds;
    if (holds == Truth::Unknown) {
      truth = holds;
      AddFields(InDoubt(join.own, own), doubts);
      AddFields(InDoubt(join.other, other), doubts);
    }
  }
  for (size_t named = steps.size() + 1; named <= positives; ++named) {
    if (!FieldsOfStep(step.cross, static_cast<uint8_t>(named)).empty()) return Truth::False;
  }
  const ir::Frame frame(&own, steps);
  const Truth cross = ir::Eval(step.cross, frame);
  if (cross == Truth::False) return cross;
  AddFields(DoubtsOf(step.cross, frame), doubts);
  return cross == Truth::Unknown ? cross : truth;
}

std::unique_ptr<Rule> MakeOrdered(const ir::Machine& machine) { return std::make_unique<Ordered>(machine); }

}  // namespace ks::state::reference

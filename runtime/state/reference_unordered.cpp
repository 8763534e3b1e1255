// Unordered sequences: M20 to M23.
#include <algorithm>

#include "runtime/state/packed.h"
#include "runtime/state/reference.h"
#include "runtime/state/value.h"

namespace ks::state::reference {
namespace {

using Role = ir::Step::Role;
using ir::Truth;

struct Place {  // of a step that matches
  std::deque<uint64_t> times;
  Seen last;
};

struct Partial {
  std::string key;
  std::vector<Place> places;
  std::vector<schema::FieldId> doubts;
  uint64_t newest = 0, used = 0;
};

class Unordered : public Rule {
 public:
  explicit Unordered(const ir::Machine& machine) : Rule(machine) {
    for (const ir::Step& step : rule_->sequence->steps) {
      if (step.role == Role::Match) steps_.push_back(&step);
    }
  }

  void Handle(uint64_t now, const std::vector<Passed>& passed, std::vector<Fired>* fired) override {
    const std::string key = EncodeKey(rule_->sequence->by, passed.front().kept->event.record);
    auto found = std::ranges::find(partials_, key, &Partial::key);
    if (found != partials_.end()) {
      for (Place& place : found->places) {
        while (!place.times.empty() && place.times.front() + within() < now) place.times.pop_front();
        if (place.times.empty()) place.last = nullptr;
      }
      for (const Passed& p : passed) {
        if (p.step->role != Role::Until || found == partials_.end()) continue;
        if (Ends(p, &*found)) {
          partials_.erase(found);
          found = partials_.end();
        }
      }
    }
    std::vector<size_t> fits;  // among the steps that match
    for (const Passed& p : passed) {
      const auto place = std::ranges::find(steps_, p.step) - steps_.begin();
      if (p.step->role == Role::Match) fits.push_back(static_cast<size_t>(place));
    }
    if (fits.empty()) return;
    if (found == partials_.end()) {
      partials_.push_back({key, std::vector<Place>(steps_.size()), {}, 0, 0});
      found = partials_.end() - 1;
    }
    size_t chosen = fits[0];
    for (size_t i = fits.size(); i-- > 0;) {
      if (found->places[fits[i]].times.size() < steps_[fits[i]]->repeat) chosen = fits[i];
    }
    const Seen& event = std::ranges::find(passed, steps_[chosen], &Passed::step)->kept;
    Place& place = found->places[chosen];
    place.times.push_back(now);
    if (place.times.size() > steps_[chosen]->repeat) place.times.pop_front();
    place.last = event;
    found->newest = now;
    found->used = ++ticks_;
    if (steps_[chosen]->repeat > 1) AddFields(event->said->uncertain, &found->doubts);
    if (Completes(now, *found, event, fired)) {
      partials_.erase(found);
    } else if (partials_.size() > rule_->max_keys) {
      partials_.erase(std::ranges::min_element(partials_, {}, &Partial::used));
      ++evicted_;
    }
  }

  void Close(uint64_t now, std::vector<Fired>*) override {
    std::erase_if(partials_, [&](const Partial& partial) { return partial.newest + within() < now; });
  }

  RuleCounts counts() const override {
    RuleCounts counts;
    counts.live = partials_.size();
    counts.evicted = evicted_;
    for (const Partial& partial : partials_) counts.bytes += sizeof(partial) + partial.key.size();
    return counts;
  }

  void Save(SavedWriter* out) const override {
    Packer packer;
    SavedWriter partials;
    partials.Number(partials_.size());
    std::vector<const Partial*> by_use;
    for (const Partial& partial : partials_) by_use.push_back(&partial);
    std::ranges::sort(by_use, {}, &Partial::used);
    for (const Partial* partial : by_use) {
      partials.Text(partial->key);
      for (const Place& place : partial->places) {
        partials.TimeList(place.times);
        if (!place.times.empty()) partials.Text(packer.Pack(*place.last).view());
      }
      partials.Fields(partial->doubts);
      partials.Number(partial->newest);
    }
    out->Number(evicted_);
    packer.Save(out);
    out->Text(partials.bytes());
  }

  void Load(SavedReader* in) override {
    evicted_ = in->Number();
    Packer packer;
    packer.Load(in);
    SavedReader partials(in->Text(), in->edge_ns());
    const size_t count = partials.Count(rule_->max_keys);
    for (size_t i = 0; i < count && partials.ok(); ++i) {
      Partial partial{std::string(partials.Text()), std::vector<Place>(steps_.size()), {}, 0, ++ticks_};
      for (size_t j = 0; j < steps_.size(); ++j) {
        Place& place = partial.places[j];
        partials.TimeList(steps_[j]->repeat, &place.times);
        if (place.times.empty()) continue;
        SavedReader event(partials.Text(), UINT64_MAX);
        place.last = packer.LoadEvent(&event);
        partials.Require(event.at_end());
      }
      partial.doubts = partials.Fields();
      partial.newest = partials.Time();
      partials_.push_back(std::move(partial));
    }
    in->Require(partials.at_end());
  }

 private:
  uint64_t within() const { return static_cast<uint64_t>(rule_->sequence->within_ns); }

  // Joins and other conditions of a step, on the newest events; False if a step that is named has none.
  Truth Holds(const ir::Step& step, const schema::Record& own, const Partial& partial,
              std::vector<schema::FieldId>* doubts) const {
    std::vector<const schema::Record*> records;
    for (const Place& place : partial.places) records.push_back(place.last ? &place.last->event.record : nullptr);
    Truth truth = Truth::True;
    for (const ir::Join& join : step.joins) {
      const schema::Record* other = records[join.other.step - 1];
      if (other == nullptr) return Truth::False;
      const bool whole = !CutAlike(join);
      const schema::FieldValue a = ir::ReadOperand(join.own, own), b = ir::ReadOperand(join.other, *other);
      const Truth holds = JoinHolds(Encode(a, whole), Encode(b, whole));
      if (holds == Truth::False) return holds;
      if (holds == Truth::Unknown) {
        truth = holds;
        if (a.status != schema::Status::Ok) AddFields({join.own.field}, doubts);
        if (b.status != schema::Status::Ok) AddFields({join.other.field}, doubts);
      }
    }
    for (size_t i = 0; i < records.size(); ++i) {
      if (!records[i] && !FieldsOfStep(step.cross, static_cast<uint8_t>(i + 1)).empty()) return Truth::False;
    }
    const ir::Frame frame(&own, records);
    const Truth cross = ir::Eval(step.cross, frame);
    if (cross == Truth::False) return cross;
    AddFields(DoubtsOf(step.cross, frame), doubts);
    return cross == Truth::Unknown ? cross : truth;
  }

  bool Ends(const Passed& until, Partial* partial) const {
    std::vector<schema::FieldId> doubts;
    Truth truth = Holds(*until.step, until.kept->event.record, *partial, &doubts);
    if (truth == Truth::False) return false;
    if (truth == Truth::True && until.kept->said->uncertain.empty()) return true;
    AddFields(until.kept->said->uncertain, &partial->doubts);
    AddFields(doubts, &partial->doubts);
    return false;
  }

  bool Completes(uint64_t now, const Partial& partial, const Seen& last, std::vector<Fired>* fired) const {
    Fired found;
    found.finding.time_ns = now;
    found.finding.last = last.get();
    found.finding.doubts = partial.doubts;
    for (size_t i = 0; i < steps_.size(); ++i) {
      if (partial.places[i].times.size() < steps_[i]->repeat) return false;
    }
    for (size_t i = 0; i < steps_.size(); ++i) {
      const Place& place = partial.places[i];
      if (Holds(*steps_[i], place.last->event.record, partial, &found.finding.doubts) == Truth::False) return false;
      found.finding.steps.push_back({place.last.get(), steps_[i]->repeat});
      found.keep_alive.push_back(place.last);
    }
    if (IsExcepted(*rule_, found.finding)) return false;
    fired->push_back(std::move(found));
    return true;
  }

  std::vector<const ir::Step*> steps_;
  std::vector<Partial> partials_;
};

}  // namespace

std::unique_ptr<Rule> MakeUnordered(const ir::Machine& machine) { return std::make_unique<Unordered>(machine); }

}  // namespace ks::state::reference

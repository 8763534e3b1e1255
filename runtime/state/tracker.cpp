#include "runtime/state/tracker.h"

#include <algorithm>
#include <map>

#include "runtime/state/machinery.h"
#include "runtime/state/order.h"

namespace ks::state {

struct Tracker::State {
  State(const engine::Engine& of, const Options& options)
      : engine(of),
        order(static_cast<uint64_t>(std::max<int64_t>(options.late_bound_ns, 0))),
        machinery(options.engine == Options::Engine::Fast ? MakeFast(of, options.holding) : MakeReference(of, options.holding)) {
    for (uint32_t i = 0; i < of.program().machines.size(); ++i) {
      fingerprints.push_back(ir::Fingerprint(of.program().machines[i]));
      by_fingerprint[fingerprints.back()] = i;
    }
  }

  void Handle(uint64_t time_ns, Taken& taken, const OnAlert& on_alert) {
    machinery->Close(time_ns, on_alert);
    machinery->Handle(time_ns, taken, on_alert);
  }
  void Release(const OnAlert& on_alert) {
    order.ReleaseReady([&](uint64_t time_ns, std::unique_ptr<Taken>& taken) { Handle(time_ns, *taken, on_alert); });
    machinery->Close(order.edge(), on_alert);
  }

  const engine::Engine& engine;
  Order<std::unique_ptr<Taken>> order;
  std::unique_ptr<Machinery> machinery;
  std::vector<std::string> fingerprints;           // by machine
  std::map<std::string, uint32_t> by_fingerprint;  // machines
};

Tracker::Tracker(const engine::Engine& engine, const Options& options)
    : state_(std::make_unique<State>(engine, options)) {}
Tracker::Tracker(Tracker&&) noexcept = default;
Tracker& Tracker::operator=(Tracker&&) noexcept = default;
Tracker::~Tracker() = default;

void Tracker::Take(const event::Event& event, std::span<const event::Match> matches, const OnAlert& on_alert) {
  bool is_kept = false;
  for (const event::Match& match : matches) {
    const bool has_state = state_->engine.program().rules[match.probe].machine.has_value();
    is_kept = is_kept || has_state;
    if (!has_state) on_alert(match);
  }
  if (is_kept) {
    state_->order.Put(event.time_ns, event.cpu, event.sequence, state_->machinery->Keep(event, matches));
    state_->machinery->Expect(event, matches, state_->order.edge());
  } else {
    state_->order.Advance(event.time_ns);
  }
  state_->Release(on_alert);
}

std::vector<event::Match> Tracker::TakeOf(const Tracker& of, const event::Event& event,
                                          std::vector<event::Match> matches, const OnAlert& on_alert) {
  const ir::Program& theirs = of.state_->engine.program();
  const ir::Program& ours = state_->engine.program();
  std::vector<event::Match> taken, rest;
  for (event::Match& match : matches) {
    const ir::SplitRule& probe = theirs.rules[match.probe];
    auto same = state_->by_fingerprint.end();
    if (probe.machine) same = state_->by_fingerprint.find(of.state_->fingerprints[*probe.machine]);
    if (same == state_->by_fingerprint.end()) {
      rest.push_back(std::move(match));
      continue;
    }
    const ir::Machine& machine = ours.machines[same->second];
    match.probe = machine.probes[machine.rule.sequence ? probe.step : 0];
    match.rule = &state_->engine.info(match.probe);
    taken.push_back(std::move(match));
  }
  if (!taken.empty()) Take(event, taken, on_alert);
  return rest;
}

void Tracker::Advance(uint64_t now_ns, const OnAlert& on_alert) {
  state_->order.Advance(now_ns);
  state_->Release(on_alert);
}

void Tracker::HoldAt(uint64_t time_ns) { state_->order.HoldAt(time_ns); }

void Tracker::Flush(const OnAlert& on_alert) {
  state_->order.ReleaseAll([&](uint64_t time_ns, std::unique_ptr<Taken>& taken) {
    state_->Handle(time_ns, *taken, on_alert);
  });
  state_->machinery->Close(state_->order.newest_ns(), on_alert);
  state_->order.Settle(state_->order.newest_ns());
}

size_t Tracker::Adopt(Tracker& old, const OnAlert& on_alert) {
  old.Flush(on_alert);
  state_->order.Settle(old.state_->order.newest_ns());
  return state_->machinery->Adopt(*old.state_->machinery);
}

std::string Tracker::Save() const { return state_->machinery->Save(state_->order.edge()); }

Result<size_t> Tracker::Load(std::string_view saved, uint64_t now_ns) {
  KS_CHECK(state_->order.newest_ns() == 0, "state is loaded before events");
  auto loaded = state_->machinery->Load(saved, now_ns);
  if (!loaded) return loaded.error();
  state_->order.Settle(loaded->edge_ns);
  return loaded->rules;
}

Counts Tracker::counts() const { return {state_->machinery->counts(), state_->order.late()}; }

}  // namespace ks::state

// What `ksc replay --report` writes: told of events, alerts and losses while they are replayed, makes one HTML file of them.
// Documented in docs/report.md; the page itself is in tools/report.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "runtime/engine/engine.h"
#include "runtime/replay/observer.h"

namespace ks::ksc {

class HtmlReport : public replay::Observer {
 public:
  static constexpr unsigned kMaxMaxEvents = 2'000'000;
  // Whether a file can be made there: asked before an hour of replaying, not behind it.
  static Status CanWrite(const std::string& path);

  // The engine outlives it. Beyond `max_events` every second, fourth, … event is kept, and those that alerts are of, and some
  // around them; all are counted.
  HtmlReport(const engine::Engine& engine, uint64_t max_events);
  ~HtmlReport() override;
  HtmlReport(const HtmlReport&) = delete;
  HtmlReport& operator=(const HtmlReport&) = delete;

  void OnTrace(const std::string& path, const trace::Info& info) override;
  bool WantsEvents() const override { return true; }
  void OnEvent(const event::Event& event) override;
  void OnLost(const trace::Lost& lost) override;
  void OnAlert(const event::Match& match) override;
  void OnEnd(const std::string& path, const replay::TraceEnd& end) override;

  // After everything. Readable by its owner only, as traces are: it shows paths and arguments. Gives what is to be said: a
  // line on its size, and one on each thing that was left out.
  Result<std::string> Write(const std::string& path) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ks::ksc

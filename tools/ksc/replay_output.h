// What `ksc replay` and `ksc replay merge` print, the same by both.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "runtime/alert/alert.h"
#include "runtime/replay/observer.h"
#include "runtime/replay/replay.h"
#include "tools/cli/args.h"
#include "tools/ksc/alert_results.h"
#include "tools/ksc/html_report.h"
#include "tools/ksc/progress_line.h"

namespace ks::ksc {

// Alerts on stdout as they come, what is to be known of their traces on stderr.
class Printer : public replay::Observer {
 public:
  // Of a format for machines nothing is printed yet. `keep_lines`: of all alerts, for that, and for what is expected.
  Printer(const ir::Program& program, alert::Origin origin, std::string_view format, bool keep_lines);

  void OnTrace(const std::string& path, const trace::Info& info) override;
  void OnAlert(const event::Match& match) override;
  void OnEnd(const std::string& path, const replay::TraceEnd& end) override;
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  const ir::Program& program_;
  alert::Origin origin_;
  const bool json_, prints_, keep_lines_, color_;
  uint64_t alerts_ = 0;
  std::vector<std::string> lines_;
};

// --format, --expect and --strict, as both commands have them.
cli::Option ReplayFormatOption();
cli::Option ExpectOption();
cli::Option StrictOption();
// Whether they can be; else it was said, with the exit code.
std::optional<int> CheckOutputOptions(const cli::Command& command, const cli::Arguments& arguments);

// The progress line of a replay.
void ShowReplayed(ProgressLine& progress, uint64_t events, uint64_t alerts);

// Replays with `replay`, which is given the printer and tells how far it is; prints totals and what differs from what is expected.
// The report, if there is one, is told as well, and written to where --report says. Gives the exit code.
using Replaying = std::function<Result<replay::Totals>(replay::Observer&, const replay::OnProgress&)>;
int ReplayAndPrint(const ir::Program& program, const alert::Origin& origin, const RulePlaces& places,
                   const cli::Arguments& arguments, HtmlReport* report, const Replaying& replay);

}  // namespace ks::ksc

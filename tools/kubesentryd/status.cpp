// kubesentryd status: asks the running daemon.
#include <fmt/format.h>

#include "tools/cli/args.h"
#include "tools/kubesentryd/commands.h"
#include "tools/kubesentryd/host.h"
#include "tools/kubesentryd/report.h"
#include "tools/kubesentryd/status_socket.h"

namespace ks::agent {
namespace {

const cli::Command& StatusCommand() {
  static const cli::Command kCommand{
      .name = "kubesentryd status",
      .about = "Says what the running daemon has loaded, what it has seen, and what it has lost.",
      .example = "  kubesentryd status\n  kubesentryd status --format json | jq .counters",
      .options = {
          {.name = "--status-socket",
           .value = "PATH",
           .about = "where the daemon listens; by default where `run` does"},
          {.name = "--format", .value = "FORMAT", .about = "human (default) or json", .choices = {"human", "json"}},
      }};
  return kCommand;
}

}  // namespace

int ShowStatus(const Words& words) {
  int exit_code = 0;
  const auto arguments = cli::Parse(StatusCommand(), words, &exit_code);
  if (!arguments) return exit_code;
  const bool json = arguments->Get("--format", "human") == "json";
  const std::string path = arguments->Get("--status-socket", DefaultStatusSocket());
  const auto answer = AskStatus(path);
  if (!answer) return cli::Fail(answer.error(), json);
  const auto report = nlohmann::json::parse(*answer, nullptr, false);
  if (!report.is_object()) {
    return cli::Fail({"ask the daemon at", path, "its answer is not a status report", "", "status-socket"}, json);
  }
  fmt::print("{}", json ? *answer : Readable(report));
  return cli::kFine;
}

}  // namespace ks::agent

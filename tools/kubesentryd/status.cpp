// kubesentryd status and rollback: ask the running daemon.
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

const cli::Command& RollbackCommand() {
  static const cli::Command kCommand{
      .name = "kubesentryd rollback",
      .about =
          "Makes the bundle active again that was so before the last swap: its programs are still loaded, and one store "
          "turns\nto them, so that no event is missed. A second time turns back. The bundle's file stays as it is: put the "
          "older one in\nits place, too; a restart leaves the file's bundle aside, SIGHUP or another file swaps to it.",
      .example = "  kubesentryd rollback",
      .options = {
          {.name = "--status-socket",
           .value = "PATH",
           .about = "where the daemon listens; by default where `run` does"},
          {.name = "--format", .value = "FORMAT", .about = "human (default) or json", .choices = {"human", "json"}},
      }};
  return kCommand;
}

// Asks, and prints the status that is the answer.
int AskAndPrint(const cli::Command& command, const Words& words, std::string_view request) {
  int exit_code = 0;
  const auto arguments = cli::Parse(command, words, &exit_code);
  if (!arguments) return exit_code;
  const bool json = arguments->Get("--format", "human") == "json";
  const std::string path = arguments->Get("--status-socket", DefaultStatusSocket());
  const auto answer = Ask(path, request);
  if (!answer) return cli::Fail(answer.error(), json);
  const auto report = nlohmann::json::parse(*answer, nullptr, false);
  if (!report.is_object()) {
    return cli::Fail({"ask the daemon at", path, "its answer is not a status report", "", "status-socket"}, json);
  }
  if (report.contains("error")) return cli::Fail(ErrorOf(report), json);
  fmt::print("{}", json ? *answer : Readable(report));
  return cli::kFine;
}

}  // namespace

int ShowStatus(const Words& words) { return AskAndPrint(StatusCommand(), words, kAskStatus); }
int AskForRollback(const Words& words) { return AskAndPrint(RollbackCommand(), words, kAskRollback); }

}  // namespace ks::agent

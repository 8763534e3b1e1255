// kubesentryd status and rollback: ask the running daemon.
#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/event/event.h"
#include "tools/cli/args.h"
#include "tools/kubesentryd/commands.h"
#include "tools/kubesentryd/host.h"
#include "tools/kubesentryd/report.h"
#include "tools/kubesentryd/status_socket.h"

namespace ks::agent {
namespace {

// Of both commands.
std::vector<cli::Option> Options() {
  return {{.name = "--status-socket", .value = "PATH", .about = "where the daemon listens; by default where `run` does"},
          {.name = "--user",
           .value = "UID",
           .about = "the daemon's user, if it is neither root nor the one who asks: others are not believed"},
          {.name = "--format", .value = "FORMAT", .about = "human (default) or json", .choices = {"human", "json"}}};
}

// What is for people, line by line: names in it are not ours.
std::string Shown(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    event::AppendPrintable(text.substr(0, end), &out);
    out += '\n';
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return out;
}

const cli::Command& StatusCommand() {
  static const cli::Command kCommand{
      .name = "kubesentryd status",
      .about = "Says what the running daemon has loaded, what it has seen, and what it has lost.",
      .example = "  kubesentryd status\n  kubesentryd status --format json | jq .counters\n  kubesentryd status --user 65534",
      .options = Options()};
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
      .options = Options()};
  return kCommand;
}

// Asks, and prints the status that is the answer.
int AskAndPrint(const cli::Command& command, const Words& words, std::string_view request) {
  int exit_code = 0;
  const auto arguments = cli::Parse(command, words, &exit_code);
  if (!arguments) return exit_code;
  const bool json = arguments->Get("--format", "human") == "json";
  const std::string path = arguments->Get("--status-socket", DefaultStatusSocket());
  std::optional<uid_t> user;
  if (arguments->Has("--user")) {
    user = cli::ParseCount(arguments->Get("--user"), 0, UINT32_MAX - 1);
    if (!user) return cli::Usage(command, fmt::format("--user takes the number of a user, not `{}`", arguments->Get("--user")));
  }
  const auto answer = Ask(path, request, user);
  if (!answer) return cli::Fail(answer.error(), json);
  const auto report = nlohmann::ordered_json::parse(*answer, nullptr, false);
  if (!report.is_object()) {
    return cli::Fail({"ask the daemon at", path, "its answer is not a status report", "", "status-socket"}, json);
  }
  if (report.contains("error")) return cli::Fail(ErrorOf(report), json);
  // In ASCII, so that nothing in it moves a terminal.
  fmt::print("{}", json ? report.dump(-1, ' ', true) + "\n" : Shown(Readable(report)));
  return cli::kFine;
}

}  // namespace

int ShowStatus(const Words& words) { return AskAndPrint(StatusCommand(), words, kAskStatus); }
int AskForRollback(const Words& words) { return AskAndPrint(RollbackCommand(), words, kAskRollback); }

}  // namespace ks::agent

// kubesentryd unpin: ends what `run --pin` left running.
#include <fmt/format.h>

#include "runtime/kernel/kernel.h"
#include "tools/cli/args.h"
#include "tools/kubesentryd/commands.h"

namespace ks::agent {
namespace {

const cli::Command& UnpinCommand() {
  static const cli::Command kCommand{
      .name = "kubesentryd unpin",
      .about =
          "Detaches the programs that agents pinned in a folder and removes all of it: nothing is seen any more, and records "
          "that\nno agent has read are gone (how many bytes is said). An agent that uses the folder must be ended first.",
      .example = "  kubesentryd unpin --pin /sys/fs/bpf/kubesentry",
      .options = {{.name = "--pin", .value = "DIR", .about = "the folder, as `run` has it", .required = true}}};
  return kCommand;
}

}  // namespace

int Unpin(const Words& words) {
  int exit_code = 0;
  const auto arguments = cli::Parse(UnpinCommand(), words, &exit_code);
  if (!arguments) return exit_code;
  const auto removed = kernel::RemovePins(arguments->Get("--pin"));
  if (!removed) return cli::Fail(removed.error());
  for (const std::string& line : removed->removed) fmt::print("{}\n", line);
  for (const std::string& line : removed->left) fmt::print(stderr, "kubesentryd: {}\n", line);
  if (!removed->left.empty()) return cli::kWorldFailed;
  if (removed->removed.empty()) fmt::print("{} holds nothing of kubesentryd\n", arguments->Get("--pin"));
  return cli::kFine;
}

}  // namespace ks::agent

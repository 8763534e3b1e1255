// kubesentryd: the agent. Loads signed bundles into the kernel and turns what they pass into alerts.
#include <fmt/format.h>

#include <csignal>
#include <cstdio>

#include "tools/cli/args.h"
#include "tools/cli/program.h"
#include "tools/kubesentryd/commands.h"
#include "tools/kubesentryd/standard_files.h"

namespace ks::agent {
namespace {

constexpr cli::Subcommand kSubcommands[] = {
    {"run", RunAgent, "load a bundle and print its alerts"},
    {"check", CheckBundles, "whether this kernel takes a bundle's programs; nothing runs"},
    {"status", ShowStatus, "what the running daemon has loaded, seen and lost"},
    {"rollback", AskForRollback, "make the bundle before active again, by one store"},
    {"unpin", Unpin, "detach and remove what `run --pin` left"},
    {"record", RecordTrace, "write events to a trace, for `ksc replay`"},
};

constexpr cli::Program kProgram = {
    "kubesentryd",
    "The agent of Kubesentry: one per node.",
    kSubcommands,
    "0 fine · 1 a checked bundle was refused · 2 wrong usage · 3 the world failed",
    "  kubesentryd run --bundle rules.kspb --trust KEY.pub",
};

}  // namespace
}  // namespace ks::agent

int main(int argc, char** argv) {
  ks::agent::HoldStandardFiles();
  // A reader of alerts that goes away, and a file that may grow no further (ulimit -f), are errors with words, not a death.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  int code = ks::cli::Run(ks::agent::kProgram, ks::agent::Words(argv + 1, argv + argc));
  if (std::fflush(stdout) != 0) {
    fmt::print(stderr, "error: could not write to standard output\n");
    code = ks::cli::kWorldFailed;
  }
  return code;
}

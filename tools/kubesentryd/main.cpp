// kubesentryd: the agent. Loads signed bundles into the kernel and turns what they pass into alerts.
#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <string_view>

#include "bpf/schema/schema.h"
#include "compiler/support/diagnostics.h"
#include "tools/cli/args.h"
#include "tools/kubesentryd/commands.h"

namespace ks::agent {
namespace {

struct Subcommand {
  std::string_view name;
  int (*run)(const Words&);
  std::string_view about;
};

constexpr Subcommand kSubcommands[] = {
    {"run", RunAgent, "load a bundle and print its alerts"},
    {"status", ShowStatus, "what the running daemon has loaded, seen and lost"},
    {"record", RecordTrace, "write events to a trace, for `ksc replay`"},
};

std::string Overview() {
  std::string out = "usage: kubesentryd COMMAND [options]\n\nThe agent of Kubesentry: one per node.\n\ncommands:\n";
  for (const Subcommand& command : kSubcommands) out += fmt::format("  {:<8} {}\n", command.name, command.about);
  return out +
         "\nexit status: 0 fine · 2 wrong usage · 3 the world failed\n\nexample:\n"
         "  kubesentryd run --bundle rules.kspb --trust KEY.pub\n  kubesentryd COMMAND --help shows more.\n";
}

int Main(const Words& words) {
  if (words.empty()) {
    fmt::print(stderr, "{}", Overview());
    return cli::kUsage;
  }
  if (words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
    fmt::print("{}", Overview());
    return cli::kFine;
  }
  if (words[0] == "--version") {
    fmt::print("kubesentryd {} (schema {})\n", KS_VERSION, schema::Hash());
    return cli::kFine;
  }
  std::vector<std::string_view> names = {"--help", "--version"};
  for (const Subcommand& command : kSubcommands) {
    if (command.name == words[0]) return command.run(Words(words.begin() + 1, words.end()));
    names.push_back(command.name);
  }
  const std::string_view near = DidYouMean(words[0], names);
  fmt::print(stderr, "kubesentryd: there is no command `{}`{}\n  help: kubesentryd --help lists them\n", words[0],
             near.empty() ? "" : fmt::format("; did you mean `{}`?", near));
  return cli::kUsage;
}

}  // namespace
}  // namespace ks::agent

int main(int argc, char** argv) {
  // A reader of alerts that goes away is an error with words, not a death.
  std::signal(SIGPIPE, SIG_IGN);
  int code = ks::agent::Main(ks::agent::Words(argv + 1, argv + argc));
  if (std::fflush(stdout) != 0) {
    fmt::print(stderr, "error: could not write to standard output\n");
    code = ks::cli::kWorldFailed;
  }
  return code;
}

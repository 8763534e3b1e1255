// ksc: checks, compiles, tests and replays .ksp policies.
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <system_error>

#include "tools/ksc/commands.h"

namespace ks::ksc {
namespace {

struct Subcommand {
  std::string_view name;
  int (*run)(const Words&);
  std::string_view about;
};

constexpr Subcommand kSubcommands[] = {
    {"check", Check, "find mistakes in policies"},
    {"compile", Compile, "policies to a signed bundle"},
    {"test", Test, "run the tests that stand in policies"},
    {"replay", Replay, "decide recorded events; compare with expected alerts"},
    {"explain", Explain, "what a rule does where, or what an error code means"},
    {"schema", Schema, "every event and field that a policy can name"},
    {"bundle keygen", BundleKeygen, "make a pair of keys"},
    {"bundle sign", BundleSign, "sign a bundle with another key"},
    {"bundle verify", BundleVerify, "check a bundle against trusted keys"},
    {"bundle show", BundleShow, "what a bundle says of itself"},
};

std::string Overview() {
  std::string out = "usage: ksc COMMAND [options]\n\nThe compiler of Kubesentry's detection rules.\n\ncommands:\n";
  for (const Subcommand& command : kSubcommands) out += fmt::format("  {:<14} {}\n", command.name, command.about);
  return out +
         "\nexit status: 0 fine · 1 findings (errors, failed tests, unexpected alerts) · 2 wrong usage · 3 the world "
         "failed\n\nexample:\n  ksc check rules/ && ksc test rules/\n  ksc COMMAND --help shows more.\n";
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
    fmt::print("ksc {} (schema {})\n", KS_VERSION, schema::Hash());
    return cli::kFine;
  }
  std::string name = words[0];
  size_t used = 1;
  if (name == "bundle") {
    if (words.size() < 2 || words[1] == "--help" || words[1] == "-h") {
      fmt::print(words.size() < 2 ? stderr : stdout, "{}", Overview());
      return words.size() < 2 ? cli::kUsage : cli::kFine;
    }
    name += " " + words[1];
    used = 2;
  }
  std::vector<std::string_view> names;
  for (const Subcommand& command : kSubcommands) {
    if (command.name == name) return command.run(Words(words.begin() + static_cast<ptrdiff_t>(used), words.end()));
    names.push_back(command.name);
  }
  std::string_view near = DidYouMean(name, names);
  fmt::print(stderr, "ksc: there is no command `{}`{}\n  help: ksc --help lists them\n", name,
             near.empty() ? "" : fmt::format("; did you mean `{}`?", near));
  return cli::kUsage;
}

}  // namespace
}  // namespace ks::ksc

int main(int argc, char** argv) {
  // A reader that goes away (`ksc … | head`) ends us as it ends any filter.
  std::signal(SIGPIPE, SIG_DFL);
  int code = ks::cli::kFine;
  try {
    code = ks::ksc::Main(ks::ksc::Words(argv + 1, argv + argc));
  } catch (const std::system_error& error) {  // libfmt's, when what it prints to refuses
    fmt::print(stderr, "error: could not write to standard output: {}\n", error.code().message());
    return ks::cli::kWorldFailed;
  }
  if (std::fflush(stdout) != 0) {
    fmt::print(stderr, "error: could not write to standard output\n");
    code = ks::cli::kWorldFailed;
  }
  return code;
}

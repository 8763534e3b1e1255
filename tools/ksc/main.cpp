// ksc: checks, compiles, tests and replays .ksp policies.
#include <fmt/format.h>

#include <csignal>
#include <system_error>

#include "tools/cli/program.h"
#include "tools/ksc/commands.h"

namespace ks::ksc {
namespace {

constexpr cli::Subcommand kSubcommands[] = {
    {"check", Check, "find mistakes in policies"},
    {"fmt", Fmt, "format policies: one style, comments kept"},
    {"compile", Compile, "policies to a signed bundle"},
    {"verify", Verify, "load a bundle's programs on this kernel or in machines with others; what they cost there"},
    {"test", Test, "run the tests that stand in policies"},
    {"replay", Replay, "decide recorded events; compare with expected alerts"},
    {"replay merge", ReplayMerge, "the parts of a replay that several processes share, as one"},
    {"trace import", TraceImport, "recordings of other tools to a trace"},
    {"trace info", TraceInfo, "what a trace holds"},
    {"trace cat", TraceCat, "the events of a trace"},
    {"trace cut", TraceCut, "a part of a trace: of a time, of a process, of a kind"},
    {"trace merge", TraceMerge, "several traces as one, in the order of time"},
    {"trace redact", TraceRedact, "a trace without what is about people"},
    {"bench", BenchRules, "what rules and their tests cost on recorded events"},
    {"diff", Diff, "what a change of a policy changes, on recorded events"},
    {"why", Why, "why a recorded event does or does not match a rule"},
    {"doc", Doc, "reference pages of rules"},
    {"explain", Explain, "what a rule does where, or what an error code means"},
    {"schema", Schema, "every event and field that a policy can name"},
    {"lsp", Lsp, "the language server, for editors"},
    {"bundle keygen", BundleKeygen, "make a pair of keys"},
    {"bundle sign", BundleSign, "sign a bundle with another key"},
    {"bundle verify", BundleVerify, "check a bundle against trusted keys"},
    {"bundle show", BundleShow, "what a bundle says of itself"},
};

constexpr cli::Program kProgram = {
    "ksc",
    "The compiler of Kubesentry's detection rules.",
    kSubcommands,
    "0 fine · 1 findings (errors, failed tests, unexpected alerts) · 2 wrong usage · 3 the world failed",
    "  ksc check rules/ && ksc test rules/",
};

}  // namespace
}  // namespace ks::ksc

int main(int argc, char** argv) {
  // A reader that goes away (`ksc … | head`) ends us as it ends any filter.
  std::signal(SIGPIPE, SIG_DFL);
  int code = ks::cli::kFine;
  try {
    code = ks::cli::Run(ks::ksc::kProgram, ks::ksc::Words(argv + 1, argv + argc));
  } catch (const std::system_error& error) {  // libfmt's, when what it prints to refuses
    fmt::print(stderr, "error: could not write to standard output: {}\n", error.code().message());
    return ks::cli::kWorldFailed;
  }
  // Or when what was printed before did.
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    fmt::print(stderr, "error: could not write to standard output\n");
    code = ks::cli::kWorldFailed;
  }
  return code;
}

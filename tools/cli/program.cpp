#include "tools/cli/program.h"

#include <fmt/format.h>

#include <algorithm>

#include "bpf/schema/schema.h"
#include "compiler/support/diagnostics.h"
#include "tools/cli/args.h"

namespace ks::cli {
namespace {

std::string Overview(const Program& program) {
  std::string out =
      fmt::format("usage: {} COMMAND [options]\n\n{}\n\ncommands:\n", program.name, program.about);
  size_t width = 0;
  for (const Subcommand& command : program.commands) width = std::max(width, command.name.size());
  for (const Subcommand& command : program.commands) out += fmt::format("  {:<{}} {}\n", command.name, width + 1, command.about);
  return out + fmt::format("\nexit status: {}\n\nexample:\n{}\n  {} COMMAND --help shows more.\n", program.exit_statuses,
                           program.example, program.name);
}

bool AsksForHelp(std::string_view word) { return word == "--help" || word == "-h" || word == "help"; }

}  // namespace

int Run(const Program& program, const std::vector<std::string>& words) {
  const auto overview = [&](bool asked) {
    fmt::print(asked ? stdout : stderr, "{}", Overview(program));
    return asked ? kFine : kUsage;
  };
  if (words.empty() || AsksForHelp(words[0])) return overview(!words.empty());
  if (words[0] == "--version") {
    fmt::print("{} {} (schema {})\n", program.name, KS_VERSION, schema::Hash());
    return kFine;
  }
  const auto is_one = [&](const std::string& word) {
    return std::ranges::any_of(program.commands, [&](const Subcommand& command) { return command.name == word; });
  };
  // `replay` is a command, and has one below it.
  const bool group = (words.size() > 1 && is_one(words[0] + " " + words[1])) ||
                     (!is_one(words[0]) && std::ranges::any_of(program.commands, [&](const Subcommand& command) {
                       return command.name.starts_with(words[0] + " ");
                     }));
  if (group && (words.size() < 2 || AsksForHelp(words[1]))) return overview(words.size() >= 2);
  const std::string name = group ? words[0] + " " + words[1] : words[0];
  std::vector<std::string_view> names = {"--help", "--version"};
  for (const Subcommand& command : program.commands) {
    if (command.name == name) return command.run({words.begin() + (group ? 2 : 1), words.end()});
    names.push_back(command.name);
  }
  const std::string_view near = DidYouMean(name, names);
  fmt::print(stderr, "{}: there is no command `{}`{}\n  help: {} --help lists them\n", program.name, name,
             near.empty() ? "" : fmt::format("; did you mean `{}`?", near), program.name);
  return kUsage;
}

}  // namespace ks::cli

// A program of several commands: its overview, its version, and which of them a command line names.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ks::cli {

struct Subcommand {
  std::string_view name;  // "check", or two words: "bundle sign"
  int (*run)(const std::vector<std::string>& words);  // what follows the name → exit code
  std::string_view about;
};

struct Program {
  std::string_view name, about;
  std::span<const Subcommand> commands;
  std::string_view exit_statuses;  // one line
  std::string_view example;        // whole lines, ready to paste
};

// Runs the command that `words` (argv without the program) names. An overview for no words, --help and a group without
// its second word; for what is no command, an error with the nearest one.
int Run(const Program& program, const std::vector<std::string>& words);

}  // namespace ks::cli

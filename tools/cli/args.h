// Command lines of ksc and kubesentryd: one table per command gives its parsing, its --help and its errors.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/support/result.h"

namespace ks::cli {

// Stable exit codes (language.md, "Commands").
enum Exit : int { kFine = 0, kFindings = 1, kUsage = 2, kWorldFailed = 3 };

struct Option {
  std::string_view name;   // "--key"
  std::string_view value;  // "KEY.pem"; "" for a switch
  std::string_view about;
  bool required = false;
  std::vector<std::string_view> choices;  // if not empty: the only values that are allowed
  bool many = false;                      // may be given more than once
};

struct Command {
  std::string_view name;         // "ksc compile"
  std::string_view positionals;  // "FILES-OR-FOLDERS"; "" if there are none
  size_t min_positionals = 0, max_positionals = 0;
  std::string_view about;
  std::string_view example;  // whole lines, ready to paste
  std::vector<Option> options;
};

class Arguments {
 public:
  const std::vector<std::string>& positionals() const { return positionals_; }
  bool Has(std::string_view option) const { return values_.contains(option); }
  std::string Get(std::string_view option, std::string_view otherwise = "") const;
  std::vector<std::string> All(std::string_view option) const;

 private:
  friend std::optional<Arguments> Parse(const Command&, const std::vector<std::string>&, int*);
  std::vector<std::string> positionals_;
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
};

// `--name value` and `--name=value`; `--` ends options. If there is nothing to run (--help, or an error, already
// printed), returns nothing and sets *exit_code.
std::optional<Arguments> Parse(const Command& command, const std::vector<std::string>& words, int* exit_code);

// A number in digits alone, within these.
std::optional<unsigned> ParseCount(const std::string& text, unsigned least, unsigned most);

std::string Help(const Command& command);

// Prints a failure of the world to stderr, as text or one JSON object, and gives kWorldFailed.
int Fail(const Error& error, bool json = false);
// Writes what the error's `log` holds, if anything, and says in its detail and facts where.
void KeepLog(Error* error, const std::string& path);
// A mistake on the command line: says it, points to --help, gives kUsage.
int Usage(const Command& command, const std::string& what);

}  // namespace ks::cli

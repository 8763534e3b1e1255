#include "tools/cli/args.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "compiler/support/diagnostics.h"
#include "compiler/support/json.h"

namespace ks::cli {
namespace {

const Option* Find(const Command& command, std::string_view name) {
  for (const Option& option : command.options) {
    if (option.name == name) return &option;
  }
  return nullptr;
}

// Names of files may hold what moves a terminal's cursor, or begins a line that looks like ours.
std::string Visible(std::string_view text, bool lines = false) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && !(lines && (c == '\n' || c == '\t'))) || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

std::string Join(const std::vector<std::string_view>& words, std::string_view between) {
  std::string out;
  for (std::string_view word : words) out += (out.empty() ? "" : std::string(between)) + std::string(word);
  return out;
}

}  // namespace

std::string Arguments::Get(std::string_view option, std::string_view otherwise) const {
  auto found = values_.find(option);
  return found == values_.end() ? std::string(otherwise) : found->second.back();
}

std::vector<std::string> Arguments::All(std::string_view option) const {
  auto found = values_.find(option);
  return found == values_.end() ? std::vector<std::string>() : found->second;
}

std::string Help(const Command& command) {
  std::string out = fmt::format("usage: {}", command.name);
  if (!command.positionals.empty()) out += fmt::format(" {}", command.positionals);
  for (const Option& option : command.options) {
    std::string word(option.name);
    if (!option.value.empty()) word += fmt::format(" {}", option.value);
    if (option.required) out += " " + word;
  }
  out += fmt::format(" [options]\n\n{}\n", command.about);
  out += "\noptions:\n";
  size_t width = 6;
  for (const Option& option : command.options) {
    width = std::max(width, option.name.size() + (option.value.empty() ? 0 : option.value.size() + 1));
  }
  for (const Option& option : command.options) {
    std::string word(option.name);
    if (!option.value.empty()) word += fmt::format(" {}", option.value);
    out += fmt::format("  {:<{}}  {}\n", word, width, option.about);
  }
  out += fmt::format("  {:<{}}  {}\n", "--help", width, "show this");
  out += fmt::format("\nexample:\n{}\n", command.example);
  return out;
}

int Usage(const Command& command, const std::string& what) {
  fmt::print(stderr, "{}: {}\n  help: {} --help shows the options and an example\n", command.name, Visible(what), command.name);
  return kUsage;
}

int Fail(const Error& error, bool json) {
  if (!json) {
    Error shown = error;
    for (std::string* text : {&shown.tried, &shown.on, &shown.cause, &shown.advice}) *text = Visible(*text);
    shown.detail = Visible(shown.detail, true);
    fmt::print(stderr, "error: {}\n", shown.ToString());
    return kWorldFailed;
  }
  std::string facts;
  for (const auto& [name, value] : error.facts) facts += fmt::format(",{}:{}", JsonString(name), JsonString(value));
  fmt::print(stderr,
             R"({{"error":{},"tried":{},"on":{},"cause":{},"advice":{}{}}})"
             "\n",
             JsonString(error.code), JsonString(error.tried), JsonString(error.on), JsonString(error.cause),
             JsonString(error.advice), facts);
  return kWorldFailed;
}

void KeepLog(Error* error, const std::string& path) {
  if (error->log.empty()) return;
  constexpr unsigned kOwner = 0600;
  if (Status written = WriteFile(path, error->log, kOwner); written) {
    error->detail += fmt::format("  the kernel's whole log: {}\n", path);
    error->facts.emplace_back("log_file", path);
  } else {
    error->detail +=
        fmt::format("  the kernel's whole log could not be written to {}: {}\n", path, written.error().cause);
  }
  error->log.clear();
}

std::optional<Arguments> Parse(const Command& command, const std::vector<std::string>& words, int* exit_code) {
  Arguments arguments;
  auto usage = [&](const std::string& what) {
    *exit_code = Usage(command, what);
    return std::nullopt;
  };
  bool options_end = false;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (options_end || word == "-" || word.empty() || word[0] != '-') {
      arguments.positionals_.push_back(word);
      continue;
    }
    if (word == "--") {
      options_end = true;
      continue;
    }
    if (word == "--help" || word == "-h") {
      fmt::print("{}", Help(command));
      *exit_code = kFine;
      return std::nullopt;
    }
    size_t equals = word.find('=');
    std::string name = word.substr(0, equals);
    // `-o` is the one short form: compilers have it.
    const Option* option = Find(command, name);
    if (!option) {
      std::vector<std::string_view> names = {"--help"};
      for (const Option& row : command.options) names.push_back(row.name);
      std::string_view near = DidYouMean(name, names);
      return usage(
          fmt::format("there is no option {}{}", name, near.empty() ? "" : fmt::format("; did you mean {}?", near)));
    }
    std::string value;
    if (option->value.empty()) {
      if (equals != std::string::npos) return usage(fmt::format("{} takes no value", name));
    } else if (equals != std::string::npos) {
      value = word.substr(equals + 1);
    } else if (i + 1 < words.size()) {
      value = words[++i];
    } else {
      return usage(fmt::format("{} needs a value: {} {}", name, name, option->value));
    }
    if (!option->choices.empty() &&
        std::find(option->choices.begin(), option->choices.end(), value) == option->choices.end()) {
      return usage(fmt::format("{} is one of {}; got `{}`", name, Join(option->choices, ", "), Visible(value)));
    }
    std::vector<std::string>& values = arguments.values_[name];
    if (!values.empty() && !option->many && !option->value.empty()) {
      return usage(fmt::format("{} is given twice: `{}` and `{}`", name, Visible(values.back()), Visible(value)));
    }
    values.push_back(value);
  }
  for (const Option& option : command.options) {
    if (option.required && !arguments.Has(option.name)) {
      return usage(fmt::format("{} {} is missing", option.name, option.value));
    }
  }
  if (arguments.positionals_.size() < command.min_positionals) {
    return usage(fmt::format("{} is missing", command.positionals));
  }
  if (arguments.positionals_.size() > command.max_positionals) {
    return usage(fmt::format("`{}` is one argument too many", arguments.positionals_[command.max_positionals]));
  }
  return arguments;
}

std::optional<unsigned> ParseCount(const std::string& text, unsigned least, unsigned most) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < least || number > most) return std::nullopt;
  return number;
}

}  // namespace ks::cli

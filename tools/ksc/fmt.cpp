#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "compiler/format/diff.h"
#include "compiler/format/format.h"
#include "compiler/syntax/parser.h"
#include "tools/ksc/commands.h"

namespace ks::ksc {
namespace {

struct Style {
  bool check = false, diff = false;
};

// Nothing if the text has mistakes, which are printed then.
std::optional<std::string> Formatted(const std::string& name, const std::string& text) {
  SourceFile file(name, text);
  Diagnostics diagnostics;
  syntax::Module module = syntax::Parse(file, diagnostics);
  if (diagnostics.errors() == 0) return format::Format(module);
  diagnostics.Sort();
  bool color = isatty(STDERR_FILENO) && !std::getenv("NO_COLOR");
  for (const Diagnostic& diagnostic : diagnostics.all()) fmt::print(stderr, "{}\n", RenderHuman(diagnostic, color));
  fmt::print(stderr, "{}: not formatted: {}\n", name, Count(diagnostics.errors(), "error"));
  return std::nullopt;
}

int FormatStandardInput(const Style& style) {
  std::optional<std::string> text = ReadStandardInput();
  if (!text) return cli::Fail({"read", "standard input", std::strerror(errno), "", "file-read"});
  std::optional<std::string> made = Formatted("<stdin>", *text);
  if (!made) return cli::kFindings;
  bool same = *made == *text;
  if (style.diff) {
    fmt::print("{}", format::Diff("<stdin>", *text, *made));
  } else if (!style.check) {
    fmt::print("{}", *made);
  } else if (!same) {
    fmt::print("<stdin>\n");
  }
  return style.check && !same ? cli::kFindings : cli::kFine;
}

// Through symbolic links, with the mode that the file has.
int FormatFile(const std::string& path, const Style& style, size_t* changed) {
  Result<std::string> text = ReadFile(path, kMaxSourceBytes);
  if (!text) return cli::Fail(text.error());
  std::optional<std::string> made = Formatted(path, *text);
  if (!made) return cli::kFindings;
  if (*made == *text) return cli::kFine;
  ++*changed;
  if (style.diff) fmt::print("{}", format::Diff(path, *text, *made));
  if (style.check && !style.diff) fmt::print("{}\n", path);
  if (style.check) return cli::kFindings;
  if (style.diff) return cli::kFine;
  std::error_code error;
  std::filesystem::path real = std::filesystem::canonical(path, error);
  struct stat info{};
  if (error || ::stat(real.c_str(), &info) != 0) {
    return cli::Fail({"write", path, error ? error.message() : std::strerror(errno), "", "file-write"});
  }
  // The folder may let us replace a file that its owner closed to writing.
  if (::access(real.c_str(), W_OK) != 0) {
    return cli::Fail(
        {"write", path, std::strerror(errno), "make the file writable, or see `ksc fmt --diff`", "file-write"});
  }
  Status written = WriteFile(real.string(), *made, info.st_mode & 07777);
  return written ? cli::kFine : cli::Fail(written.error());
}

}  // namespace

int Fmt(const Words& words) {
  const cli::Command command = {
      "ksc fmt",
      "FILES-OR-FOLDERS",
      1,
      10'000,
      "Formats policies in place, in the one style: comments, words and their order stay, blanks and line breaks "
      "change. "
      "`-` formats standard input to standard output. A file with syntax errors is left as it is.",
      "  ksc fmt rules/\n  ksc fmt --check rules/\n  ksc fmt - < rules/shell.ksp",
      {{"--check", "", "change nothing; name the files that would change, exit status 1 if there are any", false, {}},
       {"--diff", "", "change nothing; print what would change", false, {}}}};
  int code = cli::kFine;
  auto arguments = cli::Parse(command, words, &code);
  if (!arguments) return code;
  Style style{arguments->Has("--check"), arguments->Has("--diff")};
  const std::vector<std::string>& paths = arguments->positionals();
  if (paths == std::vector<std::string>{"-"}) return FormatStandardInput(style);
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    if (path == "-") return cli::Usage(command, "`-` stands alone");
    struct stat info{};
    bool folder = ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
    if (folder && ::access(path.c_str(), R_OK | X_OK) != 0) {
      return cli::Fail({"read the folder", path, std::strerror(errno), "", "file-read"});
    }
    if (folder) {
      std::vector<std::string> below = driver::PolicyFilesBelow(path);
      files.insert(files.end(), below.begin(), below.end());
    } else {
      files.push_back(path);
    }
  }
  size_t changed = 0;
  for (const std::string& path : files) code = std::max(code, FormatFile(path, style, &changed));
  bool quiet = style.diff || (style.check && changed > 0);
  if (!quiet && code == cli::kFine) {
    fmt::print("{}: {}\n", Count(files.size(), "file"),
               changed == 0 ? "nothing to change" : fmt::format("{} changed", changed));
  }
  return code;
}

}  // namespace ks::ksc

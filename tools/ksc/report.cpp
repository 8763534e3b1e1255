#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "tools/ksc/commands.h"

namespace ks::ksc {

int64_t Now() {
  if (const char* epoch = std::getenv("SOURCE_DATE_EPOCH")) {
    char* end = nullptr;
    long long value = std::strtoll(epoch, &end, 10);
    if (end != epoch && *end == 0 && value >= 0) return value;
    fmt::print(stderr, "warning: SOURCE_DATE_EPOCH is `{}`, which is no number of seconds; the clock is used\n", epoch);
  }
  return std::time(nullptr);
}

std::string Count(uint64_t n, std::string_view noun) { return fmt::format("{} {}{}", n, noun, n == 1 ? "" : "s"); }

std::optional<std::string> ReadStandardInput() {
  std::string text;
  char buffer[65536];
  while (true) {
    ssize_t got = ::read(STDIN_FILENO, buffer, sizeof(buffer));
    if (got == 0) return text;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    text.append(buffer, static_cast<size_t>(got));
    if (text.size() > kMaxSourceBytes) return text;  // the parser says that it is too large
  }
}

namespace {

std::unique_ptr<driver::Analysis> Take(Result<std::unique_ptr<driver::Analysis>> analysis, bool json, int* exit_code) {
  if (!analysis) {
    *exit_code = cli::Fail(analysis.error(), json);
    // The policy's own fault, not the world's.
    if (analysis.error().code == "plan-too-large") *exit_code = cli::kFindings;
    if (analysis.error().code == "unknown-environment") *exit_code = cli::kUsage;
    return nullptr;
  }
  return std::move(*analysis);
}

}  // namespace

std::unique_ptr<driver::Analysis> AnalyzePaths(const std::vector<std::string>& paths, bool json, int* exit_code,
                                               driver::Options options) {
  options.now_ns = Now() * 1'000'000'000;
  return Take(driver::Analyze(paths, options), json, exit_code);
}

std::unique_ptr<driver::Analysis> AnalyzeStandardInput(bool json, int* exit_code, driver::Options options) {
  options.now_ns = Now() * 1'000'000'000;
  std::optional<std::string> text = ReadStandardInput();
  if (!text) {
    *exit_code = cli::Fail({"read", "standard input", std::strerror(errno), "", "file-read"}, json);
    return nullptr;
  }
  std::vector<driver::Source> sources;
  sources.push_back({"<stdin>", std::move(*text), ""});
  return Take(driver::Analyze(std::move(sources), options), json, exit_code);
}

int Report(const driver::Analysis& analysis, const ReportOptions& options) {
  const Diagnostics& diagnostics = analysis.diagnostics;
  bool color = !options.json && isatty(STDERR_FILENO) && !std::getenv("NO_COLOR");
  size_t notes = 0;
  for (const Diagnostic& diagnostic : diagnostics.all()) {
    if (diagnostic.severity == Severity::Note) {
      ++notes;
      if (!options.notes) continue;
    }
    if (options.json) {
      fmt::print("{}\n", RenderJson(diagnostic));
    } else {
      fmt::print(stderr, "{}\n", RenderHuman(diagnostic, color));
    }
  }
  if (!options.json && (diagnostics.errors() > 0 || diagnostics.warnings() > 0 || notes > 0)) {
    fmt::print(
        stderr, "{}, {}, {} in {}{}{}\n", Count(diagnostics.errors(), "error"),
        Count(diagnostics.warnings(), "warning"), Count(notes, "note"), Count(analysis.files.size(), "file"),
        notes > 0 && !options.notes ? " (ksc check shows the notes)" : "",
        diagnostics.suppressed() > 0 ? fmt::format("; only the first {} are shown", diagnostics.all().size()) : "");
  }
  return diagnostics.errors() > 0 || (options.strict && diagnostics.warnings() > 0) ? cli::kFindings : cli::kFine;
}

std::string DisabledBy(const driver::Analysis& analysis, const std::string& name_or_id) {
  for (const sema::CheckedModule& module : analysis.checked) {
    for (const sema::Rule& rule : module.rules) {
      if (!rule.disabled || rule.tune == nullptr) continue;
      if (rule.id != name_or_id && rule.syntax->name.text != name_or_id) continue;
      Span at = rule.tune->span;
      return fmt::format("the rule `{}` is disabled in \"{}\" by the tune at {}:{}", rule.id,
                         rule.tune->environment.value, at.file->name(), at.file->At(at.begin).line);
    }
  }
  return "";
}

}  // namespace ks::ksc

#include "tools/ksc/fix.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "compiler/driver/fixes.h"
#include "compiler/support/result.h"

namespace ks::ksc {
namespace {

std::vector<std::string_view> Lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

// The lines between the first and the last that differ, line by line where they are as many.
void PrintDifference(const SourceFile& file, const std::string& now) {
  std::vector<std::string_view> old_lines = Lines(file.text()), new_lines = Lines(now);
  fmt::print("--- {}\n+++ {}\n", file.name(), file.name());
  size_t first = 0, last = 0;
  while (first < old_lines.size() && first < new_lines.size() && old_lines[first] == new_lines[first]) ++first;
  while (last < old_lines.size() - first && last < new_lines.size() - first &&
         old_lines[old_lines.size() - 1 - last] == new_lines[new_lines.size() - 1 - last]) {
    ++last;
  }
  size_t olds = old_lines.size() - first - last, news = new_lines.size() - first - last;
  fmt::print("@@ -{},{} +{},{} @@\n", first + 1, olds, first + 1, news);
  if (olds == news) {
    for (size_t i = first; i < first + olds; ++i) {
      if (old_lines[i] == new_lines[i]) {
        fmt::print(" {}\n", old_lines[i]);
      } else {
        fmt::print("-{}\n+{}\n", old_lines[i], new_lines[i]);
      }
    }
    return;
  }
  for (size_t i = first; i < first + olds; ++i) fmt::print("-{}\n", old_lines[i]);
  for (size_t i = first; i < first + news; ++i) fmt::print("+{}\n", new_lines[i]);
}

// Beside the file, then in its place: whoever reads it meanwhile sees the one or the other.
Status Replace(const std::string& path, const std::string& text) {
  std::string beside = path + ".ksc-fix";
  Error error{"write", path, "", "make the folder writable, or run without --fix", "file-write"};
  struct stat info = {};
  bool known = stat(path.c_str(), &info) == 0;
  // Renaming would replace what its owner has closed to writing.
  if (known && (info.st_mode & 0222) == 0) {
    error.cause = "the file is read-only";
    error.advice = "make it writable, or run without --fix";
    return error;
  }
  FILE* file = std::fopen(beside.c_str(), "wbx");
  if (file == nullptr) {
    error.cause = std::strerror(errno);
    return error;
  }
  bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  written = std::fclose(file) == 0 && written;
  if (known) written = chmod(beside.c_str(), info.st_mode & 07777) == 0 && written;
  if (!written || std::rename(beside.c_str(), path.c_str()) != 0) {
    error.cause = std::strerror(errno);
    std::remove(beside.c_str());
    return error;
  }
  return Ok();
}

}  // namespace

FixOutcome ApplyFixes(const driver::Analysis& analysis, const driver::Options& options, bool dry_run, int* exit_code) {
  FixOutcome outcome;
  driver::FixPlan plan = driver::PlanFixes(analysis, options);
  auto print = [](std::string_view did, const Diagnostic& diagnostic) {
    auto place = diagnostic.span.file->At(diagnostic.span.begin);
    fmt::print(stderr, "{} {}:{}: {}[{}]\n", did, diagnostic.span.file->name(), place.line, diagnostic.message,
               kDiagRows[static_cast<size_t>(diagnostic.id)].code);
  };
  for (const driver::ChangedFile& changed : plan.files) {
    if (dry_run) {
      PrintDifference(*changed.file, changed.text);
    } else if (Status status = Replace(changed.file->name(), changed.text); !status) {
      *exit_code = cli::Fail(status.error(), false);
      return outcome;
    }
    for (const Diagnostic* diagnostic : plan.applied) {
      if (diagnostic->fixes[0].span.file == changed.file) print(dry_run ? "would fix" : "fixed", *diagnostic);
    }
  }
  for (const driver::RefusedFix& refused : plan.refused) {
    print("left as it is:", *refused.diagnostic);
    fmt::print(stderr, "  its fix would make an error: {}\n  help: mend it by hand\n", refused.why);
  }
  outcome.applied = plan.applied.size();
  outcome.left = plan.left;
  return outcome;
}

}  // namespace ks::ksc

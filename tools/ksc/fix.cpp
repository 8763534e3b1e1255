#include "tools/ksc/fix.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>

#include "compiler/support/result.h"

namespace ks::ksc {
namespace {

// Whether two changes of one file meet: where both replace, or insert at the same place.
bool Meet(const FixIt& a, const FixIt& b) {
  if (a.span.begin == b.span.begin) return true;
  return a.span.begin < b.span.end && b.span.begin < a.span.end;
}

// If a change removes all that stands on its lines, the lines go, too.
Span WholeLines(const FixIt& fix) {
  Span span = fix.span;
  if (!fix.text.empty()) return span;
  std::string_view text = span.file->text();
  auto blank = [&](uint32_t at) { return text[at] == ' ' || text[at] == '\t'; };
  uint32_t begin = span.begin, end = span.end;
  while (begin > 0 && blank(begin - 1)) --begin;
  while (end < text.size() && blank(end)) ++end;
  bool alone = (begin == 0 || text[begin - 1] == '\n') && (end == text.size() || text[end] == '\n');
  if (!alone) return span;
  return {span.file, begin, end < text.size() ? end + 1 : end};
}

std::string Changed(const SourceFile& file, std::vector<FixIt> fixes) {
  std::sort(fixes.begin(), fixes.end(), [](const FixIt& a, const FixIt& b) { return a.span.begin < b.span.begin; });
  std::string out;
  uint32_t at = 0;
  for (const FixIt& fix : fixes) {
    Span span = WholeLines(fix);
    if (span.begin < at) span.begin = at;
    out += file.text().substr(at, span.begin - at);
    out += fix.text;
    at = span.end;
  }
  return out + std::string(file.text().substr(at));
}

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

FixOutcome ApplyFixes(const driver::Analysis& analysis, bool dry_run, int* exit_code) {
  FixOutcome outcome;
  std::map<const SourceFile*, std::vector<FixIt>> changes;
  for (const Diagnostic& diagnostic : analysis.diagnostics.all()) {
    if (!diagnostic.machine_applicable || diagnostic.fixes.empty()) continue;
    bool meets = std::any_of(diagnostic.fixes.begin(), diagnostic.fixes.end(), [&](const FixIt& fix) {
      const std::vector<FixIt>& others = changes[fix.span.file];
      return std::any_of(others.begin(), others.end(), [&](const FixIt& other) { return Meet(fix, other); });
    });
    if (meets) {
      ++outcome.left;
      continue;
    }
    for (const FixIt& fix : diagnostic.fixes) changes[fix.span.file].push_back(fix);
    ++outcome.applied;
    auto place = diagnostic.span.file->At(diagnostic.span.begin);
    fmt::print(stderr, "{} {}:{}: {}[{}]\n", dry_run ? "would fix" : "fixed", diagnostic.span.file->name(), place.line,
               diagnostic.message, kDiagRows[static_cast<size_t>(diagnostic.id)].code);
  }
  for (const auto& [file, fixes] : changes) {
    if (fixes.empty()) continue;
    std::string now = Changed(*file, fixes);
    if (dry_run) {
      PrintDifference(*file, now);
    } else if (Status status = Replace(file->name(), now); !status) {
      *exit_code = cli::Fail(status.error(), false);
      return outcome;
    }
  }
  if (outcome.left > 0) {
    fmt::print(stderr, "{} left, as {} what another fix changes: run it again\n", Count(outcome.left, "fix"),
               outcome.left == 1 ? "it touches" : "they touch");
  }
  return outcome;
}

}  // namespace ks::ksc

// How a diagnostic looks: for a person, and for a machine.
#include <algorithm>
#include <string>

#include "compiler/support/diagnostics.h"
#include "compiler/support/json.h"

namespace ks {
namespace {

struct Paint {
  bool on;
  std::string operator()(const char* code, std::string_view text) const {
    return on ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
  }
};
constexpr const char* kBold = "1";
constexpr const char* kBlue = "1;34";
constexpr const char* kGreen = "32";

const char* SeverityName(Severity severity) {
  switch (severity) {
    case Severity::Error:
      return "error";
    case Severity::Warning:
      return "warning";
    default:
      return "note";
  }
}

const char* SeverityColor(Severity severity) {
  switch (severity) {
    case Severity::Error:
      return "1;31";
    case Severity::Warning:
      return "1;33";
    default:
      return "1;36";
  }
}

constexpr size_t kLineLimit = 160;  // characters of a source line that are shown

// Characters, not bytes; control characters were refused or are shown as spaces.
size_t Width(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

// A line fit for a terminal: no control characters (a policy must not be able to move the cursor), tabs as one space.
std::string Printable(std::string_view line) {
  std::string out;
  for (char c : line) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  return out;
}

// Cuts a long line so that [begin, begin+n) stays visible; adjusts begin.
std::string Window(std::string line, size_t* begin) {
  if (line.size() <= kLineLimit) return line;
  size_t from = *begin > kLineLimit / 2 ? *begin - kLineLimit / 2 : 0;
  while (from > 0 && (static_cast<unsigned char>(line[from]) & 0xc0) == 0x80) --from;
  size_t to = std::min(line.size(), from + kLineLimit);
  while (to < line.size() && (static_cast<unsigned char>(line[to]) & 0xc0) == 0x80) ++to;
  std::string out = line.substr(from, to - from);
  *begin -= from;
  if (from > 0) {
    out = "…" + out;
    *begin += 3;
  }
  if (to < line.size()) out += "…";
  return out;
}

struct Excerpt {
  std::string out;
  int gutter;
  Paint paint;

  std::string Gutter(std::string_view number) const { return paint(kBlue, fmt::format("{:>{}} |", number, gutter)); }
  void Blank() { out += Gutter("") + "\n"; }
  void Source(const Span& span, std::string_view label, const char* color, char mark) {
    auto position = span.file->At(span.begin);
    std::string_view raw = span.file->Line(position.line);
    size_t begin = std::min<size_t>(span.begin - span.file->LineStart(position.line), raw.size());
    size_t length = std::min<size_t>(span.end > span.begin ? span.end - span.begin : 1, raw.size() - begin);
    size_t carets = std::max<size_t>(1, Width(raw.substr(begin, length)));
    std::string line = Window(Printable(raw), &begin);
    begin = std::min(begin, line.size());
    carets = std::min(carets, std::max<size_t>(1, Width(std::string_view(line).substr(begin))));
    out += Gutter(std::to_string(position.line)) + (line.empty() ? "" : " ") + line + "\n";
    out += Gutter("") + " " + std::string(Width(std::string_view(line).substr(0, begin)), ' ') +
           paint(color, std::string(carets, mark) + (label.empty() ? "" : " " + std::string(label))) + "\n";
  }
};

// The line as it would be after the fixes that touch it, with plus signs below what is new.
void RenderFixes(Excerpt& excerpt, const std::vector<FixIt>& fixes) {
  const SourceFile* file = fixes.front().span.file;
  uint32_t number = file->At(fixes.front().span.begin).line;
  uint32_t start = file->LineStart(number);
  std::string_view raw = file->Line(number);
  std::string line;
  std::string marks;
  size_t at = 0;
  for (const FixIt& fix : fixes) {
    size_t begin = fix.span.begin - start;
    if (fix.span.begin < start || begin > raw.size() || begin < at) continue;
    line += raw.substr(at, begin - at);
    marks += std::string(Width(raw.substr(at, begin - at)), ' ');
    line += fix.text;
    marks += std::string(Width(fix.text), '+');
    at = std::min<size_t>(raw.size(), begin + (fix.span.end - fix.span.begin));
  }
  line += raw.substr(at);
  if (line.size() > 2 * kLineLimit) return;
  size_t newline = line.find('\n');
  if (newline != std::string::npos) {  // a fix that adds lines: show them as they will be
    size_t from = 0;
    while (from <= line.size()) {
      size_t to = std::min(line.find('\n', from), line.size());
      excerpt.out += excerpt.Gutter(std::to_string(number++)) + " " + Printable(line.substr(from, to - from)) + "\n";
      from = to + 1;
    }
    return;
  }
  excerpt.out += excerpt.Gutter(std::to_string(number)) + " " + Printable(line) + "\n";
  if (marks.find('+') == std::string::npos) return;  // only a removal
  excerpt.out += excerpt.Gutter("") + " " + excerpt.paint(kGreen, marks) + "\n";
}

std::string JsonSpan(const Span& span) {
  if (!span.file) return "null";
  auto begin = span.file->At(span.begin);
  auto end = span.file->At(span.end);
  return fmt::format(R"({{"file":{},"line":{},"column":{},"end_line":{},"end_column":{},"offset":{},"length":{}}})",
                     JsonString(span.file->name()), begin.line, begin.column, end.line, end.column, span.begin,
                     span.end - span.begin);
}

}  // namespace

std::string RenderHuman(const Diagnostic& diagnostic, bool color) {
  Paint paint{color};
  const DiagRow& row = kDiagRows[static_cast<size_t>(diagnostic.id)];
  const char* tint = SeverityColor(diagnostic.severity);
  Excerpt excerpt{"", 2, paint};
  excerpt.out = paint(tint, fmt::format("{}[{}]", SeverityName(diagnostic.severity), row.code)) +
                paint(kBold, ": " + diagnostic.message) + "\n";
  if (diagnostic.span.file) {
    auto position = diagnostic.span.file->At(diagnostic.span.begin);
    uint32_t largest = position.line;
    for (const Label& label : diagnostic.related) {
      if (label.span.file) largest = std::max(largest, label.span.file->At(label.span.begin).line);
    }
    excerpt.gutter = static_cast<int>(std::to_string(largest).size());
    excerpt.out += paint(kBlue, fmt::format("{:>{}}-->", "", excerpt.gutter)) +
                   fmt::format(" {}:{}:{}\n", diagnostic.span.file->name(), position.line, position.column);
    excerpt.Blank();
    excerpt.Source(diagnostic.span, diagnostic.label, tint, '^');
  }
  for (const Label& label : diagnostic.related) {
    if (!label.span.file) continue;
    auto position = label.span.file->At(label.span.begin);
    excerpt.out += paint(kBlue, fmt::format("{:>{}}:::", "", excerpt.gutter)) +
                   fmt::format(" {}:{}:{}\n", label.span.file->name(), position.line, position.column);
    excerpt.Source(label.span, label.text, kBlue, '-');
  }
  if (!diagnostic.help.empty()) {
    if (diagnostic.span.file) excerpt.Blank();
    excerpt.out += paint("1;36", "help") + ": " + diagnostic.help + "\n";
    if (!diagnostic.fixes.empty() && diagnostic.fixes.front().span.file) RenderFixes(excerpt, diagnostic.fixes);
  }
  return excerpt.out;
}

std::string RenderJson(const Diagnostic& diagnostic) {
  const DiagRow& row = kDiagRows[static_cast<size_t>(diagnostic.id)];
  std::string related, fixes;
  for (const Label& label : diagnostic.related) {
    related += fmt::format(R"({}{{"span":{},"text":{}}})", related.empty() ? "" : ",", JsonSpan(label.span),
                           JsonString(label.text));
  }
  for (const FixIt& fix : diagnostic.fixes) {
    fixes +=
        fmt::format(R"({}{{"span":{},"text":{}}})", fixes.empty() ? "" : ",", JsonSpan(fix.span), JsonString(fix.text));
  }
  return fmt::format(
      R"({{"code":"{}","severity":"{}","message":{},"span":{},"label":{},"help":{},"related":[{}],"fixes":[{}]}})",
      row.code, SeverityName(diagnostic.severity), JsonString(diagnostic.message), JsonSpan(diagnostic.span),
      JsonString(diagnostic.label), JsonString(diagnostic.help), related, fixes);
}

}  // namespace ks

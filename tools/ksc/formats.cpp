// Findings for machines: one line each, SARIF 2.1.0, and commands of GitHub's workflows.
#include <fmt/format.h>

#include <set>

#include "tools/ksc/fix.h"

namespace ks::ksc {
namespace {

std::string_view Word(Severity severity) {
  if (severity == Severity::Error) return "error";
  return severity == Severity::Warning ? "warning" : "note";
}

std::string_view CodeOf(const Diagnostic& diagnostic) { return kDiagRows[static_cast<size_t>(diagnostic.id)].code; }

// What a workflow command may hold: https://docs.github.com, "Workflow commands".
std::string Escaped(std::string_view text, bool property) {
  std::string out;
  for (char c : text) {
    bool sign = c == '%' || c == '\r' || c == '\n' || (property && (c == ':' || c == ','));
    out += sign ? fmt::format("%{:02X}", static_cast<unsigned char>(c)) : std::string(1, c);
  }
  return out;
}

void PrintPlain(const Diagnostic& d) {
  std::string place;
  if (d.span.file != nullptr) {
    auto at = d.span.file->At(d.span.begin);
    place = fmt::format("{}:{}:{}: ", d.span.file->name(), at.line, at.column);
  }
  fmt::print("{}{}[{}]: {}{}{}\n", place, Word(d.severity), CodeOf(d), d.message, d.help.empty() ? "" : "; ", d.help);
}

void PrintGithub(const Diagnostic& d) {
  std::string place;
  if (d.span.file != nullptr) {
    auto at = d.span.file->At(d.span.begin), end = d.span.file->At(d.span.end);
    place = fmt::format("file={},line={},endLine={},col={},", Escaped(d.span.file->name(), true), at.line, end.line,
                        at.column);
  }
  std::string_view command = d.severity == Severity::Note ? "notice" : Word(d.severity);
  fmt::print("::{} {}title={}::{}\n", command, place, CodeOf(d),
             Escaped(d.message + (d.help.empty() ? "" : "\n" + d.help), false));
}

std::string Region(const Span& span) {
  auto at = span.file->At(span.begin), end = span.file->At(span.end);
  return fmt::format(R"({{"startLine":{},"startColumn":{},"endLine":{},"endColumn":{}}})", at.line, at.column, end.line,
                     end.column);
}

std::string Location(const Span& span, const std::string& message) {
  return fmt::format(R"({{"physicalLocation":{{"artifactLocation":{{"uri":{}}},"region":{}}}{}}})",
                     JsonString(span.file->name()), Region(span),
                     message.empty() ? "" : fmt::format(R"(,"message":{{"text":{}}})", JsonString(message)));
}

std::string SarifFixes(const Diagnostic& d) {
  std::string replacements;
  for (const FixIt& fix : d.fixes) {
    if (fix.span.file != d.fixes.front().span.file) return "";
    replacements += fmt::format(R"({}{{"deletedRegion":{},"insertedContent":{{"text":{}}}}})",
                                replacements.empty() ? "" : ",", Region(fix.span), JsonString(fix.text));
  }
  if (replacements.empty()) return "";
  return fmt::format(
      R"(,"fixes":[{{"description":{{"text":{}}},"artifactChanges":[{{"artifactLocation":{{"uri":{}}},"replacements":[{}]}}]}}])",
      JsonString(d.help), JsonString(d.fixes.front().span.file->name()), replacements);
}

void PrintSarif(const std::vector<Diagnostic>& all) {
  std::string rules, results;
  std::set<Diag> seen;
  for (const Diagnostic& d : all) {
    if (seen.insert(d.id).second) rules += fmt::format(R"({}{{"id":"{}"}})", rules.empty() ? "" : ",", CodeOf(d));
    std::string related;
    for (const Label& label : d.related) {
      if (label.span.file) related += (related.empty() ? "" : ",") + Location(label.span, label.text);
    }
    results += fmt::format(R"({}{{"ruleId":"{}","level":"{}","message":{{"text":{}}},"locations":[{}]{}{}}})",
                           results.empty() ? "" : ",", CodeOf(d), Word(d.severity),
                           JsonString(d.message + (d.help.empty() ? "" : ". " + d.help)),
                           d.span.file ? Location(d.span, d.label) : "",
                           related.empty() ? "" : fmt::format(R"(,"relatedLocations":[{}])", related), SarifFixes(d));
  }
  fmt::print(
      R"({{"$schema":"https://json.schemastore.org/sarif-2.1.0.json","version":"2.1.0","runs":[{{"tool":{{"driver":{{"name":"ksc","version":"{}","rules":[{}]}}}},"columnKind":"unicodeCodePoints","results":[{}]}}]}})"
      "\n",
      KS_VERSION, rules, results);
}

}  // namespace

int ReportAs(const driver::Analysis& analysis, const std::string& format, bool strict) {
  const Diagnostics& diagnostics = analysis.diagnostics;
  if (format == "sarif") {
    PrintSarif(diagnostics.all());
  } else {
    for (const Diagnostic& diagnostic : diagnostics.all()) {
      if (format == "github") {
        PrintGithub(diagnostic);
      } else {
        PrintPlain(diagnostic);
      }
    }
  }
  return diagnostics.errors() > 0 || (strict && diagnostics.warnings() > 0) ? cli::kFindings : cli::kFine;
}

}  // namespace ks::ksc

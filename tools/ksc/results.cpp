#include "tools/ksc/results.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "compiler/support/json.h"
#include "compiler/support/result.h"
#include "runtime/event/event.h"

namespace ks::ksc {
namespace {

std::string Json(std::string_view text) { return JsonString(Utf8(text)); }

std::string Join(std::string_view separator, const std::vector<std::string>& parts) {
  return fmt::format("{}", fmt::join(parts, separator));
}

// ---- JUnit ----------------------------------------------------------------------------------------------------------

// Control characters may not stand in XML 1.0, not even escaped.
std::string Xml(std::string_view text) {
  std::string out;
  for (const char c : Utf8(text)) {
    if (c == '&') out += "&amp;";
    else if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else if (c == '"') out += "&quot;";
    else if (static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t') out += c;
    else out += "\xef\xbf\xbd";
  }
  // U+FFFE and U+FFFF are no characters either.
  for (const std::string_view none : {"\xef\xbf\xbe", "\xef\xbf\xbf"}) {
    for (size_t at = 0; (at = out.find(none, at)) != std::string::npos;) out.replace(at, none.size(), "\xef\xbf\xbd");
  }
  return out;
}

std::string JunitCase(const Finding& finding) {
  std::string out = fmt::format(R"(    <testcase classname="{}" name="{}")", Xml(finding.suite), Xml(finding.name));
  if (!finding.place.file.empty()) out += fmt::format(R"( file="{}")", Xml(finding.place.file));
  if (finding.place.line > 0) out += fmt::format(R"( line="{}")", finding.place.line);
  if (finding.level == Level::Pass) return out + "/>\n";
  const std::string place = ToString(finding.place);
  const std::string text =
      Join("\n", {place.empty() ? finding.message : fmt::format("at {}", place), finding.details});
  // What does not fail is said beside the case.
  if (finding.level != Level::Error) {
    return out + fmt::format(">\n      <system-out>{}\n{}</system-out>\n    </testcase>\n", Xml(finding.message), Xml(text));
  }
  return out + fmt::format(">\n      <failure message=\"{}\" type=\"{}\">{}</failure>\n    </testcase>\n",
                           Xml(finding.message), Xml(finding.code), Xml(text));
}

std::string Junit(const std::vector<Finding>& findings) {
  struct Suite {
    std::string cases;
    size_t tests = 0, failures = 0;
  };
  std::map<std::string, Suite> suites;
  std::vector<std::string> order;
  for (const Finding& finding : findings) {
    const auto [at, is_new] = suites.try_emplace(finding.suite);
    if (is_new) order.push_back(finding.suite);
    ++at->second.tests;
    at->second.failures += finding.level == Level::Error;
    at->second.cases += JunitCase(finding);
  }
  std::string out = fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"{}\" failures=\"{}\" errors=\"0\">\n",
      findings.size(), Failures(findings));
  for (const std::string& name : order) {
    const Suite& suite = suites[name];
    out += fmt::format("  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\">\n{}  </testsuite>\n",
                       Xml(name), suite.tests, suite.failures, suite.cases);
  }
  return out + "</testsuites>\n";
}

// ---- SARIF ----------------------------------------------------------------------------------------------------------

// A path as a reference to a URI (RFC 3986): what else has a meaning there is percent-encoded.
std::string Uri(const std::string& path) {
  std::string out = path.starts_with('/') ? "file://" : "";
  for (const char c : path) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~/").find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string Region(const Place& place) {
  std::string out = fmt::format(R"("startLine":{})", place.line);
  const auto add = [&](const char* name, uint32_t number) {
    if (number > 0) out += fmt::format(R"(,"{}":{})", name, number);
  };
  add("startColumn", place.column);
  add("endLine", place.end_line);
  add("endColumn", place.end_column);
  return "{" + out + "}";
}

std::string Location(const Place& place, const std::string& message) {
  return fmt::format(R"({{"physicalLocation":{{"artifactLocation":{{"uri":{}}}{}}}{}}})", Json(Uri(place.file)),
                     place.line > 0 ? fmt::format(R"(,"region":{})", Region(place)) : "",
                     message.empty() ? "" : fmt::format(R"(,"message":{{"text":{}}})", Json(message)));
}

std::string SarifFixes(const Finding& finding) {
  if (finding.fixes.empty()) return "";
  std::vector<std::string> replacements;
  for (const Finding::Fix& fix : finding.fixes) {
    replacements.push_back(
        fmt::format(R"({{"deletedRegion":{},"insertedContent":{{"text":{}}}}})", Region(fix.place), Json(fix.text)));
  }
  return fmt::format(
      R"(,"fixes":[{{"description":{{"text":{}}},"artifactChanges":[{{"artifactLocation":{{"uri":{}}},"replacements":[{}]}}]}}])",
      Json(finding.fix_about), Json(Uri(finding.fixes.front().place.file)), Join(",", replacements));
}

std::string_view SarifLevel(Level level) {
  if (level == Level::Error) return "error";
  return level == Level::Warning ? "warning" : "note";
}

std::string Sarif(const std::vector<Finding>& findings) {
  std::vector<std::string> rules, results;
  std::set<std::string> seen;
  for (const Finding& finding : findings) {
    if (finding.level == Level::Pass) continue;
    if (seen.insert(finding.code).second) rules.push_back(fmt::format(R"({{"id":{}}})", Json(finding.code)));
    std::vector<std::string> related;
    for (const Finding::Related& other : finding.related) related.push_back(Location(other.place, other.message));
    const std::string text = finding.details.empty() ? finding.message : finding.message + "\n" + finding.details;
    results.push_back(fmt::format(
        R"({{"ruleId":{},"level":"{}","message":{{"text":{}}},"locations":[{}]{}{}}})", Json(finding.code),
        SarifLevel(finding.level), Json(text), finding.place.file.empty() ? "" : Location(finding.place, finding.label),
        related.empty() ? "" : fmt::format(R"(,"relatedLocations":[{}])", Join(",", related)), SarifFixes(finding)));
  }
  return fmt::format(
      R"({{"$schema":"https://json.schemastore.org/sarif-2.1.0.json","version":"2.1.0","runs":[{{"tool":{{"driver":{{"name":"ksc","version":"{}","rules":[{}]}}}},"columnKind":"unicodeCodePoints","results":[{}]}}]}})"
      "\n",
      KS_VERSION, Join(",", rules), Join(",", results));
}

// ---- TAP ------------------------------------------------------------------------------------------------------------

// One line; `#` would begin a directive.
std::string TapName(std::string_view text) {
  std::string out;
  for (const char c : event::Printable(text)) {
    if (c == '#' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

// In double quotes. Beyond JSON's escapes, what YAML 1.2 does not hold to be printable.
std::string Yaml(std::string_view text) {
  std::string out;
  const std::string json = Json(text);
  size_t length = 0;
  for (std::string_view rest = json; !rest.empty(); rest.remove_prefix(length)) {
    const int32_t point = event::DecodeUtf8(rest, &length);
    const bool odd = (point >= 0x7f && point < 0xa0) || point == 0xfeff || point == 0xfffe || point == 0xffff;
    out += odd ? fmt::format("\\u{:04x}", point) : std::string(rest.substr(0, length));
  }
  return out;
}

std::string Tap(const std::vector<Finding>& findings) {
  std::string out = fmt::format("TAP version 13\n1..{}{}\n", findings.size(), findings.empty() ? " # SKIP nothing to say" : "");
  size_t number = 0;
  for (const Finding& finding : findings) {
    out += fmt::format("{} {} - {}: {}\n", finding.level == Level::Error ? "not ok" : "ok", ++number,
                       TapName(finding.suite), TapName(finding.name));
    if (finding.level == Level::Pass) continue;
    out += fmt::format("  ---\n  message: {}\n  severity: {}\n  code: {}\n", Yaml(finding.message),
                       finding.level == Level::Error ? "fail" : "comment", Yaml(finding.code));
    if (!finding.place.file.empty()) out += fmt::format("  at: {}\n", Yaml(ToString(finding.place)));
    if (!finding.details.empty()) out += fmt::format("  details: {}\n", Yaml(finding.details));
    out += "  ...\n";
  }
  return out;
}

// ---- GitHub ---------------------------------------------------------------------------------------------------------

// What a workflow command may hold: https://docs.github.com, "Workflow commands".
std::string Escaped(std::string_view text, bool property) {
  std::string out;
  for (const char c : Utf8(text)) {
    const bool sign = c == '%' || c == '\r' || c == '\n' || (property && (c == ':' || c == ','));
    out += sign ? fmt::format("%{:02X}", static_cast<unsigned char>(c)) : std::string(1, c);
  }
  return out;
}

std::string Github(const std::vector<Finding>& findings) {
  std::string out;
  for (const Finding& finding : findings) {
    if (finding.level == Level::Pass) continue;
    std::string properties;
    if (!finding.place.file.empty()) properties += fmt::format("file={},", Escaped(finding.place.file, true));
    const auto add = [&](const char* name, uint32_t number) {
      if (number > 0) properties += fmt::format("{}={},", name, number);
    };
    add("line", finding.place.line);
    add("endLine", finding.place.end_line);
    add("col", finding.place.column);
    // The file is said already.
    const std::string title =
        finding.suite == finding.place.file ? finding.name : fmt::format("{}: {}", finding.suite, finding.name);
    const std::string text = finding.details.empty() ? finding.message : finding.message + "\n" + finding.details;
    out += fmt::format("::{} {}title={}::{}\n", finding.level == Level::Note ? "notice" : SarifLevel(finding.level),
                       properties, Escaped(title, true), Escaped(text, false));
  }
  return out;
}

struct Renderer {
  std::string_view format;
  std::string (*render)(const std::vector<Finding>&);
};
constexpr Renderer kRenderers[] = {{"junit", Junit}, {"sarif", Sarif}, {"tap", Tap}, {"github", Github}};

}  // namespace

Place PlaceOf(const Span& span) {
  if (span.file == nullptr) return {};
  const auto at = span.file->At(span.begin), end = span.file->At(span.end);
  return {span.file->name(), at.line, at.column, end.line, end.column};
}

Place PlaceOf(std::string_view file_and_line) {
  const size_t colon = file_and_line.rfind(':');
  Place place;
  if (colon != std::string_view::npos) {
    const std::string_view digits = file_and_line.substr(colon + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), place.line);
    if (error == std::errc() && end == digits.data() + digits.size()) file_and_line = file_and_line.substr(0, colon);
    else place.line = 0;
  }
  place.file = file_and_line;
  return place;
}

std::string ToString(const Place& place) {
  return place.line > 0 ? fmt::format("{}:{}", place.file, place.line) : place.file;
}

size_t Failures(const std::vector<Finding>& findings) {
  return static_cast<size_t>(std::ranges::count(findings, Level::Error, &Finding::level));
}

std::vector<Finding> FindingsOf(const Diagnostics& diagnostics) {
  std::vector<Finding> findings;
  for (const Diagnostic& d : diagnostics.all()) {
    Finding finding;
    finding.name = finding.code = kDiagRows[static_cast<size_t>(d.id)].code;
    finding.level = d.severity == Severity::Error     ? Level::Error
                    : d.severity == Severity::Warning ? Level::Warning
                                                      : Level::Note;
    finding.place = PlaceOf(d.span);
    finding.suite = d.span.file ? d.span.file->name() : "policy";
    finding.label = d.label;
    finding.message = d.message;
    finding.details = d.help;
    for (const Label& label : d.related) {
      if (label.span.file) finding.related.push_back({PlaceOf(label.span), label.text});
    }
    const bool one_file = std::ranges::all_of(
        d.fixes, [&](const FixIt& fix) { return fix.span.file && fix.span.file == d.fixes.front().span.file; });
    if (one_file) {
      for (const FixIt& fix : d.fixes) finding.fixes.push_back({PlaceOf(fix.span), fix.text});
      finding.fix_about = d.help;
    }
    findings.push_back(std::move(finding));
  }
  return findings;
}

bool IsForMachines(std::string_view format) {
  return std::ranges::find(kRenderers, format, &Renderer::format) != std::end(kRenderers);
}

std::string Render(std::string_view format, const std::vector<Finding>& findings) {
  const auto* row = std::ranges::find(kRenderers, format, &Renderer::format);
  KS_CHECK(row != std::end(kRenderers), "there is no such format");
  return row->render(findings);
}

std::string Utf8(std::string_view text) {
  std::string valid;
  for (size_t length = 0; !text.empty(); text.remove_prefix(length)) {
    valid += event::DecodeUtf8(text, &length) < 0 ? std::string_view("\xef\xbf\xbd") : text.substr(0, length);
  }
  return valid;
}

}  // namespace ks::ksc

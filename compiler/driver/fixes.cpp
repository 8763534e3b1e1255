#include "compiler/driver/fixes.h"

#include <algorithm>
#include <map>
#include <set>

namespace ks::driver {
namespace {

// Analyses of the whole policy that we spend on finding out which of many fixes is the bad one.
constexpr size_t kMaxTrials = 64;

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
    at = std::max(at, span.end);
  }
  return out + std::string(file.text().substr(at));
}

std::vector<ChangedFile> ChangedBy(const Analysis& analysis, const std::vector<const Diagnostic*>& chosen) {
  std::map<const SourceFile*, std::vector<FixIt>> changes;
  for (const Diagnostic* diagnostic : chosen) {
    for (const FixIt& fix : diagnostic->fixes) changes[fix.span.file].push_back(fix);
  }
  std::vector<ChangedFile> out;
  for (const auto& file : analysis.files) {
    if (auto it = changes.find(file.get()); it != changes.end()) {
      out.push_back({file.get(), Changed(*file, it->second)});
    }
  }
  return out;
}

std::set<std::string> FilesWithSyntaxErrors(const Diagnostics& diagnostics) {
  std::set<std::string> names;
  for (const Diagnostic& d : diagnostics.all()) {
    bool syntax = kDiagRows[static_cast<size_t>(d.id)].code < "K0200";
    if (d.severity == Severity::Error && syntax && d.span.file != nullptr) names.insert(d.span.file->name());
  }
  return names;
}

std::string Described(const Diagnostic& d) {
  auto at = d.span.file->At(d.span.begin);
  return fmt::format("{}:{}: {} [{}]", d.span.file->name(), at.line, d.message,
                     kDiagRows[static_cast<size_t>(d.id)].code);
}

// "" if the policy is no worse with these fixes; else the error that it would have.
std::string WorseWith(const Analysis& before, const std::vector<const Diagnostic*>& chosen, const Options& options) {
  std::vector<ChangedFile> changed = ChangedBy(before, chosen);
  std::vector<Source> sources;
  for (const auto& file : before.files) {
    auto it = std::find_if(changed.begin(), changed.end(), [&](const ChangedFile& c) { return c.file == file.get(); });
    sources.push_back({file->name(), it == changed.end() ? std::string(file->text()) : it->text, file->logical()});
  }
  Result<std::unique_ptr<Analysis>> after = Analyze(std::move(sources), options);
  if (!after) return after.error().cause;
  const Diagnostics& now = (*after)->diagnostics;
  std::set<std::string> broken = FilesWithSyntaxErrors(before.diagnostics);
  for (const std::string& name : FilesWithSyntaxErrors(now)) {
    if (broken.contains(name)) continue;
    for (const Diagnostic& d : now.all()) {
      if (d.severity == Severity::Error && d.span.file->name() == name) return Described(d);
    }
  }
  if (now.errors() <= before.diagnostics.errors()) return "";
  std::set<std::string> known;  // without places: those move
  for (const Diagnostic& d : before.diagnostics.all()) known.insert(d.message);
  for (const Diagnostic& d : now.all()) {
    if (d.severity == Severity::Error && !known.contains(d.message)) return Described(d);
  }
  return fmt::format("there would be {} errors in place of {}", now.errors(), before.diagnostics.errors());
}

}  // namespace

FixPlan PlanFixes(const Analysis& analysis, const Options& options) {
  FixPlan plan;
  std::map<const SourceFile*, std::vector<FixIt>> taken;
  for (const Diagnostic& diagnostic : analysis.diagnostics.all()) {
    if (!diagnostic.machine_applicable || diagnostic.fixes.empty()) continue;
    // What a broken condition names counts as unused: warnings wait until there is no error.
    if (!analysis.ok() && diagnostic.severity != Severity::Error) continue;
    bool meets = std::any_of(diagnostic.fixes.begin(), diagnostic.fixes.end(), [&](const FixIt& fix) {
      const std::vector<FixIt>& others = taken[fix.span.file];
      return std::any_of(others.begin(), others.end(), [&](const FixIt& other) { return Meet(fix, other); });
    });
    if (meets) {
      ++plan.left;
      continue;
    }
    for (const FixIt& fix : diagnostic.fixes) taken[fix.span.file].push_back(fix);
    plan.applied.push_back(&diagnostic);
  }
  if (plan.applied.empty()) return plan;
  if (std::string why = WorseWith(analysis, plan.applied, options); !why.empty()) {
    std::vector<const Diagnostic*> all = std::move(plan.applied);
    plan.applied.clear();
    for (const Diagnostic* one : all) {
      plan.applied.push_back(one);
      if (all.size() <= kMaxTrials) why = WorseWith(analysis, plan.applied, options);
      if (why.empty()) continue;
      plan.applied.pop_back();
      plan.refused.push_back({one, why});
    }
  }
  plan.files = ChangedBy(analysis, plan.applied);
  return plan;
}

}  // namespace ks::driver

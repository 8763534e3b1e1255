// Findings of `ksc check` for machines: one line each, or in a format of CI systems.
#include <fmt/format.h>

#include "tools/ksc/fix.h"
#include "tools/ksc/results.h"

namespace ks::ksc {
namespace {

std::string_view Word(Severity severity) {
  if (severity == Severity::Error) return "error";
  return severity == Severity::Warning ? "warning" : "note";
}

void PrintPlain(const Diagnostic& d) {
  std::string place;
  if (d.span.file != nullptr) {
    auto at = d.span.file->At(d.span.begin);
    place = fmt::format("{}:{}:{}: ", d.span.file->name(), at.line, at.column);
  }
  fmt::print("{}{}[{}]: {}{}{}\n", place, Word(d.severity), kDiagRows[static_cast<size_t>(d.id)].code, d.message,
             d.help.empty() ? "" : "; ", d.help);
}

}  // namespace

int ReportAs(const driver::Analysis& analysis, const std::string& format, bool strict) {
  const Diagnostics& diagnostics = analysis.diagnostics;
  if (IsForMachines(format)) {
    fmt::print("{}", Render(format, FindingsOf(diagnostics)));
  } else {
    for (const Diagnostic& diagnostic : diagnostics.all()) PrintPlain(diagnostic);
  }
  return diagnostics.errors() > 0 || (strict && diagnostics.warnings() > 0) ? cli::kFindings : cli::kFine;
}

}  // namespace ks::ksc

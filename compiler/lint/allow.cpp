#include <vector>

#include "compiler/lint/lint.h"

namespace ks::lint {
namespace {

const DiagRow* FindRow(std::string_view code) {
  for (const DiagRow& row : kDiagRows) {
    if (row.code == code) return &row;
  }
  return nullptr;
}

void ReadAllow(const syntax::Allow& allow, Span where, Diagnostics& diagnostics) {
  const DiagRow* row = FindRow(allow.code.text);
  if (row == nullptr) {
    std::vector<std::string_view> codes;
    for (const DiagRow& known : kDiagRows) {
      if (known.severity != Severity::Error) codes.push_back(known.code);
    }
    diagnostics.Report<Diag::AllowUnknown>(allow.code.span, allow.code.text).help =
        "write the code in the brackets of the finding, as in `allow K0701 \"why\"`";
    return;
  }
  if (row->severity == Severity::Error) {
    diagnostics.Report<Diag::AllowOfError>(allow.code.span, allow.code.text).help =
        fmt::format("mend it: `ksc explain {}` says how", allow.code.text);
    return;
  }
  if (allow.reason.value.find_first_not_of(" \t") == std::string::npos) {
    diagnostics.Report<Diag::AllowReason>(allow.reason.span, allow.code.text).help =
        "say why the finding is no mistake here";
  }
  diagnostics.Allow(row->id, where, allow.span);
}

}  // namespace

void ReadAllows(const syntax::Module& module, Diagnostics& diagnostics) {
  Span file{module.file, 0, static_cast<uint32_t>(module.file->text().size())};
  for (const syntax::Allow& allow : module.allows) ReadAllow(allow, file, diagnostics);
  for (const syntax::Rule& rule : module.rules) {
    for (const syntax::Allow& allow : rule.allows) ReadAllow(allow, rule.span, diagnostics);
  }
}

void ReportUnusedAllows(Diagnostics& diagnostics) {
  std::vector<Diagnostics::Allowance> allowances = diagnostics.allowances();
  for (const Diagnostics::Allowance& allowance : allowances) {
    if (allowance.used) continue;
    Diagnostic& d =
        diagnostics.Report<Diag::AllowWithoutEffect>(allowance.at, kDiagRows[static_cast<size_t>(allowance.id)].code);
    d.help = "remove it";
    d.fixes.push_back({allowance.at, ""});
    d.machine_applicable = true;
  }
}

}  // namespace ks::lint

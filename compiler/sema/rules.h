// Rules: clauses, exceptions, what an alert may say, and the lints about what a rule cannot see.
#pragma once

#include "compiler/sema/expand.h"
#include "compiler/sema/guards.h"

namespace ks::sema {

class RuleChecker {
 public:
  RuleChecker(Names& names, Expander& expander, const Options& options)
      : names_(names), expander_(expander), options_(options) {}
  Rule Check(const syntax::Rule& rule, const Scope& scope);

 private:
  void CheckHead(const syntax::Rule& rule, const Scope& scope, Rule* out);
  void CheckAttack(const syntax::Rule& rule, const Scope& scope);
  void CheckKinds(const syntax::On& on, const Scope& scope, Rule* out);
  void CheckException(const syntax::Exception& exception, const Scope& scope, Rule* out, Facts given);
  void CheckDisclosures(const syntax::Rule& rule, const Scope& scope, Rule* out);
  void CheckAlert(const syntax::Rule& rule, const syntax::Text& text, const Scope& scope, Facts given, Rule* out);
  void ReportUntested(const syntax::Rule& rule, const Scope& scope, const Rule& checked);

  Names& names_;
  Expander& expander_;
  const Options& options_;
};

// Text and `{fields}` of an alert; `{{` and `}}` stand for braces. Reports.
struct TemplatePiece {
  std::string text;
  std::optional<syntax::Path> path;
};
std::vector<TemplatePiece> ParseTemplate(const syntax::Text& text, const Scope& scope);

// Ways around a rule that its hooks do not see: one note per rule and way.
void LintBypass(const Rule& rule, Diagnostics& diagnostics);

}  // namespace ks::sema

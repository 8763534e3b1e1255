// Tunes: what one environment changes of a rule. They narrow it or route its alerts otherwise; they never widen it.
#pragma once

#include "compiler/sema/rules.h"

namespace ks::sema {

class TuneChecker {
 public:
  TuneChecker(Names& names, RuleChecker& rules, const Options& options)
      : names_(names), rules_(rules), options_(options) {}

  // Reports what is wrong with a tune of this module, whatever environment was asked for.
  void Check(const syntax::Tune& tune, const Scope& scope);
  // Changes a checked rule as the tune of the environment that was asked for says, wherever that stands. Reports nothing:
  // the tune's own module does.
  void Apply(Rule* rule, const Scope& scope);

 private:
  void Change(const syntax::Tune& tune, const Scope& scope, Rule* rule);
  void ReportUnknownRule(const syntax::Tune& tune, const Scope& scope);

  Names& names_;
  RuleChecker& rules_;
  const Options& options_;
};

}  // namespace ks::sema

// The order of the checks of one module.
#include "compiler/sema/expand.h"
#include "compiler/sema/names.h"
#include "compiler/sema/rules.h"
#include "compiler/sema/tests.h"
#include "compiler/sema/tune.h"
#include "compiler/sema/values.h"

namespace ks::sema {

CheckedModule Check(const syntax::Module& module, const Library& library, const Options& options,
                    Diagnostics& diagnostics) {
  CheckedModule out;
  out.module = &module;
  out.package = PackageOf(module);

  Names names(module, library, options);
  Evaluator evaluator(names);
  Expander expander(names, evaluator);
  Scope scope;
  scope.module = &module;
  scope.diagnostics = &diagnostics;

  names.CheckImports(scope);
  names.CheckDefinitions(scope);
  for (const syntax::Let& let : module.lets) {
    ValuesPtr values = evaluator.LetValues({&module, &let, nullptr}, scope, let.name.span);
    if (values->ok()) out.lets.push_back({&let, values->type, {values->values, values->label}});
  }
  for (const syntax::Def& def : module.defs) {
    if (const Def* checked = expander.CheckDef({&module, nullptr, &def}, scope, def.name.span))
      out.defs.push_back(*checked);
  }
  RuleChecker rules(names, expander, options);
  TuneChecker tunes(names, rules, options);
  for (const syntax::Rule& rule : module.rules) {
    out.rules.push_back(rules.Check(rule, scope));
    tunes.Apply(&out.rules.back(), scope);
  }
  for (const syntax::Tune& tune : module.tunes) tunes.Check(tune, scope);
  TestChecker tests(names, evaluator);
  for (const syntax::Test& test : module.tests) {
    for (TestCase& test_case : tests.Check(test, scope)) out.tests.push_back(std::move(test_case));
  }
  names.ReportUnused(scope);
  return out;
}

}  // namespace ks::sema

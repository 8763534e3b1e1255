// Symbols of a file, and where tests are run from.
#include <algorithm>

#include "compiler/ide/ide.h"

namespace ks::ide {
namespace {

std::string Kinds(const std::vector<syntax::Name>& kinds) {
  std::string out;
  for (const syntax::Name& kind : kinds) out += (out.empty() ? "" : " | ") + kind.text;
  return out;
}

}  // namespace

std::vector<Outline> Symbols(const Document& document) {
  using Kind = Outline::Kind;
  const syntax::Module& module = document.now->module;
  std::vector<Outline> out;
  if (module.package)
    out.push_back({Kind::Package, module.package->Dotted(), "", module.package_span, module.package_span, {}});
  for (const syntax::Let& let : module.lets) out.push_back({Kind::Let, let.name.text, "", let.span, let.name.span, {}});
  for (const syntax::Def& def : module.defs) out.push_back({Kind::Def, def.name.text, "", def.span, def.name.span, {}});
  for (const syntax::Rule& rule : module.rules) {
    Outline made{Kind::Rule, rule.name.text, rule.title ? rule.title->value : "", rule.span, rule.name.span, {}};
    for (const syntax::Sequence& sequence : rule.sequences) {
      for (const syntax::Step& step : sequence.steps) {
        if (step.name)
          made.children.push_back({Kind::Step, step.name->text, Kinds(step.kinds), step.span, step.name->span, {}});
      }
    }
    out.push_back(std::move(made));
  }
  for (const syntax::Tune& tune : module.tunes) {
    out.push_back(
        {Kind::Tune, "tune " + tune.rule.Dotted(), "in " + tune.environment.value, tune.span, tune.rule_span, {}});
  }
  for (const syntax::Test& test : module.tests) {
    Outline made{Kind::Test, "test " + test.rule.Dotted(), "", test.span, test.rule_span, {}};
    for (const syntax::TestCase& test_case : test.cases) {
      made.children.push_back({Kind::Case, test_case.name.value, "", test_case.span, test_case.name.span, {}});
    }
    out.push_back(std::move(made));
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const Outline& a, const Outline& b) { return a.span.begin < b.span.begin; });
  return out;
}

std::vector<Lens> Lenses(const Document& document) {
  std::vector<Lens> out;
  const syntax::Module& module = document.now->module;
  std::string package = sema::PackageOf(module);
  for (const syntax::Test& test : module.tests) {
    std::string id = test.rule.parts.size() == 1 ? sema::IdOf(package, test.rule.Dotted()) : test.rule.Dotted();
    out.push_back({test.rule_span, id, ""});
    for (const syntax::TestCase& test_case : test.cases) out.push_back({test_case.name.span, id, test_case.name.value});
  }
  return out;
}

}  // namespace ks::ide

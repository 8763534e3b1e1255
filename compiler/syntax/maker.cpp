// Declarations other than rules, tunes and tests.
#include "compiler/syntax/maker.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <variant>

namespace ks::syntax {
namespace {

bool HasDeclarations(const Module& module) {
  return !module.lets.empty() || !module.defs.empty() || !module.rules.empty() || !module.tunes.empty() ||
         !module.tests.empty();
}

}  // namespace

void Maker::Add(KspParser::ItemContext* item, Module* module) {
  if (!Complete(item)) return;
  if (auto* package = item->packageDecl()) {
    Package(package, module);
  } else if (auto* import = item->importDecl()) {
    AddImport(import, module);
  } else if (auto* let = item->letDecl()) {
    module->lets.push_back(MakeLet(let));
  } else if (auto* def = item->defDecl()) {
    module->defs.push_back(MakeDef(def));
  } else if (auto* rule = item->ruleDecl()) {
    module->rules.push_back(MakeRule(rule));
  } else if (auto* tune = item->tuneDecl()) {
    module->tunes.push_back(MakeTune(tune));
  } else if (auto* test = item->testDecl()) {
    module->tests.push_back(MakeTest(test));
  } else if (auto* allow = item->allow()) {
    module->allows.push_back(MakeAllow(allow));
  }
}

std::vector<Name> Maker::NamesOf(const std::vector<antlr4::tree::TerminalNode*>& nodes) const {
  std::vector<Name> names;
  names.reserve(nodes.size());
  for (auto* node : nodes) names.push_back(NameOf(node));
  return names;
}

Text Maker::MakeText(KspParser::TextContext* text) const {
  const Token& token = At(text->start);
  return {StringValue(file_, token, nullptr), SpanOf(token)};
}

Name Maker::Unquoted(KspParser::TextContext* text) const {
  Text made = MakeText(text);
  return {std::move(made.value), made.span};
}

bool Maker::HasDoubledCommas() const {
  return std::adjacent_find(tokens_.begin(), tokens_.end(), [this](const Token& left, const Token& right) {
           return View(left) == "," && View(right) == ",";
         }) != tokens_.end();
}

Diagnostic& Maker::Mistake(Span span, std::string_view what, std::string_view help) {
  Diagnostic& d = diagnostics_.Report<Diag::SyntaxError>(span, what);
  d.help = help;
  return d;
}

void Maker::CheckCommas(const ParserContext* context) {
  if (!has_doubled_commas_) return;
  for (size_t i = 1; i + 1 < context->children.size(); ++i) {
    auto* left = dynamic_cast<antlr4::tree::TerminalNode*>(context->children[i - 1]);
    auto* right = dynamic_cast<antlr4::tree::TerminalNode*>(context->children[i]);
    if (!left || !right || View(At(left)) != "," || View(At(right)) != ",") continue;
    Mistake(SpanOf(right), "there is nothing between these commas", "");
    return;
  }
}

void Maker::Package(KspParser::PackageDeclContext* context, Module* module) {
  if (module->package) {
    Mistake(SpanOf(context), "a file has one `package`", "");
    return;
  }
  if (!module->imports.empty() || HasDeclarations(*module)) {
    Mistake(SpanOf(context), "`package` comes first, right below `ksp 1`", "");
  }
  module->package = MakePath(context->path());
  module->package_span = SpanOf(context);
}

void Maker::AddImport(KspParser::ImportDeclContext* context, Module* module) {
  if (HasDeclarations(*module)) Mistake(SpanOf(context), "imports come before all other declarations", "");
  Import made;
  made.span = SpanOf(context);
  made.package.parts.push_back(NameOf(context->ID()));
  for (antlr4::tree::ParseTree* child : context->children) {
    if (auto* name = dynamic_cast<KspParser::NameContext*>(child)) {
      if (!made.names.empty()) {
        Mistake(SpanOf(name), "the names in braces come last in an import", "");
        return;
      }
      made.package.parts.push_back(NameOf(At(name->start)));
    } else if (auto* names = dynamic_cast<KspParser::ImportNamesContext*>(child)) {
      CheckCommas(names);
      made.names = NamesOf(names->ID());
    }
  }
  module->imports.push_back(std::move(made));
}

Let Maker::MakeLet(KspParser::LetDeclContext* context) {
  Let made;
  made.name = NameOf(context->ID());
  made.span = SpanOf(context);
  made.doc = Doc(context);
  if (auto* type = context->type()) {
    made.type = Type{NameOf(type->ID(0)), nullptr};
    if (type->ID().size() > 1) made.type->element = std::make_unique<Type>(Type{NameOf(type->ID(1)), nullptr});
  }
  if (auto* from = context->text()) {
    made.from = MakeLiteral(At(from->start));
    made.from_span = SpanOf(from);
    return made;
  }
  made.value = Expression(context->expression());
  bool condition = std::holds_alternative<Logic>(made.value->node) || std::holds_alternative<Not>(made.value->node) ||
                   std::holds_alternative<Compare>(made.value->node);
  if (condition) {
    Mistake(made.value->span, "a `let` is a value, not a condition", "conditions get names with `def`");
  }
  return made;
}

Def Maker::MakeDef(KspParser::DefDeclContext* context) {
  Def made;
  made.name = NameOf(context->ID());
  made.span = SpanOf(context);
  made.doc = Doc(context);
  if (auto* parameters = context->parameters()) {
    CheckCommas(parameters);
    for (auto* parameter : parameters->parameter()) {
      made.parameters.push_back({NameOf(parameter->ID(0)), NameOf(parameter->ID(1))});
    }
  }
  made.body = Expression(context->expression());
  return made;
}

Allow Maker::MakeAllow(KspParser::AllowContext* context) const {
  return {NameOf(context->ID()), MakeText(context->text()), SpanOf(context)};
}

}  // namespace ks::syntax

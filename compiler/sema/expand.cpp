#include "compiler/sema/expand.h"

#include <algorithm>
#include <utility>

#include "compiler/sema/literals.h"

namespace ks::sema {
namespace {

// "a list", "a record": what an expression is, for "… is a list, not a condition".
std::string WhatIs(const Operand& operand) {
  switch (operand.what) {
    case Operand::What::Field:
      return "a field";
    case Operand::What::Record:
      return "a record";
    case Operand::What::Parameter:
      return operand.type.shape == Type::Shape::Record ? "a record" : "a value";
    default:
      return operand.type.shape == Type::Shape::Many ? "a list" : "a value";
  }
}

std::string Arguments(size_t count) {
  if (count == 0) return "no argument";
  return count == 1 ? "1 argument" : fmt::format("{} arguments", count);
}

// Whether every field of `given` is one of `wanted`, by name and type: process.parent may stand for a process.
bool Fits(ObjectId given, ObjectId wanted) {
  if (given == wanted) return true;
  if (schema::Row(given).guard != schema::Row(wanted).guard) return false;  // a container is no process
  std::string prefix(schema::Row(wanted).dotted);
  for (const schema::FieldRow& row : schema::Fields()) {
    if (row.object != given) continue;
    auto field = schema::FindField(prefix + "." + std::string(row.name));
    if (!field || schema::Row(*field).type != row.type) return false;
  }
  return true;
}

}  // namespace

Condition Expander::Fail() {
  failed_ = true;
  return {};
}

bool Expander::TakeFailed() { return std::exchange(failed_, false); }

Condition Expander::Node(Condition::Op op, Span span, const Scope& scope) {
  ++rule_nodes_;
  ++module_nodes_;
  if (!exhausted_ && (rule_nodes_ > kMaxNodesPerRule || module_nodes_ > kMaxNodesPerModule)) {
    bool one = rule_nodes_ > kMaxNodesPerRule;
    scope.Report<Diag::ExpansionTooLarge>(span, one ? kMaxNodesPerRule : kMaxNodesPerModule,
                                          one ? "in this rule" : "in the rules of this file");
    exhausted_ = failed_ = true;
  }
  Condition out;
  out.op = op;
  out.span = scope.Place(span);
  return out;
}

Scope Expander::Deeper(const Scope& scope, Span span) {
  Scope inner = scope;
  if (++inner.level > kMaxConditionDepth && !exhausted_) {
    scope.Report<Diag::NestedTooDeep>(span, kMaxConditionDepth, "conditions", Shorten(span.text()));
    exhausted_ = true;
  }
  return inner;
}

Condition Expander::Expand(const syntax::Expr& expr, const Scope& scope) {
  Condition out = ExpandNode(expr, scope);
  if (out.syntax == nullptr) out.syntax = &expr;
  return out;
}

Condition Expander::ExpandNode(const syntax::Expr& expr, const Scope& scope) {
  if (exhausted_) return Fail();
  if (auto* logic = std::get_if<syntax::Logic>(&expr.node)) return ExpandLogic(expr, *logic, scope);
  if (auto* negation = std::get_if<syntax::Not>(&expr.node)) {
    Condition out = Node(Condition::Op::Not, expr.span, scope);
    if (!negation->operand) return Fail();
    Scope inner = Deeper(scope, expr.span);
    out.operands.push_back(Expand(*negation->operand, inner));
    return out;
  }
  if (auto* compare = std::get_if<syntax::Compare>(&expr.node)) return ExpandCompare(expr, *compare, scope);
  if (auto* call = std::get_if<syntax::Call>(&expr.node)) {
    return ExpandCall(call->callee, &call->arguments, expr.span, scope);
  }
  if (auto* literal = std::get_if<syntax::Literal>(&expr.node); literal && literal->kind == syntax::LiteralKind::Bool) {
    return Node(literal->text == "true" ? Condition::Op::True : Condition::Op::False, expr.span, scope);
  }
  if (auto* path = std::get_if<syntax::Path>(&expr.node)) {
    Resolved resolved = names_.Find(*path, scope);
    if (resolved.what == Resolved::What::Declared && resolved.declaration->def != nullptr) {
      return ExpandCall(*path, nullptr, expr.span, scope);
    }
  }
  Operand operand = evaluator_.Evaluate(expr, scope, nullptr);
  if (operand.what == Operand::What::Error) return Fail();
  Diagnostic& d = scope.Report<Diag::NotACondition>(expr.span, Shorten(expr.span.text()), WhatIs(operand));
  if (operand.what == Operand::What::Record && schema::Row(operand.type.object).guard == schema::Guard::Exists) {
    d.help = "ask whether it is there";
    scope.Fix(d, {expr.span.file, expr.span.end, expr.span.end}, " exists");
  } else {
    d.help = "a condition compares, as in `process.uid == 0`";
  }
  return Fail();
}

Condition Expander::ExpandLogic(const syntax::Expr& expr, const syntax::Logic& logic, const Scope& scope) {
  bool conjunction = logic.op == syntax::LogicOp::And;
  Condition out = Node(conjunction ? Condition::Op::And : Condition::Op::Or, expr.span, scope);
  Scope inner = Deeper(scope, expr.span);
  for (const syntax::ExprPtr& operand : logic.operands) {
    if (operand) out.operands.push_back(Expand(*operand, inner));
  }
  return out.operands.size() < 2 ? Fail() : out;
}

// ---- Defs
// ------------------------------------------------------------------------------------------------------------

const Def* Expander::CheckDef(const Library::Declaration& declaration, const Scope& scope, Span use) {
  const syntax::Def& def = *declaration.def;
  State& state = defs_[&def];
  if (state.visiting) {
    std::string cycle;
    auto from = std::find(visiting_.begin(), visiting_.end(), &def);
    for (auto it = from; it != visiting_.end(); ++it) cycle += (*it)->name.text + " → ";
    scope.Report<Diag::Recursion>(use, def.name.text, cycle + def.name.text).help =
        "a def is written out where it is used, so it cannot hold itself";
    return nullptr;
  }
  const Library::Package* package = names_.library().Find(PackageOf(*declaration.module));
  bool embedded = package != nullptr && package->embedded;
  bool own = declaration.module == &names_.checked();
  if (!state.done) {
    if (visiting_.size() >= kMaxCallDepth) {
      scope.Report<Diag::NestedTooDeep>(use, kMaxCallDepth, "defs", def.name.text);
      return nullptr;
    }
    state.visiting = true;
    visiting_.push_back(&def);
    Diagnostics aside;
    Scope inner;
    inner.module = declaration.module;
    // A user's other modules have a check of their own, which reports.
    inner.diagnostics = own || embedded ? scope.diagnostics : &aside;
    state.def.syntax = &def;
    state.ok = CheckDefBody(def, inner, &state.def);
    visiting_.pop_back();
    state.visiting = false;
    state.done = true;
  }
  return state.ok ? &state.def : nullptr;
}

bool Expander::CheckDefBody(const syntax::Def& def, const Scope& scope, Def* out) {
  if (def.parameters.size() > kMaxParameters) {
    scope.Report<Diag::TooManyValues>(def.parameters[kMaxParameters].name.span, kMaxParameters,
                                      "as parameters of one def");
    return false;
  }
  std::vector<Binding> bindings;
  bool ok = true;
  for (const syntax::Parameter& parameter : def.parameters) {
    std::optional<Type> type = FindType(parameter.type.text);
    if (!type) {
      ok = false;
      Diagnostic& d = scope.Report<Diag::UnknownType>(parameter.type.span, parameter.type.text);
      if (std::string_view near = DidYouMean(parameter.type.text, TypeNames()); !near.empty()) {
        d.help = fmt::format("did you mean `{}`?", near);
        scope.Fix(d, parameter.type.span, std::string(near));
      }
    }
    Operand unknown;
    if (type) {
      bool record = type->shape == Type::Shape::Record;
      unknown.what = record ? Operand::What::Record : Operand::What::Parameter;
      unknown.type = *type;
      unknown.span = parameter.name.span;
    }
    out->parameters.push_back(unknown.type);
    bindings.push_back({parameter.name.text, unknown});
  }
  if (!def.body) return false;
  Scope inner = scope;
  inner.parameters = &bindings;
  bool before = std::exchange(failed_, false);
  size_t nodes = rule_nodes_;
  Expand(*def.body, inner);
  rule_nodes_ = nodes;
  ok = !failed_ && ok;
  failed_ = before;
  return ok;
}

Operand Expander::Argument(const syntax::Expr& expr, const syntax::Parameter& parameter, const Type& type,
                           std::string_view def, const Scope& scope) {
  std::string who = fmt::format("parameter `{}` of `{}`", parameter.name.text, def);
  if (type.shape == Type::Shape::Record) {
    Operand operand = evaluator_.Evaluate(expr, scope, nullptr);
    if (operand.what == Operand::What::Field) {
      // process.stdin is a field and a record, too.
      if (auto object = schema::FindObject(NameOf(operand.field))) {
        operand.what = Operand::What::Record;
        operand.type = {Type::Shape::Record, {}, {}, *object};
      }
    }
    if (operand.what == Operand::What::Error) return operand;
    if (operand.what == Operand::What::Record && Fits(operand.type.object, type.object)) return operand;
    scope.Report<Diag::TypeMismatch>(expr.span, who, Phrase(type), Shorten(expr.span.text()),
                                     operand.what == Operand::What::Record ? Phrase(operand.type) : WhatIs(operand));
    return Operand::Failed();
  }
  Want want{type, false, false, who};
  Operand operand = evaluator_.Evaluate(expr, scope, &want);
  if (operand.what == Operand::What::Error) return operand;
  if (operand.type == type) {
    if (operand.what == Operand::What::Field && !CheckKinds(operand.field, scope, expr.span)) return Operand::Failed();
    return operand;
  }
  if (operand.type.shape == Type::Shape::Many) {
    scope.Report<Diag::ListForOne>(expr.span, def);
  } else {
    scope.Report<Diag::TypeMismatch>(expr.span, who, Phrase(type), Shorten(expr.span.text()),
                                     operand.what == Operand::What::Record ? "a record" : Phrase(operand.type));
  }
  return Operand::Failed();
}

Condition Expander::ExpandCall(const syntax::Path& callee, const std::vector<syntax::ExprPtr>* arguments, Span span,
                               const Scope& scope) {
  Resolved resolved = names_.Find(callee, scope);
  if (resolved.what == Resolved::What::Nothing) names_.ReportUnknown(callee, scope);
  if (resolved.what == Resolved::What::Nothing || resolved.what == Resolved::What::Error) return Fail();
  if (resolved.what != Resolved::What::Declared || resolved.declaration->def == nullptr) {
    std::string_view what = resolved.what == Resolved::What::Declared ? "a let"
                            : resolved.what == Resolved::What::Field  ? "a field"
                            : resolved.what == Resolved::What::Record ? "a record"
                                                                      : "a parameter";
    scope.Report<Diag::NotAValue>(SpanOf(callee), Shorten(callee.Dotted()), what, "a def that could be called");
    return Fail();
  }
  const syntax::Def& def = *resolved.declaration->def;
  const Def* checked = CheckDef(*resolved.declaration, scope, span);
  size_t given = arguments == nullptr ? 0 : arguments->size();
  if (given != def.parameters.size()) {
    Diagnostic& d = scope.Report<Diag::WrongArguments>(span, def.name.text, Arguments(def.parameters.size()),
                                                       given == 0 ? "none" : Arguments(given));
    d.related.push_back({def.name.span, "defined here"});
    if (given == 0 && def.parameters.size() == 1 && def.parameters[0].type.text == "process") {
      d.help = "give it the process";
      uint32_t end = SpanOf(callee).end;
      scope.Fix(d, {span.file, end, span.end}, "(process)");
    }
    return Fail();
  }
  if (checked == nullptr) return Fail();
  std::vector<Binding> bindings;
  bool ok = true;
  for (size_t i = 0; i < given; ++i) {
    if (!(*arguments)[i]) return Fail();
    Operand operand = Argument(*(*arguments)[i], def.parameters[i], checked->parameters[i], def.name.text, scope);
    ok = ok && operand.what != Operand::What::Error;
    bindings.push_back({def.parameters[i].name.text, std::move(operand)});
  }
  if (!ok) return Fail();
  // Inside of a def that is checked by itself the body was checked by itself, too.
  if (scope.kinds == nullptr) return Node(Condition::Op::True, span, scope);
  if (scope.depth >= kMaxCallDepth) {
    scope.Report<Diag::NestedTooDeep>(span, kMaxCallDepth, "defs", def.name.text);
    exhausted_ = true;
    return Fail();
  }
  Scope inner;
  inner.module = resolved.declaration->module;
  inner.diagnostics = scope.diagnostics;
  inner.kinds = scope.kinds;
  inner.steps = scope.steps;
  inner.parameters = &bindings;
  inner.call = scope.Place(span);
  inner.def = def.name.text;
  inner.depth = scope.depth + 1;
  inner.level = scope.level;
  return Expand(*def.body, inner);
}

}  // namespace ks::sema

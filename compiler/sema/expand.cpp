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
    inner.diagnostics = own ? scope.diagnostics : &aside;
    state.def.syntax = &def;
    state.ok = CheckDefBody(def, inner, &state.def);
    visiting_.pop_back();
    state.visiting = false;
    state.done = true;
    if (!state.ok && embedded && !own && !aside.all().empty()) state.error = aside.all().front().message;
  }
  if (!state.error.empty()) {
    scope.Report<Diag::BrokenPackage>(use, IdOf(package->name, def.name.text), state.error);
  }
  return state.ok ? &state.def : nullptr;
}

bool Expander::CheckDefBody(const syntax::Def& def, const Scope& scope, Def* out) {
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
    scope.Report<Diag::TypeMismatch>(
        expr.span, who, WithArticle(ToString(type)), Shorten(expr.span.text()),
        operand.what == Operand::What::Record ? WithArticle(ToString(operand.type)) : WhatIs(operand));
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
    scope.Report<Diag::TypeMismatch>(
        expr.span, who, WithArticle(ToString(type)), Shorten(expr.span.text()),
        operand.what == Operand::What::Record ? "a record" : WithArticle(ToString(operand.type)));
  }
  return Operand::Failed();
}

Condition Expander::ExpandCall(const syntax::Path& callee, const std::vector<syntax::ExprPtr>* arguments, Span span,
                               const Scope& scope) {
  Resolved resolved = names_.Find(callee, scope);
  if (resolved.what == Resolved::What::Nothing) names_.ReportUnknown(callee, scope);
  if (resolved.what == Resolved::What::Nothing || resolved.what == Resolved::What::Error) return Fail();
  if (resolved.what != Resolved::What::Declared || resolved.declaration->def == nullptr) {
    bool let = resolved.what == Resolved::What::Declared;
    scope.Report<Diag::NotAValue>(SpanOf(callee), callee.Dotted(), let ? "a let" : "a field or parameter",
                                  "a def that could be called");
    return Fail();
  }
  const syntax::Def& def = *resolved.declaration->def;
  const Def* checked = CheckDef(*resolved.declaration, scope, span);
  size_t given = arguments == nullptr ? 0 : arguments->size();
  if (given != def.parameters.size()) {
    Diagnostic& d =
        scope.Report<Diag::WrongArguments>(span, def.name.text, Arguments(def.parameters.size()), Arguments(given));
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
  inner.parameters = &bindings;
  inner.call = scope.Place(span);
  inner.def = def.name.text;
  inner.depth = scope.depth + 1;
  inner.level = scope.level;
  return Expand(*def.body, inner);
}

// ---- Comparisons
// -----------------------------------------------------------------------------------------------------

bool Expander::CheckKinds(const FieldRef& field, const Scope& scope, Span span) {
  if (scope.kinds == nullptr) return true;
  std::string lacking;
  for (EventKind kind : *scope.kinds) {
    if (schema::Has(kind, field.field)) continue;
    if (!lacking.empty()) lacking += "` and `";
    lacking += schema::Row(kind).name;
  }
  if (lacking.empty()) return true;
  std::vector<std::string_view> having;
  for (const schema::EventRow& row : schema::Events()) {
    if (schema::Has(row.kind, field.field)) having.push_back(row.name);
  }
  scope.Report<Diag::FieldNotInKind>(span, lacking, NameOf(field)).help =
      fmt::format("events that have it: {}", fmt::join(having, ", "));
  return false;
}

Condition Expander::ExpandExists(const syntax::Compare& compare, Span span, const Scope& scope) {
  auto* path = compare.left ? std::get_if<syntax::Path>(&compare.left->node) : nullptr;
  if (path == nullptr) {
    if (compare.left) scope.Report<Diag::NotARecord>(compare.left->span, Shorten(compare.left->span.text()));
    return Fail();
  }
  Operand operand = evaluator_.Evaluate(*compare.left, scope, nullptr);
  if (operand.what == Operand::What::Error) return Fail();
  if (operand.what == Operand::What::Record) {
    const schema::ObjectRow& row = schema::Row(operand.type.object);
    if (row.guard == schema::Guard::Exists) {
      Condition out = Node(Condition::Op::Exists, span, scope);
      out.object = row.id;
      return out;
    }
  }
  Diagnostic& d = scope.Report<Diag::NotARecord>(compare.left->span, Shorten(compare.left->span.text()));
  if (operand.what == Operand::What::Field) {
    const schema::ObjectRow& row = schema::Row(schema::Row(operand.field.field).object);
    auto socket = schema::FindObject(NameOf(operand.field));
    if (row.guard == schema::Guard::Exists) {
      d.help = fmt::format("ask for the record: `{} exists`", row.dotted);
      scope.Fix(d, compare.left->span, std::string(row.dotted));
    } else if (socket && schema::Row(*socket).guard == schema::Guard::Socket) {
      d.help = fmt::format("ask what it is: `{} is socket`", NameOf(operand.field));
      scope.Fix(d, compare.op_span, "is socket");
    }
  }
  if (d.help.empty()) {
    std::vector<std::string_view> records;
    for (const schema::ObjectRow& row : schema::Objects()) {
      if (row.guard == schema::Guard::Exists) records.push_back(row.dotted);
    }
    d.help = fmt::format("what may be absent: {}", fmt::join(records, ", "));
  }
  return Fail();
}

Operand Expander::CompareLeft(const syntax::Expr& expr, const Scope& scope) {
  bool plain = std::holds_alternative<syntax::Path>(expr.node);
  if (auto* literal = std::get_if<syntax::Literal>(&expr.node)) {
    Diagnostic& d = scope.Report<Diag::NotAField>(expr.span, Shorten(expr.span.text()));
    if (schema::FindField(literal->value)) {
      d.help = "the name of a field stands without quotes";
      scope.Fix(d, expr.span, literal->value);
    } else {
      d.help = "write the field first, as in `process.uid == 0`";
    }
    return Operand::Failed();
  }
  if (!plain) {
    scope.Report<Diag::NotAField>(expr.span, Shorten(expr.span.text()));
    return Operand::Failed();
  }
  Operand left = evaluator_.Evaluate(expr, scope, nullptr);
  switch (left.what) {
    case Operand::What::Record: {
      std::vector<std::string_view> names;
      for (const schema::FieldRow& row : schema::Fields()) {
        if (row.object == left.type.object) names.push_back(row.name);
      }
      scope.Report<Diag::NotAValue>(expr.span, Shorten(expr.span.text()), "a record", "a value").help =
          fmt::format("it has {}", fmt::join(names, ", "));
      return Operand::Failed();
    }
    case Operand::What::Values: {
      Diagnostic& d = scope.Report<Diag::NotAField>(expr.span, Shorten(expr.span.text()));
      if (scope.InCall()) {
        d.help = "give the def a field here";
      } else {
        d.help = "write the field first, as in `process.name in shells`";
      }
      return Operand::Failed();
    }
    case Operand::What::Field:
      if (!CheckKinds(left.field, scope, expr.span)) return Operand::Failed();
      return left;
    default:
      return left;
  }
}

const OperatorRow* Expander::ChooseOperator(const syntax::Compare& compare, const Operand& left, const Scope& scope) {
  if (const OperatorRow* row = FindOperator(compare.op, left.type.scalar)) return row;
  std::string spelled = (compare.negated ? "not " : "") + compare.op;
  Diagnostic& d = scope.Report<Diag::OperatorType>(compare.op_span, spelled, Shorten(compare.left->span.text()),
                                                   WithArticle(ToString(left.type)));
  d.help = fmt::format("operators for it: {}", OperatorsOn(left.type.scalar));
  if (compare.op == "==" && left.type.scalar == TypeId::Flags) {
    d.help = "ask for a flag, others may be set as well";
    scope.Fix(d, compare.op_span, "has");
  }
  if (compare.op == "in" && left.type.scalar == TypeId::StringList) {
    d.help = "ask for an element";
    scope.Fix(d, compare.op_span, "has any");
  }
  return nullptr;
}

bool Expander::CheckFields(const syntax::Compare& compare, const OperatorRow& row, const Operand& left,
                           const Operand& right, const Scope& scope) {
  Span span = compare.right->span;
  if (right.what == Operand::What::Record) {
    scope.Report<Diag::NotAValue>(span, Shorten(span.text()), "a record", "a value");
    return false;
  }
  if (right.what == Operand::What::Field && !CheckKinds(right.field, scope, span)) return false;
  bool unknown = right.what == Operand::What::Parameter;
  // A parameter may stand for a literal or for a field; a field is compared with only by operators that take one value.
  if (row.right != Right::One && !(unknown && row.right == Right::Any)) {
    scope.Report<Diag::NotAValue>(
        span, Shorten(span.text()), unknown ? "one value" : "a field",
        row.right == Right::Any ? "text that is known when the policy is compiled" : "a list");
    return false;
  }
  bool same = left.type.scalar == right.type.scalar && left.type.enumeration == right.type.enumeration;
  bool text = row.right == Right::Any && right.type.scalar == TypeId::String;
  if (!same && !text) {
    scope.Report<Diag::TypeMismatch>(span, fmt::format("`{}`", Shorten(compare.left->span.text())),
                                     WithArticle(ToString(left.type)), Shorten(span.text()),
                                     WithArticle(ToString(right.type)));
    return false;
  }
  if (left.what == Operand::What::Field && right.what == Operand::What::Field && left.field.SameAs(right.field)) {
    bool always = row.id == OperatorId::Equal || row.id == OperatorId::LessEqual || row.id == OperatorId::GreaterEqual;
    scope.Report<Diag::Vacuous>(Join(compare.left->span, span), always ? "always" : "never",
                                "a field is compared with itself");
    return false;
  }
  return true;
}

bool Expander::CheckShape(const syntax::Compare& compare, const OperatorRow& row, const Operand& right,
                          const Scope& scope) {
  bool many = right.type.shape == Type::Shape::Many;
  Span span = compare.right->span;
  std::string spelled = (compare.negated ? "not " : "") + compare.op;
  if (many && (row.right == Right::One || row.right == Right::Name)) {
    Diagnostic& d = scope.Report<Diag::ListForOne>(span, spelled);
    bool equal = row.id == OperatorId::Equal || row.id == OperatorId::Is;
    if (equal || row.id == OperatorId::NotEqual) {
      bool negated = row.id == OperatorId::NotEqual || compare.negated;
      d.help = "to be one of several is `in`";
      scope.Fix(d, compare.op_span, negated ? "not in" : "in");
    }
    return false;
  }
  bool block = right.type.scalar == TypeId::Cidr || std::holds_alternative<schema::Cidr>(right.values->values[0]);
  if (!many && ((row.right == Right::Members && !block) || row.right == Right::All)) {
    Diagnostic& d = scope.Report<Diag::OneForList>(span, spelled);
    d.help = "put it into a list";
    scope.Fix(d, span, fmt::format("[{}]", span.text()));
    return false;
  }
  return true;
}

bool Expander::CompareRight(const syntax::Compare& compare, const OperatorRow& row, const Operand& left,
                            const Scope& scope, Condition* out) {
  Want want{left.type, false, false, fmt::format("`{}`", Shorten(compare.left->span.text()))};
  bool text =
      left.type.scalar == TypeId::String || left.type.scalar == TypeId::Path || left.type.scalar == TypeId::StringList;
  if (row.right == Right::Members) want.blocks = left.type.scalar == TypeId::Ip;
  if ((row.right == Right::Any || row.right == Right::All) && text && row.id != OperatorId::Under) {
    want.type = One(TypeId::String);
    want.any_text = true;
  }
  Operand right = evaluator_.Evaluate(*compare.right, scope, &want);
  if (right.what == Operand::What::Error) return false;
  if (right.what != Operand::What::Values) {
    if (!CheckFields(compare, row, left, right, scope)) return false;
    if (right.what == Operand::What::Field) out->right = right.field;
    return true;
  }
  if (!CheckShape(compare, row, right, scope)) return false;
  if (auto* literal = std::get_if<syntax::Literal>(&compare.right->node); literal && text) {
    if (literal->value.find('.') != std::string::npos && schema::FindField(literal->value)) {
      Diagnostic& d = scope.Report<Diag::FieldInQuotes>(compare.right->span, literal->value);
      d.help = "the field stands without quotes";
      scope.Fix(d, compare.right->span, literal->value);
    }
  }
  Values values{right.values->values, right.values->label};
  module_values_ += values.values.size();
  if (module_values_ > kMaxValuesPerModule) {
    scope.Report<Diag::TooManyValues>(compare.right->span, kMaxValuesPerModule, "in the rules of this file");
    exhausted_ = true;
    return false;
  }
  if (!CheckLiterals(row, left, *right.values, scope, compare.right->span, &values.values)) return false;
  out->right = std::move(values);
  return true;
}

Condition Expander::ExpandCompare(const syntax::Expr& expr, const syntax::Compare& compare, const Scope& scope) {
  if (compare.op == "exists") return ExpandExists(compare, expr.span, scope);
  if (!compare.left || !compare.right) return Fail();
  Operand left = CompareLeft(*compare.left, scope);
  if (left.what == Operand::What::Error) return Fail();
  const OperatorRow* row = ChooseOperator(compare, left, scope);
  if (row == nullptr) return Fail();
  Condition out = Node(Condition::Op::Compare, expr.span, scope);
  out.compare = row->id;
  out.left = left.field;
  if (!CompareRight(compare, *row, left, scope, &out)) return Fail();
  if (!compare.negated) return out;
  Condition negation = Node(Condition::Op::Not, expr.span, scope);
  negation.operands.push_back(std::move(out));
  return negation;
}

}  // namespace ks::sema

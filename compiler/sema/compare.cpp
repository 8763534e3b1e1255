// Comparisons: the operator chosen by the type on the left, and what may stand on the right.
#include <algorithm>

#include "compiler/sema/expand.h"
#include "compiler/sema/literals.h"

namespace ks::sema {

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
  Diagnostic& d =
      scope.Report<Diag::OperatorType>(compare.op_span, spelled, Shorten(compare.left->span.text()), Phrase(left.type));
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
    scope.Report<Diag::TypeMismatch>(span, fmt::format("`{}`", Shorten(compare.left->span.text())), Phrase(left.type),
                                     Shorten(span.text()), Phrase(right.type));
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

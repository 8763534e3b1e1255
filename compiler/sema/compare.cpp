// Comparisons: the operator chosen by the type on the left, and what may stand on the right.
#include <algorithm>

#include "compiler/sema/expand.h"
#include "compiler/sema/literals.h"

namespace ks::sema {

Condition Expander::ExpandExists(const syntax::Compare& compare, Span span, const Scope& scope) {
  if (!compare.left) return Fail();
  bool named = std::holds_alternative<syntax::Path>(compare.left->node);
  bool indexed = std::holds_alternative<syntax::Index>(compare.left->node);
  if (!named && !indexed) {
    scope.Report<Diag::NotARecord>(compare.left->span, Shorten(compare.left->span.text()));
    return Fail();
  }
  Operand operand = evaluator_.Evaluate(*compare.left, scope, nullptr);
  if (operand.what == Operand::What::Error) return Fail();
  bool element = operand.what == Operand::What::Field && (operand.key || operand.field.element >= 0);
  if (element) {
    return CheckKinds(operand.field, scope, compare.left->span) ? ExistsInList(operand, span, scope) : Fail();
  }
  if (indexed && operand.what == Operand::What::Parameter) return Node(Condition::Op::True, span, scope);
  if (operand.what == Operand::What::Record) {
    const schema::ObjectRow& row = schema::Row(operand.type.object);
    if (row.guard == schema::Guard::Exists) {
      Condition out = Node(Condition::Op::Exists, span, scope);
      out.object = row.id;
      out.step = operand.field.step;
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

// `0 == process.uid`, `"sh" in process.args`: turned round, if that is what was meant.
static void SuggestTurned(const syntax::Compare& compare, const Operand& right, const Scope& scope, Diagnostic* d) {
  static constexpr std::pair<std::string_view, std::string_view> kTurned[] = {
      {"==", "=="}, {"!=", "!="}, {"<", ">"}, {"<=", ">="}, {">", "<"}, {">=", "<="}, {"is", "is"}};
  std::string_view op;
  for (const auto& [written, turned] : kTurned) {
    if (compare.op == written) op = turned;
  }
  bool negated = compare.negated;
  if (compare.op == "in" && right.type.scalar == TypeId::StringList) op = "has";
  if (compare.op == "in" && right.type.scalar == TypeId::Flags) op = "has";
  if (compare.op == "in" && (right.type.scalar == TypeId::String || right.type.scalar == TypeId::Path)) op = "contains";
  if (op.empty()) return;
  d->help = "write the field first";
  std::string turned = negated && op != "is" ? fmt::format("not {}", op) : std::string(op);
  if (negated && op == "is") turned = "is not";
  scope.Fix(*d, Join(compare.left->span, compare.right->span),
            fmt::format("{} {} {}", compare.right->span.text(), turned, compare.left->span.text()));
}

Operand Expander::CompareLeft(const syntax::Compare& compare, const Scope& scope) {
  const syntax::Expr& expr = *compare.left;
  auto turned = [&](Diagnostic* d) {
    // Asked aside: what is wrong on the right is said once the left is a field.
    Diagnostics aside;
    Scope quiet = scope;
    quiet.diagnostics = &aside;
    bool name = std::holds_alternative<syntax::Path>(compare.right->node) ||
                std::holds_alternative<syntax::Index>(compare.right->node) || IsLower(*compare.right);
    if (!name) return;
    Operand right = evaluator_.Evaluate(*compare.right, quiet, nullptr);
    if (right.what == Operand::What::Field) SuggestTurned(compare, right, scope, d);
  };
  if (auto* literal = std::get_if<syntax::Literal>(&expr.node)) {
    Diagnostic& d = scope.Report<Diag::NotAField>(expr.span, Shorten(expr.span.text()));
    bool text = literal->kind == syntax::LiteralKind::String || literal->kind == syntax::LiteralKind::RawString;
    if (text && schema::FindField(literal->value)) {
      d.help = "the name of a field stands without quotes";
      scope.Fix(d, expr.span, literal->value);
    } else {
      d.help = "write the field first, as in `process.uid == 0`";
      turned(&d);
    }
    return Operand::Failed();
  }
  bool names = std::holds_alternative<syntax::Path>(expr.node) || std::holds_alternative<syntax::Index>(expr.node) ||
               IsLower(expr);
  if (!names) {
    Diagnostic& d = scope.Report<Diag::NotAField>(expr.span, Shorten(expr.span.text()));
    if (std::holds_alternative<syntax::List>(expr.node)) turned(&d);
    return Operand::Failed();
  }
  Operand left = evaluator_.Evaluate(expr, scope, nullptr);
  switch (left.what) {
    case Operand::What::Record: {
      bool name = std::holds_alternative<syntax::Path>(compare.right->node);
      if (name && (compare.op == "==" || compare.op == "!=")) return left;
      std::vector<std::string_view> fields;
      for (const schema::FieldRow& row : schema::Fields()) {
        if (row.object == left.type.object) fields.push_back(row.name);
      }
      scope.Report<Diag::NotAValue>(expr.span, Shorten(expr.span.text()), "a record", "a value").help =
          fmt::format("it has {}", fmt::join(fields, ", "));
      return Operand::Failed();
    }
    case Operand::What::Values: {
      Diagnostic& d = scope.Report<Diag::NotAField>(expr.span, Shorten(expr.span.text()));
      if (scope.InCall()) {
        d.help = "give the def a field here";
      } else {
        d.help = "write the field first, as in `process.name in shells`";
        turned(&d);
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

// What was probably meant by an operator that does not work on the type.
void Expander::SuggestOperator(const syntax::Compare& compare, const Operand& left, const Scope& scope, Diagnostic* d) {
  TypeId type = left.type.scalar;
  std::string_view op = compare.op;
  bool text = type == TypeId::String || type == TypeId::Path;
  bool number = (Row(OperatorId::Less).types >> static_cast<unsigned>(type) & 1) != 0;
  auto use = [&](std::string help, std::string_view spelled = {}) {
    d->help = std::move(help);
    if (spelled.empty()) return;
    bool negates = compare.negated && !compare.op_span.text().starts_with("not");
    scope.Fix(*d, compare.op_span, (compare.negated && !negates ? "not " : "") + std::string(spelled));
  };
  d->help = fmt::format("operators for it: {}", OperatorsOn(type));
  if (type == TypeId::Flags) {
    if (op == "==") return use("ask for a flag, others may be set as well", "has");
    if (op == "!=") return use("ask for a flag with `not … has`: others may be set as well");
    if (op == "in") return use("ask for one of several flags", "has any");
    if (op.starts_with("contains") || op == "is") return use("ask for a flag", op.ends_with("all") ? "has all" : "has");
  }
  if (type == TypeId::StringList) {
    if (op == "in") return use("ask for an element", "has any");
    if (op == "==") return use("ask for an element; the one at a place is as in `process.args[1]`", "has");
    if (op == "like") return use("of one element, as in `process.args[1] like …`; of any, `matches`");
    if (op == "under") return use("of one element, as in `process.args[1] like \"/etc/*\"`");
  }
  if (text) {
    if (op.starts_with("has")) return use("a part of a text", "contains" + std::string(op.substr(3)));
    if (op == "is") return use("a text is compared by `==`", compare.negated ? "!=" : "==");
    if (op == "under") return use("`under` is for paths; the beginning of a text is `like \"x*\"`", "like");
  }
  if (number) {
    if (op == "is") return use("a number is compared by `==`", compare.negated ? "!=" : "==");
    if (op == "like" || op.starts_with("contains") || op == "matches") {
      return use(fmt::format("it is a number: {}", OperatorsOn(type)));
    }
  }
  if (type == TypeId::Ip && (op == "under" || op == "like" || op == "contains" || op == "has")) {
    return use("an address lies in a block, as in `in 10.0.0.0/8`", op == "under" ? "in" : "");
  }
  if (type == TypeId::Endpoint && (op == "under" || op == "<" || op == ">" || op == "<=" || op == ">=")) {
    return use("an endpoint has `.ip` and `.port`");
  }
  if (type == TypeId::Enum && (op == "has" || op == "contains" || op == "like")) return use("it is one name", "is");
}

const OperatorRow* Expander::ChooseOperator(const syntax::Compare& compare, const Operand& left, const Scope& scope) {
  if (const OperatorRow* row = FindOperator(compare.op, left.type.scalar)) return row;
  std::string spelled = (compare.negated ? "not " : "") + compare.op;
  if (compare.negated && compare.op == "is") spelled = "is not";
  Diagnostic& d =
      scope.Report<Diag::OperatorType>(compare.op_span, spelled, Shorten(compare.left->span.text()), Phrase(left.type));
  SuggestOperator(compare, left, scope, &d);
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
  if (right.key) {
    scope.Report<Diag::NotAValue>(span, Shorten(span.text()), "a label", "a value that can be compared with").help =
        "a label is compared with texts, and stands on the left";
    return false;
  }
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
    std::string list = fmt::format("[{}]", span.text());
    // "sh,bash,zsh": elsewhere a string can be a list.
    auto* literal = std::get_if<syntax::Literal>(&compare.right->node);
    if (literal != nullptr && literal->kind == syntax::LiteralKind::String && literal->value.find(',') != std::string::npos &&
        span.text().find('\\') == std::string_view::npos) {
      d.help = "a list has each of its values in quotes of its own";
      list = "[";
      std::string_view rest = literal->value;
      while (!rest.empty()) {
        size_t comma = std::min(rest.find(','), rest.size());
        std::string_view item = rest.substr(0, comma);
        rest.remove_prefix(std::min(comma + 1, rest.size()));
        while (item.starts_with(' ')) item.remove_prefix(1);
        while (item.ends_with(' ')) item.remove_suffix(1);
        if (!item.empty()) list += fmt::format("{}\"{}\"", list.size() > 1 ? ", " : "", item);
      }
      list += ']';
    }
    scope.Fix(d, span, list);
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
  if (!CheckLiterals(row, left, *right.values, scope, compare.right->span, &values.values, &compare))
    return false;
  out->right = std::move(values);
  return true;
}

Condition Expander::ExpandCompare(const syntax::Expr& expr, const syntax::Compare& compare, const Scope& scope) {
  if (compare.op == "exists") return ExpandExists(compare, expr.span, scope);
  if (!compare.left || !compare.right) return Fail();
  if (compare.op == "descends") return ExpandDescends(expr, compare, scope);
  Operand left = CompareLeft(compare, scope);
  if (left.what == Operand::What::Error) return Fail();
  if (left.what == Operand::What::Record) {
    Operand right = evaluator_.Evaluate(*compare.right, scope, nullptr);
    return right.what == Operand::What::Error ? Fail() : ExpandSameProcess(expr, compare, left, right, scope);
  }
  if (left.key) return ExpandLabel(expr, compare, left, scope);
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

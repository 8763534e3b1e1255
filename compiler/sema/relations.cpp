// Comparisons that stand for others: one process with another, ancestry, labels of a pod.
#include "compiler/sema/expand.h"
#include "compiler/sema/literals.h"

namespace ks::sema {
namespace {

std::optional<FieldId> FieldOf(ObjectId object, std::string_view name) {
  return schema::FindField(fmt::format("{}.{}", schema::Row(object).dotted, name));
}

bool IsProcess(const Operand& operand) {
  return operand.what == Operand::What::Record && FieldOf(operand.type.object, "pid").has_value();
}

// As RE2 reads it: every byte that could mean something else, escaped.
std::string Quoted(std::string_view text) {
  std::string out;
  for (char c : text) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                 (static_cast<unsigned char>(c) & 0x80) != 0;
    if (!plain) out += '\\';
    out += c;
  }
  return out;
}

FieldRef FieldAt(FieldId field, const Operand& record, const Scope& scope) {
  FieldRef out;
  out.field = field;
  out.step = record.field.step;
  out.record = scope.Place(record.span);
  return out;
}

}  // namespace

// process == drop.process: reuse of a pid joins nothing, since the time of the start must be the same as well.
Condition Expander::ExpandSameProcess(const syntax::Expr& expr, const syntax::Compare& compare, const Operand& left,
                                      const Operand& right, const Scope& scope) {
  auto refuse = [&](Span span, std::string_view is, std::string help) {
    scope.Report<Diag::NotAValue>(span, Shorten(span.text()), is, "a value").help = std::move(help);
    return Fail();
  };
  if (!IsProcess(left)) return refuse(compare.left->span, "a record", "compare one of its fields");
  if (!IsProcess(right)) {
    return refuse(compare.right->span, right.what == Operand::What::Record ? "another record" : "no process",
                  "a process is compared with the one of a step, as in `process == drop.process`");
  }
  if (left.type.object == right.type.object && left.field.step == right.field.step) {
    scope.Report<Diag::Vacuous>(expr.span, compare.op == "==" ? "always" : "never", "a process is compared with itself");
    return Fail();
  }
  Condition both = Node(Condition::Op::And, expr.span, scope);
  for (std::string_view name : {"pid", "start_time"}) {
    auto a = FieldOf(left.type.object, name), b = FieldOf(right.type.object, name);
    if (!a || !b) {
      return refuse(a ? compare.right->span : compare.left->span, "a record without a start time",
                    "its pid alone may be another process's: compare the fields that you mean");
    }
    Condition part = Node(Condition::Op::Compare, expr.span, scope);
    part.compare = OperatorId::Equal;
    part.left = FieldAt(*a, left, scope);
    part.right = FieldAt(*b, right, scope);
    both.operands.push_back(std::move(part));
  }
  bool negated = (compare.op == "!=") != compare.negated;
  if (!negated) return both;
  Condition out = Node(Condition::Op::Not, expr.span, scope);
  out.operands.push_back(std::move(both));
  return out;
}

Condition Expander::ExpandDescends(const syntax::Expr& expr, const syntax::Compare& compare, const Scope& scope) {
  auto wrong = [&](Span span, std::string_view why, std::string help) -> Diagnostic& {
    Diagnostic& d = scope.Report<Diag::WrongDescends>(span, why, Shorten(span.text()));
    d.help = std::move(help);
    return d;
  };
  Operand left = evaluator_.Evaluate(*compare.left, scope, nullptr);
  if (left.what == Operand::What::Error) return Fail();
  std::optional<FieldId> names, ids;
  if (IsProcess(left)) {
    names = FieldOf(left.type.object, "ancestors");
    ids = FieldOf(left.type.object, "ancestor_ids");
  }
  if (!names || !ids) {
    Diagnostic& d = wrong(compare.left->span, "a process on the left", "as in `process descends \"nginx\"`");
    bool of_process = left.what == Operand::What::Field && schema::Row(schema::Row(left.field.field).object).dotted == "process";
    if (of_process && left.field.step == 0) scope.Fix(d, compare.left->span, "process");
    return Fail();
  }
  Condition out = Node(Condition::Op::Compare, expr.span, scope);
  Want want{One(TypeId::String), false, false, "a name of an ancestor"};
  Operand right = evaluator_.Evaluate(*compare.right, scope, &want);
  if (right.what == Operand::What::Error) return Fail();
  if (right.what == Operand::What::Record) {
    auto id = FieldOf(right.type.object, "id");
    if (!IsProcess(right) || !id || right.field.step == left.field.step) {
      wrong(compare.right->span, "names or a process on the right",
            IsProcess(right) ? "a process descends from that of an earlier step: `process descends drop.process`"
                             : "it descends from a process, or from one of a name");
      return Fail();
    }
    out.compare = OperatorId::DescendsFrom;
    out.left = FieldAt(*ids, left, scope);
    out.right = FieldAt(*id, right, scope);
  } else if (right.what == Operand::What::Field) {
    Diagnostic& d = wrong(compare.right->span, "names or a process on the right",
                          "ancestors are compared with names that are known when the policy is compiled, or with the "
                          "process of a step");
    if (right.field.step != 0 && schema::Row(schema::Row(right.field.field).object).dotted == "process") {
      auto* path = std::get_if<syntax::Path>(&compare.right->node);
      if (path != nullptr && path->parts.size() > 2) scope.Fix(d, SpanOf(*path, 2), "");
    }
    return Fail();
  } else {
    out.compare = OperatorId::Descends;
    out.left = FieldAt(*names, left, scope);
    if (right.what == Operand::What::Values) {
      Operand ancestors;
      ancestors.what = Operand::What::Field;
      ancestors.field = out.left;
      ancestors.type = One(TypeId::StringList);
      // Each of them was cut like the name of a process, whatever the whole list may hold.
      size_t most = schema::Row(FieldId::process_name).capture;
      for (size_t i = 0; i < right.values->values.size(); ++i) {
        size_t bytes = std::get<std::string>(right.values->values[i]).size();
        if (bytes <= most) continue;
        Span span = right.values->spans[i].file == scope.module->file ? right.values->spans[i] : compare.right->span;
        scope.Report<Diag::LongerThanCapture>(span, "this text", bytes, most, "process.ancestors").help =
            "it would never match";
        return Fail();
      }
      Values values{right.values->values, right.values->label};
      if (!CheckLiterals(Row(OperatorId::HasElement), ancestors, *right.values, scope, compare.right->span, &values.values))
        return Fail();
      out.right = std::move(values);
    }
  }
  if (!compare.negated) return out;
  Condition negation = Node(Condition::Op::Not, expr.span, scope);
  negation.operands.push_back(std::move(out));
  return negation;
}

// pod.labels["app"] == "web": an element `app=web`.
Condition Expander::ExpandLabel(const syntax::Expr& expr, const syntax::Compare& compare, const Operand& left,
                                const Scope& scope) {
  bool one = compare.op == "==" || compare.op == "!=";
  if (!one && compare.op != "in") {
    std::string spelled = (compare.negated ? "not " : "") + compare.op;
    scope.Report<Diag::LabelOperator>(compare.op_span, spelled, Shorten(compare.left->span.text())).help =
        "a label is compared by ==, !=, in, not in and exists";
    return Fail();
  }
  Want want{One(TypeId::String), false, false, fmt::format("`{}`", Shorten(compare.left->span.text()))};
  Operand right = evaluator_.Evaluate(*compare.right, scope, &want);
  if (right.what == Operand::What::Error) return Fail();
  bool negated = compare.negated || compare.op == "!=";
  Condition out = Node(Condition::Op::Compare, expr.span, scope);
  out.compare = OperatorId::HasElement;
  out.left = left.field;
  if (right.what == Operand::What::Values) {
    if (!CheckShape(compare, Row(one ? OperatorId::Equal : OperatorId::In), right, scope)) return Fail();
    Values values;
    for (const Value& value : right.values->values) {
      const std::string& text = std::get<std::string>(value);
      if (text.find('\0') != std::string::npos) {
        scope.Report<Diag::Vacuous>(compare.right->span, "never", "no label holds a NUL byte");
        return Fail();
      }
      values.values.emplace_back(*left.key + "=" + text);
    }
    if (!CheckLiterals(Row(OperatorId::HasElement), left, *right.values, scope, compare.right->span, &values.values))
      return Fail();
    values.label = right.values->label;
    out.right = std::move(values);
  } else if (right.what != Operand::What::Parameter) {
    scope
        .Report<Diag::NotAValue>(compare.right->span, Shorten(compare.right->span.text()),
                                 right.what == Operand::What::Field ? "a field" : "a record",
                                 "text that is known when the policy is compiled")
        .help = "a label is compared with texts only";
    return Fail();
  }
  if (!negated) return out;
  Condition negation = Node(Condition::Op::Not, expr.span, scope);
  negation.operands.push_back(std::move(out));
  return negation;
}

// process.args[1] exists, pod.labels["app"] exists: a list has such an element.
Condition Expander::ExistsInList(const Operand& operand, Span span, const Scope& scope) {
  Condition out = Node(Condition::Op::Compare, span, scope);
  out.left = operand.field;
  if (operand.key) {
    out.compare = OperatorId::Matches;
    out.right = Values{{Value(fmt::format("\\A{}=", Quoted(*operand.key)))}, ""};
  } else {
    out.compare = OperatorId::Like;
    out.right = Values{{Value(std::string("*"))}, ""};
  }
  return out;
}

}  // namespace ks::sema

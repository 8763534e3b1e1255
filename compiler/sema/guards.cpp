#include "compiler/sema/guards.h"

#include "compiler/sema/operators.h"

namespace ks::sema {
namespace {

Facts Bit(ObjectId object) { return Facts{1} << static_cast<unsigned>(object); }

// The record of the field, if it may be absent.
std::optional<ObjectId> Guarded(const FieldRef& field) {
  const schema::ObjectRow& row = schema::Row(schema::Row(field.field).object);
  if (row.guard == schema::Guard::Always) return std::nullopt;
  return schema::GuardObject(row.id);
}

// Of a comparison that is true: `process.stdin is socket`, in any spelling.
Facts FactsOfCompare(const Condition& condition) {
  auto* values = std::get_if<Values>(&condition.right);
  bool equal = condition.compare == OperatorId::Equal || condition.compare == OperatorId::Is ||
               condition.compare == OperatorId::In;
  if (values == nullptr || !equal || values->values.size() != 1) return 0;
  Facts facts = 0;
  for (const schema::ObjectRow& row : schema::Objects()) {
    if (row.guard != schema::Guard::Socket || schema::GuardField(row.id) != condition.left.field) continue;
    auto socket = schema::EnumeratorValue(schema::Row(condition.left.field).enumeration, "socket");
    auto* value = std::get_if<int64_t>(&values->values[0]);
    if (value != nullptr && socket && *value == *socket) facts |= Bit(row.id);
  }
  return facts;
}

// If the condition has this truth.
Facts FactsIf(const Condition& condition, bool truth) {
  switch (condition.op) {
    case Condition::Op::Not:
      return FactsIf(condition.operands[0], !truth);
    case Condition::Op::And:
    case Condition::Op::Or: {
      // All operands have the truth, or only one of them is known to.
      bool all = (condition.op == Condition::Op::And) == truth;
      Facts facts = all ? 0 : ~Facts{0};
      for (const Condition& operand : condition.operands) {
        Facts more = FactsIf(operand, truth);
        facts = all ? facts | more : facts & more;
      }
      return facts;
    }
    case Condition::Op::Exists:
      return truth ? Bit(schema::GuardObject(condition.object)) : 0;
    case Condition::Op::Compare:
      return truth ? FactsOfCompare(condition) : 0;
    // What never holds holds no surprise: `false and …` needs no guard.
    case Condition::Op::True:
      return truth ? 0 : ~Facts{0};
    case Condition::Op::False:
      return truth ? ~Facts{0} : 0;
  }
  return 0;
}

Diagnostic& Report(const FieldRef& field, ObjectId object, Diagnostics& diagnostics) {
  Diagnostic& d = diagnostics.Report<Diag::GuardMissing>(field.record, NameOf(field));
  const schema::ObjectRow& row = schema::Row(object);
  if (row.guard == schema::Guard::Socket) {
    d.label = "only a socket has it";
  } else if (size_t absent = row.about.find("Absent "); absent != std::string_view::npos) {
    d.label = fmt::format("a{}", row.about.substr(absent + 1));
    if (d.label.ends_with('.')) d.label.pop_back();
  }
  d.help = "guard it";
  return d;
}

// Where a guard can be put so that it stands in a conjunction with what it guards.
struct Spot {
  Span span;
  bool parentheses = false;  // it is an operand of `or`
};

class GuardCheck {
 public:
  explicit GuardCheck(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

  void Visit(const Condition& condition, Facts given, Spot spot) {
    switch (condition.op) {
      case Condition::Op::And:
      case Condition::Op::Or:
        return Operands(condition, given, spot);
      case Condition::Op::Not:
        return Visit(condition.operands[0], given, spot);
      case Condition::Op::Compare:
        Field(condition.left, given, spot);
        if (auto* right = std::get_if<FieldRef>(&condition.right)) Field(*right, given, spot);
        return;
      default:
        return;
    }
  }

 private:
  void Operands(const Condition& condition, Facts given, Spot spot) {
    bool conjunction = condition.op == Condition::Op::And;
    size_t count = condition.operands.size();
    // An operand matters only when the ones beside it are all true, in a conjunction, or all false, in a disjunction.
    std::vector<Facts> after(count + 1, 0);
    for (size_t i = count; i > 0; --i) after[i - 1] = after[i] | FactsIf(condition.operands[i - 1], conjunction);
    Facts before = given;
    for (size_t i = 0; i < count; ++i) {
      const Condition& operand = condition.operands[i];
      bool written_out = operand.span.begin == condition.span.begin && operand.span.end == condition.span.end;
      Visit(operand, before | after[i + 1], written_out ? spot : Spot{operand.span, !conjunction});
      before |= FactsIf(operand, conjunction);
    }
  }

  void Field(const FieldRef& field, Facts given, const Spot& spot) {
    auto object = Guarded(field);
    if (!object || (given & Bit(*object)) != 0) return;
    Diagnostic& d = Report(field, *object, diagnostics_);
    if (spot.span.file == nullptr) return;
    d.fixes.push_back({{spot.span.file, spot.span.begin, spot.span.begin},
                       fmt::format("{}{} and ", spot.parentheses ? "(" : "", GuardOf(*object))});
    if (spot.parentheses) d.fixes.push_back({{spot.span.file, spot.span.end, spot.span.end}, ")"});
  }

  Diagnostics& diagnostics_;
};

}  // namespace

Facts FactsOf(const Condition& condition) { return FactsIf(condition, true); }

void CheckGuards(const Condition& condition, Facts given, Diagnostics& diagnostics) {
  GuardCheck(diagnostics).Visit(condition, given, {condition.span, false});
}

void CheckGuard(const FieldRef& field, Facts given, const syntax::Expr* where, Diagnostics& diagnostics) {
  auto object = Guarded(field);
  if (!object || (given & Bit(*object)) != 0) return;
  Diagnostic& d = Report(field, *object, diagnostics);
  d.help = "let the rule ask for it";
  if (where == nullptr) return;
  auto* logic = std::get_if<syntax::Logic>(&where->node);
  bool parentheses = logic != nullptr && logic->op == syntax::LogicOp::Or && !where->parenthesized;
  Span span = where->span;
  d.fixes.push_back(
      {{span.file, span.begin, span.begin}, fmt::format("{} and {}", GuardOf(*object), parentheses ? "(" : "")});
  if (parentheses) d.fixes.push_back({{span.file, span.end, span.end}, ")"});
}

std::string GuardOf(ObjectId object) {
  const schema::ObjectRow& row = schema::Row(object);
  return fmt::format("{} {}", row.dotted, row.guard == schema::Guard::Socket ? "is socket" : "exists");
}

}  // namespace ks::sema

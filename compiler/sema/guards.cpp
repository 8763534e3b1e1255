#include "compiler/sema/guards.h"

#include "compiler/sema/operators.h"

namespace ks::sema {
namespace {

uint64_t Bit(ObjectId object) { return uint64_t{1} << static_cast<unsigned>(object); }

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
  Facts facts;
  if (values == nullptr || !equal || values->values.size() != 1) return facts;
  for (const schema::ObjectRow& row : schema::Objects()) {
    if (row.guard != schema::Guard::Socket || schema::GuardField(row.id) != condition.left.field) continue;
    auto socket = schema::EnumeratorValue(schema::Row(condition.left.field).enumeration, "socket");
    auto* value = std::get_if<int64_t>(&values->values[0]);
    if (value != nullptr && socket && *value == *socket) facts |= Facts::Of(row.id, condition.left.step);
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
      Facts facts = all ? Facts() : Facts::All();
      for (const Condition& operand : condition.operands) {
        if (all) {
          facts |= FactsIf(operand, truth);
        } else {
          facts &= FactsIf(operand, truth);
        }
      }
      return facts;
    }
    case Condition::Op::Exists:
      return truth ? Facts::Of(schema::GuardObject(condition.object), condition.step) : Facts();
    case Condition::Op::Compare:
      return truth ? FactsOfCompare(condition) : Facts();
    // What never holds holds no surprise: `false and …` needs no guard.
    case Condition::Op::True:
      return truth ? Facts() : Facts::All();
    case Condition::Op::False:
      return truth ? Facts::All() : Facts();
  }
  return {};
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
  GuardCheck(Diagnostics& diagnostics, const Steps* steps) : diagnostics_(diagnostics), steps_(steps) {}

  void Visit(const Condition& condition, const Facts& given, Spot spot) {
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
  void Operands(const Condition& condition, const Facts& given, Spot spot) {
    bool conjunction = condition.op == Condition::Op::And;
    size_t count = condition.operands.size();
    // An operand matters only when the ones beside it are all true, in a conjunction, or all false, in a disjunction.
    std::vector<Facts> after(count + 1);
    for (size_t i = count; i > 0; --i) {
      after[i - 1] = after[i];
      after[i - 1] |= FactsIf(condition.operands[i - 1], conjunction);
    }
    Facts before = given;
    for (size_t i = 0; i < count; ++i) {
      const Condition& operand = condition.operands[i];
      bool written_out = operand.span.begin == condition.span.begin && operand.span.end == condition.span.end;
      Facts beside = before;
      beside |= after[i + 1];
      Visit(operand, beside, written_out ? spot : Spot{operand.span, !conjunction});
      before |= FactsIf(operand, conjunction);
    }
  }

  void Field(const FieldRef& field, const Facts& given, const Spot& spot) {
    auto object = Guarded(field);
    if (!object || given.Has(*object, field.step)) return;
    Diagnostic& d = Report(field, *object, diagnostics_);
    if (spot.span.file == nullptr) return;
    d.fixes.push_back({{spot.span.file, spot.span.begin, spot.span.begin},
                       fmt::format("{}{}{} and ", spot.parentheses ? "(" : "",
                                   steps_ == nullptr ? "" : steps_->Prefix(field.step), GuardOf(*object))});
    if (spot.parentheses) d.fixes.push_back({{spot.span.file, spot.span.end, spot.span.end}, ")"});
  }

  Diagnostics& diagnostics_;
  const Steps* steps_;
};

}  // namespace

Facts Facts::All() {
  Facts all;
  all.bits_.fill(~uint64_t{0});
  return all;
}

Facts Facts::Of(ObjectId object, uint8_t step) {
  Facts facts;
  facts.bits_[step] = Bit(object);
  return facts;
}

bool Facts::Has(ObjectId object, uint8_t step) const { return (bits_[step] & Bit(object)) != 0; }

Facts Facts::AsStep(uint8_t step) const {
  Facts out = *this;
  out.bits_[step] |= out.bits_[0];
  if (step != 0) out.bits_[0] = 0;
  return out;
}

void Facts::Share(ObjectId object, size_t steps) {
  bool known = false;
  for (size_t i = 1; i <= steps; ++i) known = known || (bits_[i] & Bit(object)) != 0;
  for (size_t i = 0; known && i <= steps; ++i) bits_[i] |= Bit(object);
}

Facts& Facts::operator|=(const Facts& other) {
  for (size_t i = 0; i < bits_.size(); ++i) bits_[i] |= other.bits_[i];
  return *this;
}

Facts& Facts::operator&=(const Facts& other) {
  for (size_t i = 0; i < bits_.size(); ++i) bits_[i] &= other.bits_[i];
  return *this;
}

Facts FactsOf(const Condition& condition) { return FactsIf(condition, true); }

void CheckGuards(const Condition& condition, const Facts& given, Diagnostics& diagnostics, const Steps* steps) {
  GuardCheck(diagnostics, steps).Visit(condition, given, {condition.span, false});
}

bool MayBeAbsent(const FieldRef& field, const Facts& given) {
  auto object = Guarded(field);
  return object && !given.Has(*object, field.step);
}

void CheckGuard(const FieldRef& field, const Facts& given, const syntax::Expr* where, std::string_view otherwise,
                Diagnostics& diagnostics) {
  auto object = Guarded(field);
  if (!object || given.Has(*object, field.step)) return;
  Diagnostic& d = Report(field, *object, diagnostics);
  d.help = fmt::format("let the rule ask for it{}", otherwise);
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

// Sets and bounds of comparisons, wider and narrower by one.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "compiler/lower/state.h"
#include "compiler/mutate/mutants_parts.h"
#include "compiler/sema/operators.h"

namespace ks::mutate {
namespace {

using schema::TypeId;
using schema::Value;
using sema::Condition;
using sema::OperatorId;

Condition* FindCompare(Condition* condition, size_t* count) {
  Condition* found = nullptr;
  if (condition->op == Condition::Op::Compare && std::holds_alternative<sema::Values>(condition->right)) {
    ++*count;
    found = condition;
  }
  for (Condition& operand : condition->operands) {
    if (Condition* below = FindCompare(&operand, count)) found = below;
  }
  return found;
}

std::string Spelled(const Value& value, const sema::FieldRef& field) {
  if (const auto* cidr = std::get_if<schema::Cidr>(&value)) return schema::ToString(*cidr);
  if (const auto* ip = std::get_if<schema::IpAddress>(&value)) return schema::ToString(*ip);
  TypeId type = schema::Row(field.field).type;
  if (type == TypeId::StringList) type = TypeId::String;
  bool whole = field.part == sema::Part::Whole;
  if (!whole) type = TypeId::Port;
  return schema::ToString(value, type, whole ? schema::Row(field.field).enumeration : "");
}

bool IsRange(OperatorId op) {
  return op == OperatorId::Less || op == OperatorId::LessEqual || op == OperatorId::Greater ||
         op == OperatorId::GreaterEqual;
}

// x < 5, x >= 5: one further, either way.
void ChangeBound(const Condition& condition, const Condition& compare, const syntax::Compare& text,
                 std::vector<LiteralChange>* out) {
  int64_t bound = std::get<int64_t>(std::get<sema::Values>(compare.right).values[0]);
  bool upper = compare.compare == OperatorId::Less || compare.compare == OperatorId::LessEqual;
  for (bool widen : {true, false}) {
    int64_t by = widen == upper ? 1 : -1;
    if (bound == (by > 0 ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int64_t>::min())) continue;
    LiteralChange change;
    change.op = widen ? Operator::Widen : Operator::Narrow;
    change.condition = condition;
    size_t count = 0;
    std::get<sema::Values>(FindCompare(&change.condition, &count)->right).values[0] = bound + by;
    std::string spelled = Spelled(bound + by, compare.left);
    change.about = fmt::format("{} {}, where it is {}", text.op, spelled, text.right->span.text());
    change.edits.push_back({text.right->span, spelled});
    out->push_back(std::move(change));
  }
}

// Where the items of the set stand: in the condition, or in a `let` (*named).
const syntax::List* ListOf(const syntax::Expr& right, const Context& context, bool* named) {
  if (const auto* list = std::get_if<syntax::List>(&right.node)) return list;
  const auto* path = std::get_if<syntax::Path>(&right.node);
  if (path == nullptr) return nullptr;
  *named = true;
  const syntax::List* found = nullptr;
  for (const syntax::Module* module : context.modules) {
    for (const syntax::Let& let : module->lets) {
      if (let.name.text != path->parts.back().text || !let.value) continue;
      if (found != nullptr) return nullptr;  // two of this name: which one is not known here
      found = std::get_if<syntax::List>(&let.value->node);
    }
  }
  return found;
}

std::string EscapedGlob(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '*' || c == '?' || c == '[' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

// A literal as the operator takes it, of a value that a field has.
Value LiteralOf(OperatorId op, Value value) {
  auto* text = std::get_if<std::string>(&value);
  if (text != nullptr && op == OperatorId::Like) *text = EscapedGlob(*text);
  return value;
}

bool Suits(OperatorId op, const Value& value, const sema::Values& values) {
  if (std::find(values.values.begin(), values.values.end(), value) != values.values.end()) return false;
  const auto* text = std::get_if<std::string>(&value);
  if (text != nullptr && text->empty()) return false;
  if (text != nullptr && op == OperatorId::Under && !text->starts_with('/')) return false;
  return true;
}

// Makes a set of one, as an atom asks it, to see whether it holds a value.
bool Holds(const Condition& compare, const Value& literal, const Value& value) {
  Condition one = compare;
  one.right = sema::Values{{literal}, ""};
  if (one.compare == OperatorId::NotEqual) one.compare = OperatorId::Equal;
  one.left.step = 0;
  schema::Record record;
  bool list = schema::Row(one.left.field).type == TypeId::StringList;
  if (list && one.left.element >= 0) return literal == value;
  if (one.left.part != sema::Part::Whole) {
    const auto* endpoint = std::get_if<schema::Endpoint>(&value);
    if (endpoint == nullptr) return false;
  }
  record.Set(one.left.field, list ? Value(std::get<std::string>(value) + '\0') : value);
  return ir::Eval(lower::LowerCondition(one), ir::Frame(record)) == ir::Truth::True;
}

// The part of an observed value that the operand is.
Value PartOf(const Value& value, const sema::FieldRef& left) {
  const auto* endpoint = std::get_if<schema::Endpoint>(&value);
  if (endpoint == nullptr || left.part == sema::Part::Whole) return value;
  return left.part == sema::Part::Ip ? Value(endpoint->ip) : Value(int64_t{endpoint->port});
}

std::optional<Value> MadeUp(const Condition& compare, const sema::Values& values) {
  const schema::FieldRow& row = schema::Row(compare.left.field);
  if (!row.enumeration.empty()) {
    for (const schema::Enumerator& one : schema::Enumerators(row.enumeration)) {
      if (one.value != 0 && Suits(compare.compare, one.value, values)) return one.value;
    }
    return std::nullopt;
  }
  for (const Value& literal : values.values) {
    Value next;
    if (const auto* text = std::get_if<std::string>(&literal)) {
      next = *text + (row.type == TypeId::Path ? ".x" : "x");
    } else if (const auto* number = std::get_if<int64_t>(&literal)) {
      if (row.type == TypeId::Bool || *number == std::numeric_limits<int64_t>::max()) continue;
      next = *number + 1;
    } else if (const auto* ip = std::get_if<schema::IpAddress>(&literal)) {
      schema::IpAddress other = *ip;
      other.bytes[15] ^= 1;
      next = other;
    } else {
      continue;
    }
    if (Suits(compare.compare, next, values)) return next;
  }
  if (!values.values.empty() && std::holds_alternative<schema::Cidr>(values.values[0])) {
    schema::IpAddress ip;
    if (schema::ParseIp("203.0.113.77", &ip)) return ip;
  }
  return std::nullopt;
}

class SetChange {
 public:
  SetChange(const Condition& condition, const Condition& compare, const syntax::Compare& text, const Context& context)
      : condition_(condition),
        compare_(compare),
        values_(std::get<sema::Values>(compare.right)),
        text_(text),
        observed_(*context.observed) {
    list_ = ListOf(*text.right, context, &named_);
  }

  void Widen(std::vector<LiteralChange>* out) {
    bool pattern = compare_.compare == OperatorId::Matches || sema::Row(compare_.compare).right == sema::Right::All;
    if (pattern) return;
    std::optional<Value> literal;
    for (const Value& whole : observed_.Of(compare_.left.field)) {
      Value value = PartOf(whole, compare_.left);
      Value candidate = LiteralOf(compare_.compare, value);
      if (!Suits(compare_.compare, candidate, values_)) continue;
      bool held = std::any_of(values_.values.begin(), values_.values.end(),
                              [&](const Value& one) { return Holds(compare_, one, whole); });
      if (held) continue;
      literal = candidate;
      break;
    }
    if (!literal) literal = MadeUp(compare_, values_);
    if (!literal) return;
    sema::Values more = values_;
    more.values.push_back(*literal);
    std::string spelled = Spelled(*literal, compare_.left);
    LiteralChange change = With(Operator::Widen, std::move(more), "and " + spelled);
    if (list_ != nullptr && !list_->items.empty()) {
      Span end = list_->items.back()->span;
      end.begin = end.end;
      change.edits.push_back({end, ", " + spelled});
    } else if (!named_) {
      if (text_.op == "==") change.edits.push_back({text_.op_span, "in"});
      if (text_.op == "!=") change.edits.push_back({text_.op_span, "not in"});
      if (text_.op == "is") change.edits.push_back({text_.op_span, text_.negated ? "not in" : "in"});
      change.edits.push_back({text_.right->span, fmt::format("[{}, {}]", text_.right->span.text(), spelled)});
    }
    out->push_back(std::move(change));
  }

  void Narrow(std::vector<LiteralChange>* out) {
    if (values_.values.size() < 2) return;
    std::vector<size_t> which;
    if (!named_) {
      for (size_t i = 0; i < values_.values.size(); ++i) which.push_back(i);
    } else {
      which.push_back(FirstObserved());
    }
    bool places = list_ != nullptr && list_->items.size() == values_.values.size();
    for (size_t i : which) {
      sema::Values fewer = values_;
      fewer.values.erase(fewer.values.begin() + static_cast<ptrdiff_t>(i));
      LiteralChange change =
          With(Operator::Narrow, std::move(fewer), "without " + Spelled(values_.values[i], compare_.left));
      if (places) {
        change.edits.push_back(WithoutItem(list_->items[i]->span, i > 0 ? &list_->items[i - 1]->span : nullptr,
                                           i + 1 < list_->items.size() ? &list_->items[i + 1]->span : nullptr));
      }
      out->push_back(std::move(change));
    }
  }

 private:
  size_t FirstObserved() const {
    for (size_t i = 0; i < values_.values.size(); ++i) {
      for (const Value& whole : observed_.Of(compare_.left.field)) {
        if (Holds(compare_, values_.values[i], whole)) return i;
      }
    }
    return 0;
  }

  LiteralChange With(Operator op, sema::Values values, const std::string& what) {
    LiteralChange change;
    change.op = op;
    change.about = fmt::format("{} {}", Shown(text_.right->span), what);
    change.condition = condition_;
    size_t count = 0;
    FindCompare(&change.condition, &count)->right = std::move(values);
    return change;
  }

  const Condition& condition_;
  const Condition& compare_;
  const sema::Values& values_;
  const syntax::Compare& text_;
  const Observed& observed_;
  const syntax::List* list_ = nullptr;
  bool named_ = false;
};

}  // namespace

std::vector<LiteralChange> LiteralChanges(const Condition& condition, const Context& context) {
  std::vector<LiteralChange> out;
  const auto* text = condition.syntax == nullptr ? nullptr : std::get_if<syntax::Compare>(&condition.syntax->node);
  if (text == nullptr || !text->right) return out;
  Condition copy = condition;
  size_t count = 0;
  const Condition* compare = FindCompare(&copy, &count);
  if (compare == nullptr || count != 1 || std::get<sema::Values>(compare->right).values.empty()) return out;
  if (IsRange(compare->compare)) {
    ChangeBound(condition, *compare, *text, &out);
    return out;
  }
  SetChange change(condition, *compare, *text, context);
  change.Widen(&out);
  change.Narrow(&out);
  return out;
}

}  // namespace ks::mutate

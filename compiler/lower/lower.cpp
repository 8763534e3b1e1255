#include "compiler/lower/lower.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "compiler/lower/state.h"
#include "compiler/sema/operators.h"
#include "compiler/support/result.h"

namespace ks::lower {
namespace {

using schema::FieldId;
using schema::Status;
using schema::Value;
using sema::Condition;
using sema::OperatorId;

constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

constexpr auto kTests = std::to_array<ir::Test>({
#define KS_OPERATOR(id, spelling, right, test, types, about) ir::Test::test,
#include "compiler/sema/operators.def"
});

ir::Operand Lower(const sema::FieldRef& field) {
  ir::Operand out{field.field, ir::Part::Whole, field.element, field.lower, field.step};
  if (field.part == sema::Part::Ip) out.part = ir::Part::Ip;
  if (field.part == sema::Part::Port) out.part = ir::Part::Port;
  return out;
}

ir::Pred Test(ir::Operand operand, ir::Test test, std::vector<Value> literals, std::string label = {}) {
  ir::Atom atom;
  atom.operand = operand;
  atom.test = test;
  atom.literals = std::move(literals);
  atom.label = std::move(label);
  return ir::MakeAtom(std::move(atom));
}

ir::Pred Fields(ir::Operand left, ir::Test test, ir::Operand right) {
  ir::Atom atom;
  atom.operand = left;
  atom.test = test;
  atom.other = right;
  return ir::MakeAtom(std::move(atom));
}

ir::Pred Range(ir::Operand operand, OperatorId op, int64_t bound) {
  switch (op) {
    case OperatorId::Less:
      return bound == kLeast ? ir::False() : Test(operand, ir::Test::Range, {kLeast, bound - 1});
    case OperatorId::LessEqual:
      return Test(operand, ir::Test::Range, {kLeast, bound});
    case OperatorId::Greater:
      return bound == kMost ? ir::False() : Test(operand, ir::Test::Range, {bound + 1, kMost});
    default:
      return Test(operand, ir::Test::Range, {bound, kMost});
  }
}

ir::Pred CompareFields(ir::Operand left, OperatorId op, ir::Operand right) {
  switch (op) {
    case OperatorId::NotEqual:
      return ir::MakeNot(Fields(left, ir::Test::EqualField, right));
    case OperatorId::Less:
      return Fields(left, ir::Test::LessField, right);
    case OperatorId::Greater:
      return Fields(right, ir::Test::LessField, left);
    case OperatorId::LessEqual:
      return ir::MakeNot(Fields(right, ir::Test::LessField, left));
    case OperatorId::GreaterEqual:
      return ir::MakeNot(Fields(left, ir::Test::LessField, right));
    case OperatorId::DescendsFrom:
      return Fields(left, ir::Test::HasOther, right);
    default:
      return Fields(left, ir::Test::EqualField, right);
  }
}

ir::Pred Compare(const Condition& condition) {
  ir::Operand left = Lower(condition.left);
  OperatorId op = condition.compare;
  if (auto* right = std::get_if<sema::FieldRef>(&condition.right)) return CompareFields(left, op, Lower(*right));
  const auto& values = std::get<sema::Values>(condition.right);
  ir::Test test = kTests[static_cast<size_t>(op)];
  if (test == ir::Test::Range) return Range(left, op, std::get<int64_t>(values.values[0]));
  if (sema::Row(op).right == sema::Right::All) {
    std::vector<ir::Pred> each;
    // Without the let's name: a number within it would be 1 for each of them, where the literal itself says which.
    for (const Value& value : values.values) each.push_back(Test(left, test, {value}));
    return ir::MakeAnd(std::move(each));
  }
  ir::Pred one = Test(left, test, values.values, values.label);
  return op == OperatorId::NotEqual ? ir::MakeNot(std::move(one)) : one;
}

constexpr size_t kMostText = 240;

// "file.path under credentials" of a line, without the comment behind it.
std::string WithoutComment(std::string_view line) {
  bool quoted = false;
  for (size_t i = 0; i < line.size(); i++) {
    if (line[i] == '\\' && quoted) {
      i++;
    } else if (line[i] == '"') {
      quoted = !quoted;
    } else if (line[i] == '#' && !quoted) {
      line = line.substr(0, i);
    }
  }
  line = line.substr(0, kMostText);
  while (!line.empty() && (line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
  // One column a character, and nothing that moves a terminal's cursor.
  std::string text(line);
  std::ranges::replace_if(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  return text;
}

void SetPlace(ir::Pred* pred, const std::shared_ptr<const ir::Place>& place) {
  if (pred->atom) pred->atom->place = place;
  for (ir::Pred& operand : pred->operands) SetPlace(&operand, place);
}

ir::Pred Placed(ir::Pred pred, const Span& span) {
  if (span.file == nullptr) return pred;
  const auto at = span.file->At(span.begin);
  auto place = std::make_shared<ir::Place>();
  place->file = span.file->logical();
  place->line = at.line;
  place->column = at.column;
  place->text = WithoutComment(span.file->Line(at.line));
  SetPlace(&pred, place);
  return pred;
}

ir::Pred Lower(const Condition& condition) {
  std::vector<ir::Pred> operands;
  for (const Condition& operand : condition.operands) operands.push_back(Lower(operand));
  switch (condition.op) {
    case Condition::Op::True:
      return ir::True();
    case Condition::Op::False:
      return ir::False();
    case Condition::Op::And:
      return ir::MakeAnd(std::move(operands));
    case Condition::Op::Or:
      return ir::MakeOr(std::move(operands));
    case Condition::Op::Not:
      return ir::MakeNot(std::move(operands[0]));
    case Condition::Op::Exists:
      return Placed(Test({schema::PresenceField(condition.object), ir::Part::Whole, -1, false, condition.step},
                         ir::Test::Present, {}),
                    condition.span);
    case Condition::Op::Compare:
      return Placed(Compare(condition), condition.span);
  }
  return ir::True();
}

// `condition`, as long as the exception holds: until midnight of the day it expires.
ir::Pred Lower(const sema::Exception& exception) {
  ir::Pred condition = Lower(exception.condition);
  if (!exception.expires_ns) return condition;
  std::vector<ir::Pred> both;
  both.push_back(std::move(condition));
  both.push_back(Range({FieldId::event_time, ir::Part::Whole}, OperatorId::Less, *exception.expires_ns));
  return ir::MakeAnd(std::move(both));
}

std::string TextOf(const std::optional<syntax::Name>& name) { return name ? name->text : ""; }

ir::Rule Lower(const sema::Rule& rule, const sema::CheckedModule& module) {
  ir::Rule out;
  out.id = rule.id;
  out.package = module.package;
  out.name = rule.syntax->name.text;
  out.title = rule.syntax->title ? rule.syntax->title->value : out.name;
  out.severity = static_cast<ir::RuleSeverity>(rule.severity);
  for (const syntax::Name& id : rule.syntax->attack) out.attack.push_back(id.text);
  out.kinds = rule.kinds;
  std::vector<ir::Pred> when;
  when.push_back(Lower(rule.where));
  for (const sema::Exception& exception : rule.exceptions) {
    when.push_back(ir::MakeNot(Lower(exception)));
    const syntax::Exception& source = *exception.syntax;
    out.exceptions.push_back({source.why, TextOf(source.owner), TextOf(source.expires), TextOf(source.ticket)});
  }
  out.when = ir::MakeAnd(std::move(when));
  for (const sema::TemplatePart& part : rule.alert) {
    ir::TemplatePart lowered;
    lowered.text = part.text;
    lowered.measure = part.measure;
    if (part.fallback) lowered.fallback = *part.fallback;  // g++ 12 takes the copy for uninitialized
    if (part.field) lowered.operand = Lower(*part.field);
    out.alert.push_back(std::move(lowered));
  }
  for (const sema::Disclosure& disclosure : rule.disclosures) {
    out.disclosures.push_back({disclosure.field, disclosure.reason});
  }
  LowerState(rule, &out);
  const Span& span = rule.syntax->name.span;
  if (span.file != nullptr) out.source = fmt::format("{}:{}", span.file->logical(), span.file->At(span.begin).line);
  return out;
}

Expect Lower(const sema::Expect& step) {
  const syntax::Expect& expect = *step.syntax;
  Expect out;
  out.span = expect.span;
  out.rule = step.rule;
  out.offset_ns = step.offset_ns;
  if (expect.text) {
    out.what = Expect::What::Text;
    out.text = expect.text->value;
    out.count = expect.count.value_or(1);
  } else if (!expect.quiet && expect.count.value_or(1) > 0) {
    out.what = Expect::What::Count;
    out.count = expect.count.value_or(1);
  }
  return out;
}

}  // namespace

ir::Operand LowerField(const sema::FieldRef& field) { return Lower(field); }

ir::Pred LowerCondition(const sema::Condition& condition) { return Lower(condition); }

Lowered Lower(std::span<const sema::CheckedModule> modules) {
  Lowered out;
  for (const sema::CheckedModule& module : modules) {
    for (const sema::Rule& rule : module.rules) {
      if (rule.disabled) {
        out.disabled.push_back(rule.id);
      } else {
        out.rules.push_back(Lower(rule, module));
      }
    }
  }
  return out;
}

TestCase LowerTest(const sema::TestCase& test) {
  TestCase out{test.rule, test.environment, test.syntax->name.value, test.syntax->name.span, {}};
  for (const auto& step : test.steps) {
    if (auto* feed = std::get_if<sema::Feed>(&step)) {
      out.steps.emplace_back(Feed{feed->kind, feed->offset_ns, CompleteRecord(*feed),
                                  feed->syntax ? feed->syntax->kind.span : Span{}});
    } else if (auto* trace = std::get_if<sema::ReplayTrace>(&step)) {
      out.steps.emplace_back(ReplayTrace{trace->path, trace->offset_ns, trace->syntax->span});
    } else {
      out.steps.emplace_back(Lower(std::get<sema::Expect>(step)));
    }
  }
  return out;
}

}  // namespace ks::lower

#include "tools/ksc/power_assert.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/event/event.h"

namespace ks::ksc {
namespace {

using ir::Test;
using schema::Status;

constexpr size_t kShownLiterals = 6;
constexpr size_t kShownBytes = 120;

std::string_view OperatorOf(Test test, bool negated, bool one) {
  switch (test) {
    case Test::In:
      return one ? (negated ? "!=" : "==") : negated ? "not in" : "in";
    case Test::Under:
      return negated ? "not under" : "under";
    case Test::Like:
      return negated ? "not like" : "like";
    case Test::Contains:
      return negated ? "not contains" : "contains";
    case Test::HasElement:
    case Test::HasBits:
    case Test::HasOther:
      return negated ? "not has" : "has";
    case Test::Matches:
      return negated ? "not matches" : "matches";
    case Test::EqualField:
      return negated ? "!=" : "==";
    case Test::LessField:
      return negated ? ">=" : "<";
    case Test::Present:
    case Test::Range:
      break;
  }
  return "";
}

std::string SpelledLiteral(const ir::Value& value, const ir::Operand& operand) {
  if (const auto* ip = std::get_if<schema::IpAddress>(&value)) return schema::ToString(*ip);
  if (const auto* cidr = std::get_if<schema::Cidr>(&value)) return schema::ToString(*cidr);
  schema::TypeId type = ir::TypeOf(operand);
  if (type == schema::TypeId::StringList) type = schema::TypeId::String;
  bool whole = operand.part == ir::Part::Whole;
  return event::Printable(schema::ToString(value, type, whole ? schema::Row(operand.field).enumeration : ""));
}

std::string SpelledAtom(const ir::Atom& atom, bool negated, const std::vector<std::string>& steps) {
  std::string left = Spelled(atom.operand, steps);
  if (atom.test == Test::Present) {
    // An object is asked for by its first field.
    const schema::FieldRow& row = schema::Row(atom.operand.field);
    const schema::ObjectRow& object = schema::Row(row.object);
    if (object.guard == schema::Guard::Exists && schema::PresenceField(row.object) == row.id) {
      left = left.substr(0, left.size() - row.name.size() - 1);
    }
    return fmt::format("{}{} exists", negated ? "not " : "", left);
  }
  if (atom.test == Test::Range) {
    auto low = std::get<int64_t>(atom.literals[0]), high = std::get<int64_t>(atom.literals[1]);
    auto word = [&](int64_t bound) { return SpelledLiteral(bound, atom.operand); };
    if (low == INT64_MIN) return fmt::format("{} {} {}", left, negated ? ">" : "<=", word(high));
    if (high == INT64_MAX) return fmt::format("{} {} {}", left, negated ? "<" : ">=", word(low));
    return fmt::format("{}({} >= {} and {} <= {})", negated ? "not " : "", left, word(low), left, word(high));
  }
  bool one = atom.literals.size() == 1 && atom.label.empty() && !std::get_if<schema::Cidr>(&atom.literals[0]);
  std::string out = fmt::format("{} {} ", left, OperatorOf(atom.test, negated, one));
  if (atom.other) return out + Spelled(*atom.other, steps);
  if (!atom.label.empty()) return out + atom.label;
  if (one) return out + SpelledLiteral(atom.literals[0], atom.operand);
  out += "[";
  for (size_t i = 0; i < atom.literals.size() && i < kShownLiterals; ++i) {
    out += (i > 0 ? ", " : "") + SpelledLiteral(atom.literals[i], atom.operand);
  }
  if (atom.literals.size() > kShownLiterals) out += fmt::format(", … {} more", atom.literals.size() - kShownLiterals);
  return out + "]";
}

std::string SpelledInner(const ir::Pred& pred, const std::vector<std::string>& steps) {
  bool many = pred.op == ir::Pred::Op::And || pred.op == ir::Pred::Op::Or;
  return many ? "(" + Spelled(pred, steps) + ")" : Spelled(pred, steps);
}

const schema::Record* RecordOf(const ir::Operand& operand, const ir::Frame& frame) {
  if (operand.step == ir::kThisEvent) return frame.event;
  return operand.step <= frame.steps.size() ? frame.steps[operand.step - 1] : nullptr;
}

std::string ValueOf(const ir::Operand& operand, const ir::Frame& frame) {
  const schema::Record* record = RecordOf(operand, frame);
  if (record == nullptr) return "not known";
  schema::FieldValue value = ir::ReadOperand(operand, *record);
  if (value.status == Status::Absent) return "absent";
  if (value.status != Status::Ok && value.status != Status::Truncated) return "unknown";
  bool whole = operand.part == ir::Part::Whole;
  std::string text = event::Printable(
      schema::ToString(value.value, ir::TypeOf(operand), whole ? schema::Row(operand.field).enumeration : ""));
  if (text.size() > kShownBytes) text = text.substr(0, kShownBytes) + "…";
  return value.status == Status::Truncated ? text + " (cut)" : text;
}

void Operands(const ir::Pred& pred, std::vector<ir::Operand>* out) {
  auto add = [&](const ir::Operand& operand) {
    if (std::find(out->begin(), out->end(), operand) == out->end()) out->push_back(operand);
  };
  if (pred.atom) add(pred.atom->operand);
  if (pred.atom && pred.atom->other) add(*pred.atom->other);
  for (const ir::Pred& operand : pred.operands) Operands(operand, out);
}

}  // namespace

std::string Spelled(const ir::Operand& operand, const std::vector<std::string>& steps) {
  std::string out;
  if (operand.step != ir::kThisEvent) {
    out = operand.step <= steps.size() ? steps[operand.step - 1] + "." : fmt::format("step {}: ", operand.step);
  }
  out += schema::Row(operand.field).dotted;
  if (operand.part == ir::Part::Ip) out += ".ip";
  if (operand.part == ir::Part::Port) out += ".port";
  if (operand.element >= 0) out += fmt::format("[{}]", operand.element);
  return operand.lower ? "lower(" + out + ")" : out;
}

std::string Spelled(const ir::Key& key, const std::vector<std::string>& steps) {
  std::string out;
  for (const ir::Operand& operand : key) out += (out.empty() ? "" : ", ") + Spelled(operand, steps);
  return out;
}

std::string Spelled(const ir::Pred& pred, const std::vector<std::string>& steps) {
  switch (pred.op) {
    case ir::Pred::Op::True:
      return "true";
    case ir::Pred::Op::False:
      return "false";
    case ir::Pred::Op::Atom:
      return SpelledAtom(*pred.atom, false, steps);
    case ir::Pred::Op::Not:
      if (pred.operands[0].atom) return SpelledAtom(*pred.operands[0].atom, true, steps);
      return "not " + SpelledInner(pred.operands[0], steps);
    case ir::Pred::Op::And:
    case ir::Pred::Op::Or:
      break;
  }
  std::string out;
  for (const ir::Pred& operand : pred.operands) {
    if (!out.empty()) out += pred.op == ir::Pred::Op::And ? " and " : " or ";
    out += SpelledInner(operand, steps);
  }
  return out;
}

std::string SpelledTime(int64_t ns) {
  constexpr std::pair<int64_t, std::string_view> kUnits[] = {{86'400'000'000'000, "d"}, {3'600'000'000'000, "h"},
                                                             {60'000'000'000, "m"},     {1'000'000'000, "s"},
                                                             {1'000'000, "ms"},         {1'000, "us"}};
  for (const auto& [unit, word] : kUnits) {
    if (ns != 0 && ns % unit == 0) return fmt::format("{}{}", ns / unit, word);
  }
  return fmt::format("{}ns", ns);
}

std::vector<std::string> StepNames(const ir::Rule& rule) {
  std::vector<std::string> names;
  if (!rule.sequence) return names;
  for (const ir::Step& step : rule.sequence->steps) {
    if (step.role != ir::Step::Role::Match) continue;
    names.push_back(step.name.empty() ? fmt::format("step{}", names.size() + 1) : step.name);
  }
  return names;
}

ir::Pred TiesOf(const ir::Step& step) {
  std::vector<ir::Pred> ties;
  for (const ir::Join& join : step.joins) {
    ir::Atom equal;
    equal.operand = join.own;
    equal.test = Test::EqualField;
    equal.other = join.other;
    ties.push_back(ir::MakeAtom(std::move(equal)));
  }
  ties.push_back(step.cross);
  return ir::MakeAnd(std::move(ties));
}

std::vector<const ir::Pred*> PartsOf(const ir::Pred& pred) {
  if (pred.op == ir::Pred::Op::True) return {};
  if (pred.op != ir::Pred::Op::And) return {&pred};
  std::vector<const ir::Pred*> parts;
  for (const ir::Pred& part : pred.operands) parts.push_back(&part);
  return parts;
}

std::string_view Word(Verdict::Is is) {
  switch (is) {
    case Verdict::Is::Ok:
      return "ok";
    case Verdict::Is::Fail:
      return "FAIL";
    case Verdict::Is::Unknown:
      return "unknown";
    case Verdict::Is::NotEvaluated:
      break;
  }
  return "-";
}

std::vector<Verdict> Judge(const ir::Pred& when, const ir::Frame& frame, const std::vector<std::string>& steps) {
  std::vector<Verdict> out;
  bool failed = false;
  for (const ir::Pred* part : PartsOf(when)) {
    Verdict verdict;
    verdict.part = Spelled(*part, steps);
    ir::Truth truth = ir::Eval(*part, frame);
    verdict.is = truth == ir::Truth::True    ? Verdict::Is::Ok
                 : truth == ir::Truth::False ? Verdict::Is::Fail
                                             : Verdict::Is::Unknown;
    std::vector<ir::Operand> operands;
    Operands(*part, &operands);
    bool asks_presence = part->atom && part->atom->test == Test::Present;
    bool absent = false;
    for (const ir::Operand& operand : operands) {
      std::string value = ValueOf(operand, frame);
      absent = absent || value == "absent";
      verdict.values += fmt::format("{}{} = {}", verdict.values.empty() ? "" : ", ", Spelled(operand, steps), value);
    }
    if (failed && absent && !asks_presence) {
      verdict.is = Verdict::Is::NotEvaluated;
      verdict.values = "not evaluated";
    }
    failed = failed || verdict.is == Verdict::Is::Fail;
    out.push_back(std::move(verdict));
  }
  return out;
}

size_t Failed(const std::vector<Verdict>& verdicts) {
  return static_cast<size_t>(
      std::count_if(verdicts.begin(), verdicts.end(), [](const Verdict& one) { return one.is == Verdict::Is::Fail; }));
}

std::vector<std::string> Lines(const std::vector<Verdict>& verdicts, std::string_view indent) {
  size_t width = 0;
  for (const Verdict& one : verdicts) width = std::max(width, std::min<size_t>(one.part.size(), 48));
  std::vector<std::string> out;
  for (const Verdict& one : verdicts) {
    out.push_back(fmt::format("{}{:<7} {:<{}}  {}", indent, Word(one.is), one.part, width, one.values));
  }
  return out;
}

std::string Table(const std::vector<Verdict>& verdicts, std::string_view indent) {
  std::string out;
  for (const std::string& line : Lines(verdicts, indent)) out += line + "\n";
  return out;
}

}  // namespace ks::ksc

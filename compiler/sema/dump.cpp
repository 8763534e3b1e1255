// --dump=types: one let, def, rule or condition a line, each with what sema found out about it.
#include "compiler/sema/operators.h"
#include "compiler/sema/rules.h"
#include "compiler/sema/scope.h"
#include "compiler/sema/sema.h"

namespace ks::sema {
namespace {

constexpr size_t kShown = 8;  // values of a list

std::string Shown(const sema::Values& values, const Type& type) {
  std::string out;
  for (size_t i = 0; i < values.values.size(); ++i) {
    if (i == kShown) return out + fmt::format(", … {} more", values.values.size() - kShown);
    if (i > 0) out += ", ";
    out += schema::ToString(values.values[i], type.scalar == TypeId::StringList ? TypeId::String : type.scalar,
                            type.enumeration);
  }
  return out;
}

// "drop.file.path"; of the event at hand without a step.
std::string Named(const FieldRef& field, const Steps& steps) {
  std::string prefix = steps.Prefix(field.step);
  constexpr size_t kCall = 6;  // lower(
  return field.lower ? NameOf(field).insert(kCall, prefix) : prefix + NameOf(field);
}

std::string Named(const Key& key, const Steps& steps) {
  std::vector<std::string> names;
  for (const FieldRef& field : key) names.push_back(Named(field, steps));
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string By(const Key& key, const Steps& steps) { return key.empty() ? "" : " by " + Named(key, steps); }

void Print(const Condition& condition, size_t indent, const Steps& steps, std::string* out) {
  auto line = [&](std::string_view text) { *out += fmt::format("{:{}}{}\n", "", indent, text); };
  switch (condition.op) {
    case Condition::Op::True:
      return line("true");
    case Condition::Op::False:
      return line("false");
    case Condition::Op::And:
      line("and");
      break;
    case Condition::Op::Or:
      line("or");
      break;
    case Condition::Op::Not:
      line("not");
      break;
    case Condition::Op::Exists:
      return line(fmt::format("{}{} exists", steps.Prefix(condition.step), schema::Row(condition.object).dotted));
    case Condition::Op::Compare: {
      Type type = TypeOf(condition.left);
      std::string left = fmt::format("{}: {}", Named(condition.left, steps), ToString(type));
      std::string_view op = Row(condition.compare).spelling;
      if (auto* field = std::get_if<FieldRef>(&condition.right)) {
        return line(fmt::format("{} {} {}: {}", left, op, Named(*field, steps), ToString(TypeOf(*field))));
      }
      const auto& values = std::get<sema::Values>(condition.right);
      std::string label = values.label.empty() ? "" : fmt::format("  # {}", values.label);
      return line(fmt::format("{} {} {}{}", left, op, Shown(values, type), label));
    }
  }
  for (const Condition& operand : condition.operands) Print(operand, indent + 2, steps, out);
}

std::string KindNames(const std::vector<EventKind>& kinds) {
  std::vector<std::string_view> names;
  for (EventKind kind : kinds) names.push_back(schema::Row(kind).name);
  return fmt::format("{}", fmt::join(names, " | "));
}

std::string Window(int64_t ns) { return schema::ToString(ns, TypeId::Duration, ""); }

void Print(const Step& step, const Steps& steps, std::string* out) {
  std::string head = "until ";
  if (step.syntax == nullptr) head = "(by the key) until ";
  if (step.syntax != nullptr && step.syntax->role == syntax::Step::Role::Without) head = "without ";
  if (step.syntax != nullptr && step.syntax->role == syntax::Step::Role::Match) {
    head = step.syntax->name ? step.syntax->name->text + ": " : "";
  }
  *out += fmt::format("  {}{}{}\n", head, KindNames(step.kinds),
                      step.repeat > 1 ? fmt::format(" repeat {}", step.repeat) : "");
  if (step.where.op != Condition::Op::True) Print(step.where, 4, steps, out);
}

void PrintState(const Rule& rule, const Steps& steps, std::string* out) {
  if (rule.sequence) {
    for (const Step& step : rule.sequence->steps) Print(step, steps, out);
  }
  if (rule.aggregate) {
    const Aggregate& of = *rule.aggregate;
    std::string measure = of.syntax->function.text;
    if (!of.of.empty()) measure += fmt::format("({})", Named(of.of, steps));
    if (of.function != Aggregate::Function::First) measure += fmt::format(" >= {}", of.at_least);
    *out += fmt::format("  when {}{} within {}\n", measure, By(of.by, steps), Window(of.within_ns));
  }
  if (rule.limit) {
    *out +=
        fmt::format("  limit {} per {}{}\n", rule.limit->count, Window(rule.limit->per_ns), By(rule.limit->by, steps));
  }
  if (rule.max_keys) *out += fmt::format("  max keys {}\n", *rule.max_keys);
}

void Print(const Rule& rule, std::string* out) {
  Steps steps;
  if (rule.sequence) {
    steps = StepsOf(*rule.sequence);
    *out +=
        fmt::format("rule {} sequence{}{} within {}\n", rule.id, rule.sequence->syntax->unordered ? " unordered" : "",
                    By(rule.sequence->by, steps), Window(rule.sequence->within_ns));
  } else {
    *out += fmt::format("rule {} on {}\n", rule.id, KindNames(rule.kinds));
    Print(rule.where, 2, steps, out);
  }
  PrintState(rule, steps, out);
  for (const Exception& exception : rule.exceptions) {
    *out += fmt::format("  except \"{}\"\n", exception.syntax->why);
    Print(exception.condition, 4, steps, out);
  }
}

}  // namespace

std::string Dump(const CheckedModule& module) {
  std::string out = fmt::format("package {}\n", module.package);
  for (const Let& let : module.lets) {
    out += fmt::format("let {}: {} = {}\n", let.syntax->name.text, ToString(let.type), Shown(let.values, let.type));
  }
  for (const Def& def : module.defs) {
    out += fmt::format("def {}(", def.syntax->name.text);
    for (size_t i = 0; i < def.parameters.size(); ++i) {
      out +=
          fmt::format("{}{}: {}", i > 0 ? ", " : "", def.syntax->parameters[i].name.text, ToString(def.parameters[i]));
    }
    out += "): condition\n";
  }
  for (const Rule& rule : module.rules) Print(rule, &out);
  return out;
}

}  // namespace ks::sema

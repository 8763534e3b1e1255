// --dump=types: one let, def, rule or condition a line, each with what sema found out about it.
#include "compiler/sema/operators.h"
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

void Print(const Condition& condition, size_t indent, std::string* out) {
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
      return line(fmt::format("{} exists", schema::Row(condition.object).dotted));
    case Condition::Op::Compare: {
      Type type = TypeOf(condition.left);
      std::string left = fmt::format("{}: {}", NameOf(condition.left), ToString(type));
      std::string_view op = Row(condition.compare).spelling;
      if (auto* field = std::get_if<FieldRef>(&condition.right)) {
        return line(fmt::format("{} {} {}: {}", left, op, NameOf(*field), ToString(TypeOf(*field))));
      }
      const auto& values = std::get<sema::Values>(condition.right);
      std::string label = values.label.empty() ? "" : fmt::format("  # {}", values.label);
      return line(fmt::format("{} {} {}{}", left, op, Shown(values, type), label));
    }
  }
  for (const Condition& operand : condition.operands) Print(operand, indent + 2, out);
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
  for (const Rule& rule : module.rules) {
    std::vector<std::string_view> kinds;
    for (EventKind kind : rule.kinds) kinds.push_back(schema::Row(kind).name);
    out += fmt::format("rule {} on {}\n", rule.id, fmt::join(kinds, " | "));
    Print(rule.where, 2, &out);
    for (const Exception& exception : rule.exceptions) {
      out += fmt::format("  except \"{}\"\n", exception.syntax->why);
      Print(exception.condition, 4, &out);
    }
  }
  return out;
}

}  // namespace ks::sema

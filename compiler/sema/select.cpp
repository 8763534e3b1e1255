// Operands that are more than a name: process.args[1], pod.labels["app"], lower(process.name).
#include <charconv>

#include "compiler/sema/literals.h"
#include "compiler/sema/values.h"

namespace ks::sema {
namespace {

constexpr std::string_view kLabels = "labels";  // a list of key=value, whose elements go by their keys
constexpr int64_t kMostElements = 256;

std::string_view WhyNoLabel(std::string_view key) {
  if (key.empty()) return "a label has a name";
  if (key.find('=') != std::string_view::npos) return "the name of a label holds no `=`";
  if (key.find('\0') != std::string_view::npos) return "the name of a label holds no NUL byte";
  return {};
}

void ToLower(std::string* text) {
  for (char& c : *text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
}

}  // namespace

bool IsLabels(FieldId field) {
  const schema::FieldRow& row = schema::Row(field);
  return row.type == TypeId::StringList && row.name == kLabels;
}

bool IsLower(const syntax::Expr& expr) {
  auto* call = std::get_if<syntax::Call>(&expr.node);
  return call != nullptr && call->callee.Dotted() == "lower";
}

Operand Evaluator::EvaluateIndex(const syntax::Expr& expr, const syntax::Index& index, const Scope& scope) {
  Operand out = EvaluatePath(expr, index.path, scope, nullptr);
  if (out.what == Operand::What::Error) return out;
  std::string dotted = Shorten(index.path.Dotted());
  auto wrong = [&](Span span, std::string_view why, std::string help) {
    scope.Report<Diag::WrongIndex>(span, Shorten(expr.span.text()), why).help = std::move(help);
    return Operand::Failed();
  };
  if (out.what == Operand::What::Record || out.what == Operand::What::Values) {
    return wrong(expr.span, out.what == Operand::What::Record ? "a record has fields, not elements" : "it is no field",
                 out.what == Operand::What::Record ? "name the field behind a dot" : "ask with `in` for one of its values");
  }
  if (out.type.scalar != TypeId::StringList || out.field.element >= 0) {
    return wrong(expr.span, fmt::format("`{}` is {}, not a list", dotted, Phrase(out.type)), "compare it as a whole");
  }
  if (out.what == Operand::What::Parameter) {
    out.type = One(TypeId::String);
    return out;
  }
  bool text = index.at.kind == syntax::LiteralKind::String || index.at.kind == syntax::LiteralKind::RawString;
  if (IsLabels(out.field.field)) {
    if (!text) {
      return wrong(index.at_span, "labels go by their names", fmt::format("name the label, as in `{}[\"app\"]`", dotted));
    }
    std::string_view why = WhyNoLabel(index.at.value);
    if (!why.empty()) return wrong(index.at_span, why, fmt::format("as in `{}[\"app\"]`", dotted));
    out.key = index.at.value;
    out.type = One(TypeId::String);
    return out;
  }
  if (text) {
    return wrong(index.at_span, "its elements go by their numbers",
                 fmt::format("as in `{0}[1]`; for any of them: `{0} has {1}`", dotted, Shorten(index.at.text)));
  }
  int64_t element = -1;
  std::from_chars(index.at.text.data(), index.at.text.data() + index.at.text.size(), element);
  if (element < 0 || element >= kMostElements) {
    scope.Report<Diag::OutOfRange>(index.at_span, Shorten(index.at.text),
                                   fmt::format("an index is 0 to {}, counted from the first", kMostElements - 1));
    return Operand::Failed();
  }
  out.field.element = static_cast<int16_t>(element);
  out.type = TypeOf(out.field);
  return out;
}

Operand Evaluator::EvaluateLower(const syntax::Expr& expr, const syntax::Call& call, const Scope& scope,
                                 const Want* want) {
  if (call.arguments.size() != 1 || !call.arguments[0]) {
    size_t given = call.arguments.size();
    Diagnostic& d = scope.Report<Diag::WrongArguments>(expr.span, "lower", "1 argument",
                                                       given == 0 ? std::string("none") : fmt::format("{}", given));
    d.help = "as in `lower(process.name)`";
    return Operand::Failed();
  }
  Operand out = Evaluate(*call.arguments[0], scope, want);
  if (out.what == Operand::What::Error) return out;
  bool text = out.what != Operand::What::Record && IsText(out.type.scalar);
  if (!text || out.key) {
    std::string_view is = out.what == Operand::What::Record ? "a record" : "a label";
    scope.Report<Diag::TypeMismatch>(call.arguments[0]->span, "what `lower()` takes", "a text",
                                     Shorten(call.arguments[0]->span.text()),
                                     text || out.what == Operand::What::Record ? std::string(is) : Phrase(out.type))
        .help = "only texts have capitals and small letters";
    return Operand::Failed();
  }
  out.span = expr.span;
  out.field.lower = true;
  if (out.what == Operand::What::Values) {
    auto lowered = std::make_shared<ValueList>(*out.values);
    for (Value& value : lowered->values) {
      if (auto* spelled = std::get_if<std::string>(&value)) ToLower(spelled);
    }
    out.field.lower = false;
    out.values = std::move(lowered);
  }
  return out;
}

}  // namespace ks::sema

// From the type in which values were written to the one that is wanted.
#include "compiler/sema/literals.h"
#include "compiler/sema/values.h"

namespace ks::sema {
namespace {

std::string_view Unquoted(const Value& value) {
  auto* text = std::get_if<std::string>(&value);
  return text == nullptr ? std::string_view() : std::string_view(*text);
}

}  // namespace

void Evaluator::ReportMismatch(const ValueList& list, size_t at, const Want& want, const Scope& scope, Span span) {
  const Value& value = list.values[at];
  bool written = span.file == scope.module->file && span.begin == list.spans[at].begin && !scope.InCall();
  std::string_view text = list.type.scalar == TypeId::String ? Unquoted(value) : std::string_view();
  if (written && list.guessed && !want.type.enumeration.empty() && list.type.scalar == TypeId::String) {
    Diagnostic& d = scope.Report<Diag::StringForName>(span, want.type.enumeration);
    std::vector<std::string_view> names;
    for (const schema::Enumerator& row : schema::Enumerators(want.type.enumeration)) names.push_back(row.name);
    std::string_view near = schema::EnumeratorValue(want.type.enumeration, text) ? text : DidYouMean(text, names);
    if (!near.empty()) {
      d.help = "write the name without quotes";
      scope.Fix(d, span, std::string(near));
    } else if (names.size() <= 12) {
      d.help = fmt::format("it is one of {}", fmt::join(names, ", "));
    }
    return;
  }
  Type is = list.type;
  is.shape = list.spans.size() == 1 && list.type.shape == Type::Shape::One ? Type::Shape::One : list.type.shape;
  if (written) is.shape = Type::Shape::One;
  Diagnostic& d = scope.Report<Diag::TypeMismatch>(span, want.who, Phrase(want.type), Shorten(span.text()), Phrase(is));
  if (!written) {
    d.related.push_back({list.spans[at], "from here"});
    return;
  }
  if (list.type.scalar == TypeId::String) {
    ParsedText parsed = ParseText(text, want.type);
    if (parsed.value && parsed.mended.empty()) {
      d.help = "remove the quotes";
      scope.Fix(d, span, std::string(text));
    }
  } else if (IsText(want.type.scalar)) {
    d.help = "put it into quotes";
    scope.Fix(d, span, fmt::format("\"{}\"", span.text()));
  } else if (list.type.scalar == TypeId::Int &&
             (want.type.scalar == TypeId::Duration || want.type.scalar == TypeId::Size)) {
    d.help = fmt::format("write {}", Describe(want.type));
  } else if (want.type.scalar == TypeId::Ip && list.type.scalar == TypeId::Cidr) {
    d.help = "an address lies in a block: use `in`";
  } else if (want.type.scalar == TypeId::Endpoint &&
             (list.type.scalar == TypeId::Ip || list.type.scalar == TypeId::Cidr)) {
    d.help = "the address of an endpoint is its `.ip`";
  } else if (want.type.scalar == TypeId::Endpoint && list.type.scalar == TypeId::Int) {
    d.help = "the port of an endpoint is its `.port`";
  } else if (list.type.scalar == TypeId::Int && want.type.enumeration == "errno") {
    if (auto name = schema::EnumeratorName("errno", std::get<int64_t>(value))) {
      d.help = "write its name";
      scope.Fix(d, span, std::string(*name));
    }
  }
}

bool Evaluator::CoerceValue(const ValueList& list, size_t at, const Want& want, const Scope& scope, Span use,
                            Value* out) {
  const Type& from = list.type;
  TypeId to = want.type.scalar;
  *out = list.values[at];
  // A literal is reported where it stands, if that is in the file that is being checked.
  bool here = list.spans[at].file == scope.module->file && list.guessed && list.label.empty();
  Span span = here ? list.spans[at] : use;
  auto range = [&](int64_t max, std::string_view what) {
    int64_t value = std::get<int64_t>(*out);
    if (value >= 0 && value <= max) return true;
    scope.Report<Diag::OutOfRange>(span, Shorten(span.text()), what);
    return false;
  };
  if (SameElement(from, want.type)) {
    return to != TypeId::Mode || !list.guessed || range(07777, "a mode is 0o0 to 0o7777");
  }
  if (to == TypeId::Cidr && from.scalar == TypeId::Ip) {
    ToBlock(*out);
    return true;
  }
  if (to == TypeId::Ip && from.scalar == TypeId::Cidr && want.blocks) return true;
  if (to == TypeId::String && from.scalar == TypeId::Path && want.any_text) return true;
  if (to == TypeId::Path && from.scalar == TypeId::String && want.any_text) return true;
  if (list.guessed) {
    if (to == TypeId::Path && from.scalar == TypeId::String) return true;
    if (to == TypeId::Int && from.scalar == TypeId::Mode) return true;
    if (to == TypeId::Port && from.scalar == TypeId::Int) return range(65535, "a port is 0 to 65535");
    if (to == TypeId::Mode && from.scalar == TypeId::Int) {
      Diagnostic& d = scope.Report<Diag::DecimalMode>(span, Shorten(span.text()));
      std::string_view text = span.text();
      if (here && !text.empty() && text.find_first_not_of("01234567") == std::string_view::npos) {
        d.help = "write it in octal";
        scope.Fix(d, span, fmt::format("0o{}", text));
      }
      return false;
    }
  }
  ReportMismatch(list, at, want, scope, span);
  return false;
}

ValuesPtr Evaluator::Coerce(ValuesPtr list, const Want& want, const Scope& scope, Span use) {
  auto out = std::make_shared<ValueList>();
  bool plain = SameElement(list->type, want.type) && !(list->guessed && want.type.scalar == TypeId::Mode);
  if (plain) return list;
  out->label = list->label;
  out->guessed = list->guessed;
  out->spans = list->spans;
  out->values.resize(list->values.size());
  for (size_t i = 0; i < list->values.size(); ++i) {
    if (!CoerceValue(*list, i, want, scope, use, &out->values[i])) return Broken();
  }
  out->type = want.type;
  out->type.shape = list->type.shape;
  return out;
}

}  // namespace ks::sema

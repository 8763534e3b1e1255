#include "compiler/sema/expand.h"
#include "compiler/sema/literals.h"

namespace ks::sema {
namespace {

struct Checker {
  const OperatorRow& row;
  const Operand& left;
  const ValueList& list;
  const Scope& scope;
  Span use;

  uint32_t Capture() const {
    return left.what == Operand::What::Field && left.field.part == Part::Whole ? schema::Row(left.field.field).capture
                                                                               : 0;
  }
  std::string LeftName() const {
    return left.what == Operand::What::Field ? NameOf(left.field) : std::string(left.span.text());
  }
  // Where a value was written, if that is in the file at hand.
  Span SpanOfValue(size_t at) const { return list.spans[at].file == scope.module->file ? list.spans[at] : use; }

  bool TooLong(size_t at, size_t bytes, std::string_view what) const {
    if (Capture() == 0 || bytes <= Capture()) return true;
    scope.Report<Diag::LongerThanCapture>(SpanOfValue(at), what, bytes, Capture(), LeftName()).help =
        "it would never match";
    return false;
  }

  bool NormalPath(size_t at, std::string* text) const {
    if (row.id == OperatorId::Under) {
      while (text->size() > 1 && text->ends_with('/')) text->pop_back();
    }
    std::string mended;
    std::string_view why = WhyNotNormal(*text, &mended);
    if (why.empty()) return true;
    Span span = SpanOfValue(at);
    Diagnostic& d = scope.Report<Diag::NotInNormalForm>(span, Shorten(*text), why);
    if (mended.empty()) {
      d.help = "a path starts with `/`";
    } else {
      d.help = "write it as it is observed";
      if (span.text().starts_with('"')) scope.Fix(d, span, fmt::format("\"{}\"", mended));
    }
    return false;
  }

  bool Glob(size_t at, const std::string& text) const {
    size_t least = 0;
    std::string_view why = WhyMalformedGlob(text, &least);
    if (!why.empty()) {
      scope.Report<Diag::MalformedGlob>(SpanOfValue(at), Shorten(text), why).help =
          "`\\\\*` in a string stands for the star itself, and so for ? and [";
      return false;
    }
    if (!text.empty() && least == 0) {
      scope.Report<Diag::Vacuous>(SpanOfValue(at), "always", "the pattern fits every text");
      return false;
    }
    return TooLong(at, least, "the shortest text that fits this pattern");
  }

  bool Text(size_t at, std::string* text) const {
    switch (row.id) {
      case OperatorId::Like:
        return Glob(at, *text);
      case OperatorId::Contains:
      case OperatorId::ContainsAny:
      case OperatorId::ContainsAll:
        if (text->empty()) {
          scope.Report<Diag::Vacuous>(SpanOfValue(at), "always", "every text holds the empty text");
          return false;
        }
        break;
      default:
        if (left.type.scalar == TypeId::Path && !NormalPath(at, text)) return false;
    }
    return TooLong(at, text->size(), "this text");
  }

  bool Value(size_t at, schema::Value* value) const {
    if (auto* text = std::get_if<std::string>(value)) return Text(at, text);
    bool bits = row.id == OperatorId::HasBits || row.id == OperatorId::HasAnyBits || row.id == OperatorId::HasAllBits;
    if (bits && std::get<int64_t>(*value) == 0) {
      scope.Report<Diag::Vacuous>(SpanOfValue(at), "always", "no bit is asked for");
      return false;
    }
    return true;
  }
};

}  // namespace

bool CheckLiterals(const OperatorRow& row, const Operand& left, const ValueList& list, const Scope& scope, Span use,
                   std::vector<Value>* values) {
  Checker checker{row, left, list, scope, use};
  bool ok = true;
  for (size_t i = 0; i < values->size(); ++i) ok = checker.Value(i, &(*values)[i]) && ok;
  return ok;
}

}  // namespace ks::sema

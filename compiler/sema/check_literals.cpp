#include <algorithm>

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
  Span op_span;
  bool negated = false;

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
          why.find("backwards") != std::string_view::npos
              ? "the lower of the two comes first, as in [a-z]"
              : "`\\\\*` in a string stands for the star itself, and so for ? and [";
      return false;
    }
    if (!text.empty() && least == 0) {
      scope.Report<Diag::Vacuous>(SpanOfValue(at), "always", "the pattern fits every text");
      return false;
    }
    return TooLong(at, least, "the shortest text that fits this pattern");
  }

  bool Regex(size_t at, const std::string& text) const {
    RegexFinding found = ReadRegex(text);
    Span span = SpanOfValue(at);
    std::string_view source = span.text();
    bool raw = source.starts_with('r');
    if (!found.why.empty()) {
      // Behind the quotes, if what stands there is the pattern as it is read.
      size_t quotes = source.find('"') + 1;
      if (found.length > 0 && source.size() > quotes && source.substr(quotes).starts_with(text)) {
        span.begin += static_cast<uint32_t>(quotes + found.begin);
        span.end = span.begin + static_cast<uint32_t>(found.length);
      }
      scope.Report<Diag::MalformedRegex>(span, Shorten(text), found.why).help = std::move(found.help);
      return false;
    }
    if (found.always) {
      scope.Report<Diag::Vacuous>(span, "always", "the regular expression is found in every text").help =
          "it is found anywhere; what must be the whole text stands between ^ and $";
      return false;
    }
    bool alone = list.values.size() == 1 && list.label.empty() && !left.field.lower;
    if (!found.plain_operator.empty() && alone && op_span.file == scope.module->file) {
      bool list_of_texts = left.type.scalar == TypeId::StringList;
      if (list_of_texts && found.plain_operator == "like") return true;
      std::string_view op = list_of_texts && found.plain_operator == "==" ? "has" : found.plain_operator;
      if (found.plain_operator == "==" && negated && !list_of_texts) op = "!=";
      Diagnostic& d = scope.Report<Diag::RegexIsText>(span, Shorten(text), Shorten(found.plain));
      d.help = fmt::format("`{}` is read more easily, and decided in the kernel", op);
      std::string mended;
      bool never = left.type.scalar == TypeId::Path && found.plain_operator == "==" &&
                   !WhyNotNormal(found.plain, &mended).empty();
      if (never) {
        d.help = fmt::format("and it is never found: `{}` is {}, and no path that is observed ever is",
                             Shorten(found.plain), WhyNotNormal(found.plain, &mended));
        return true;
      }
      bool simple = source.find_first_of("\\#") == std::string_view::npos &&
                    found.plain.find_first_of("\"\\") == std::string::npos && !scope.InCall();
      if (simple) {
        scope.Fix(d, op_span, negated && op != "!=" ? fmt::format("not {}", op) : std::string(op));
        scope.Fix(d, span, fmt::format("\"{}\"", found.plain));
      }
      return true;
    }
    if (!raw && source.find("\\\\") != std::string_view::npos) {
      Diagnostic& d = scope.Report<Diag::RegexInPlainString>(span);
      d.help = "then each backslash is written once";
      bool quote = text.find('"') != std::string::npos;
      bool hash = text.find("\"#") != std::string::npos;
      if (!hash) scope.Fix(d, span, quote ? fmt::format("r#\"{}\"#", text) : fmt::format("r\"{}\"", text));
    }
    return true;
  }

  // Of `lower(x)`: a capital in the literal is never met.
  bool Small(size_t at, const std::string& text) const {
    bool capital = std::any_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
    if (!capital) return true;
    Span span = SpanOfValue(at);
    Diagnostic& d = scope.Report<Diag::CapitalsNeverMatch>(span, Shorten(text), LeftName());
    d.help = "write it in small letters";
    std::string small(span.text());
    for (char& c : small) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    if (small.starts_with('"') && small.find('\\') == std::string::npos) scope.Fix(d, span, small);
    return false;
  }

  bool Text(size_t at, std::string* text) const {
    if (row.id == OperatorId::Matches) return Regex(at, *text);
    if (left.field.lower && !Small(at, *text)) return false;
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
                   std::vector<Value>* values, const syntax::Compare* compare) {
  Checker checker{row, left, list, scope, use};
  if (compare != nullptr) {
    checker.op_span = compare->op_span;
    checker.negated = compare->negated;
  }
  bool ok = true;
  for (size_t i = 0; i < values->size(); ++i) ok = checker.Value(i, &(*values)[i]) && ok;
  return ok;
}

}  // namespace ks::sema

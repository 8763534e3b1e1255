#include "compiler/sema/rules.h"

namespace ks::sema {
namespace {

bool IsNameByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

class TemplateParser {
 public:
  TemplateParser(const syntax::Text& text, const Scope& scope) : text_(text), scope_(scope) {
    // Places inside of the string are known as long as no escape moves them.
    std::string_view source = text.span.text();
    exact_ = source.size() == text.value.size() + 2 && source.substr(1, text.value.size()) == text.value;
  }

  std::vector<TemplatePiece> Parse() {
    std::string_view value = text_.value;
    size_t at = 0;
    while (at < value.size()) {
      char c = value[at];
      if ((c == '{' || c == '}') && at + 1 < value.size() && value[at + 1] == c) {
        Text().push_back(c);
        at += 2;
      } else if (c == '}') {
        Diagnostic& d = scope_.Report<Diag::TemplateBrace>(At(at, 1), "this `}` closes nothing");
        d.help = "`}}` stands for the brace itself";
        if (exact_) scope_.Fix(d, At(at, 1), "}}");
        ++at;
      } else if (c == '{') {
        at = Field(at);
      } else {
        Text().push_back(c);
        ++at;
      }
    }
    return std::move(pieces_);
  }

 private:
  Span At(size_t begin, size_t length) const {
    if (!exact_) return text_.span;
    uint32_t start = text_.span.begin + 1 + static_cast<uint32_t>(begin);
    return {text_.span.file, start, start + static_cast<uint32_t>(length)};
  }
  std::string& Text() {
    if (pieces_.empty() || pieces_.back().path) pieces_.emplace_back();
    return pieces_.back().text;
  }

  // From a `{`; the position behind its `}`.
  size_t Field(size_t open) {
    std::string_view value = text_.value;
    size_t end = value.find_first_of("{}", open + 1);
    if (end == std::string_view::npos || value[end] == '{') {
      scope_.Report<Diag::TemplateBrace>(At(open, 1), "this `{` is never closed").help =
          "`{{` stands for the brace itself";
      return open + 1;
    }
    syntax::Path path;
    bool ok = true;
    for (size_t at = open + 1; ok && at <= end;) {
      size_t stop = std::min(value.find('.', at), end);
      std::string_view part = value.substr(at, stop - at);
      ok = !part.empty();
      for (char c : part) ok = ok && IsNameByte(c);
      path.parts.push_back({std::string(part), At(at, part.size())});
      at = stop + 1;
    }
    if (!ok) {
      scope_.Report<Diag::TemplateBrace>(At(open, end + 1 - open), "between braces stands the name of a field").help =
          "as in {process.name}; `{{` and `}}` stand for the braces themselves";
    } else {
      pieces_.push_back({"", std::move(path)});
    }
    return end + 1;
  }

  const syntax::Text& text_;
  const Scope& scope_;
  bool exact_ = false;
  std::vector<TemplatePiece> pieces_;
};

}  // namespace

std::vector<TemplatePiece> ParseTemplate(const syntax::Text& text, const Scope& scope) {
  return TemplateParser(text, scope).Parse();
}

}  // namespace ks::sema

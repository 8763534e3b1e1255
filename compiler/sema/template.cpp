#include <algorithm>

#include "compiler/sema/rules.h"

namespace ks::sema {
namespace {

bool IsNameByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// Where in a literal, as written, each byte of its value comes from; one more for the end.
std::vector<uint32_t> PlacesOf(std::string_view value, std::string_view written) {
  std::vector<uint32_t> places;
  bool raw = written.starts_with('r');
  size_t at = written.find('"') + 1;
  while (places.size() < value.size()) {
    char escape = !raw && at + 1 < written.size() && written[at] == '\\' ? written[at + 1] : '\0';
    size_t source = 1, bytes = 1;
    if (escape == 'n' || escape == 't' || escape == '\\' || escape == '"') source = 2;
    if (escape == 'x') source = 4;
    if (escape == 'u') {
      source = written.find('}', at) + 1 - at;
      auto lead = static_cast<unsigned char>(value[places.size()]);
      bytes = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    }
    places.insert(places.end(), bytes, static_cast<uint32_t>(at));
    at += source;
  }
  places.push_back(static_cast<uint32_t>(at));
  // A literal with a wrong escape, which was reported, may not be what it seems: stay inside.
  for (uint32_t& place : places) place = std::min(place, static_cast<uint32_t>(written.size()));
  return places;
}

class TemplateParser {
 public:
  TemplateParser(const syntax::Text& text, const Scope& scope)
      : text_(text), scope_(scope), places_(PlacesOf(text.value, text.span.text())) {}

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
        scope_.Fix(d, At(at, 1), "}}");
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
    return {text_.span.file, text_.span.begin + places_[begin], text_.span.begin + places_[begin + length]};
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
  std::vector<uint32_t> places_;
  std::vector<TemplatePiece> pieces_;
};

}  // namespace

std::vector<TemplatePiece> ParseTemplate(const syntax::Text& text, const Scope& scope) {
  return TemplateParser(text, scope).Parse();
}

}  // namespace ks::sema

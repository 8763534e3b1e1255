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

  // What stands in quotes, of either kind; the literal around it has its own.
  static std::optional<std::string> Quoted(std::string_view text) {
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    if (text.size() < 2 || text.front() != text.back() || (text.front() != '"' && text.front() != '\'')) {
      return std::nullopt;
    }
    return std::string(text.substr(1, text.size() - 2));
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
    size_t last = end;  // of the path
    std::optional<std::string> fallback;
    bool ok = true;
    if (size_t mark = value.find("??", open + 1); mark < end) {
      fallback = Quoted(value.substr(mark + 2, end - mark - 2));
      ok = fallback.has_value();
      last = mark;
    }
    size_t at = open + 1;
    if (fallback) {
      while (at < last && value[at] == ' ') ++at;
      while (last > at && value[last - 1] == ' ') --last;
    }
    syntax::Path path;
    while (ok && at <= last) {
      size_t stop = std::min(value.find('.', at), last);
      std::string_view part = value.substr(at, stop - at);
      ok = !part.empty();
      for (char c : part) ok = ok && IsNameByte(c);
      path.parts.push_back({std::string(part), At(at, part.size())});
      at = stop + 1;
    }
    if (!ok) {
      scope_.Report<Diag::TemplateBrace>(At(open, end + 1 - open), "between braces stands the name of a field").help =
          "as in {process.name} or {container.id ?? 'the host'}; `{{` and `}}` stand for the braces themselves";
    } else {
      pieces_.push_back({"", std::move(path), std::move(fallback)});
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

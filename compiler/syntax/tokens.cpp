#include "compiler/syntax/tokens.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <limits>

#include "compiler/syntax/parser.h"
#include "compiler/syntax/text.h"

namespace ks::syntax {
namespace {

template <size_t n>
bool OneOf(std::string_view word, const std::array<std::string_view, n>& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

constexpr std::string_view kNumbers = "the largest number is 9223372036854775807, in nanoseconds and bytes, too";

struct Unit {
  std::string_view name;
  uint64_t factor;
};
constexpr auto kUnits = std::to_array<Unit>({{"ns", 1},
                                             {"us", 1'000},
                                             {"ms", 1'000'000},
                                             {"s", 1'000'000'000},
                                             {"m", 60'000'000'000},
                                             {"h", 3'600'000'000'000},
                                             {"d", 86'400'000'000'000},
                                             {"B", 1},
                                             {"KiB", 1 << 10},
                                             {"MiB", 1 << 20},
                                             {"GiB", 1 << 30}});

// What people write for a unit, and what it is called here.
struct Habit {
  std::string_view written, unit;
};
constexpr auto kHabits = std::to_array<Habit>(
    {{"sec", "s"},  {"secs", "s"}, {"min", "m"},   {"mins", "m"},  {"hour", "h"},  {"hours", "h"}, {"hr", "h"},
     {"day", "d"},  {"days", "d"}, {"K", "KiB"},   {"k", "KiB"},   {"KB", "KiB"},  {"kb", "KiB"},  {"M", "MiB"},
     {"MB", "MiB"}, {"mb", "MiB"}, {"G", "GiB"},   {"GB", "GiB"},  {"gb", "GiB"},  {"b", "B"},     {"D", "d"},
     {"H", "h"},    {"S", "s"},    {"kib", "KiB"}, {"mib", "MiB"}, {"gib", "GiB"}, {"bytes", "B"}});

// Checks tokens one by one; what is wrong is reported and made harmless.
class WordCheck {
 public:
  WordCheck(const SourceFile& file, Diagnostics& diagnostics) : file_(file), diagnostics_(diagnostics) {}

  // False: leave the token out.
  bool Check(Token& token) {
    bool open = token.kind == TokenKind::OpenString || token.kind == TokenKind::OpenRawString;
    if (token.end - token.begin > kMaxLiteralBytes && !open) return TooLong(token);
    switch (token.kind) {
      case TokenKind::String:
        StringValue(file_, token, &diagnostics_);
        return true;
      case TokenKind::Int:
      case TokenKind::Hex:
      case TokenKind::Octal:
        Integer(token);
        return true;
      case TokenKind::Literal:
        Measure(token);
        return true;
      case TokenKind::OpenString:
      case TokenKind::OpenRawString:
        Unclosed(token);
        return true;
      case TokenKind::BadNumber:
        BadNumber(token);
        return true;
      case TokenKind::Foreign:
        return Foreign(token);
      case TokenKind::Bad:
        return BadCharacter(token);
      default:
        return true;
    }
  }

 private:
  std::string_view Text(const Token& token) const { return token.Text(file_.text()); }
  Span At(const Token& token) const { return {&file_, token.begin, token.end}; }

  bool TooLong(Token& token) {
    diagnostics_.Report<Diag::LiteralTooLong>({&file_, token.begin, token.begin + 1}, token.end - token.begin,
                                              kMaxLiteralBytes)
        .help = "long lists of values belong into files of their own: `let name from \"file\"`";
    bool word = token.kind == TokenKind::Word || token.kind == TokenKind::Doc;
    if (!word) token.instead = token.kind == TokenKind::Int || token.kind == TokenKind::BadNumber ? "0" : "\"\"";
    if (token.kind != TokenKind::Int && !word) token.kind = TokenKind::String;
    return token.kind != TokenKind::Doc;
  }

  void Integer(Token& token) {
    std::string_view text = Text(token);
    int64_t value = 0;
    int base = token.kind == TokenKind::Hex ? 16 : token.kind == TokenKind::Octal ? 8 : 10;
    std::string_view digits = base == 10 ? text : text.substr(2);
    if (std::from_chars(digits.data(), digits.data() + digits.size(), value, base).ec != std::errc()) {
      diagnostics_.Report<Diag::NumberTooLarge>(At(token), text).help = kNumbers;
    } else if (base == 10 && text.size() > 1 && text[0] == '0') {
      Diagnostic& d = diagnostics_.Report<Diag::BadNumber>(At(token), text);
      bool octal = text.find_first_of("89") == std::string_view::npos;
      d.help = octal ? "permission bits are written with 0o" : "leave the zeros in front out";
      if (octal) d.fixes.push_back({At(token), "0o" + std::string(text.substr(1))});
    }
  }

  // Durations and sizes, in nanoseconds and bytes.
  void Measure(const Token& token) {
    std::string_view text = Text(token);
    size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    auto unit =
        std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& u) { return u.name == text.substr(digits); });
    if (unit == kUnits.end()) return;
    text = text.substr(0, digits);
    uint64_t number = 0;
    constexpr auto kMost = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
    if (std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc() ||
        number > kMost / unit->factor) {
      diagnostics_.Report<Diag::NumberTooLarge>(At(token), Text(token)).help = kNumbers;
    }
  }

  void Unclosed(Token& token) {
    bool raw = token.kind == TokenKind::OpenRawString;
    std::string_view text = Text(token);
    uint32_t quote = !raw ? 1 : text.starts_with("r#") ? 3 : 2;
    Diagnostic& d = diagnostics_.Report<Diag::Unclosed>({&file_, token.begin, token.begin + quote}, "string");
    d.help = quote == 3 ? "it ends with `\"#`" : "it ends with `\"`, on the same line";
    token.kind = TokenKind::String;
    token.instead = "\"\"";
  }

  void BadNumber(Token& token) {
    std::string_view text = Text(token);
    size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    std::string_view suffix = text.substr(digits);
    auto habit = std::find_if(kHabits.begin(), kHabits.end(), [&](const Habit& h) { return h.written == suffix; });
    Diagnostic& d = diagnostics_.Report<Diag::BadNumber>(At(token), text);
    if (habit != kHabits.end()) {
      d.help = fmt::format("the unit is written `{}`", habit->unit);
      d.fixes.push_back({At(token), std::string(text.substr(0, digits)) + std::string(habit->unit)});
    } else if (suffix.starts_with("..")) {
      d.help = "a range is two comparisons: `field >= 1 and field <= 5`";
    } else if (suffix.starts_with("_")) {
      std::string plain(text);
      std::erase(plain, '_');
      d.help = "digits stand together";
      if (plain.find_first_not_of("0123456789") == std::string::npos) d.fixes.push_back({At(token), plain});
    } else if (suffix.starts_with(".")) {
      d.help = "an IPv4 address has four parts; there are no fractions";
    } else if (text.starts_with("0x") || text.starts_with("0o")) {
      d.help = "hexadecimal is written 0x1f, octal 0o755";
    } else {
      d.help = "units are ns us ms s m h d and B KiB MiB GiB; a name starts with a letter";
    }
    token.kind = TokenKind::Int;
    token.instead = "0";
  }

  bool Foreign(Token& token) {
    std::string_view text = Text(token);
    Diagnostic& d = diagnostics_.Report<Diag::ForeignSign>(At(token), text.substr(0, text[0] == '\'' ? 1 : 2));
    if (text.starts_with("//")) {
      d.span.end = token.begin + 2;
      d.help = "comments start with `#`";
      d.fixes.push_back({d.span, "#"});
      return false;
    }
    if (text[0] == '\'') {
      d.help = "strings stand in double quotes";
      if (text.find('\\') == std::string_view::npos && text.find('"') == std::string_view::npos) {
        d.fixes.push_back({At(token), '"' + std::string(text.substr(1, text.size() - 2)) + '"'});
      }
      token.kind = TokenKind::String;
      token.instead = "\"\"";
      return true;
    }
    token.kind = TokenKind::Word;
    token.instead = text == "&&" ? "and" : "or";
    d.help = fmt::format("write `{}`", token.instead);
    d.fixes.push_back({At(token), std::string(token.instead)});
    return true;
  }

  bool BadCharacter(Token& token) {
    if (token.begin < option_end_) return false;
    bool continues = token.begin == bad_end_;  // one report for a run of them
    bad_end_ = token.end;
    if (continues) return false;
    std::string_view source = file_.text();
    size_t length = Utf8Length(source, token.begin);
    std::string_view text = source.substr(token.begin, length);
    bool printable = static_cast<unsigned char>(text[0]) >= 0x20 && text[0] != 0x7f;
    std::string shown = printable ? std::string(text) : fmt::format("\\x{:02x}", static_cast<unsigned char>(text[0]));
    Diagnostic& d = diagnostics_.Report<Diag::ForeignSign>(
        {&file_, token.begin, token.begin + static_cast<uint32_t>(length)}, shown);
    if (text == "!") {
      d.help = "write `not`";
      d.fixes.push_back({At(token), "not "});
      token.kind = TokenKind::Word;
      token.instead = "not";
      return true;
    }
    if (text == "-") Option(token, d);
    if (source.substr(token.begin, 2) == "/*") d.help = "comments start with `#`, on each line of them";
    if (text == ";") d.help = "nothing needs to end with `;`";
    if (text == "\xe2\x80\x9c" || text == "\xe2\x80\x9d" || text == "\xe2\x80\x9e")
      d.help = "strings stand in straight quotes: \"";
    return false;
  }

  // `has -i`, `--read-only`: an option of a command, as on a command line.
  void Option(const Token& token, Diagnostic& d) {
    std::string_view source = file_.text();
    size_t end = source.find_first_not_of('-', token.begin);
    auto word = [](char c) { return c == '_' || c == '-' || ((c & 0x80) == 0 && std::isalnum(c) != 0); };
    bool starts = token.begin == 0 || !word(source[token.begin - 1]);
    if (!starts || end >= source.size() || !word(source[end])) return;
    while (end < source.size() && word(source[end])) ++end;
    option_end_ = static_cast<uint32_t>(end);
    Span span{&file_, token.begin, option_end_};
    d.help = "texts stand in quotes";
    d.fixes.push_back({span, fmt::format("\"{}\"", span.text())});
  }

  const SourceFile& file_;
  Diagnostics& diagnostics_;
  uint32_t option_end_ = 0;  // of an option that was reported
  uint32_t bad_end_ = std::numeric_limits<uint32_t>::max();
};

}  // namespace

bool IsDeclarationWord(std::string_view word) {
  return OneOf(word, std::to_array<std::string_view>({"package", "import", "let", "def", "rule", "tune", "test"}));
}

bool IsClauseWord(std::string_view word) {
  return OneOf(word, std::to_array<std::string_view>({"severity", "attack", "on", "when", "sequence", "except", "owner",
                                                      "expires", "ticket", "limit", "max", "disclose", "ref", "status",
                                                      "allow", "alert"}));
}

bool CheckTokens(const SourceFile& file, std::vector<Token>& tokens, Diagnostics& diagnostics) {
  size_t limit = diagnostics.errors() + kMaxSyntaxErrors;
  WordCheck words(file, diagnostics);
  std::vector<Token> kept;
  kept.reserve(tokens.size());
  for (Token& token : tokens) {
    if (words.Check(token)) kept.push_back(token);
    if (diagnostics.errors() < limit) continue;
    diagnostics.Report<Diag::TooManyErrors>({&file, token.begin, token.end});
    return false;
  }
  tokens.clear();
  tokens.reserve(kept.size() + kMaxNesting);
  return BalanceBrackets(file, kept, limit, &tokens, diagnostics);
}

std::vector<DocLine> TakeDocs(std::vector<Token>& tokens) {
  std::vector<DocLine> docs;
  std::erase_if(tokens, [&docs](const Token& token) {
    if (token.kind == TokenKind::Doc) docs.push_back({token.begin, token.end});
    return token.kind == TokenKind::Doc;
  });
  return docs;
}

std::string DocAbove(const SourceFile& file, const std::vector<DocLine>& docs, uint32_t begin) {
  std::string_view source = file.text();
  auto next =
      std::lower_bound(docs.begin(), docs.end(), begin, [](const DocLine& d, uint32_t at) { return d.begin < at; });
  auto first = next;
  for (uint32_t below = begin; first != docs.begin(); --first) {
    const DocLine& line = *(first - 1);
    if (below - line.end > kMaxLiteralBytes) break;
    std::string_view between = source.substr(line.end, below - line.end);
    size_t start = source.substr(0, line.begin).find_last_of('\n') + 1;  // npos + 1: the first line
    bool alone = source.substr(start, line.begin - start).find_first_not_of(" \t") == std::string_view::npos;
    bool adjacent = std::count(between.begin(), between.end(), '\n') == 1 &&
                    between.find_first_not_of(" \t\r\n") == std::string_view::npos;
    if (!alone || !adjacent) break;
    below = line.begin;
  }
  std::string out;
  for (auto line = first; line != next; ++line) {
    std::string_view text = source.substr(line->begin + 2, line->end - line->begin - 2);
    if (text.starts_with(' ')) text.remove_prefix(1);
    if (line != first) out += '\n';
    out += text;
  }
  return out;
}

}  // namespace ks::syntax

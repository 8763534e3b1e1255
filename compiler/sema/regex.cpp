// Literals of `matches`: what RE2 makes of them, before anything is run with them.
#include "bpf/schema/regex.h"

#include "compiler/sema/literals.h"

namespace ks::sema {
namespace {

std::string Why(const re2::RE2& regex) {
  switch (regex.error_code()) {
    case re2::RE2::ErrorBadEscape:
      return "has an escape that means nothing";
    case re2::RE2::ErrorBadCharClass:
      return "has a class of characters that does not exist";
    case re2::RE2::ErrorBadCharRange:
      return "has a range that runs backwards";
    case re2::RE2::ErrorMissingBracket:
      return "has a `[` that is never closed";
    case re2::RE2::ErrorMissingParen:
      return "has a `(` that is never closed";
    case re2::RE2::ErrorUnexpectedParen:
      return "has a `)` that closes nothing";
    case re2::RE2::ErrorTrailingBackslash:
      return "ends in a backslash that escapes nothing";
    case re2::RE2::ErrorRepeatArgument:
      return "repeats nothing";
    case re2::RE2::ErrorRepeatSize:
      return "repeats too often";
    case re2::RE2::ErrorRepeatOp:
      return "repeats a repetition";
    case re2::RE2::ErrorBadPerlOp:
      return "uses what linear time does not allow";
    case re2::RE2::ErrorPatternTooLarge:
      return "becomes too large a program";
    default:
      return regex.error().empty() ? "cannot be understood" : fmt::format("cannot be understood: {}", regex.error());
  }
}

std::string HelpFor(const re2::RE2& regex, std::string_view part) {
  bool digit = part.size() == 2 && part[0] == '\\' && part[1] >= '1' && part[1] <= '9';
  if (digit) return "what a group held cannot be asked for again: that takes more than linear time";
  switch (regex.error_code()) {
    case re2::RE2::ErrorBadPerlOp:
      return "lookaround and the like take more than linear time; write two conditions, as in `x matches … and not "
             "(x matches …)`";
    case re2::RE2::ErrorRepeatArgument:
      if (part.starts_with("(?")) {
        return "lookaround and the like take more than linear time; write two conditions, as in `x matches … and not "
               "(x matches …)`";
      }
      return "a regular expression, not a glob: any text is `.*`, and `*` itself is `\\*`";
    case re2::RE2::ErrorRepeatSize:
      return "at most 1000 times, and repetitions multiply when they nest";
    case re2::RE2::ErrorBadEscape:
      return "the syntax is RE2's";
    case re2::RE2::ErrorBadCharRange:
      return "the lower of the two comes first, as in [a-z]";
    case re2::RE2::ErrorMissingBracket:
      return "the sign itself is `\\[`";
    case re2::RE2::ErrorMissingParen:
    case re2::RE2::ErrorUnexpectedParen:
      return "the sign itself is `\\(` or `\\)`";
    case re2::RE2::ErrorPatternTooLarge:
      return "repetitions multiply when they nest: count less, or use `*`";
    default:
      return "the syntax is RE2's";
  }
}

constexpr int kMostInstructions = 10'000;  // of RE2's program

// Signs that mean something else than themselves.
constexpr std::string_view kSpecial = "\\.+*?()|[]{}^$";

// The text between anchors, if that is all that the expression says.
bool PlainText(std::string_view regex, bool* begin, bool* end, std::string* text) {
  *begin = regex.starts_with('^');
  if (*begin) regex.remove_prefix(1);
  text->clear();
  *end = false;
  for (size_t i = 0; i < regex.size(); ++i) {
    if (regex[i] == '$' && i + 1 == regex.size()) {
      *end = true;
    } else if (regex[i] == '\\' && i + 1 < regex.size() && std::ispunct(static_cast<unsigned char>(regex[i + 1])) != 0) {
      *text += regex[++i];
    } else if (kSpecial.find(regex[i]) != std::string_view::npos) {
      return false;
    } else {
      *text += regex[i];
    }
  }
  return !text->empty();
}

}  // namespace

RegexFinding ReadRegex(const std::string& pattern) {
  RegexFinding out;
  if (pattern.find('\0') != std::string::npos) {
    out.why = "has a NUL byte, which no text holds";
    out.help = "remove it";
    return out;
  }
  re2::RE2 regex(pattern, schema::RegexOptions());
  if (!regex.ok()) {
    std::string part = regex.error_arg();
    out.why = Why(regex);
    out.help = HelpFor(regex, part);
    // RE2 calls these ranges, too.
    if (part.starts_with("\\p") || part.starts_with("\\P")) {
      out.why = "has a class of characters that does not exist";
      out.help = "the classes are RE2's, as in [[:alpha:]], \\d or \\pL";
    }
    if (part.starts_with("(?") && regex.error_code() != re2::RE2::ErrorMissingParen)
      out.why = "uses what linear time does not allow";
    // RE2 says which part, not where: the first such, or the whole if that is not within.
    size_t at = part.empty() ? std::string::npos : pattern.find(part);
    if (at != std::string::npos && part.size() < pattern.size()) {
      out.begin = at;
      out.length = part.size();
    }
    return out;
  }
  if (regex.ProgramSize() > kMostInstructions) {
    out.why = "becomes too large a program";
    out.help = "repetitions multiply when they nest: count less, or use `*`";
    return out;
  }
  // Without an anchor or a word's edge, what is found in the empty text is found in every text.
  bool anchored = pattern.find_first_of("^$") != std::string::npos;
  for (std::string_view edge : {"\\A", "\\z", "\\b", "\\B"}) {
    anchored = anchored || pattern.find(edge) != std::string::npos;
  }
  out.always = !anchored && re2::RE2::PartialMatch("", regex);
  bool begin = false, end = false;
  std::string text;
  if (out.always || !PlainText(pattern, &begin, &end, &text)) return out;
  if (begin != end) {
    bool glob = text.find_first_of("*?[\\") != std::string::npos;
    if (glob) return out;
    out.plain_operator = "like";
    out.plain = begin ? text + "*" : "*" + text;
  } else {
    out.plain_operator = begin ? "==" : "contains";
    out.plain = text;
  }
  return out;
}

}  // namespace ks::sema

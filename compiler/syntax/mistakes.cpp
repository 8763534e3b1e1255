#include "compiler/syntax/mistakes.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <iterator>

namespace ks::syntax {
namespace {

bool Has(const std::vector<std::string_view>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

// ---- Where to go on -----------------------------------------------------------------------------------------------

// `below`: it stands below the start of what failed, and so is likely to start an item, too, if a misspelt one.
bool Mistakes::Starts(Item item, size_t index, bool below) const {
  std::string_view word = Text(index);
  if (index > 0 && Text(index - 1) == ".") return false;
  bool is_word = tokens_[index].kind == TokenKind::Word;
  switch (item) {
    case Item::Clause:
      return below || IsClauseWord(word);
    case Item::Change:
      return below || IsClauseWord(word) || word == "disable";
    case Item::Step:
      return below || word == "without" || word == "until" || (is_word && Text(index + 1) == ":");
    case Item::TestItem:
      return below || word == "case" || word == "let";
    case Item::TestStep:
      if (is_word && word != "with" && Text(index + 1) == "{") return true;
      return below || word == "expect" || word == "repeat" || word == "replay" || word == "+";
    default:
      return IsItemWord(word) && (StartsLine(index) || tokens_[index + 1].kind == TokenKind::Word);
  }
}

size_t Mistakes::NextItem(Item item, size_t from, size_t start, uint16_t depth) const {
  std::optional<size_t> indentation;
  if (StartsLine(start)) indentation = Indentation(start);
  for (size_t at = std::max(from, start);; ++at) {
    const Token& token = tokens_[at];
    if (token.kind == TokenKind::End || token.depth < depth) return at;
    if (at == start || token.depth != depth) continue;
    bool below = token.name && indentation && StartsLine(at) && Indentation(at) == *indentation;
    if (Starts(item, at, below)) return at;
  }
}

bool Mistakes::StartsLine(size_t index) const {
  uint32_t end = index == 0 ? 0 : tokens_[index - 1].end;
  return index == 0 || file_.text().substr(end, tokens_[index].begin - end).find('\n') != std::string_view::npos;
}

// Blanks before a token that starts a line.
size_t Mistakes::Indentation(size_t index) const {
  size_t from = index == 0 ? 0 : tokens_[index - 1].end;
  std::string_view blanks = file_.text().substr(from, tokens_[index].begin - from);
  return blanks.size() - (blanks.rfind('\n') + 1);  // npos + 1: the first line
}

// ---- What to say --------------------------------------------------------------------------------------------------

bool Mistakes::IsReported(size_t index) const {
  // What follows a text that never ended is anyone's guess.
  bool after_open_text = index > 0 && tokens_[index - 1].instead == "\"\"";
  return !tokens_[index].instead.empty() || after_open_text || InUnclosed(index);
}

// A bracket around it is never closed, which has been reported at the bracket.
bool Mistakes::InUnclosed(size_t index) const {
  for (size_t at = index; tokens_[at].kind != TokenKind::End && Text(at) != "}"; ++at) {
    if (tokens_[at].depth < tokens_[index].depth) return !tokens_[at].instead.empty();
  }
  return false;
}

bool Mistakes::Report(Misfit misfit) {
  size_t index = misfit.index;
  if (diagnostics_.errors() >= limit_) {
    diagnostics_.Report<Diag::TooManyErrors>(At(index));
    return false;
  }
  size_t at = index;
  if (std::string_view later = Later(misfit, &at); !later.empty()) {
    diagnostics_.Report<Diag::LaterVersion>(At(at), later);
    return true;
  }
  if (misfit.between_declarations) {
    misfit.expected.insert(misfit.expected.end(), {"package", "import", "let", "def", "rule", "tune", "test", "allow"});
  }
  std::string expected = Expected(misfit.expected);
  if (MissingAtEndOfLine(misfit)) {
    uint32_t end = tokens_[index - 1].end;
    std::string before = Found(tokens_[index - 1], file_.text());
    diagnostics_.Report<Diag::SyntaxError>({&file_, end, end}, fmt::format("expected {} after {}", expected, before));
    return true;
  }
  std::string found = Found(tokens_[index], file_.text());
  Diagnostic& d =
      diagnostics_.Report<Diag::SyntaxError>(At(index), fmt::format("expected {}, found {}", expected, found));
  if (index > 0 && Text(index - 1) == "not") {
    misfit.place = Place::AfterNot;
    misfit.in_expression = false;
  }
  bool between_events = Has(misfit.expected, "|") && !AdviceFor(Text(index), Place::Events).empty();
  if (between_events) misfit.place = Place::Events;
  Advise(misfit, d);
  return true;
}

// What a later version of the language has here; `at`: its word.
std::string_view Mistakes::Later(const Misfit& misfit, size_t* at) const {
  size_t index = misfit.index;
  std::string_view feature = LaterFeature(Text(index), misfit.place);
  // A clause below a condition that lacks its end was taken for the name of a field.
  if (feature.empty() && misfit.in_expression && index > 0 && StartsLine(index - 1)) {
    feature = LaterFeature(Text(*at = index - 1), misfit.place);
  }
  return feature;
}

// What does not start an item of a list, but does start a line: what is missing is at the end of the line before.
bool Mistakes::MissingAtEndOfLine(const Misfit& misfit) const {
  constexpr std::array<std::string_view, 5> kItems = {"severity", "rule", "without", "case", "expect"};
  bool any_word = Has(misfit.expected, "quiet") && Has(misfit.expected, "where");  // as a name
  if (misfit.index == 0 || !StartsLine(misfit.index)) return false;
  if (any_word) return true;
  return std::none_of(kItems.begin(), kItems.end(), [&](std::string_view word) { return Has(misfit.expected, word); });
}

// A name where a text belongs, or the other way round.
bool Mistakes::Quotes(const Misfit& misfit, Diagnostic& d) const {
  std::string_view text = Text(misfit.index);
  bool wants_text = std::all_of(misfit.expected.begin(), misfit.expected.end(),
                                [](std::string_view word) { return word == "STRING" || word == "RAW_STRING"; });
  if (wants_text && tokens_[misfit.index].kind == TokenKind::Word) {
    d.help = "it stands in quotes";
    d.fixes.push_back({At(misfit.index), fmt::format("\"{}\"", text)});
    return true;
  }
  bool wants_name = misfit.expected == std::vector<std::string_view>{"ID"};
  if (wants_name && misfit.index > 0 && Text(misfit.index - 1) == "allow") {
    d.help = "first the code of the finding, then why it may stay, as in `allow K0701 \"why\"`";
    return true;
  }
  if (!wants_name || tokens_[misfit.index].kind != TokenKind::String || text.size() < 3) return false;
  text = text.substr(1, text.size() - 2);
  bool word = std::all_of(text.begin(), text.end(),
                          [](char c) { return c == '_' || ((c & 0x80) == 0 && std::isalnum(c) != 0); });
  if (!word || std::isdigit(text[0]) != 0) return false;
  d.help = "names stand without quotes";
  d.fixes.push_back({At(misfit.index), std::string(text)});
  return true;
}

void Mistakes::Advise(const Misfit& misfit, Diagnostic& d) const {
  size_t index = misfit.index;
  std::string_view text = Text(index);
  std::string_view advice;
  if (misfit.in_expression) advice = AdviceFor(text, Place::Expression);
  if (advice.empty()) advice = AdviceFor(text, misfit.place);
  bool in_sequence = misfit.place == Place::Sequence || misfit.place == Place::Step;
  if (in_sequence && tokens_[index].kind == TokenKind::Word && Text(index + 1) == ":") {
    d.help = fmt::format("`{}` is a word of the language; choose another name for the step", text);
    return;
  }
  if (advice.empty() && in_sequence && IsClauseWord(text)) {
    advice = "a sequence holds steps; clauses stand behind its `}`";
  }
  bool unit = Has(misfit.expected, "DURATION") && tokens_[index].kind == TokenKind::Int;
  if (advice.empty() && unit) advice = "a duration has a unit: ns us ms s m h d";
  if (!advice.empty()) {
    d.help = advice;
    if (text != "=") return;
    // Three signs are one operator of another language: what stands beside it is part of it.
    bool joined = index > 0 && tokens_[index - 1].end == tokens_[index].begin;
    if (file_.text().substr(tokens_[index].end).starts_with("~")) {
      d.help = "a regular expression is found with `matches r\"…\"`, a pattern fits with `like \"…*\"`";
    } else if (joined && (Text(index - 1) == "==" || Text(index - 1) == "!=")) {
      d.help = fmt::format("it is written `{}`", Text(index - 1));
      d.fixes.push_back({At(index), ""});
    } else {
      d.fixes.push_back({At(index), "=="});
    }
    return;
  }
  auto did_you_mean = [&](size_t at, const std::vector<std::string_view>& words) {
    std::string_view meant = DidYouMean(Text(at), words);
    if (meant.empty()) return false;
    d.help = fmt::format("did you mean `{}`?", meant);
    d.fixes.push_back({At(at), std::string(meant)});
    return true;
  };
  bool after_name = index > 0 && tokens_[index - 1].name;
  if (misfit.place == Place::TestStep && after_name) {
    d.help = AdviceFor(Text(index - 1), misfit.place);
    if (!d.help.empty() || did_you_mean(index - 1, {"expect", "repeat", "replay"})) return;
  }
  auto ends = [&](size_t at) { return at < index && (Text(at) == "until" || Text(at) == "without"); };
  if (ends(index - 1) && (text == "not" || text == "without" || text == "until")) {
    d.help =
        "`until exec` names an event that ends the sequence; that one must stay away is a step of its own, `without "
        "exec`";
    return;
  }
  if (index > 1 && ends(index - 2) && text == ":") {
    d.help = "what must not happen has no event to ask, and so no name: leave it out";
    return;
  }
  if (Quotes(misfit, d)) return;
  if (tokens_[index].kind != TokenKind::Word) return;
  if (Has(misfit.expected, "ID")) {
    bool taken = misfit.expected.size() == 1 && !tokens_[index].name;
    if (taken) d.help = fmt::format("`{}` is a word of the language; choose another name", text);
    return;
  }
  std::vector<std::string_view> words;
  std::copy_if(misfit.expected.begin(), misfit.expected.end(), std::back_inserter(words),
               [](std::string_view word) { return word[0] >= 'a' && word[0] <= 'z'; });
  did_you_mean(index, words);
}

}  // namespace ks::syntax

#include "compiler/syntax/wording.h"

#include <algorithm>
#include <array>
#include <span>

namespace ks::syntax {
namespace {

using Words = std::vector<std::string_view>;

struct Group {
  std::string_view said;
  Words all;  // said if all of them are expected; they are not named one by one then
};

// In the order in which they are said; the first groups take their words before the later ones see them.
const std::vector<Group>& Groups() {
  static const std::vector<Group> groups = {
      {"a name", {"ID", "package", "where", "test"}},  // any word will do
      {"a value or a condition", {"not", "ID", "STRING", "INT", "IP", "true", "(", "["}},
      {"a value or a field", {"ID", "STRING", "INT", "IP", "true", "(", "["}},
      {"a record `{ … }` or a value", {"{", "ID", "STRING", "INT", "[", "("}},
      {"an operator (`==`, `in`, …)", {"==", "!=", "<", ">", "in", "like", "under", "contains", "has", "is", "exists"}},
      {"`and` or `or`", {"and", "or"}},
      {"a clause (`severity`, `on`, …)", {"severity", "attack", "on", "sequence", "except", "alert"}},
      {"a change (`severity`, `except`, …)", {"severity", "disable", "except", "limit", "max"}},
      {"a declaration (`let`, `def`, `rule`, `test`)", {"let", "def", "rule", "test"}},
      {"a step (`name: exec where …`)", {"without", "until", "ID"}},
      {"an event (`exec { … }`)", {"+", "ID", "expect"}},
      {"an event (`exec { … }`)", {"ID", "expect", "repeat", "replay"}},
      {"a text in quotes", {"STRING", "RAW_STRING"}},
      {"a name", {"ID"}},
      {"a date such as 2027-01-31", {"DATE"}},
      {"an ATT&CK id such as T1059.004", {"ATTACK"}},
      {"a duration such as 2s", {"DURATION"}},
      {"a number", {"INT"}},
      {"`in`, `like` or `under`", {"in", "like", "under"}},
  };
  return groups;
}

// Of groups that stand for "any word" or "any value", the members that were not listed.
bool Covered(std::string_view said, std::string_view word) {
  bool value =
      said == "a value or a condition" || said == "a value or a field" || said == "a record `{ … }` or a value";
  constexpr std::array<std::string_view, 11> kValues = {"RAW_STRING", "HEX",  "OCTAL", "DURATION", "SIZE", "CIDR",
                                                        "ENDPOINT",   "DATE", "false", "(",        "["};
  if (value && std::find(kValues.begin(), kValues.end(), word) != kValues.end()) return true;
  bool plain = !word.empty() && word[0] >= 'a' && word[0] <= 'z';
  if (said == "a name" && plain) return true;
  if (said.starts_with("an operator") &&
      (word == "<=" || word == ">=" || word == "not" || word == "matches" || word == "descends")) {
    return true;
  }
  constexpr std::array<std::string_view, 11> kClauses = {"when",     "owner", "expires", "ticket", "limit",  "max",
                                                         "disclose", "ref",   "status",  "allow",  "disable"};
  bool clause = said.starts_with("a clause") || said.starts_with("a change");
  if (clause && std::find(kClauses.begin(), kClauses.end(), word) != kClauses.end()) return true;
  if (said.starts_with("an event") && (word == "expect" || word == "repeat" || word == "replay")) return true;
  return said.starts_with("a declaration") &&
         (word == "package" || word == "import" || word == "tune" || word == "allow");
}

struct Later {
  std::string_view word;
  Place place;
  std::string_view feature;
};
constexpr auto kLater = std::to_array<Later>({
    {"deny", Place::Rule, "`deny`"},
    {"kill", Place::Rule, "`kill`"},
    {"capture", Place::Rule, "`capture`"},
});

struct Advice {
  std::string_view word;
  Place place;
  std::string_view advice;
};
constexpr std::string_view kTuneMatches =
    "a tune cannot change what a rule matches; it may add an `except`, or switch the rule off with `disable`";
constexpr std::string_view kLetOfTest = "`let` belongs to the test, in front of its cases";
constexpr auto kAdvice = std::to_array<Advice>({
    {"=", Place::Expression, "equality is written `==`"},
    {"startswith", Place::Expression, "write `under` for paths, or `like \"…*\"`"},
    {"endswith", Place::Expression, "write `like \"*…\"`"},
    {"starts", Place::Expression, "write `under` for paths, or `like \"…*\"`"},
    {"starts_with", Place::Expression, "write `under` for paths, or `like \"…*\"`"},
    {"startsWith", Place::Expression, "write `under` for paths, or `like \"…*\"`"},
    {"begins", Place::Expression, "write `under` for paths, or `like \"…*\"`"},
    {"ends", Place::Expression, "write `like \"*…\"`"},
    {"ends_with", Place::Expression, "write `like \"*…\"`"},
    {"endsWith", Place::Expression, "write `like \"*…\"`"},
    {"includes", Place::Expression, "write `contains \"…\"`"},
    {"equals", Place::Expression, "equality is written `==`"},
    {"eq", Place::Expression, "equality is written `==`"},
    {"glob", Place::Expression, "globs are matched with `like`"},
    {"regex", Place::Expression, "globs are matched with `like`"},
    {"contains", Place::AfterNot, "`not` goes in front: `not name contains \"x\"`"},
    {"has", Place::AfterNot, "`not` goes in front: `not access has WRITE`"},
    {"exists", Place::AfterNot, "`not` goes in front: `not container exists`"},
    {"is", Place::AfterNot, "write `is not`"},
    {"matches", Place::AfterNot, "`not` goes in front: `not name matches r\"^x\"`"},
    {"descends", Place::AfterNot, "`not` goes in front: `not process descends [\"sshd\"]`"},
    {"for", Place::When, "the time is given by `within 30s`"},
    {"for", Place::Sequence, "the time is given by `within 30s`"},
    {"for", Place::Rule, "the time is given by `within 30s`"},
    {"over", Place::When, "the time is given by `within 30s`"},
    {"over", Place::Rule, "the time is given by `within 30s`"},
    {"in", Place::Limit, "a limit is so many alerts per time: `limit 1 per 10m`"},
    {"on", Place::Tune, kTuneMatches},
    {"where", Place::Tune, kTuneMatches},
    {"when", Place::Tune, kTuneMatches},
    {"sequence", Place::Tune, kTuneMatches},
    {"off", Place::Tune, "`disable` switches the rule off here"},
    {"enabled", Place::Tune, "a rule is on unless a tune has `disable`"},
    {"alert", Place::Tune, "a tune has `severity`, `except`, `limit`, `max keys` and `disable`"},
    {"let", Place::Case, kLetOfTest},
    {"let", Place::TestStep, kLetOfTest},
    {"no", Place::TestStep, "`expect quiet` expects no alert"},
    {"none", Place::TestStep, "`expect quiet` expects no alert"},
    {"nothing", Place::TestStep, "`expect quiet` expects no alert"},
    {"wait", Place::TestStep, "the clock goes on with the step that comes next: `+30s expect quiet`"},
    {"sleep", Place::TestStep, "the clock goes on with the step that comes next: `+30s expect quiet`"},
    {",", Place::Events, "events are joined by `|`"},
    {"or", Place::Events, "events are joined by `|`"},
    {"and", Place::Events, "a rule sees one event at a time; `|` says this event or that"},
    {"condition", Place::Rule, "a rule says `on <event> where <condition>`"},
    {"where", Place::Rule, "`where` follows the events: `on exec where …`"},
    {"owner", Place::Rule, "`owner` belongs to an `except`, after its condition"},
    {"expires", Place::Rule, "`expires` belongs to an `except`, after its condition"},
    {"ticket", Place::Rule, "`ticket` belongs to an `except`, after its condition"},
    {"output", Place::Rule, "the message of a rule is its `alert`"},
    {"severity", Place::File, "clauses stand in a rule: `rule name { … }`"},
    {"attack", Place::File, "clauses stand in a rule: `rule name { … }`"},
    {"on", Place::File, "clauses stand in a rule: `rule name { … }`"},
    {"except", Place::File, "clauses stand in a rule: `rule name { … }`"},
    {"alert", Place::File, "clauses stand in a rule: `rule name { … }`"},
    {"macro", Place::File, "conditions get names with `def`"},
    {"list", Place::File, "lists are values: `let name = [ … ]`"},
    {"ksp", Place::File, "`ksp 1` stands once, in front of everything else"},
});

}  // namespace

std::string Expected(const Words& expected) {
  Words left = expected;
  std::vector<std::string> said;
  auto has = [&left](std::string_view word) { return std::find(left.begin(), left.end(), word) != left.end(); };
  for (const Group& group : Groups()) {
    if (!std::all_of(group.all.begin(), group.all.end(), has)) continue;
    said.emplace_back(group.said);
    std::erase_if(left, [&group](std::string_view word) {
      return std::find(group.all.begin(), group.all.end(), word) != group.all.end() || Covered(group.said, word);
    });
  }
  bool only_signs = said.empty();
  for (std::string_view word : left) {
    if (word == "EOF" || (!only_signs && (word == "." || word == "("))) continue;
    said.push_back(fmt::format("`{}`", word));
  }
  if (said.empty()) return "the end of the file";
  // What closes or separates is what people forget: it is said even if there is much else.
  if (said.size() > 3) said.erase(said.begin() + 2, said.end() - 1);
  std::string out = said[0];
  for (size_t i = 1; i < said.size(); ++i) out += (i + 1 == said.size() ? ", or " : ", ") + said[i];
  if (said.size() == 2 && out.find(" or ", said[0].size() + 4) == std::string::npos) out = said[0] + " or " + said[1];
  return out;
}

std::string Found(const Token& token, std::string_view source) {
  constexpr size_t kShown = 40;
  if (token.kind == TokenKind::End) return "the end of the file";
  std::string_view text = token.Text(source);
  if (text.size() <= kShown) return token.kind == TokenKind::String ? std::string(text) : fmt::format("`{}`", text);
  switch (token.kind) {
    case TokenKind::String:
    case TokenKind::RawString:
      return "a long text";
    case TokenKind::Word:
      return "a long name";
    default:
      return "a long number";
  }
}

std::string_view LaterFeature(std::string_view word, Place place) {
  for (const Later& later : kLater) {
    if (later.word == word && later.place == place) return later.feature;
  }
  return {};
}

std::string_view AdviceFor(std::string_view word, Place place) {
  for (const Advice& advice : kAdvice) {
    if (advice.word == word && advice.place == place) return advice.advice;
  }
  return {};
}

}  // namespace ks::syntax

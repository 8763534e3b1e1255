// Syntax errors in plain words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compiler/syntax/tokens.h"

namespace ks::syntax {

// Where in the language a mistake was met.
enum class Place : uint8_t {
  File,
  Rule,
  When,
  Sequence,
  Step,
  Limit,
  Tune,
  Test,
  Case,
  TestStep,
  Expression,
  AfterNot,
  Events
};

// "a condition", "`where` or a clause such as `on`": `expected` holds spellings of words and signs, and names of the
// grammar's tokens (ID, STRING, …). At most three alternatives.
std::string Expected(const std::vector<std::string_view>& expected);

// "`foo`", "the text "…"", "the end of the file".
std::string Found(const Token& token, std::string_view source);

// What later versions of the language have in this place, by its word; or "" if they do not.
std::string_view LaterFeature(std::string_view word, Place place);

// Advice for a word that people know from other languages, or "".
std::string_view AdviceFor(std::string_view word, Place place);

}  // namespace ks::syntax
